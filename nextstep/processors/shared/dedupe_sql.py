"""
The SQL of the dedupe stage, in the order in which a batch runs it.

Every statement takes arrays: one round trip for the whole batch. Rows come in any order where the
plan sorts them itself. `LATERAL ... LIMIT 1` stands where a join of few rows with a large table
must go by its index: the planner cannot know how few there are, and would read the table.
"""

from __future__ import annotations

#: Jobs whose clean row, absence (parked by clean) or verdict changed, on whole positions.
READ = """
WITH named AS (
  (SELECT position, job_id FROM jobs_normalized
    WHERE position > $1 AND position <= $2
    ORDER BY position FETCH FIRST ($3) ROWS WITH TIES)
  UNION
  (SELECT position, job_id FROM dead_letters
    WHERE stage = 'clean' AND position > $1 AND position <= $2
    ORDER BY position FETCH FIRST ($3) ROWS WITH TIES)
  UNION
  (SELECT v.position, j.job_id FROM (
     SELECT position, job_a, job_b FROM pair_verdicts
      WHERE position > $1 AND position <= $2
      ORDER BY position FETCH FIRST ($3) ROWS WITH TIES) AS v
   CROSS JOIN LATERAL (VALUES (v.job_a), (v.job_b)) AS j (job_id))
), touched AS (
  SELECT position, job_id FROM named ORDER BY position FETCH FIRST ($3) ROWS WITH TIES
)
SELECT t.position, t.job_id, j.status, j.first_seen_at, j.date_posted, j.title, j.company,
       j.company_norm, j.location_raw, j.city, j.region, j.country, j.employment_type,
       j.employment_type_raw, j.description_clean, j.sections
  FROM touched AS t
  LEFT JOIN LATERAL (SELECT * FROM jobs_normalized AS n WHERE n.job_id = t.job_id LIMIT 1) AS j
    ON true
 ORDER BY t.position, t.job_id
"""

#: Verdicts on the touched jobs. $2: the batch's highest position; clean may be ahead of it.
VERDICTS = """
SELECT job_a, job_b, verdict FROM pair_verdicts
 WHERE job_a = ANY($1::uuid[]) AND position <= $2
UNION
SELECT job_a, job_b, verdict FROM pair_verdicts
 WHERE job_b = ANY($1::uuid[]) AND position <= $2
 ORDER BY job_a, job_b
"""

#: What the touched jobs were.
BEFORE = """
SELECT m.job_id, s.group_key, m.canonical_job_id
  FROM job_dedupe_map AS m
  LEFT JOIN job_signatures AS s ON s.job_id = m.job_id
 WHERE m.job_id = ANY($1::uuid[])
 ORDER BY m.job_id
"""

#: The earliest member of each group that the batch does not touch ($2: touched members).
EARLIEST = """
SELECT k.group_key, m.first_seen_at, m.job_id
  FROM unnest($1::uuid[]) AS k (group_key)
 CROSS JOIN LATERAL (
   SELECT s.first_seen_at, s.job_id FROM job_signatures AS s
    WHERE s.group_key = k.group_key AND s.job_id <> ALL ($2::uuid[])
    ORDER BY s.first_seen_at, s.job_id LIMIT 1) AS m
 ORDER BY k.group_key
"""

GROUPS = """
SELECT group_key, representative, first_seen_at, signature
  FROM dedupe_groups
 WHERE group_key = ANY($1::uuid[])
 ORDER BY group_key
"""

#: The first members of each bucket; one more than the limit tells that it is a large one. A row
#: per member with all its bands, in dedupe order: near copies share most of their 32 bands, and a
#: row per band was most of what travelled.
BUCKETS = """
SELECT m.first_seen_at, m.representative, array_agg(w.band)
  FROM unnest($1::bigint[]) AS w (band)
 CROSS JOIN LATERAL (
   SELECT b.first_seen_at, b.representative FROM dedupe_bands AS b
    WHERE b.band = w.band
    ORDER BY b.first_seen_at, b.representative LIMIT $2) AS m
 GROUP BY m.first_seen_at, m.representative
 ORDER BY m.first_seen_at, m.representative
"""

#: All members of the large buckets whose first members may change.
CROWDS = """
SELECT first_seen_at, representative, array_agg(band) FROM dedupe_bands
 WHERE band = ANY($1::bigint[])
 GROUP BY first_seen_at, representative
 ORDER BY first_seen_at, representative
"""

PAIRS = """
SELECT job_a, job_b, relation, similarity, reasons FROM job_duplicate_pairs
 WHERE job_a = ANY($1::uuid[])
UNION ALL
SELECT job_a, job_b, relation, similarity, reasons FROM job_duplicate_pairs
 WHERE job_b = ANY($1::uuid[]) AND job_a <> ALL ($1::uuid[])
"""

PEERS = """
SELECT representative, first_seen_at, signature, fields FROM dedupe_groups
 WHERE representative = ANY($1::uuid[])
"""

TEXTS = """
SELECT representative, body, core FROM dedupe_groups WHERE representative = ANY($1::uuid[])
"""

