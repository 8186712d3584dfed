-- migrate:up
-- What follows clean reads only job_dedupe_map: one row per job, restamped whenever the job's
-- content, status or canonical changes. canonical_job_id is NULL while a job is absent (parked by
-- clean or dedupe, or erased), so that the stages behind drop what they had of it.
CREATE TABLE job_dedupe_map (
  job_id           uuid PRIMARY KEY,
  canonical_job_id uuid,
  similarity       double precision NOT NULL DEFAULT 0,
  rule             text NOT NULL,
  position         bigint NOT NULL
);
CREATE INDEX job_dedupe_map_position_idx ON job_dedupe_map (position, job_id);
CREATE INDEX job_dedupe_map_canonical_job_id_idx ON job_dedupe_map (canonical_job_id);

CREATE TABLE job_duplicate_pairs (
  job_a      uuid NOT NULL,
  job_b      uuid NOT NULL,
  relation   text NOT NULL CHECK (relation IN ('duplicate', 'variant', 'apart')),
  similarity double precision NOT NULL,
  reasons    jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (job_a, job_b),
  CHECK (job_a < job_b)
);
CREATE INDEX job_duplicate_pairs_job_b_idx ON job_duplicate_pairs (job_b);
-- The pairs that clusters are made of: a few among many variants.
CREATE INDEX job_duplicate_pairs_linked_a_idx ON job_duplicate_pairs (job_a, job_b)
  WHERE relation = 'duplicate' OR reasons ->> 'rule' = 'verdict';
CREATE INDEX job_duplicate_pairs_linked_b_idx ON job_duplicate_pairs (job_b, job_a)
  WHERE relation = 'duplicate' OR reasons ->> 'rule' = 'verdict';

-- One row per cluster: open while any member is.
CREATE TABLE job_clusters (
  canonical_job_id   uuid PRIMARY KEY,
  status             text NOT NULL CHECK (status IN ('open', 'closed')),
  latest_open_job_id uuid,
  members            int NOT NULL
);

-- One row per job that takes part. Jobs with one group_key have one text and equal fields.
CREATE TABLE job_signatures (
  job_id        uuid PRIMARY KEY,
  group_key     uuid NOT NULL,
  first_seen_at timestamptz NOT NULL,
  date_posted   date,
  status        text NOT NULL CHECK (status IN ('open', 'closed'))
);
CREATE INDEX job_signatures_group_key_idx ON job_signatures (group_key, first_seen_at, job_id);

-- One row per distinct advertisement: all but representative and first_seen_at (its earliest
-- member in dedupe order) follows from group_key. The text is kept because the one in
-- jobs_normalized may already be a newer version when a batch compares it.
CREATE TABLE dedupe_groups (
  group_key      uuid PRIMARY KEY,
  representative uuid NOT NULL,
  first_seen_at  timestamptz NOT NULL,
  scheme         text NOT NULL,
  signature      bytea NOT NULL,
  fields         jsonb NOT NULL,
  body           text NOT NULL
);
-- Not unique: within one batch a job may leave one group's head for another's.
CREATE INDEX dedupe_groups_representative_idx ON dedupe_groups (representative);

-- A bucket is the rows of one band, in dedupe order; the key's index reads it in that order.
CREATE TABLE dedupe_bands (
  band           bigint NOT NULL,
  first_seen_at  timestamptz NOT NULL,
  representative uuid NOT NULL,
  PRIMARY KEY (band, first_seen_at, representative)
);

CREATE INDEX pair_verdicts_job_b_idx ON pair_verdicts (job_b);

GRANT SELECT ON job_dedupe_map, job_duplicate_pairs, job_clusters, job_signatures TO nextstep_api;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE
  ON job_dedupe_map, job_duplicate_pairs, job_clusters, job_signatures, dedupe_groups, dedupe_bands
  TO nextstep_worker;

-- migrate:down
DROP INDEX pair_verdicts_job_b_idx;
DROP TABLE dedupe_bands;
DROP TABLE dedupe_groups;
DROP TABLE job_signatures;
DROP TABLE job_clusters;
DROP TABLE job_duplicate_pairs;
DROP TABLE job_dedupe_map;
