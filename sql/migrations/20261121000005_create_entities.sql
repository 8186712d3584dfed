-- migrate:up
CREATE TABLE job_entities (
  job_id          uuid PRIMARY KEY,
  skills          text[] NOT NULL DEFAULT '{}',
  tools           text[] NOT NULL DEFAULT '{}',
  education       jsonb NOT NULL DEFAULT '{}',
  experience_min  numeric(4,1),
  experience_max  numeric(4,1),
  salary_min      numeric(14,2),
  salary_max      numeric(14,2),
  salary_currency text NOT NULL DEFAULT '',
  salary_period   text NOT NULL DEFAULT '',
  seniority       text NOT NULL DEFAULT '',
  employment_type text NOT NULL DEFAULT '',
  title_norm      text NOT NULL DEFAULT '',
  title_cluster   text NOT NULL DEFAULT '',
  city            text NOT NULL DEFAULT '',
  region          text NOT NULL DEFAULT '',
  country         text NOT NULL DEFAULT '',
  work_mode       text NOT NULL DEFAULT '',
  confidence      jsonb NOT NULL DEFAULT '{}',
  evidence        jsonb NOT NULL DEFAULT '{}',
  position        bigint NOT NULL
);
CREATE INDEX job_entities_skills_idx ON job_entities USING gin (skills);
CREATE INDEX job_entities_tools_idx ON job_entities USING gin (tools);
CREATE INDEX job_entities_title_norm_idx ON job_entities (title_norm);

GRANT SELECT ON job_entities TO nextstep_api;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON job_entities TO nextstep_worker;

-- migrate:down
DROP TABLE job_entities;
