-- Queries of the log, offsets and dead letters. Each is prepared in a test.

-- name: append
-- Drafts as parallel arrays; outcome, position and version per draft.
SELECT outcome, "position", version
  FROM append_job_events($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::jsonb[],
                         $6::bytea[], $7::timestamptz[])

-- name: finish_scan
-- Close what is absent and record the scan.
SELECT closed, outcome
  FROM finish_source_scan($1, $2, $3, $4, $5::smallint, $6::jsonb, $7, $8, $9)

-- name: head
-- Highest position of the log.
SELECT coalesce(max(position), 0) FROM job_events

-- name: show
-- Events for a person to read.
SELECT position, job_id, version, kind, schema_version, payload, encode(content_hash, 'hex') AS content_hash,
       encode(chain, 'hex') AS chain, occurred_at, recorded_at
  FROM job_events
 WHERE position > $1 AND ($3::uuid IS NULL OR job_id = $3)
 ORDER BY position
 LIMIT $2

-- name: verify_rows
-- Everything the chain covers, and whether the payload still is what was appended.
SELECT position, job_id, version, kind, schema_version, occurred_at, content_hash, payload_hash, chain,
       sha256(convert_to(payload::text, 'UTF8')) AS payload_hash_now,
       payload = '{"erased": true}'::jsonb AS blank
  FROM job_events
 ORDER BY position

-- name: verify_heads
-- Streams whose head differs from the log.
WITH last AS (
  SELECT DISTINCT ON (job_id) job_id, version, position
    FROM job_events
   ORDER BY job_id, version DESC
)
SELECT coalesce(l.job_id, h.job_id) AS job_id,
       CASE WHEN h.job_id IS NULL THEN 'no head for a stream of the log'
            WHEN l.job_id IS NULL THEN 'head ' || h.position || ' of a stream that is not in the log'
            ELSE 'head says position ' || h.position || ', the log ' || l.position END AS fault
  FROM last l
  FULL JOIN job_heads h ON h.job_id = l.job_id
 WHERE h.job_id IS NULL OR l.job_id IS NULL OR h.position <> l.position OR h.version <> l.version
 ORDER BY 1
 LIMIT $1

-- name: verify_offsets
-- Offsets beyond the head: the log lost its tail.
SELECT stage, position FROM stage_offsets
 WHERE position > (SELECT coalesce(max(position), 0) FROM job_events)
 ORDER BY stage COLLATE "C"

-- name: ensure_stage
-- A row for a stage that has none yet.
INSERT INTO stage_offsets (stage) VALUES ($1) ON CONFLICT (stage) DO NOTHING

-- name: stage_state
-- What a runner needs to know before a batch. The bound is the upstream's offset, or the head; a
-- place to stop at holds until its time is over, so that whoever set it cannot stall the line.
SELECT s.position, s.status, s.epoch, s.version,
       least(CASE WHEN s.stop_until > clock_timestamp() THEN s.stop_at END,
             CASE WHEN $2::text IS NULL THEN h.head
                  ELSE (SELECT coalesce(max(u.position), 0) FROM stage_offsets u
                         WHERE u.stage = $2) END) AS bound,
       EXISTS (SELECT FROM dead_letters d WHERE d.stage = $1 AND d.status = 'parked') AS has_parked,
       h.head
  FROM stage_offsets s
 CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM job_events) h
 WHERE s.stage = $1

-- name: take_stage
-- Become the stage's writer: $3 says that we hold its lock; else only over a dead heartbeat.
-- `silent` names the holder before us when it did not step down but fell silent.
WITH was AS (
  SELECT stage, CASE WHEN heartbeat_at < clock_timestamp() - make_interval(secs => $5)
                     THEN holder ELSE '' END AS silent
    FROM stage_offsets WHERE stage = $1
)
UPDATE stage_offsets s SET epoch = epoch + 1, holder = $2, heartbeat_at = clock_timestamp(),
       wakeup = $4, updated_at = clock_timestamp()
  FROM was
 WHERE s.stage = was.stage
   AND ($3 OR heartbeat_at IS NULL OR heartbeat_at < clock_timestamp() - make_interval(secs => $5))
RETURNING epoch, version, silent

-- name: end_sessions
-- End the sessions of a holder that fell silent: what they lock would keep its heir waiting.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = $1

-- name: adopt_version
-- The first writer of a stage writes down what its outputs are made of.
UPDATE stage_offsets SET version = $2 WHERE stage = $1 AND version = ''

-- name: heartbeat
-- Say that this process still works on its stages; those that are missing in the answer are lost.
UPDATE stage_offsets s SET heartbeat_at = clock_timestamp()
  FROM unnest($1::text[], $2::bigint[]) AS mine (stage, epoch)
 WHERE s.stage = mine.stage AND s.epoch = mine.epoch
RETURNING s.stage

-- name: release_stage
-- Step down, so that a standby need not wait for the heartbeat to grow old.
UPDATE stage_offsets SET holder = '', heartbeat_at = NULL WHERE stage = $1 AND epoch = $2

