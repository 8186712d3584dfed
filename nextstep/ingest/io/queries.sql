-- Queries of the ingest. Each is prepared in a test.

-- name: start_file
-- A file is being read; what an earlier reading of it left is dropped with forget_rejects.
INSERT INTO ingest_files (file_id, name, sha256, size_bytes, started_at, status)
VALUES ($1, $2, $3, $4, $5, 'running')
ON CONFLICT (file_id) DO UPDATE
   SET started_at = excluded.started_at, finished_at = NULL, counts = '{}', status = 'running'

-- name: forget_rejects
-- The rejects of an earlier reading.
DELETE FROM ingest_rejects WHERE file_id = $1

-- name: finish_file
-- A file is read, to its end or not.
UPDATE ingest_files SET finished_at = $2, counts = $3, status = $4 WHERE file_id = $1

-- name: add_rejects
-- Rejected rows as parallel arrays.
INSERT INTO ingest_rejects (file_id, row_number, column_name, reason, detail, source)
SELECT $1, r.row_number, r.column_name, r.reason, r.detail, r.source
  FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
       AS r (row_number, column_name, reason, detail, source)
ON CONFLICT (file_id, row_number) DO NOTHING

-- name: add_seen
-- Ids that a complete scan saw, as parallel arrays; the latest time of each counts.
INSERT INTO scan_seen (scan_id, job_id, occurred_at)
SELECT s.scan_id, s.job_id, max(s.occurred_at)
  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS s (scan_id, job_id, occurred_at)
 GROUP BY s.scan_id, s.job_id
ON CONFLICT (scan_id, job_id) DO UPDATE
   SET occurred_at = greatest(scan_seen.occurred_at, excluded.occurred_at)

-- name: forget_seen
-- A scan is over, or starts anew.
DELETE FROM scan_seen WHERE scan_id = ANY ($1::uuid[])

-- name: scan_age
-- Whether a scan speaks of an earlier time than the log knows, and the latest the log knows open.
SELECT EXISTS (
         SELECT FROM scan_seen s
           JOIN job_heads h ON h.job_id = s.job_id
          WHERE s.scan_id = $1 AND s.occurred_at < h.occurred_at) AS is_late,
       (SELECT max(h.occurred_at) FROM job_heads h
         WHERE h.source = $2 AND h.is_job AND h.is_open) AS latest
