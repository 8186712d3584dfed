-- What must be true of a database in service. Read-only; any role that may SELECT runs it:
--   psql -d nextstep -X -f sql/ops/verify.sql
-- Every row says a check, whether it holds, and the numbers.
SELECT 'server is 14 or newer' AS "check",
       current_setting('server_version_num')::int >= 140000 AS ok,
       current_setting('server_version') AS found
UNION ALL
SELECT 'extensions', count(*) = 3, coalesce(string_agg(extname || ' ' || extversion, ', '), 'none')
  FROM pg_extension WHERE extname IN ('vector', 'pg_trgm', 'unaccent')
UNION ALL
SELECT 'log has no gap', count(*) = coalesce(max(position), 0),
       count(*) || ' events, head ' || coalesce(max(position), 0)
  FROM job_events
UNION ALL
SELECT 'no stage beyond the head',
       coalesce(max(position), 0) <= (SELECT coalesce(max(position), 0) FROM job_events),
       coalesce(string_agg(stage || ' ' || position, ', ' ORDER BY stage), 'none')
  FROM stage_offsets
UNION ALL
SELECT 'every job is in the dedupe map', count(*) = 0, count(*) || ' are not (lag, or a fault)'
  FROM jobs_normalized j
 WHERE NOT EXISTS (SELECT FROM job_dedupe_map m WHERE m.job_id = j.job_id)
UNION ALL
SELECT 'vectors of canonical jobs only', count(*) = 0, count(*) || ' stray'
  FROM job_embeddings e
 WHERE NOT EXISTS (SELECT FROM job_dedupe_map m
                    WHERE m.job_id = e.job_id AND m.canonical_job_id = m.job_id)
UNION ALL
SELECT 'the log is closed to application roles',
       NOT (has_table_privilege('nextstep_worker', 'job_events', 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_table_privilege('nextstep_ingest', 'job_events', 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_table_privilege('nextstep_api', 'job_events', 'INSERT, UPDATE, DELETE, TRUNCATE')),
       'nextstep_ingest, nextstep_worker, nextstep_api'
UNION ALL
SELECT 'public is closed to strangers',
       NOT has_schema_privilege('public', 'public', 'CREATE'), 'CREATE on schema public'
UNION ALL
SELECT 'indexes are valid', count(*) = 0, coalesce(string_agg(indexrelid::regclass::text, ', '), 'all')
  FROM pg_index WHERE NOT indisvalid;
