-- migrate:up
-- A rebuild fills the shadow beside the live tables; a swap puts those it replaced into the other.
CREATE SCHEMA nextstep_shadow;
CREATE SCHEMA nextstep_old;

-- Without any right to write on the live tables, so that a table missing in the shadow is an error.
GRANT USAGE ON SCHEMA public, nextstep_shadow TO nextstep_rebuild;
GRANT SELECT ON job_events, job_heads, stage_offsets, dead_letters,
  jobs_normalized, pair_verdicts,
  job_dedupe_map, job_duplicate_pairs, job_clusters, job_signatures, dedupe_groups, dedupe_bands,
  job_entities, job_embeddings,
  trend_contributions, trend_groups, trend_cells
  TO nextstep_rebuild;

-- migrate:down
DROP SCHEMA nextstep_old CASCADE;
DROP SCHEMA nextstep_shadow CASCADE;
REVOKE SELECT ON job_events, job_heads, stage_offsets, dead_letters,
  jobs_normalized, pair_verdicts,
  job_dedupe_map, job_duplicate_pairs, job_clusters, job_signatures, dedupe_groups, dedupe_bands,
  job_entities, job_embeddings,
  trend_contributions, trend_groups, trend_cells
  FROM nextstep_rebuild;
REVOKE USAGE ON SCHEMA public FROM nextstep_rebuild;
