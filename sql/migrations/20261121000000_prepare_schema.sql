-- migrate:up
-- Open to everybody on 14; closed by default from 15 on.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- No-ops after sql/ops/database.sql, which a plain owner needs: `vector` wants a superuser.
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;

GRANT USAGE ON SCHEMA public TO nextstep_owner, nextstep_ingest, nextstep_worker, nextstep_api;

-- Every process checks at its start that nothing is pending.
DO $$
BEGIN
  IF to_regclass('public.schema_migrations') IS NOT NULL THEN
    GRANT SELECT ON public.schema_migrations TO nextstep_ingest, nextstep_worker, nextstep_api;
  END IF;
END
$$;

-- unaccent itself is only STABLE, because its dictionary could be changed; ours is named. Fully
-- qualified: from 17 on index expressions run with an empty search_path.
CREATE FUNCTION nextstep_unaccent(text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT public.unaccent('public.unaccent'::regdictionary, $1) $$;

-- migrate:down
-- The extensions stay: they may serve others, and a plain owner could not make them again. CREATE
-- stays revoked: giving it back would open what 15 closed.
DROP FUNCTION nextstep_unaccent(text);