-- name: checkpoint
-- Move the offset, record the counts, wake the next stages: all or, when fenced, nothing (0 rows).
WITH moved AS (
  UPDATE stage_offsets SET position = $3, heartbeat_at = clock_timestamp(),
         last_error = '', updated_at = clock_timestamp()
   WHERE stage = $1 AND position = $2 AND epoch = $4 AND status = 'running'
  RETURNING stage
), run AS (
  INSERT INTO pipeline_runs AS r (run_id, stage, started_at, finished_at, counts, status)
  SELECT $5, stage, $6, CASE WHEN $8 THEN clock_timestamp() END, $7::jsonb,
         CASE WHEN $8 THEN 'done' ELSE 'running' END
    FROM moved
   WHERE $5::uuid IS NOT NULL
  ON CONFLICT (run_id, stage) DO UPDATE
     SET finished_at = excluded.finished_at, counts = excluded.counts, status = excluded.status
)
SELECT pg_notify($9, $3::text || ' ' || $1) FROM moved

-- name: fail_run
-- A run that ended with an error.
INSERT INTO pipeline_runs AS r (run_id, stage, started_at, finished_at, counts, status, error)
VALUES ($1, $2, $3, clock_timestamp(), $4::jsonb, 'failed', $5)
ON CONFLICT (run_id, stage) DO UPDATE
   SET finished_at = excluded.finished_at, counts = excluded.counts, status = 'failed',
       error = excluded.error

-- name: halt_stage
-- Stop for good, with the reason, until an operator resumes.
UPDATE stage_offsets SET status = 'halted', reason = $3, last_error = $4,
       updated_at = clock_timestamp()
 WHERE stage = $1 AND epoch = $2

-- name: note_error
-- What a runner is struggling with while it retries.
UPDATE stage_offsets SET last_error = $3 WHERE stage = $1 AND epoch = $2

-- name: park
-- Keep a row that a stage could not handle. One that an operator gave up stays given up.
INSERT INTO dead_letters AS d (stage, job_id, position, error, detail, attempts)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (stage, job_id) DO UPDATE
   SET status = CASE WHEN d.status = 'discarded' AND d.position = excluded.position
                     THEN 'discarded' ELSE 'parked' END,
       attempts = CASE WHEN d.position = excluded.position
                       THEN d.attempts + excluded.attempts ELSE excluded.attempts END,
       position = excluded.position, error = excluded.error, detail = excluded.detail,
       last_at = clock_timestamp()

-- name: resolve
-- Letters whose jobs went through after all.
UPDATE dead_letters SET status = 'resolved', last_at = clock_timestamp()
 WHERE stage = $1 AND job_id = ANY ($2::uuid[]) AND status = 'parked'

-- name: column_types
-- Types of a table's columns, found through the search path.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory::text
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped

-- name: status
-- Every stage with its lag and the age of the oldest event it has not seen.
SELECT s.stage, s.position, s.status, s.holder, s.epoch, s.version, s.reason, s.last_error,
       s.wakeup, s.heartbeat_at, h.head,
       (SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8 FROM job_events e
         WHERE e.position = s.position + 1) AS oldest_age_s,
       (SELECT count(*) FROM dead_letters d WHERE d.stage = s.stage AND d.status = 'parked')
         AS dead_letters,
       r.rate_per_s
  FROM stage_offsets s
 CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM job_events) h
  LEFT JOIN LATERAL (
       SELECT ((p.counts ->> 'in')::float8
               / greatest(0.001, extract(epoch FROM coalesce(p.finished_at, s.updated_at)
                                               - p.started_at)))::float8 AS rate_per_s
         FROM pipeline_runs p
        WHERE p.stage = s.stage AND p.counts ? 'in'
        ORDER BY p.started_at DESC
        LIMIT 1) r ON true
 ORDER BY s.stage COLLATE "C"

-- name: set_status
-- Pause or resume; a pause is a row, so it survives a restart.
UPDATE stage_offsets SET status = $2, reason = $3, last_error = CASE WHEN $2 = 'running' THEN '' ELSE last_error END,
       updated_at = clock_timestamp()
 WHERE stage = $1
RETURNING stage

-- name: reset_stage
-- Rewind: the epoch fences whoever is at work; the version is written anew by the next writer.
UPDATE stage_offsets SET position = least(position, $2), epoch = epoch + 1, version = '',
       status = CASE WHEN status = 'halted' THEN 'running' ELSE status END, last_error = '',
       reason = CASE WHEN status = 'halted' THEN '' ELSE reason END,
       holder = '', heartbeat_at = NULL, updated_at = clock_timestamp()
 WHERE stage = $1
RETURNING position

-- name: offset_rows
-- Offsets and versions by stage.
SELECT stage, position, status, version, last_error, reason FROM stage_offsets
 ORDER BY stage COLLATE "C"

-- name: letters
-- Dead letters, filtered by stage, job and status.
SELECT stage, job_id, position, error, detail, attempts, status, first_at, last_at
  FROM dead_letters
 WHERE ($1::text IS NULL OR stage = $1) AND ($2::uuid IS NULL OR job_id = $2)
   AND ($3::text IS NULL OR status = $3)
 ORDER BY stage COLLATE "C", position, job_id
 LIMIT $4

-- name: discard_letter
-- Give a letter up; the event that says so is appended beside it.
UPDATE dead_letters SET status = 'discarded', last_at = clock_timestamp()
 WHERE stage = $1 AND job_id = $2 AND status = 'parked'
RETURNING position

-- name: job_source
-- Source and head of one job's stream.
SELECT source, content_hash, occurred_at FROM job_heads WHERE job_id = $1 AND is_job
