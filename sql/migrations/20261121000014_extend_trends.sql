-- migrate:up
-- Trends anew: every table below is summed from trend_contributions, one row per posting, and a sum
-- is a JSON object of names and counts, so that a batch writes a row per group and not one per
-- skill of a group (100,000 posts: some 60,000 rows instead of a million). The stage's version
-- changes with it: `nextstep up` or `nextstep rebuild trends --swap` fills them from the log.
DROP VIEW skill_trends_monthly;
DROP TABLE trend_cells;
DROP TABLE trend_groups;
DROP TABLE trend_contributions;

-- What each posting adds. '' is unknown; month is NULL where the date is no better than a year, day
-- is 0 where it is no better than a month. Only counted postings (canonical and extracted) have
-- title, cluster, country, skills and pay; employer and posted_cluster are the posting's own.
CREATE TABLE trend_contributions (
  job_id          uuid PRIMARY KEY,
  source          text NOT NULL,
  month           date CHECK (extract(day FROM month) = 1),
  day             int NOT NULL,
  is_canonical    boolean NOT NULL,
  is_counted      boolean NOT NULL,
  employer        text NOT NULL,
  posted_cluster  text NOT NULL,
  days_to_close   int CHECK (days_to_close >= 0),
  title_norm      text NOT NULL,
  cluster         text NOT NULL,
  country         text NOT NULL,
  skills          text[] NOT NULL,
  salary_currency text NOT NULL,
  salary_period   text NOT NULL,
  salary_amount   numeric(14,2)
);
CREATE INDEX trend_contributions_month_idx ON trend_contributions (month, cluster, country);
CREATE INDEX trend_contributions_title_norm_idx ON trend_contributions (title_norm, month);
CREATE INDEX trend_contributions_employer_idx ON trend_contributions (employer);

-- Counted jobs of a group, by source, and how many of them name each skill. '*' is all.
CREATE TABLE trend_groups (
  title_cluster text NOT NULL,
  country       text NOT NULL,
  month         date NOT NULL,
  jobs          int NOT NULL CHECK (jobs > 0),
  sources       jsonb NOT NULL,
  skills        jsonb NOT NULL,
  PRIMARY KEY (title_cluster, country, month)
);

-- The same per title. top_skills: [{skill, count, share, change}], change against the month before.
CREATE TABLE role_evolution (
  title_norm text NOT NULL,
  month      date NOT NULL,
  jobs       int NOT NULL CHECK (jobs > 0),
  sources    jsonb NOT NULL,
  skills     jsonb NOT NULL,
  top_skills jsonb NOT NULL,
  PRIMARY KEY (title_norm, month)
);

-- The skills of a title over all time, dated or not. profile: per mille of its jobs, empty for a
-- title with too few jobs. is_dirty: its pairs wait for the end of the catch-up (book-keeping).
CREATE TABLE trend_titles (
  title_norm text PRIMARY KEY,
  jobs       int NOT NULL CHECK (jobs > 0),
  skills     jsonb NOT NULL,
  profile    jsonb NOT NULL,
  is_dirty   boolean NOT NULL DEFAULT false
);
CREATE INDEX trend_titles_profile_idx ON trend_titles (title_norm)
  WHERE is_dirty OR profile <> '{}'::jsonb;

-- Both directions of every pair.
CREATE TABLE title_adjacency (
  title_a    text NOT NULL,
  title_b    text NOT NULL,
  similarity double precision NOT NULL,
  evidence   jsonb NOT NULL,
  PRIMARY KEY (title_a, title_b),
  CHECK (title_a <> title_b)
);

-- Stated pay, middle of its range, in its own currency and period. amounts: {"55000.00": jobs}.
CREATE TABLE salary_quantiles_monthly (
  title_cluster text NOT NULL,
  country       text NOT NULL,
  month         date NOT NULL,
  currency      text NOT NULL,
  period        text NOT NULL,
  jobs          int NOT NULL CHECK (jobs > 0),
  p10           numeric(14,2) NOT NULL,
  p25           numeric(14,2) NOT NULL,
  p50           numeric(14,2) NOT NULL,
  p75           numeric(14,2) NOT NULL,
  p90           numeric(14,2) NOT NULL,
  amounts       jsonb NOT NULL,
  PRIMARY KEY (title_cluster, country, month, currency, period)
);

-- Postings of an employer, repeats included. close_days: {"14": postings closed after 14 days}.
CREATE TABLE employer_activity (
  employer           text NOT NULL,
  title_cluster      text NOT NULL,
  postings           int NOT NULL CHECK (postings > 0),
  unique_postings    int NOT NULL,
  repost_intensity   double precision,
  closed             int NOT NULL,
  days_to_close_p25  int,
  days_to_close_p50  int,
  days_to_close_p75  int,
  close_days         jsonb NOT NULL,
  PRIMARY KEY (employer, title_cluster)
);
CREATE INDEX employer_activity_cluster_idx ON employer_activity (title_cluster, postings);

