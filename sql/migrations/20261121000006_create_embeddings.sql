-- migrate:up
CREATE TABLE job_embeddings (
  job_id     uuid NOT NULL,
  model_name text NOT NULL,
  recipe     text NOT NULL,
  dim        int NOT NULL,
  text_hash  bytea NOT NULL,
  embedding  vector NOT NULL,
  PRIMARY KEY (job_id, model_name, recipe),
  CHECK (vector_dims(embedding) = dim)
);

GRANT SELECT ON job_embeddings TO nextstep_api;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON job_embeddings TO nextstep_worker;

-- migrate:down
DROP TABLE job_embeddings;
