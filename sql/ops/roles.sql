-- Cluster-level roles of NextStep. Idempotent; needs CREATEROLE. The embedded server's launcher and
-- `nextstep db migrate` run it where they may; on a server of your own an administrator runs it once
-- and grants the five roles to the login user:
--   GRANT nextstep_owner, nextstep_ingest, nextstep_worker, nextstep_rebuild, nextstep_api TO <login>;
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['nextstep_owner', 'nextstep_ingest', 'nextstep_worker', 'nextstep_rebuild', 'nextstep_api'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another session made it in this moment
      END;
    END IF;
    -- A superuser may SET ROLE to any role; a creator that is none has to be a member.
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
       AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_auth_members AS m
         WHERE m.roleid = wanted::regrole
           AND m.member = (current_user::text)::regrole
           AND m.grantor <> 10
       ) THEN
      EXECUTE format('GRANT %I TO %I', wanted, current_user);
    END IF;
  END LOOP;
END
$$;