-- Dated postings of a source. by_day: {"14": postings of the 14th}, "0" where only a month is known.
CREATE TABLE trend_source_months (
  source   text NOT NULL,
  month    date NOT NULL,
  postings int NOT NULL CHECK (postings > 0),
  jobs     int NOT NULL,
  days     int NOT NULL,
  by_day   jsonb NOT NULL,
  PRIMARY KEY (source, month)
);

CREATE TABLE trend_sources (
  source   text PRIMARY KEY,
  postings int NOT NULL CHECK (postings > 0),
  jobs     int NOT NULL,
  undated  int NOT NULL
);

-- share does not sum to 1: a job names many skills.
CREATE VIEW skill_trends_monthly AS
SELECT s.key AS skill, g.title_cluster, g.country, g.month, s.value::int AS count, g.jobs,
       round(s.value::numeric / g.jobs, 6)::double precision AS share, g.sources
  FROM trend_groups AS g
 CROSS JOIN LATERAL jsonb_each_text(g.skills) AS s (key, value);

-- Scans are facts of the log and are read there. A month was crawled when a complete scan says so,
-- else when the source has a dated posting in it.
CREATE VIEW source_coverage_monthly AS
SELECT source, month, coalesce(p.postings, 0) AS postings, coalesce(p.jobs, 0) AS jobs,
       coalesce(p.days, 0) AS days, coalesce(s.scans, 0) AS scans,
       coalesce(s.complete_scans, 0) AS complete_scans, coalesce(s.listed, 0) AS listed,
       coalesce(s.rejected, 0) AS rejected,
       coalesce(p.postings, 0) > 0 OR coalesce(s.complete_scans, 0) > 0 AS crawled
  FROM trend_source_months AS p
  FULL JOIN (
    SELECT e.payload ->> 'source' AS source,
           date_trunc('month', e.occurred_at AT TIME ZONE 'UTC')::date AS month,
           count(*)::int AS scans,
           (count(*) FILTER (WHERE e.payload ->> 'complete' = 'true'))::int AS complete_scans,
           coalesce(sum((e.payload ->> 'rows')::bigint), 0)::bigint AS listed,
           coalesce(sum((e.payload ->> 'rejected')::bigint), 0)::bigint AS rejected
      FROM job_events AS e
     WHERE e.kind = 'source.scanned'
     GROUP BY 1, 2
  ) AS s USING (source, month);

GRANT SELECT ON trend_contributions, trend_groups, role_evolution, trend_titles, title_adjacency,
  salary_quantiles_monthly, employer_activity, trend_source_months, trend_sources,
  skill_trends_monthly, source_coverage_monthly
  TO nextstep_api, nextstep_worker;
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON trend_contributions, trend_groups, role_evolution,
  trend_titles, title_adjacency, salary_quantiles_monthly, employer_activity, trend_source_months,
  trend_sources
  TO nextstep_worker;
GRANT SELECT ON trend_contributions, trend_groups, role_evolution, trend_titles, title_adjacency,
  salary_quantiles_monthly, employer_activity, trend_source_months, trend_sources
  TO nextstep_rebuild;

-- migrate:down
DROP VIEW source_coverage_monthly;
DROP VIEW skill_trends_monthly;
DROP TABLE trend_sources;
DROP TABLE trend_source_months;
DROP TABLE employer_activity;
DROP TABLE salary_quantiles_monthly;
DROP TABLE title_adjacency;
DROP TABLE trend_titles;
DROP TABLE role_evolution;
DROP TABLE trend_groups;
DROP TABLE trend_contributions;

CREATE TABLE trend_contributions (
  job_id  uuid PRIMARY KEY,
  month   date NOT NULL CHECK (extract(day FROM month) = 1),
  cluster text NOT NULL,
  country text NOT NULL,
  source  text NOT NULL,
  skills  text[] NOT NULL
);
CREATE INDEX trend_contributions_month_idx ON trend_contributions (month);
CREATE TABLE trend_groups (
  month         date NOT NULL,
  title_cluster text NOT NULL,
  country       text NOT NULL,
  jobs          int NOT NULL CHECK (jobs > 0),
  PRIMARY KEY (month, title_cluster, country)
);
CREATE TABLE trend_cells (
  skill         text NOT NULL,
  title_cluster text NOT NULL,
  country       text NOT NULL,
  month         date NOT NULL,
  count         int NOT NULL CHECK (count > 0),
  PRIMARY KEY (skill, title_cluster, country, month)
) WITH (fillfactor = 85);
CREATE INDEX trend_cells_group_idx ON trend_cells (month, title_cluster, country, skill);
CREATE VIEW skill_trends_monthly AS
SELECT c.skill, c.title_cluster, c.country, c.month, c.count, g.jobs,
       round(c.count::numeric / g.jobs, 6)::double precision AS share
  FROM trend_cells AS c
  JOIN trend_groups AS g USING (month, title_cluster, country);
GRANT SELECT ON trend_contributions, trend_groups, trend_cells, skill_trends_monthly TO nextstep_api, nextstep_worker;
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON trend_contributions, trend_groups, trend_cells TO nextstep_worker;
GRANT SELECT ON trend_contributions, trend_groups, trend_cells TO nextstep_rebuild;
