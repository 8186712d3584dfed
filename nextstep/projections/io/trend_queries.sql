-- Queries of trends. Each is prepared in a test.

-- name: state
-- Trends' offset, the log's head, the stage's version.
SELECT coalesce((SELECT position FROM stage_offsets WHERE stage = 'trends'), 0),
       coalesce((SELECT max(position) FROM job_events), 0),
       md5(coalesce((SELECT version FROM stage_offsets WHERE stage = 'trends'), ''))

-- name: group_months
-- The months of a group with the jobs of each source.
SELECT month, sources
  FROM trend_groups
 WHERE title_cluster = $1 AND country = $2
 ORDER BY month

-- name: groups_named
-- Months of a group with the counts of named skills, in their order.
SELECT g.month, g.jobs,
       ARRAY(SELECT coalesce((g.skills ->> n.name)::int, 0)
               FROM unnest($5::text[]) WITH ORDINALITY AS n (name, place)
              ORDER BY n.place)
  FROM trend_groups AS g
 WHERE g.title_cluster = $1 AND g.country = $2 AND g.month BETWEEN $3 AND $4
 ORDER BY g.month

-- name: groups_all
-- Months of a group in two spans, with all skills.
SELECT month, jobs, skills
  FROM trend_groups
 WHERE title_cluster = $1 AND country = $2
   AND (month BETWEEN $3 AND $4 OR month BETWEEN $5 AND $6)
 ORDER BY month

-- name: role_months
-- The months of a title with the jobs of each source.
SELECT month, sources
  FROM role_evolution
 WHERE title_norm = $1
 ORDER BY month

-- name: role_named
-- Months of a title with the counts of named skills, in their order.
SELECT r.month, r.jobs,
       ARRAY(SELECT coalesce((r.skills ->> n.name)::int, 0)
               FROM unnest($4::text[]) WITH ORDINALITY AS n (name, place)
              ORDER BY n.place)
  FROM role_evolution AS r
 WHERE r.title_norm = $1 AND r.month BETWEEN $2 AND $3
 ORDER BY r.month

-- name: role_all
-- Months of a title in two spans, with all skills.
SELECT month, jobs, skills
  FROM role_evolution
 WHERE title_norm = $1 AND (month BETWEEN $2 AND $3 OR month BETWEEN $4 AND $5)
 ORDER BY month

-- name: role_top
-- Months of a title with their top skills.
SELECT month, jobs, top_skills
  FROM role_evolution
 WHERE title_norm = $1 AND month BETWEEN $2 AND $3
 ORDER BY month

-- name: adjacent
-- Pairs of a title, or of all titles once each, nearest first.
SELECT p.title_a, p.title_b, p.similarity, p.evidence, a.jobs, b.jobs
  FROM title_adjacency AS p
  JOIN trend_titles AS a ON a.title_norm = p.title_a
  JOIN trend_titles AS b ON b.title_norm = p.title_b
 WHERE CASE WHEN $1::text IS NULL THEN p.title_a COLLATE "C" < p.title_b COLLATE "C"
            ELSE p.title_a = $1 END
 ORDER BY p.similarity DESC, p.title_a COLLATE "C", p.title_b COLLATE "C"
 LIMIT $2

-- name: salaries
-- Quantiles of a group.
SELECT month, currency, period, jobs, p10, p25, p50, p75, p90
  FROM salary_quantiles_monthly
 WHERE title_cluster = $1 AND country = $2 AND month BETWEEN $3 AND $4
   AND ($5::text IS NULL OR currency = $5) AND ($6::text IS NULL OR period = $6)
 ORDER BY month, currency COLLATE "C", period COLLATE "C"

-- name: employers
-- Employers of a cluster, or one employer in all its clusters; most postings first.
SELECT employer, title_cluster, postings, unique_postings, repost_intensity, closed,
       days_to_close_p25, days_to_close_p50, days_to_close_p75
  FROM employer_activity
 WHERE CASE WHEN $1::text IS NULL THEN title_cluster = $2 AND employer NOT IN ('', '*')
            ELSE employer = $1 AND ($2 = '*' OR title_cluster = $2) END
 ORDER BY postings DESC, employer COLLATE "C", title_cluster COLLATE "C"
 LIMIT $3

-- name: coverage_months
-- Every source and month that has a posting or a scan.
SELECT source, month, postings, jobs, days, scans, complete_scans, crawled
  FROM source_coverage_monthly
 ORDER BY source COLLATE "C", month

-- name: coverage_totals
-- Postings of a source, and those without a month.
SELECT source, postings, undated
  FROM trend_sources
 ORDER BY source COLLATE "C"

-- name: clusters
-- The fields of work there are.
SELECT DISTINCT title_cluster COLLATE "C" FROM trend_groups
 WHERE country = '*' AND title_cluster <> '*' ORDER BY 1

-- name: countries
-- The countries there are.
SELECT DISTINCT country COLLATE "C" FROM trend_groups
 WHERE title_cluster = '*' AND country <> '*' ORDER BY 1

-- name: titles
-- The commonest titles.
SELECT title_norm FROM trend_titles ORDER BY jobs DESC, title_norm COLLATE "C" LIMIT $1

-- name: jobs_total
-- How many postings stand behind a cell.
SELECT count(*)
  FROM trend_contributions
 WHERE ($1::date IS NULL OR month = $1) AND ($2::text IS NULL OR cluster = $2)
   AND ($3::text IS NULL OR country = $3) AND ($4::text IS NULL OR $4 = ANY (skills))
   AND ($5::text IS NULL OR title_norm = $5)
   AND ($6::text IS NULL OR salary_currency = $6)
   AND ($7::text IS NULL OR salary_period = $7) AND ($8::text IS NULL OR employer = $8)
   AND ($9::text IS NULL OR posted_cluster = $9) AND ($10::text IS NULL OR source = $10)
   AND ($11::boolean IS NULL OR is_counted = $11)
   AND ($12::boolean IS NULL OR (salary_amount IS NOT NULL) = $12)
   AND ($13::date IS NULL OR month >= $13) AND ($14::date IS NULL OR month <= $14)

-- name: jobs
-- The postings behind a cell, by id.
SELECT job_id
  FROM trend_contributions
 WHERE ($1::date IS NULL OR month = $1) AND ($2::text IS NULL OR cluster = $2)
   AND ($3::text IS NULL OR country = $3) AND ($4::text IS NULL OR $4 = ANY (skills))
   AND ($5::text IS NULL OR title_norm = $5)
   AND ($6::text IS NULL OR salary_currency = $6)
   AND ($7::text IS NULL OR salary_period = $7) AND ($8::text IS NULL OR employer = $8)
   AND ($9::text IS NULL OR posted_cluster = $9) AND ($10::text IS NULL OR source = $10)
   AND ($11::boolean IS NULL OR is_counted = $11)
   AND ($12::boolean IS NULL OR (salary_amount IS NOT NULL) = $12)
   AND ($13::date IS NULL OR month >= $13) AND ($14::date IS NULL OR month <= $14)
   AND ($15::uuid IS NULL OR job_id > $15)
 ORDER BY job_id
 LIMIT $16
