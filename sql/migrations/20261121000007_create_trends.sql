-- migrate:up
-- What each counted job adds. Taken off and put on again when the job changes, so that a month's
-- numbers are exact without reading the month again.
CREATE TABLE trend_contributions (
  job_id  uuid PRIMARY KEY,
  month   date NOT NULL CHECK (extract(day FROM month) = 1),
  cluster text NOT NULL,
  country text NOT NULL,
  source  text NOT NULL,
  skills  text[] NOT NULL
);
CREATE INDEX trend_contributions_month_idx ON trend_contributions (month);

-- Counted jobs of a group, those that name no skill included: the denominator of every share.
-- '' is unknown, '*' is all.
CREATE TABLE trend_groups (
  month         date NOT NULL,
  title_cluster text NOT NULL,
  country       text NOT NULL,
  jobs          int NOT NULL CHECK (jobs > 0),
  PRIMARY KEY (month, title_cluster, country)
);

-- Counted jobs of a group that name a skill. Both indexes hold the whole key: a lookup that took a
-- shorter one would read all skills of a month. Room is left for updates in place.
CREATE TABLE trend_cells (
  skill         text NOT NULL,
  title_cluster text NOT NULL,
  country       text NOT NULL,
  month         date NOT NULL,
  count         int NOT NULL CHECK (count > 0),
  PRIMARY KEY (skill, title_cluster, country, month)
) WITH (fillfactor = 85);
CREATE INDEX trend_cells_group_idx ON trend_cells (month, title_cluster, country, skill);

-- A view, so that a job more in a group is one row more, not a write to every skill of the group.
-- share does not sum to 1: a job names many skills.
CREATE VIEW skill_trends_monthly AS
SELECT c.skill, c.title_cluster, c.country, c.month, c.count, g.jobs,
       round(c.count::numeric / g.jobs, 6)::double precision AS share
  FROM trend_cells AS c
  JOIN trend_groups AS g USING (month, title_cluster, country);

GRANT SELECT ON trend_contributions, trend_groups, trend_cells, skill_trends_monthly TO nextstep_api, nextstep_worker;
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON trend_contributions, trend_groups, trend_cells TO nextstep_worker;

-- migrate:down
DROP VIEW skill_trends_monthly;
DROP TABLE trend_cells;
DROP TABLE trend_groups;
DROP TABLE trend_contributions;
