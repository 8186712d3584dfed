-- migrate:up
CREATE TABLE jobs_normalized (
  job_id              uuid PRIMARY KEY,
  source              text NOT NULL,
  source_job_id       text NOT NULL DEFAULT '',
  url                 text NOT NULL DEFAULT '',
  title               text NOT NULL DEFAULT '',
  title_norm          text NOT NULL DEFAULT '',
  title_cluster       text NOT NULL DEFAULT '',
  company             text NOT NULL DEFAULT '',
  company_norm        text NOT NULL DEFAULT '',
  location_raw        text NOT NULL DEFAULT '',
  city                text NOT NULL DEFAULT '',
  region              text NOT NULL DEFAULT '',
  country             text NOT NULL DEFAULT '',
  work_mode           text NOT NULL DEFAULT '',
  date_posted         date,
  date_precision      text NOT NULL DEFAULT 'none' CHECK (date_precision IN ('day', 'month', 'year', 'none')),
  employment_type     text NOT NULL DEFAULT '',
  employment_type_raw text NOT NULL DEFAULT '',
  salary_raw          text NOT NULL DEFAULT '',
  description_clean   text NOT NULL DEFAULT '',
  sections            jsonb NOT NULL DEFAULT '[]',
  language            text NOT NULL DEFAULT '',
  changes             jsonb NOT NULL DEFAULT '{}',
  content_hash        bytea NOT NULL,
  first_seen_at       timestamptz NOT NULL,
  last_seen_at        timestamptz NOT NULL,
  status              text NOT NULL CHECK (status IN ('open', 'closed', 'erased')),
  position            bigint NOT NULL
);
CREATE INDEX jobs_normalized_position_idx ON jobs_normalized (position, job_id);
CREATE INDEX jobs_normalized_source_idx ON jobs_normalized (source);
CREATE INDEX jobs_normalized_date_posted_idx ON jobs_normalized (date_posted);
CREATE INDEX jobs_normalized_title_norm_idx ON jobs_normalized (title_norm);

CREATE TABLE pair_verdicts (
  job_a    uuid NOT NULL,
  job_b    uuid NOT NULL,
  verdict  text NOT NULL CHECK (verdict IN ('same', 'not_same')),
  why      text NOT NULL DEFAULT '',
  position bigint NOT NULL,
  PRIMARY KEY (job_a, job_b),
  CHECK (job_a < job_b)
);
CREATE INDEX pair_verdicts_position_idx ON pair_verdicts (position);

GRANT SELECT ON jobs_normalized, pair_verdicts TO nextstep_api;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON jobs_normalized, pair_verdicts TO nextstep_worker;

-- migrate:down
DROP TABLE pair_verdicts;
DROP TABLE jobs_normalized;
