-- The vector indexes, for 384 dimensions. Not a migration: the index is built after the bulk load,
-- by `nextstep db plan-index --apply`, which picks one by the version of pgvector. A test keeps
-- these statements equal to those it runs.

-- pgvector >= 0.7.0: half precision, half the memory. Search with: SET LOCAL hnsw.ef_search = 200,
-- and from 0.8.0 on SET LOCAL hnsw.iterative_scan = relaxed_order
CREATE INDEX job_embeddings_3f5a38a0bae4_hnsw_half_idx ON job_embeddings USING hnsw (((embedding::halfvec(384))) halfvec_cosine_ops) WITH (m = 16, ef_construction = 64) WHERE model_name = 'all-MiniLM-L6-v2' AND recipe = 'title-1000';

-- pgvector >= 0.5.0. Search with: SET LOCAL hnsw.ef_search = 200
CREATE INDEX job_embeddings_3f5a38a0bae4_hnsw_idx ON job_embeddings USING hnsw (((embedding::vector(384))) vector_cosine_ops) WITH (m = 16, ef_construction = 64) WHERE model_name = 'all-MiniLM-L6-v2' AND recipe = 'title-1000';

-- pgvector < 0.5.0, here for 40,000 rows (lists about their root), then ANALYZE.
-- Search with: SET LOCAL ivfflat.probes = 14
CREATE INDEX job_embeddings_3f5a38a0bae4_ivfflat_idx ON job_embeddings USING ivfflat (((embedding::vector(384))) vector_cosine_ops) WITH (lists = 200) WHERE model_name = 'all-MiniLM-L6-v2' AND recipe = 'title-1000';
ANALYZE job_embeddings;
