-- migrate:up
-- What was read, and which rows could not become events: where they stand and why, never what they
-- hold. A file is its name and its bytes; reading it again replaces its rejects.
CREATE TABLE ingest_files (
  file_id     uuid PRIMARY KEY,
  name        text NOT NULL,
  sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
  size_bytes  bigint NOT NULL,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz,
  counts      jsonb NOT NULL DEFAULT '{}',
  status      text NOT NULL CHECK (status IN ('running', 'done', 'failed'))
);
CREATE INDEX ingest_files_started_at_idx ON ingest_files (started_at);

CREATE TABLE ingest_rejects (
  file_id     uuid NOT NULL REFERENCES ingest_files ON DELETE CASCADE,
  row_number  bigint NOT NULL,
  column_name text NOT NULL,
  reason      text NOT NULL,
  detail      text NOT NULL DEFAULT '',
  source      text NOT NULL DEFAULT '',
  PRIMARY KEY (file_id, row_number)
);

-- The ids a complete scan saw and the latest time it speaks of each, until it is finished. Unlogged:
-- a server that crashes ends the scan with it, and the next one writes its ids anew.
CREATE UNLOGGED TABLE scan_seen (
  scan_id     uuid NOT NULL,
  job_id      uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  PRIMARY KEY (scan_id, job_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest_files, ingest_rejects TO nextstep_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON scan_seen TO nextstep_ingest;
GRANT SELECT ON ingest_files, ingest_rejects TO nextstep_api, nextstep_worker;

-- migrate:down
DROP TABLE scan_seen;
DROP TABLE ingest_rejects;
DROP TABLE ingest_files;
