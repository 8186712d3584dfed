-- migrate:up
-- The bulk path's ledger: which ranges of the log were exported, what was made of them, and in which
-- files. A range holds the streams that end in it, so that each is computed, and computed again,
-- without the others. Files lie in the run's folder; the sha256 here is what they must have.
CREATE TABLE bulk_runs (
  run_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  folder       text NOT NULL,
  upto         bigint NOT NULL CHECK (upto > 0),
  chain        bytea NOT NULL CHECK (octet_length(chain) = 32),
  scans_sha256 text NOT NULL DEFAULT '',
  stages       jsonb NOT NULL DEFAULT '{}',
  status       text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'swapped', 'dropped')),
  started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at  timestamptz
);
CREATE UNIQUE INDEX bulk_runs_open_idx ON bulk_runs (folder) WHERE status = 'open';

CREATE TABLE bulk_ranges (
  run_id         uuid NOT NULL REFERENCES bulk_runs ON DELETE CASCADE,
  after_position bigint NOT NULL CHECK (after_position >= 0),
  upto_position  bigint NOT NULL,
  status         text NOT NULL DEFAULT 'planned'
                 CHECK (status IN ('planned', 'exported', 'done', 'failed')),
  attempts       int NOT NULL DEFAULT 0,
  streams        bigint NOT NULL DEFAULT 0,
  input          jsonb NOT NULL DEFAULT '{}',
  parts          jsonb NOT NULL DEFAULT '[]',
  letters        jsonb NOT NULL DEFAULT '[]',
  error          text NOT NULL DEFAULT '',
  updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, after_position),
  CHECK (upto_position > after_position)
);

GRANT SELECT ON bulk_runs, bulk_ranges TO nextstep_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON bulk_runs, bulk_ranges TO nextstep_worker;

-- migrate:down
DROP TABLE bulk_ranges;
DROP TABLE bulk_runs;
