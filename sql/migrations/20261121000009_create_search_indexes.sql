-- migrate:up
-- What a match looks up besides vectors: titles by words that look alike, and open
-- clusters by the posting they show.
CREATE INDEX jobs_normalized_title_trgm_idx ON jobs_normalized USING gin (lower(title) gin_trgm_ops);
CREATE INDEX job_clusters_latest_open_job_id_idx ON job_clusters (latest_open_job_id);

-- migrate:down
DROP INDEX job_clusters_latest_open_job_id_idx;
DROP INDEX jobs_normalized_title_trgm_idx;
