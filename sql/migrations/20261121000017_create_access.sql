-- migrate:up
-- Who may call the server from elsewhere, and what operators did. No secret is stored: a token and
-- a login are random, 256 bits, and stand here as SHA-256.
CREATE TABLE access_tokens (
  token_id    text PRIMARY KEY CHECK (token_id ~ '^[0-9a-f]{12}$'),
  name        text NOT NULL,
  secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
  scopes      text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'match', 'operate']),
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at  timestamptz,
  revoked_at  timestamptz
);

-- A login of the console: it has the scopes of the token it was opened with, and ends with it.
CREATE TABLE access_sessions (
  session_hash bytea PRIMARY KEY CHECK (octet_length(session_hash) = 32),
  token_id     text NOT NULL REFERENCES access_tokens ON DELETE CASCADE,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz NOT NULL
);
CREATE INDEX access_sessions_expires_at_idx ON access_sessions (expires_at);

-- One row per action, written in the action's transaction; nobody but the owner can change it.
CREATE TABLE operator_actions (
  action_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  acted_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor       text NOT NULL,
  action      text NOT NULL,
  target      text NOT NULL,
  why         text NOT NULL DEFAULT '',
  before      jsonb NOT NULL DEFAULT '{}',
  after       jsonb NOT NULL DEFAULT '{}',
  request_id  text NOT NULL DEFAULT ''
);
CREATE INDEX operator_actions_acted_at_idx ON operator_actions (acted_at);

GRANT SELECT ON access_tokens, access_sessions, operator_actions TO nextstep_api;
GRANT SELECT, INSERT, UPDATE ON access_tokens TO nextstep_worker;
GRANT SELECT, INSERT, DELETE ON access_sessions TO nextstep_worker;
GRANT SELECT, INSERT ON operator_actions TO nextstep_worker;

-- migrate:down
DROP TABLE operator_actions;
DROP TABLE access_sessions;
DROP TABLE access_tokens;