#: The seeds and all that follow them along pairs from earlier to later: no other place can change.
REACH = """
WITH RECURSIVE reach (representative, first_seen_at) AS (
  SELECT g.representative, g.first_seen_at FROM dedupe_groups AS g
   WHERE g.representative = ANY($1::uuid[])
  UNION
  SELECT g.representative, g.first_seen_at
    FROM reach AS r
   CROSS JOIN LATERAL (
     SELECT p.job_b AS other FROM job_duplicate_pairs AS p
      WHERE p.job_a = r.representative
        AND (p.relation = 'duplicate' OR p.reasons ->> 'rule' = 'verdict')
     UNION ALL
     SELECT p.job_a FROM job_duplicate_pairs AS p
      WHERE p.job_b = r.representative
        AND (p.relation = 'duplicate' OR p.reasons ->> 'rule' = 'verdict')) AS o
   CROSS JOIN LATERAL (
     SELECT n.representative, n.first_seen_at FROM dedupe_groups AS n
      WHERE n.representative = o.other LIMIT 1) AS g
   WHERE (g.first_seen_at, g.representative) > (r.first_seen_at, r.representative)
)
SELECT r.representative, r.first_seen_at, g.group_key, m.canonical_job_id, m.similarity, m.rule
  FROM reach AS r
 CROSS JOIN LATERAL (
   SELECT n.group_key FROM dedupe_groups AS n
    WHERE n.representative = r.representative LIMIT 1) AS g
 CROSS JOIN LATERAL (
   SELECT d.canonical_job_id, d.similarity, d.rule FROM job_dedupe_map AS d
    WHERE d.job_id = r.representative LIMIT 1) AS m
 ORDER BY r.first_seen_at, r.representative
"""

#: Every pair that counts for the place of those.
EDGES = """
SELECT job_a, job_b, relation, similarity, reasons ->> 'rule' FROM job_duplicate_pairs
 WHERE job_a = ANY($1::uuid[]) AND (relation = 'duplicate' OR reasons ->> 'rule' = 'verdict')
UNION ALL
SELECT job_a, job_b, relation, similarity, reasons ->> 'rule' FROM job_duplicate_pairs
 WHERE job_b = ANY($1::uuid[]) AND (relation = 'duplicate' OR reasons ->> 'rule' = 'verdict')
   AND job_a <> ALL ($1::uuid[])
"""

#: Places that stay as they are but are needed for others.
RANKS = """
SELECT g.representative, g.first_seen_at, m.canonical_job_id, m.similarity, m.rule
  FROM dedupe_groups AS g
  JOIN job_dedupe_map AS m ON m.job_id = g.representative
 WHERE g.representative = ANY($1::uuid[])
"""

#: Every job of the groups whose place is decided anew.
MEMBERS = """
SELECT s.group_key, s.job_id, m.canonical_job_id, m.similarity, m.rule
  FROM job_signatures AS s
  JOIN job_dedupe_map AS m ON m.job_id = s.job_id
 WHERE s.group_key = ANY($1::uuid[])
 ORDER BY s.group_key, s.job_id
"""

#: $1: bands of all groups one after the other, $4 of each; $2, $3: the groups' order.
LEAVE_BANDS = """
DELETE FROM dedupe_bands AS b
 USING (SELECT w.band, ($2::timestamptz[])[(w.n - 1) / $4::int + 1] AS first_seen_at,
               ($3::uuid[])[(w.n - 1) / $4::int + 1] AS representative
          FROM unnest($1::bigint[]) WITH ORDINALITY AS w (band, n)) AS o
 WHERE b.band = o.band AND b.first_seen_at = o.first_seen_at
   AND b.representative = o.representative
"""

ENTER_BANDS = """
INSERT INTO dedupe_bands (band, first_seen_at, representative)
SELECT w.band, ($2::timestamptz[])[(w.n - 1) / $4::int + 1],
       ($3::uuid[])[(w.n - 1) / $4::int + 1]
  FROM unnest($1::bigint[]) WITH ORDINALITY AS w (band, n)
"""

MOVE_GROUPS = """
UPDATE dedupe_groups AS g SET first_seen_at = n.first_seen_at, representative = n.representative
  FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[])
       AS n (group_key, first_seen_at, representative)
 WHERE g.group_key = n.group_key
"""

#: $1: canonical jobs of clusters in which anything changed.
CLUSTERS_GONE = """
DELETE FROM job_clusters AS c
 WHERE c.canonical_job_id = ANY($1::uuid[])
   AND NOT EXISTS (SELECT FROM job_dedupe_map AS m WHERE m.canonical_job_id = c.canonical_job_id)
"""

CLUSTERS = """
INSERT INTO job_clusters AS c (canonical_job_id, status, latest_open_job_id, members)
SELECT m.canonical_job_id,
       CASE WHEN bool_or(s.status = 'open') THEN 'open' ELSE 'closed' END,
       (array_agg(m.job_id ORDER BY s.date_posted DESC NULLS LAST, s.first_seen_at DESC,
                                    m.job_id DESC) FILTER (WHERE s.status = 'open'))[1],
       count(*)::int
  FROM job_dedupe_map AS m
  JOIN job_signatures AS s ON s.job_id = m.job_id
 WHERE m.canonical_job_id = ANY($1::uuid[])
 GROUP BY m.canonical_job_id
 ORDER BY m.canonical_job_id
ON CONFLICT (canonical_job_id) DO UPDATE
   SET status = excluded.status, latest_open_job_id = excluded.latest_open_job_id,
       members = excluded.members
 WHERE (c.status, c.latest_open_job_id, c.members)
       IS DISTINCT FROM (excluded.status, excluded.latest_open_job_id, excluded.members)
"""
