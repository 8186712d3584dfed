-- migrate:up
-- The second way in, for a log that was packed elsewhere: the owner copies job_events and job_heads
-- into an empty log and calls this in the same transaction. Positions, times and the chain stay as
-- they were; all of it is computed again here and refused unless it agrees, heads included. Beyond
-- an empty log there is only append_job_events.
CREATE FUNCTION load_job_events(p_head bigint, p_chain bytea) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
  events bigint;
  first  bigint;
  last   bigint;
  link   bytea;
  wrong  text;
BEGIN
  PERFORM nextstep_log_lock();
  -- A row of another transaction: the log was not empty when this one began to fill it.
  IF EXISTS (SELECT FROM job_events e WHERE e.xmin <> pg_current_xact_id()::xid)
     OR EXISTS (SELECT FROM job_heads h WHERE h.xmin <> pg_current_xact_id()::xid) THEN
    RAISE EXCEPTION 'a log is loaded into an empty one only'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Load into a new database; what is in a log already stays in it.';
  END IF;

  SELECT count(*), coalesce(min(e.position), 1), coalesce(max(e.position), 0)
    INTO events, first, last FROM job_events e;
  IF first <> 1 OR events <> last OR last IS DISTINCT FROM p_head THEN
    RAISE EXCEPTION 'the log holds % events, positions % to %; its head should be %',
      events, first, last, p_head USING ERRCODE = 'data_corrupted';
  END IF;

  -- Every stored hash against the one before it: together they are the whole chain.
  SELECT format('position %s: %s', c.position,
                CASE WHEN c.is_kept THEN 'the chain breaks here'
                     ELSE 'the payload is not what was appended' END)
    INTO wrong
    FROM (
      SELECT e.position,
             e.payload = '{"erased": true}'::jsonb
               OR e.payload_hash = sha256(convert_to(e.payload::text, 'UTF8')) AS is_kept,
             e.chain = sha256(
               coalesce(lag(e.chain) OVER (ORDER BY e.position), decode(repeat('00', 32), 'hex'))
               || int8send(e.position) || uuid_send(e.job_id) || int4send(e.version)
               || int4send(octet_length(e.kind)) || convert_to(e.kind, 'UTF8')
               || int2send(e.schema_version) || timestamptz_send(e.occurred_at)
               || e.content_hash || e.payload_hash) AS is_linked
        FROM job_events e
    ) c
   WHERE NOT (c.is_kept AND c.is_linked)
   ORDER BY c.position
   LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'the log does not verify: %', wrong USING ERRCODE = 'data_corrupted';
  END IF;
  SELECT e.chain INTO link FROM job_events e WHERE e.position = p_head;
  IF p_head > 0 AND link IS DISTINCT FROM p_chain THEN
    RAISE EXCEPTION 'the log ends with the hash %, not %', encode(link, 'hex'), encode(p_chain, 'hex')
      USING ERRCODE = 'data_corrupted';
  END IF;

  -- A head is what nextstep_log_append leaves of its stream. An erased stream's source stands
  -- nowhere else, which is why heads are carried along instead of being made anew.
  SELECT format('stream %s', coalesce(s.job_id, h.job_id)) INTO wrong
    FROM (
      SELECT a.job_id, a.is_job, a.version, l.position, c.content_hash, o.occurred_at,
             p.kind NOT IN ('job.closed', 'job.erased') AS is_open
        FROM (
          SELECT e.job_id, max(e.version) AS version,
                 bool_or(e.kind LIKE 'job.%') FILTER (WHERE e.version = 1) AS is_job,
                 max(e.version) FILTER (WHERE e.version = 1
                   OR e.kind NOT IN ('job.closed', 'job.requeued', 'job.erased')) AS content,
                 max(e.version) FILTER (WHERE e.version = 1
                   OR e.kind NOT IN ('job.requeued', 'job.erased')) AS observed,
                 max(e.version) FILTER (WHERE e.version = 1
                   OR e.kind <> 'job.requeued') AS state
            FROM job_events e
           GROUP BY e.job_id
        ) a
        JOIN job_events l ON l.job_id = a.job_id AND l.version = a.version
        JOIN job_events c ON c.job_id = a.job_id AND c.version = a.content
        JOIN job_events o ON o.job_id = a.job_id AND o.version = a.observed
        JOIN job_events p ON p.job_id = a.job_id AND p.version = a.state
    ) s
    FULL JOIN job_heads h ON h.job_id = s.job_id
   WHERE (s.job_id, s.is_job, s.version, s.position, s.content_hash, s.occurred_at, s.is_open)
         IS DISTINCT FROM
         (h.job_id, h.is_job, h.version, h.position, h.content_hash, h.occurred_at, h.is_open)
   ORDER BY 1
   LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'a head does not agree with the log: %', wrong USING ERRCODE = 'data_corrupted';
  END IF;

  IF p_head > 0 THEN
    PERFORM pg_notify('nextstep_log', p_head::text);
  END IF;
  RETURN events;
END
$$;

REVOKE ALL ON FUNCTION load_job_events(bigint, bytea) FROM PUBLIC;

-- migrate:down
DROP FUNCTION load_job_events(bigint, bytea);
