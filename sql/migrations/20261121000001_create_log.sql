-- migrate:up
-- The log. Positions are handed out under one lock by the functions below and nowhere else, so
-- position order is commit order, there are no gaps, and a reader needs only "position > offset".
-- payload_hash stands beside the payload so that an erased payload leaves the chain verifiable.
CREATE TABLE job_events (
  position       bigint PRIMARY KEY CHECK (position > 0),
  job_id         uuid NOT NULL,
  version        int NOT NULL CHECK (version > 0),
  kind           text NOT NULL,
  schema_version smallint NOT NULL,
  payload        jsonb NOT NULL,
  content_hash   bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  payload_hash   bytea NOT NULL,
  chain          bytea NOT NULL,
  occurred_at    timestamptz NOT NULL,
  recorded_at    timestamptz NOT NULL,
  UNIQUE (job_id, version)
);

-- Scans are few; what a scan said of a job's source is looked up by position.
CREATE INDEX job_events_scans_idx ON job_events (position) WHERE kind = 'source.scanned';

-- The last known state of every stream: makes "is this new?" one indexed join. Rebuildable.
-- No index but the key: a complete scan reads the whole table, appends stay cheap.
-- content_hash, occurred_at and is_open speak of the last observation or closing, not of an
-- operator's requeue.
CREATE TABLE job_heads (
  job_id       uuid PRIMARY KEY,
  source       text NOT NULL,
  is_job       boolean NOT NULL,
  version      int NOT NULL,
  content_hash bytea NOT NULL,
  occurred_at  timestamptz NOT NULL,
  is_open      boolean NOT NULL,
  position     bigint NOT NULL
) WITH (fillfactor = 80);

CREATE FUNCTION nextstep_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
  caller text;
BEGIN
  -- The one exception is erase_job; it may blank a payload and touch nothing else.
  IF TG_OP = 'UPDATE' AND TG_LEVEL = 'ROW' THEN
    GET DIAGNOSTICS caller = PG_CONTEXT;
    IF strpos(caller, 'erase_job(uuid,text)') > 0
       AND NEW.payload = '{"erased": true}'::jsonb
       AND (NEW.position, NEW.job_id, NEW.version, NEW.kind, NEW.schema_version, NEW.content_hash,
            NEW.payload_hash, NEW.chain, NEW.occurred_at, NEW.recorded_at)
         = (OLD.position, OLD.job_id, OLD.version, OLD.kind, OLD.schema_version, OLD.content_hash,
            OLD.payload_hash, OLD.chain, OLD.occurred_at, OLD.recorded_at)
    THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'job_events is immutable: % refused', TG_OP
    USING ERRCODE = 'integrity_constraint_violation',
          HINT = 'Facts are corrected by appending; erasure by law goes through erase_job().';
END
$$;
CREATE TRIGGER job_events_refuse_change BEFORE UPDATE OR DELETE ON job_events
  FOR EACH ROW EXECUTE FUNCTION nextstep_refuse_change();
CREATE TRIGGER job_events_refuse_truncate BEFORE TRUNCATE ON job_events
  FOR EACH STATEMENT EXECUTE FUNCTION nextstep_refuse_change();

-- Number, chain and store drafts whose streams are all different. The caller holds the append lock.
-- p_kinds: 'job.observed' lets the function pick posted, revised or reopened, or drop the draft as
-- unchanged or stale; any other kind is appended as it is, but for a scan or a verdict that its
-- stream's head already holds.
CREATE FUNCTION nextstep_log_append(
  p_job_ids uuid[], p_kinds text[], p_sources text[], p_schema_versions smallint[],
  p_payloads jsonb[], p_hashes bytea[], p_occurred_at timestamptz[],
  OUT outcomes text[], OUT positions bigint[], OUT versions int[]
)
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
  head      bigint;
  link      bytea;
  body      bytea;
  fresh     int;
  ids       uuid[];
  sources   text[];
  schemas   smallint[];
  payloads  jsonb[];
  hashes    bytea[];
  times     timestamptz[];
  kinds     text[];
  proofs    bytea[];
  bodies    bytea[];
  chains    bytea[] := '{}';
  kept_at   bigint[];
  kept_ver  int[];
