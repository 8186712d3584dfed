-- migrate:up
CREATE TABLE stage_offsets (
  stage        text PRIMARY KEY,
  position     bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
  version      text NOT NULL DEFAULT '',
  status       text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'paused', 'halted')),
  epoch        bigint NOT NULL DEFAULT 0,
  holder       text NOT NULL DEFAULT '',
  heartbeat_at timestamptz,
  reason       text NOT NULL DEFAULT '',
  last_error   text NOT NULL DEFAULT '',
  -- Where a rebuild asks the stage to stand still, and until when that holds: it renews the time,
  -- so that one that dies cannot stall the line.
  stop_at      bigint,
  stop_until   timestamptz,
  wakeup       text NOT NULL DEFAULT '' CHECK (wakeup IN ('', 'notify', 'poll')),
  updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE dead_letters (
  stage       text NOT NULL,
  job_id      uuid NOT NULL,
  position    bigint NOT NULL,
  error       text NOT NULL,
  detail      text NOT NULL DEFAULT '',
  attempts    int NOT NULL DEFAULT 1,
  status      text NOT NULL DEFAULT 'parked' CHECK (status IN ('parked', 'resolved', 'discarded')),
  first_at    timestamptz NOT NULL DEFAULT now(),
  last_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stage, job_id)
);
CREATE INDEX dead_letters_stage_position_idx ON dead_letters (stage, position);

CREATE TABLE pipeline_runs (
  run_id      uuid NOT NULL,
  stage       text NOT NULL,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz,
  counts      jsonb NOT NULL DEFAULT '{}',
  status      text NOT NULL CHECK (status IN ('running', 'done', 'failed')),
  error       text NOT NULL DEFAULT '',
  PRIMARY KEY (run_id, stage)
);
CREATE INDEX pipeline_runs_started_at_idx ON pipeline_runs (started_at);

GRANT SELECT ON stage_offsets, dead_letters, pipeline_runs TO nextstep_ingest, nextstep_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON stage_offsets, dead_letters, pipeline_runs TO nextstep_worker;

-- migrate:down
DROP TABLE pipeline_runs;
DROP TABLE dead_letters;
DROP TABLE stage_offsets;
