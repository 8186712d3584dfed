"""
What must be true of a database that an artifact was loaded into.

Rows and digests equal the manifest's, values are not missing beyond the thresholds below, every
canonical job has its vector, a vector's nearest neighbour is itself, and the indexes can be used.

Source: N-95 to N-100.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from nextstep.db.prepare import Connection
from nextstep.db.vector_index import planned
from nextstep.db.vector_plan import nearest_query, predicate
from nextstep.ops.artifacts import catalog
from nextstep.ops.artifacts.layout import Manifest

#: Share of rows that may lack the value. What a source leaves out (salary, date) is no fault of the
#: load and has no threshold; a job without a title or a text is worth a look.
NULL_RATES: dict[tuple[str, str], tuple[str, float]] = {
    ("jobs_normalized", "title"): ("title = ''", 0.05),
    ("jobs_normalized", "description_clean"): ("description_clean = ''", 0.10),
    ("jobs_normalized", "company"): ("company = ''", 0.50),
    ("job_dedupe_map", "canonical_job_id"): ("canonical_job_id IS NULL", 0.05),
    ("job_entities", "title_norm"): ("title_norm = ''", 0.20),
    ("job_entities", "skills"): ("skills = '{}' AND tools = '{}'", 0.60),
}

_VECTORS = """
SELECT (SELECT count(*) FROM job_dedupe_map m
         WHERE m.job_id = m.canonical_job_id
           AND NOT EXISTS (SELECT FROM dead_letters d
                            WHERE d.stage = %(stage)s AND d.job_id = m.job_id
                              AND d.status IN ('parked', 'discarded'))),
       (SELECT count(DISTINCT job_id) FROM job_embeddings WHERE model_name = %(model)s),
       (SELECT count(*) FROM job_embeddings e
         WHERE e.model_name = %(model)s
           AND NOT EXISTS (SELECT FROM job_dedupe_map m
                            WHERE m.job_id = e.job_id AND m.canonical_job_id = m.job_id))
"""
_BUILT = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = 'public.job_embeddings'::regclass AND NOT i.indisprimary
"""
#: Farthest that a vector may lie from itself: cosine distance of float32 rounding.
_SELF = 1e-4
#: Vectors that are looked for by the index, and how many of them it must find. It is approximate,
#: so that one may be missed and the load be right all the same; the digests have compared it all.
_ASKED, _FOUND_SHARE = 20, 0.8
#: Queries of the match and of people -> the index that serves each.
_PLANS = (
    ("SELECT * FROM jobs_normalized WHERE job_id = '00000000-0000-0000-0000-000000000000'",
     "jobs_normalized_pkey"),
    ("SELECT job_id FROM job_entities WHERE skills @> ARRAY['Python']", "job_entities_skills_idx"),
    ("SELECT job_id FROM jobs_normalized WHERE lower(title) % 'data engineer'",
     "jobs_normalized_title_trgm_idx"),
    ("SELECT job_id FROM jobs_normalized WHERE date_posted >= DATE '2999-01-01'",
     "jobs_normalized_date_posted_idx"),
    ("SELECT job_id FROM job_dedupe_map"
     " WHERE canonical_job_id = '00000000-0000-0000-0000-000000000000'",
     "job_dedupe_map_canonical_job_id_idx"),
)  # fmt: skip


class Check(msgspec.Struct, frozen=True):
    """One thing looked at. `detail` says what was found, also where all is well."""

    name: str
    ok: bool
    detail: str


def check_loaded(connection: Connection, manifest: Manifest) -> list[Check]:
    """Return every check, in order; the connection is in the loading transaction."""
    return [
        _digests(connection, manifest),
        *_null_rates(connection),
        *_vectors(connection, manifest),
        *_plans(connection),
    ]


def _digests(connection: Connection, manifest: Manifest) -> Check:
    wrong = []
    compared = [table for table in manifest.tables if table.digest]
    for table in compared:
        if catalog.digest(connection, table.name, table.compared) != (table.rows, table.digest):
            wrong.append(table.name)
    detail = f"{', '.join(wrong)} differ" if wrong else f"{len(compared)} tables as packed"
    return Check("digests", not wrong, detail)


def _null_rates(connection: Connection) -> Iterator[Check]:
    for (table, column), (missing, most) in NULL_RATES.items():
        row = connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {missing}) FROM {table}".encode()
        ).fetchone()
        assert row is not None
        total, lacking = int(str(row[0])), int(str(row[1]))
        rate = lacking / total if total else 0.0
        detail = f"{table}.{column}: {lacking} of {total} lack it ({rate:.1%}, at most {most:.0%})"
        yield Check("null rates", rate <= most, detail)


def _vectors(connection: Connection, manifest: Manifest) -> Iterator[Check]:
    positions = {state.stage: state.position for state in manifest.stages}
    for stage, position in positions.items():
        if not stage.startswith("embed:"):
            continue
        if position != positions.get("dedupe"):
            yield Check(
                "vectors",
                True,
                f"{stage} was at {position} of {positions.get('dedupe')}: not compared",
            )
            continue
        row = connection.execute(
            _VECTORS, {"stage": stage, "model": stage.partition(":")[2]}
        ).fetchone()
        assert row is not None
        wanted, there, stray = (int(str(value)) for value in row)
        yield Check(
            "vectors",
            wanted == there and not stray,
            f"{stage}: {there} of {wanted} canonical jobs, {stray} of other jobs",
        )


def _neighbours(connection: Connection) -> Iterator[Check]:
    built = {str(row[0]) for row in connection.execute(_BUILT)}
    for index in planned(connection):
        for name, value in index.search.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, str(value)))
        vectors = connection.execute(
            "SELECT embedding::text FROM job_embeddings WHERE "
            + predicate(index.model, index.recipe).replace("%", "%%")
            + f" ORDER BY job_id LIMIT {_ASKED}"
        ).fetchall()
        query = nearest_query(
            index.model, index.recipe, index.dim,
            vector="%(vector)s", limit="5", is_half=index.is_half,
        )  # fmt: skip
        found = 0
        for vector in vectors:
            given = {"vector": vector[0]}
            rows = connection.execute(query, given).fetchall()
            found += any(abs(float(str(row[1]))) <= _SELF for row in rows)
        yield Check(
            "similarity",
            found >= _FOUND_SHARE * len(vectors),
            f"{index.model}: {found} of {len(vectors)} vectors find themselves",
        )
        if index.name in built:
            plan = connection.execute(f"EXPLAIN {query}", given).fetchall()
            used = any(index.name in str(line[0]) for line in plan)
            yield Check("indexes", used, f"{index.name} {_serves(used)}")


def _plans(connection: Connection) -> Iterator[Check]:
    # On a small table the planner rightly reads all of it; what matters is that it could.
    connection.execute("SET LOCAL enable_seqscan = off")
    for query, index in _PLANS:
        plan = connection.execute(f"EXPLAIN {query}".encode()).fetchall()
        used = any(index in str(line[0]) for line in plan)
        yield Check("indexes", used, f"{index} {_serves(used)}")
    # Few rows are as cheaply read by their key and sorted.
    connection.execute("SET LOCAL enable_sort = off")
    yield from _neighbours(connection)
    connection.execute("SET LOCAL enable_sort = on")
    connection.execute("SET LOCAL enable_seqscan = on")


def _serves(used: bool) -> str:
    return "serves its query" if used else "does not serve its query"