BEGIN
  SELECT e.position, e.chain INTO head, link FROM job_events e ORDER BY e.position DESC LIMIT 1;
  IF NOT FOUND THEN
    head := 0;
    link := decode(repeat('00', 32), 'hex');
  END IF;

  -- Payloads stay out of this: each sort or join they pass through would copy them once more.
  -- Sorted once for all aggregates.
  SELECT array_agg(d.verdict), array_agg(coalesce(d.head_version, 0) + d.step),
         array_agg(CASE WHEN d.kind <> 'job.observed' THEN d.kind
                        WHEN d.verdict = 'new' THEN 'job.posted'
                        WHEN d.is_open THEN 'job.revised'
                        ELSE 'job.reopened' END),
         sum(d.step)
    INTO outcomes, versions, kinds, fresh
    FROM (
      SELECT c.*, CASE WHEN c.verdict IN ('new', 'changed') THEN 1 ELSE 0 END AS step
        FROM (
          SELECT i.ord, i.kind, h.version AS head_version, h.is_open,
                 CASE
                   WHEN i.kind IN ('source.scanned', 'pair.judged')
                     THEN CASE WHEN h.job_id IS NULL THEN 'new'
                               WHEN h.content_hash = i.hash THEN 'unchanged' ELSE 'changed' END
                   WHEN i.kind <> 'job.observed'
                     THEN CASE WHEN h.job_id IS NULL THEN 'new' ELSE 'changed' END
                   WHEN h.job_id IS NULL THEN 'new'
                   WHEN h.content_hash = i.hash AND h.is_open THEN 'unchanged'
                   WHEN i.occurred_at = h.occurred_at AND EXISTS (
                          SELECT FROM job_events e
                           WHERE e.job_id = i.job_id AND e.content_hash = i.hash) THEN 'unchanged'
                   WHEN i.occurred_at < h.occurred_at THEN 'stale'
                   ELSE 'changed'
                 END AS verdict
            FROM unnest(p_job_ids, p_kinds, p_hashes, p_occurred_at)
                 WITH ORDINALITY AS i (job_id, kind, hash, occurred_at, ord)
            LEFT JOIN job_heads h ON h.job_id = i.job_id
        ) c
       ORDER BY c.ord
    ) d;

  IF fresh = cardinality(p_job_ids) THEN
    ids := p_job_ids;
    sources := p_sources;
    schemas := p_schema_versions;
    payloads := p_payloads;
    hashes := p_hashes;
    times := p_occurred_at;
    kept_ver := versions;
    positions := ARRAY(SELECT generate_series(head + 1, head + fresh));
    kept_at := positions;
  ELSE
    SELECT array_agg(i.job_id), array_agg(i.source), array_agg(i.schema_version),
           array_agg(i.payload), array_agg(i.hash), array_agg(i.occurred_at), array_agg(i.ver),
           array_agg(i.kind)
      INTO ids, sources, schemas, payloads, hashes, times, kept_ver, kinds
      FROM unnest(p_job_ids, p_sources, p_schema_versions, p_payloads, p_hashes, p_occurred_at,
                  versions, kinds, outcomes)
           AS i (job_id, source, schema_version, payload, hash, occurred_at, ver, kind, outcome)
     WHERE i.outcome IN ('new', 'changed');
    SELECT array_agg(CASE WHEN o.outcome IN ('new', 'changed') THEN o.at ELSE 0 END ORDER BY o.ord),
           array_agg(o.at ORDER BY o.ord) FILTER (WHERE o.outcome IN ('new', 'changed'))
      INTO positions, kept_at
      FROM (SELECT u.ord, u.outcome,
                   head + count(*) FILTER (WHERE u.outcome IN ('new', 'changed'))
                          OVER (ORDER BY u.ord) AS at
              FROM unnest(outcomes) WITH ORDINALITY AS u (outcome, ord)) o;
  END IF;

  IF fresh > 0 THEN
    SELECT array_agg(sha256(convert_to(p.payload::text, 'UTF8'))) INTO proofs
      FROM (SELECT unnest(payloads) AS payload) p;
    SELECT array_agg(int8send(f.at) || uuid_send(f.job_id) || int4send(f.ver)
             || int4send(octet_length(f.kind)) || convert_to(f.kind, 'UTF8')
             || int2send(f.schema_version) || timestamptz_send(f.occurred_at)
             || f.hash || f.proof)
      INTO bodies
      FROM unnest(kept_at, ids, kept_ver, kinds, schemas, times, hashes, proofs)
           AS f (at, job_id, ver, kind, schema_version, occurred_at, hash, proof);
    FOREACH body IN ARRAY bodies LOOP
      link := sha256(link || body);
      chains := array_append(chains, link);
    END LOOP;

    -- unnest in the select list streams; in FROM it would copy every payload.
    INSERT INTO job_events (position, job_id, version, kind, schema_version, payload,
                            content_hash, payload_hash, chain, occurred_at, recorded_at)
    SELECT unnest(kept_at), unnest(ids), unnest(kept_ver), unnest(kinds), unnest(schemas),
           unnest(payloads), unnest(hashes), unnest(proofs), unnest(chains), unnest(times),
           clock_timestamp();

    INSERT INTO job_heads (job_id, source, is_job, version, content_hash, occurred_at, is_open,
                           position)
    SELECT k.job_id, k.source, k.kind LIKE 'job.%', k.ver, k.hash, k.occurred_at,
           k.kind NOT IN ('job.closed', 'job.erased'), k.at
      FROM unnest(kept_at, ids, kept_ver, kinds, sources, hashes, times)
           AS k (at, job_id, ver, kind, source, hash, occurred_at)
     WHERE k.ver = 1;

    -- A closing keeps the hash of the content it closed; a requeue or an erasure says nothing about
    -- what the source shows.
    IF EXISTS (SELECT FROM unnest(kept_ver) AS v WHERE v > 1) THEN
      UPDATE job_heads h SET
        version = k.ver,
        position = k.at,
        content_hash = CASE WHEN k.kind IN ('job.closed', 'job.requeued', 'job.erased')
                            THEN h.content_hash ELSE k.hash END,
        occurred_at = CASE WHEN k.kind IN ('job.requeued', 'job.erased')
                           THEN h.occurred_at ELSE k.occurred_at END,
        is_open = CASE WHEN k.kind = 'job.requeued' THEN h.is_open
                       ELSE k.kind NOT IN ('job.closed', 'job.erased') END
        FROM unnest(kept_at, ids, kept_ver, kinds, hashes, times)
             AS k (at, job_id, ver, kind, hash, occurred_at)
       WHERE k.ver > 1 AND h.job_id = k.job_id;
    END IF;
  END IF;
