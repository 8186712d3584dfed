-- migrate:up
-- Which fields each post has, beside jobs_normalized and as narrow as it can be, so that fill rates
-- per source and day are counted without reading rows full of text. `filled` has one bit per name
-- in FIELDS of nextstep/processors/shared/fill.py; observed_on is the day (UTC) of the content
-- shown. Erased and parked posts have no row. The rows come with the next rebuild of clean:
-- nextstep up.
CREATE TABLE job_fill (
  job_id      uuid PRIMARY KEY,
  source      text NOT NULL,
  observed_on date NOT NULL,
  filled      int NOT NULL CHECK (filled >= 0)
);

GRANT SELECT ON job_fill TO nextstep_api, nextstep_rebuild;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON job_fill TO nextstep_worker;

-- migrate:down
DROP TABLE job_fill;
