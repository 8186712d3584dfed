"""
Which index a model's vectors get, why, and building it.

HNSW from pgvector 0.5.0 on: better recall at the same speed, and it needs no data to learn from.
From 0.7.0 on it holds half-precision numbers: half the memory, the same recall (measured.md 5).
IVFFlat below: its lists are learnt from the rows, so it is built after the load, then ANALYZE.
Models of several sizes live in one table, so each index is partial and casts to its model's size.

Source: N-11, N-75 to N-78, S-12.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

#: Most dimensions that pgvector indexes as `vector`, and as `halfvec`.
MAX_DIM = 2000
MAX_HALF_DIM = 4000
#: pgvector's own defaults; recall over 0.95 on job texts, and they keep an insert cheap.
_M, _EF_CONSTRUCTION = 16, 64
_MB = 1024 * 1024


class VectorIndex(msgspec.Struct, frozen=True):
    """
    A planned index. `method` is hnsw, ivfflat or none (too many dimensions: exact scan).

    `search` holds the settings that a query should SET LOCAL to find enough neighbours. `is_half`:
    the numbers are indexed in half precision.
    """

    name: str
    method: str
    parameters: dict[str, int]
    search: dict[str, int]
    model: str
    recipe: str
    dim: int
    rows: int
    reason: str
    is_half: bool = False

    def statement(self, *, concurrently: bool = False) -> str:
        """Return the CREATE INDEX statement; constants stand in it, as partial indexes need."""
        values = ", ".join(f"{name} = {value}" for name, value in self.parameters.items())
        operators = "halfvec_cosine_ops" if self.is_half else "vector_cosine_ops"
        return (
            f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}{self.name}"
            f" ON job_embeddings USING {self.method}"
            f" ({distance_operand(self.dim, is_half=self.is_half)} {operators}) WITH ({values})"
            f" WHERE {predicate(self.model, self.recipe)}"
        )


def plan(version: str, rows: int, model: str, dim: int, recipe: str) -> VectorIndex:
    """
    Return the index for `rows` vectors of one model.

    Args:
        version: of the pgvector extension, such as "0.8.6".
    """
    method, parameters, search, reason = _choice(version, rows, dim)
    is_half = method == "hnsw" and _numbers(version) >= (0, 7)
    return VectorIndex(
        name=_name(model, recipe, dim, method, is_half),
        method=method,
        parameters=parameters,
        search=search,
        model=model,
        recipe=recipe,
        dim=dim,
        rows=rows,
        reason=reason,
        is_half=is_half,
    )


def index_names(model: str, recipe: str, dim: int) -> dict[str, tuple[str, bool]]:
    """Return name -> (method, half precision) of every index a model may have, best first."""
    kinds = (("hnsw", True), ("hnsw", False), ("ivfflat", False))
    return {_name(model, recipe, dim, *kind): kind for kind in kinds}


def distance_operand(dim: int, *, is_half: bool = False) -> str:
    """Return the expression that is indexed; a query must order by exactly this one."""
    return f"((embedding::{'halfvec' if is_half else 'vector'}({int(dim)})))"


def predicate(model: str, recipe: str) -> str:
    """
    Return the condition of a model's partial index, with the names as constants.

    A query must hold it word for word: with parameters a generic plan cannot use the index.
    """
    return f"model_name = {_literal(model)} AND recipe = {_literal(recipe)}"


def nearest_query(
    model: str,
    recipe: str,
    dim: int,
    *,
    vector: str = "$1",
    limit: str = "$2",
    is_half: bool = False,
) -> str:
    """
    Return SQL for the nearest rows of one model as (job_id, distance), which uses its index.

    The order is that of the index; the distance comes from the whole numbers.
    """
    given = f"{vector}::vector({int(dim)})"
    distance = f"(embedding::vector({int(dim)})) <=> {given}"
    order = distance
    if is_half:
        order = f"(embedding::halfvec({int(dim)})) <=> {given}::halfvec({int(dim)})"
    return (
        f"SELECT job_id, {distance} AS distance FROM job_embeddings"
        f" WHERE {predicate(model, recipe)} ORDER BY {order} LIMIT {limit}"
    )


def build_memory_bytes(index: VectorIndex, budget_bytes: int) -> int:
    """Return maintenance_work_mem for a build: what the index needs, within the budget."""
    # A vector, its neighbour lists (m per level, twice that at the bottom) and list headers.
    need = index.rows * (index.dim * (2 if index.is_half else 4) + 3 * _M * 16 + 128) * 5 // 4
    return max(64 * _MB, min(need, budget_bytes))


def _choice(version: str, rows: int, dim: int) -> tuple[str, dict[str, int], dict[str, int], str]:
    most = MAX_HALF_DIM if _numbers(version) >= (0, 7) else MAX_DIM
    if dim > most:
        return "none", {}, {}, f"pgvector {version} indexes at most {most} dimensions: exact scans"
    if _numbers(version) >= (0, 5):
        reason = f"pgvector {version} has HNSW (from 0.5.0)"
        if _numbers(version) >= (0, 7):
            reason += ", in half precision (from 0.7.0)"
        return (
            "hnsw",
            {"m": _M, "ef_construction": _EF_CONSTRUCTION},
            {"hnsw.ef_search": 200},
            reason,
        )
    lists = max(1, min(32768, round(math.sqrt(rows))))
    reason = f"pgvector {version} has no HNSW (from 0.5.0): lists about the root of {rows} rows"
    return "ivfflat", {"lists": lists}, {"ivfflat.probes": max(1, round(math.sqrt(lists)))}, reason


def _name(model: str, recipe: str, dim: int, method: str, is_half: bool) -> str:
    key = hashlib.sha256(f"{model}\0{recipe}\0{dim}".encode()).hexdigest()[:12]
    return f"job_embeddings_{key}_{method}{'_half' if is_half else ''}_idx"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _literal(text: str) -> str:
    # Backslashes need nothing: standard_conforming_strings is on wherever we connect.
    return "'{}'".format(text.replace("'", "''"))
