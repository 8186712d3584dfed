-- The login of the services, once, after roles.sql; a superuser runs it:
--   psql -d postgres -X -f sql/ops/roles.sql -f sql/ops/login.sql
-- With peer authentication (pg_hba.conf.template) the login needs no password.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'nextstep') THEN
    CREATE ROLE nextstep LOGIN;
  END IF;
  GRANT nextstep_owner, nextstep_ingest, nextstep_worker, nextstep_rebuild, nextstep_api TO nextstep;
END
$$;
