"""The vector index is built by the owner, used by the search, and not built twice."""

from __future__ import annotations

import msgspec
import psycopg
import pytest

from nextstep.db.migrate import connected
from nextstep.db.vector_index import ensure, ensure_vector_index, existing, planned
from nextstep.db.vector_plan import nearest_query, plan
from nextstep.settings import Settings

#: 3,000 vectors of 8 dimensions, made in the server; the same every time.
FILL = """
INSERT INTO job_embeddings (job_id, model_name, recipe, dim, text_hash, embedding)
SELECT md5(%s || n::text)::uuid, %s, 'r1', 8, 'h',
  (SELECT array_agg(sin(n * k) ORDER BY k) FROM generate_series(1, 8) AS k)::real[]::vector
FROM generate_series(1, %s::int) AS n
"""


def fill(url: str, model: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(FILL, [model, model, rows])


@pytest.mark.req("N-11", "N-75", "S-12")
def test_a_large_model_gets_an_index_that_the_search_uses(
    database: str, settings: Settings
) -> None:
    fill(database, "it's", 3000)
    fill(database, "other", 50)
    name = ensure_vector_index(database, settings, "it's", "r1", 8)
    assert name is not None
    with connected(database) as connection:
        owner = connection.execute(
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = %s", [name]
        ).fetchone()
        assert owner == ("nextstep_owner",)
        vector = "'[1,0,0,0,0,0,0,0]'"
        query = nearest_query("it's", "r1", 8, vector=vector, limit="10", is_half=True)
        lines = connection.execute(f"EXPLAIN {query}".encode()).fetchall()
        assert any(name in str(line) for line in lines)
        # As the search does: at the server's 40 a walk of this curve may end in a far part of it.
        connection.execute("SET hnsw.ef_search = 200")
        found = [row[0] for row in connection.execute(query.encode())]
        connection.execute("SET enable_indexscan = off")
        exact = [row[0] for row in connection.execute(query.encode())]
        assert len(set(found) & set(exact)) >= 9


def test_few_vectors_get_no_index(database: str, settings: Settings) -> None:
    fill(database, "m", 100)
    assert ensure_vector_index(database, settings, "m", "r1", 8) is None
    few = msgspec.structs.replace(settings, vector_index_min_rows=50)
    assert ensure_vector_index(database, few, "m", "r1", 8)


@pytest.mark.req("N-77")
def test_an_ivfflat_index_is_built_too_and_replaced_by_hnsw(database: str) -> None:
    fill(database, "m", 500)
    old, new = plan("0.4.4", 500, "m", 8, "r1"), plan("0.8.0", 500, "m", 8, "r1")
    with connected(database) as connection:
        ensure(connection, old, budget_bytes=2**26)
        assert existing(connection, new) == {old.name: True}
        ensure(connection, new, budget_bytes=2**26, concurrently=True)
        assert existing(connection, new) == {new.name: True}
        analyzed = connection.execute(
            "SELECT reltuples::int FROM pg_class WHERE relname = 'job_embeddings'"
        ).fetchone()
        assert analyzed == (500,)


def test_an_index_that_is_there_is_not_built_again_and_an_invalid_one_is(database: str) -> None:
    fill(database, "m", 200)
    with connected(database) as connection:
        index = planned(connection)[0]
        ensure(connection, index, budget_bytes=2**26)
        oid = connection.execute("SELECT %s::regclass::oid", [index.name]).fetchone()
        ensure(connection, index, budget_bytes=2**26)
        assert connection.execute("SELECT %s::regclass::oid", [index.name]).fetchone() == oid
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [index.name]
        )
        ensure(connection, index, budget_bytes=2**26, concurrently=True)
        assert existing(connection, index) == {index.name: True}
        assert connection.execute("SELECT %s::regclass::oid", [index.name]).fetchone() != oid
