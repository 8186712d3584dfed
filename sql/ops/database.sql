-- What one database needs before its migrations. Idempotent; needs the roles of roles.sql.
-- `nextstep db migrate` runs it where it may. `vector` is not a trusted extension, so on a server of
-- your own a superuser runs it once:  psql -d <database> -f sql/ops/database.sql
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['vector', 'pg_trgm', 'unaccent'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = wanted) THEN
      EXECUTE format('CREATE EXTENSION %I SCHEMA public', wanted);
    END IF;
  END LOOP;

  IF NOT has_database_privilege('nextstep_owner', current_database(), 'CREATE') THEN
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO nextstep_owner', current_database());
  END IF;

  -- The owner of the tables owns their schema, and can then take CREATE from PUBLIC (open on 14).
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    ALTER SCHEMA public OWNER TO nextstep_owner;
  ELSIF NOT has_schema_privilege('nextstep_owner', 'public', 'CREATE') THEN
    GRANT USAGE, CREATE ON SCHEMA public TO nextstep_owner;
  END IF;
END
$$;