END
$$;

-- The append lock. Taken before anything is read, so that every statement after it sees all
-- appends before it; that needs a fresh snapshot per statement, hence READ COMMITTED only.
CREATE FUNCTION nextstep_log_lock() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'appending needs READ COMMITTED, not %', current_setting('transaction_isolation')
      USING ERRCODE = 'invalid_transaction_state',
            HINT = 'Start the transaction with ISOLATION LEVEL READ COMMITTED.';
  END IF;
  PERFORM pg_advisory_xact_lock(5641897);
END
$$;

-- Append drafts; one row of outcome, position and version per draft, in the same order. Repeats of a
-- stream inside one call are taken one after the other, as the source had them.
CREATE FUNCTION append_job_events(
  p_job_ids uuid[], p_kinds text[], p_sources text[], p_schema_versions smallint[],
  p_payloads jsonb[], p_hashes bytea[], p_occurred_at timestamptz[]
) RETURNS TABLE (outcome text, "position" bigint, version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
  total  int := cardinality(p_job_ids);
  low    int := 1;
  high   int;
  before bigint;
  after  bigint;
  wrong  text;
  part   record;
BEGIN
  IF total = 0 THEN
    RETURN;
  END IF;
  SELECT k INTO wrong FROM unnest(p_kinds) AS k
   WHERE k NOT IN ('job.observed', 'job.requeued', 'source.scanned', 'pair.judged',
                   'dead_letter.discarded')
   LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'kind % cannot be appended this way', wrong USING ERRCODE = 'check_violation';
  END IF;
  PERFORM nextstep_log_lock();
  SELECT coalesce(max(e.position), 0) INTO before FROM job_events e;

  IF (SELECT count(*) FROM (SELECT FROM unnest(p_job_ids) AS j GROUP BY j) AS each) = total THEN
    part := nextstep_log_append(
      p_job_ids, p_kinds, p_sources, p_schema_versions, p_payloads, p_hashes, p_occurred_at);
    RETURN QUERY SELECT unnest(part.outcomes), unnest(part.positions), unnest(part.versions);
  ELSE
    WHILE low <= total LOOP
      -- The longest run without a repeat.
      SELECT coalesce(min(r.n)::int + low - 2, total) INTO high
        FROM (SELECT i.n, row_number() OVER (PARTITION BY i.job_id ORDER BY i.n) AS nth
                FROM unnest(p_job_ids[low:total]) WITH ORDINALITY AS i (job_id, n)) r
       WHERE r.nth > 1;
      part := nextstep_log_append(
        p_job_ids[low:high], p_kinds[low:high], p_sources[low:high], p_schema_versions[low:high],
        p_payloads[low:high], p_hashes[low:high], p_occurred_at[low:high]);
      RETURN QUERY SELECT unnest(part.outcomes), unnest(part.positions), unnest(part.versions);
      low := high + 1;
    END LOOP;
  END IF;

  SELECT coalesce(max(e.position), 0) INTO after FROM job_events e;
  IF after > before THEN
    PERFORM pg_notify('nextstep_log', after::text);
  END IF;
END
$$;

-- Close what a complete scan no longer lists, reopen what it lists again, record it: all or nothing.
-- Returns how many posts were closed and the scan's outcome. p_max_share: refuse to close more than
-- this part of the source's open posts (SQLSTATE NX001).
CREATE FUNCTION finish_source_scan(
  p_source text, p_stream uuid, p_scan_id uuid, p_complete boolean, p_schema_version smallint,
  p_payload jsonb, p_hash bytea, p_occurred_at timestamptz, p_max_share double precision
) RETURNS TABLE (closed int, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_variable
DECLARE
  gone     uuid[];
  back     uuid[];
  payloads jsonb[];
  hashes   bytea[];
  schemas  smallint[];
  open_now int;
  n        int := 0;
  m        int := 0;
  result   text;
BEGIN
  PERFORM nextstep_log_lock();
  IF p_complete THEN
    SELECT count(*) INTO open_now FROM job_heads h WHERE h.source = p_source AND h.is_job AND h.is_open;
    SELECT coalesce(array_agg(h.job_id ORDER BY h.job_id), '{}') INTO gone
      FROM job_heads h
     WHERE h.source = p_source AND h.is_job AND h.is_open AND h.occurred_at <= p_occurred_at
       AND NOT EXISTS (SELECT FROM scan_seen s WHERE s.scan_id = p_scan_id AND s.job_id = h.job_id);
    n := cardinality(gone);
    IF n > 0 AND n > p_max_share * open_now THEN
      RAISE EXCEPTION 'the scan of % would close % of % open posts', p_source, n, open_now
        USING ERRCODE = 'NX001';
    END IF;
    IF n > 0 THEN
      PERFORM nextstep_log_append(
        gone, array_fill('job.closed'::text, ARRAY[n]), array_fill(p_source, ARRAY[n]),
        array_fill(1::smallint, ARRAY[n]),
        array_fill(jsonb_build_object('source', p_source, 'scan_id', p_scan_id), ARRAY[n]),
        array_fill(p_hash, ARRAY[n]), array_fill(p_occurred_at, ARRAY[n]));
    END IF;
    -- A closed post that is listed again is open again, also where its own row carries no newer
    -- time (sources that only say when a post was first made). What was erased stays erased.
    SELECT array_agg(h.job_id ORDER BY h.job_id), array_agg(c.payload ORDER BY h.job_id),
           array_agg(c.content_hash ORDER BY h.job_id), array_agg(c.schema_version ORDER BY h.job_id)
      INTO back, payloads, hashes, schemas
      FROM scan_seen s
      JOIN job_heads h ON h.job_id = s.job_id
     CROSS JOIN LATERAL (
           SELECT e.payload, e.content_hash, e.schema_version FROM job_events e
            WHERE e.job_id = h.job_id AND e.kind IN ('job.posted', 'job.revised', 'job.reopened')
            ORDER BY e.version DESC
            LIMIT 1) c
     WHERE s.scan_id = p_scan_id AND h.source = p_source AND h.is_job AND NOT h.is_open
       AND h.occurred_at < p_occurred_at AND c.payload <> '{"erased": true}'::jsonb;
    IF back IS NOT NULL THEN
      m := cardinality(back);
      PERFORM nextstep_log_append(
        back, array_fill('job.reopened'::text, ARRAY[m]), array_fill(p_source, ARRAY[m]), schemas,
        payloads, hashes, array_fill(p_occurred_at, ARRAY[m]));
    END IF;
  END IF;
  SELECT a.outcomes[1] INTO result FROM nextstep_log_append(
    ARRAY[p_stream], ARRAY['source.scanned'], ARRAY[p_source], ARRAY[p_schema_version],
    ARRAY[p_payload || jsonb_build_object('closed', n)], ARRAY[p_hash], ARRAY[p_occurred_at]) a;
  IF n > 0 OR m > 0 OR result <> 'unchanged' THEN
    PERFORM pg_notify('nextstep_log', (SELECT max(e.position) FROM job_events e)::text);
  END IF;
  closed := n;
  outcome := result;
  RETURN NEXT;
END
$$;

-- Erasure by law, for the owner only: blanks the payloads of one job; the chain stays verifiable
-- through payload_hash. A rebuild agrees, because the blanked events decode to nothing.
CREATE FUNCTION erase_job(p_job_id uuid, p_why text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
  blanked int;
  head    job_heads;
BEGIN
  PERFORM nextstep_log_lock();
  SELECT * INTO head FROM job_heads h WHERE h.job_id = p_job_id AND h.is_job;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no job % in the log', p_job_id USING ERRCODE = 'no_data_found';
  END IF;
  UPDATE job_events SET payload = '{"erased": true}'::jsonb
   WHERE job_id = p_job_id AND kind IN ('job.posted', 'job.revised', 'job.reopened')
     AND payload <> '{"erased": true}'::jsonb;
  GET DIAGNOSTICS blanked = ROW_COUNT;
  UPDATE dead_letters SET error = 'erased', detail = '' WHERE job_id = p_job_id;
  PERFORM nextstep_log_append(
    ARRAY[p_job_id], ARRAY['job.erased'], ARRAY[head.source], ARRAY[1::smallint],
    ARRAY[jsonb_build_object('why', p_why)], ARRAY[head.content_hash], ARRAY[head.occurred_at]);
  PERFORM pg_notify('nextstep_log', (SELECT max(e.position) FROM job_events e)::text);
  RETURN blanked;
END
$$;

REVOKE ALL ON FUNCTION
  nextstep_refuse_change(), nextstep_log_lock(), erase_job(uuid, text),
  nextstep_log_append(uuid[], text[], text[], smallint[], jsonb[], bytea[], timestamptz[]),
  append_job_events(uuid[], text[], text[], smallint[], jsonb[], bytea[], timestamptz[]),
  finish_source_scan(text, uuid, uuid, boolean, smallint, jsonb, bytea, timestamptz, double precision)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  append_job_events(uuid[], text[], text[], smallint[], jsonb[], bytea[], timestamptz[]),
  finish_source_scan(text, uuid, uuid, boolean, smallint, jsonb, bytea, timestamptz, double precision)
  TO nextstep_ingest;
-- An operator's requeue and discard come through the worker.
GRANT EXECUTE ON FUNCTION
  append_job_events(uuid[], text[], text[], smallint[], jsonb[], bytea[], timestamptz[])
  TO nextstep_worker;
GRANT SELECT ON job_events, job_heads TO nextstep_ingest, nextstep_worker, nextstep_api;

-- migrate:down
DROP FUNCTION erase_job(uuid, text);
DROP FUNCTION finish_source_scan(
  text, uuid, uuid, boolean, smallint, jsonb, bytea, timestamptz, double precision);
DROP FUNCTION append_job_events(
  uuid[], text[], text[], smallint[], jsonb[], bytea[], timestamptz[]);
DROP FUNCTION nextstep_log_lock();
DROP FUNCTION nextstep_log_append(
  uuid[], text[], text[], smallint[], jsonb[], bytea[], timestamptz[]);
DROP TABLE job_heads;
DROP TABLE job_events;
DROP FUNCTION nextstep_refuse_change();
