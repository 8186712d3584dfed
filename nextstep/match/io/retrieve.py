"""
Read what a match needs from the database: nearest vectors, and what is shown of a page.

Which clusters pass the filters and which share titles and skills is known from the board; here
every statement reads one table by its index or a handful of rows by their keys.

Source: design.md 6, measured.md 5, X-12.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from nextstep.db.vector_plan import index_names, nearest_query, predicate
from nextstep.match.board import Board, Mask
from nextstep.match.strategy import Index, Strategy, choose, ef_search, in_memory, widened
from nextstep.match.vectors import Vectors

#: Candidates by vector, and by everything else; more adds time, not quality.
NEAREST = 200
BY_FACTS = 200

_INDEX = """
SELECT c.relname, c.reltuples::bigint AS rows,
  (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS version
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = 'job_embeddings'::regclass AND i.indisvalid AND c.relname = ANY($1)
"""
_PAGE = """
SELECT cluster.canonical_job_id, job.title, job.company, job.location_raw, job.url,
  cluster.members - 1 AS duplicates, entity.evidence::text AS evidence
FROM job_clusters AS cluster
JOIN jobs_normalized AS job ON job.job_id = cluster.latest_open_job_id
LEFT JOIN job_entities AS entity ON entity.job_id = cluster.canonical_job_id
WHERE cluster.canonical_job_id = ANY($1)
"""
_TEXTS = """
SELECT job_id, description_clean FROM jobs_normalized WHERE job_id = ANY($1) ORDER BY job_id
"""
_CLUSTERS = """
SELECT DISTINCT canonical_job_id FROM job_dedupe_map
WHERE job_id = ANY($1) AND canonical_job_id IS NOT NULL
"""
_VECTOR = """
SELECT map.canonical_job_id, vector.embedding
FROM job_dedupe_map AS map
LEFT JOIN job_embeddings AS vector ON vector.job_id = map.canonical_job_id
  AND vector.model_name = $2 AND vector.recipe = $3
WHERE map.job_id = $1 AND map.canonical_job_id IS NOT NULL
"""
#: What makes the planner walk the index: a scan in order with LIMIT is never wrong there.
_WALK = """
SELECT set_config('hnsw.ef_search', $1, true), set_config('enable_seqscan', 'off', true),
  set_config('enable_sort', 'off', true)
"""


class VectorQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A unit vector of shape (dim,) and whose vectors it is compared with; those are units too."""

    vector: Any
    model: str
    recipe: str

    @property
    def dim(self) -> int:
        """Numbers in the vector."""
        return len(self.vector)


class Nearest(msgspec.Struct, frozen=True):
    """
    Slots of the nearest clusters, nearest first, and how they were found.

    `cosines` holds those of the nearest and of what else was asked for, where there is a vector.
    """

    slots: list[int]
    cosines: dict[int, float]
    strategy: Strategy
    index: Index


async def find_nearest(
    connection: Any,
    query: VectorQuery,
    board: Board,
    mask: Mask,
    *,
    also: Sequence[int] = (),
    nearest: int = NEAREST,
    exact: bool = False,
) -> Nearest:
    """
    Return the nearest of the clusters that pass, and the cosines of others.

    Runs inside the caller's transaction and changes its settings.

    Args:
        mask: slots of the board that pass.
        also: slots whose cosine is wanted in any case.
        exact: compare each vector in full precision.
    """
    passing = int(mask.sum())
    vectors = board.vectors
    if vectors is not None and vectors.dim == query.dim and not exact:
        strategy = in_memory(board.size, passing, nearest=nearest)
        if strategy is not None:
            slots, cosines = await _look_in_memory(vectors, query.vector, mask, also, nearest)
            # A cluster that changed while others looked has another slot.
            alive = [slot for slot in slots if board.is_alive(slot)]
            return Nearest(alive, cosines, strategy, Index())
    # What is asked for by slot is known by its id before the database is asked: a cluster that
    # changes meanwhile gets another slot.
    wanted = {board.entry(slot).canonical_job_id: slot for slot in also}
    index = await _index(connection, query)
    total = max(len(board), index.rows)
    strategy = choose(total, passing, index, nearest=nearest, exact=exact)
    while True:
        subset = board.ids(mask) if strategy.method == "subset" else None
        rows = await _nearest_rows(connection, query, strategy, index, subset)
        near = [
            (slot, row["job_id"], 1 - row["distance"])
            for row in rows
            if (slot := _passing_slot(board, mask, row["job_id"])) is not None
        ]
        if len(near) >= strategy.wanted or strategy.method == "subset":
            break
        strategy = widened(strategy, total, index)
    found = {row["job_id"]: 1 - row["distance"] for row in rows if row["job_id"] in wanted}
    found |= await _similarities(connection, query, [one for one in wanted if one not in found])
    near.sort(key=lambda one: (-one[2], one[1].bytes))
    cosines = {wanted[canonical]: cosine for canonical, cosine in found.items()}
    cosines |= {slot: cosine for slot, _, cosine in near}
    slots = [slot for slot, _, _ in near[:nearest] if board.is_alive(slot)]
    return Nearest(slots, cosines, strategy, index)


async def _look_in_memory(
    vectors: Vectors, query: Any, mask: Mask, also: Sequence[int], nearest: int
) -> tuple[list[int], dict[int, float]]:
    numbers = np.asarray(query, dtype=np.float32)
    # The look lets go of the interpreter's lock: other requests are worked on meanwhile.
    slots, cosines = await asyncio.to_thread(vectors.nearest, numbers, mask, nearest)
    others = np.asarray(also, dtype=np.int64)
    others = others[vectors.has(others)]
    known = dict(zip(others.tolist(), vectors.cosines(numbers, others).tolist(), strict=True))
    known |= zip(slots.tolist(), cosines.tolist(), strict=True)
    return slots.tolist(), known


async def read_page(connection: Any, clusters: Sequence[UUID]) -> dict[UUID, Any]:
    """Return by canonical id what is shown of a cluster, with its stored evidence."""
    rows = await connection.fetch(_PAGE, list(clusters))
    return {row["canonical_job_id"]: row for row in rows}


async def read_texts(connection: Any, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the clean descriptions of jobs by id."""
    rows = await connection.fetch(_TEXTS, list(job_ids))
    return {row["job_id"]: row["description_clean"] for row in rows}


async def read_clusters(connection: Any, job_ids: Sequence[UUID]) -> list[UUID]:
    """Return the clusters that these postings belong to."""
    if not job_ids:
        return []
    return [row["canonical_job_id"] for row in await connection.fetch(_CLUSTERS, list(job_ids))]


async def read_vector(
    connection: Any, job_id: UUID, model: str, recipe: str
) -> tuple[UUID, Any] | None:
    """Return (canonical id, vector or None) of a job, None for a job that is not there."""
    row = await connection.fetchrow(_VECTOR, job_id, model, recipe)
    return None if row is None else (row["canonical_job_id"], row["embedding"])


async def _index(connection: Any, query: VectorQuery) -> Index:
    names = index_names(query.model, query.recipe, query.dim)
    rows = await connection.fetch(_INDEX, list(names))
    found = {row["relname"]: row for row in rows}
    for name, (method, is_half) in names.items():
        if name in found:
            version = found[name]["version"].split(".")
            numbers = tuple(int(part) for part in version if part.isdigit())
            return Index(method, is_half, numbers, found[name]["rows"])
    return Index()


async def _nearest_rows(
    connection: Any,
    query: VectorQuery,
    strategy: Strategy,
    index: Index,
    subset: Iterable[UUID] | None,
) -> list[Any]:
    if not strategy.limit:
        return []
    table = _of_model(query)
    if strategy.method == "index":
        await _prepare_walk(connection, strategy, index)
        sql = nearest_query(
            query.model, query.recipe, query.dim,
            limit=str(strategy.limit), is_half=index.is_half,
        )  # fmt: skip
        rows: list[Any] = await connection.fetch(sql, query.vector)
        await connection.execute(
            "SELECT set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true)"
        )
        return rows
    # "+ 0" keeps the planner off the index; ties are settled where all are compared.
    order = f"ORDER BY (embedding <#> $1) + 0, job_id LIMIT {strategy.limit}"
    columns = "SELECT job_id, 1 + (embedding <#> $1) AS distance"
    if subset is None:
        return list(await connection.fetch(f"{columns} {table} {order}", query.vector))
    sql = f"{columns} {table} AND job_id = ANY($2::uuid[]) {order}"
    return list(await connection.fetch(sql, query.vector, list(subset)))


async def _similarities(
    connection: Any, query: VectorQuery, clusters: Sequence[UUID]
) -> dict[UUID, float]:
    if not clusters:
        return {}
    sql = (
        f"SELECT job_id, 1 + (embedding <#> $1) AS distance {_of_model(query)}"
        " AND job_id = ANY($2::uuid[])"
    )
    rows = await connection.fetch(sql, query.vector, list(clusters))
    return {row["job_id"]: 1 - row["distance"] for row in rows}


async def _prepare_walk(connection: Any, strategy: Strategy, index: Index) -> None:
    await connection.execute(_WALK, str(ef_search(strategy)))
    if index.walks_on:
        # Without it a walk ends after ef_search rows.
        await connection.execute("SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true)")
    elif index.method == "ivfflat":
        await connection.execute("SELECT set_config('ivfflat.probes', '40', true)")


def _of_model(query: VectorQuery) -> str:
    # The names as constants: with them as parameters a generic plan cannot use a partial index.
    return f"FROM job_embeddings WHERE {predicate(query.model, query.recipe)} AND dim = {query.dim}"


def _passing_slot(board: Board, mask: Mask, canonical: UUID) -> int | None:
    slot = board.slot(canonical)
    # A cluster that changed while the database was asked has a new slot, beyond this mask.
    return slot if slot is not None and slot < len(mask) and mask[slot] else None
