"""
How the nearest vectors are found: in memory, by a walk of the index, or by comparing a subset.

An index hands out neighbours of all jobs, and a filter throws most of them away: at 5 % an answer
of 10 had 5 rows. The size of the filter is known exactly (board.py), so that the cheaper way is
chosen before anything is read, and whichever is chosen returns all it was asked for. Vectors held
in memory (vectors.py) are compared there while that is cheaper than a walk of the index.

Source: X-12, measured.md 5; the costs are those of bench/recall.py at 100,000 jobs.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

#: Milliseconds to compare one job of a subset: found by its key, its vector read.
SUBSET_MS = 0.003
#: Milliseconds per neighbour that the index hands out.
WALK_MS = 0.02
#: Milliseconds per job of a scan over all vectors.
SCAN_MS = 0.0009
#: Milliseconds per vector held in memory: in a look at all of them, and where rows are gathered.
MEMORY_MS, GATHERED_MS = 0.00003, 0.00009
#: Neighbours are asked for with this reserve, so that a filter that leans against the profile
#: rarely costs a second walk.
_RESERVE = 1.3
#: The most that pgvector takes as hnsw.ef_search, and so all that a walk gives before 0.8.
MOST_EF = 1000
#: Tuples after which an iterative scan ends by itself (hnsw.max_scan_tuples).
MOST_WALKED = 20_000

Method = Literal["memory", "index", "subset", "all"]


class Index(msgspec.Struct, frozen=True):
    """
    The vector index there is: `method` hnsw, ivfflat or "" for none; `is_half` for halfvec.

    `rows` is about how many vectors are in it: those of closed clusters as well.
    """

    method: str = ""
    is_half: bool = False
    version: tuple[int, ...] = ()
    rows: int = 0

    @property
    def walks_on(self) -> bool:
        """Whether a scan goes on until enough rows have passed."""
        return self.method == "hnsw" and self.version >= (0, 8)


class Strategy(msgspec.Struct, frozen=True):
    """`limit` neighbours are asked for, to keep `wanted` of them; `why` is for people."""

    method: Method
    limit: int
    wanted: int
    why: str


def choose(total: int, passing: int, index: Index, *, nearest: int, exact: bool) -> Strategy:
    """
    Return the cheapest way to the `nearest` of the jobs that pass.

    Args:
        total: vectors, or open clusters where these are more.
        passing: those that pass the filters.
        exact: an index may not be used.
    """
    wanted = min(nearest, passing)
    if not passing:
        return Strategy("subset", 0, 0, "no job passes the filters")
    limit = _rounded(total / passing * wanted * (1 if passing == total else _RESERVE), total)
    costs: dict[Method, float] = {"subset": passing * SUBSET_MS, "all": total * SCAN_MS}
    if not exact and index.method and limit <= _reach(index):
        costs["index"] = limit * WALK_MS
    method = min(costs, key=lambda name: (costs[name], name))
    share = f"{passing} of {total} pass"
    if method == "index":
        return Strategy("index", limit, wanted, f"{share}: {limit} neighbours from the index")
    why = "asked for" if exact else _why_no_index(index, limit)
    why = f"{share}: each is compared" + (f" ({why})" if why else "")
    # All vectors are in the scan, those of clusters that do not pass as well.
    return Strategy(method, wanted if method == "subset" else limit, wanted, why)


def in_memory(total: int, passing: int, *, nearest: int) -> Strategy | None:
    """
    Return the way through memory, None where a walk of an index would be cheaper.

    Args:
        total: vectors held.
        passing: clusters that pass the filters.
    """
    cost = min(total * MEMORY_MS, passing * GATHERED_MS)
    if cost > nearest * WALK_MS:
        return None
    wanted = min(nearest, passing)
    return Strategy("memory", wanted, wanted, f"{passing} of {total} pass: compared in memory")


def widened(strategy: Strategy, total: int, index: Index) -> Strategy:
    """Return what to do after a way that gave too few: a wider walk, else compare the subset."""
    limit = _rounded(strategy.limit * 4, total)
    if strategy.method != "index" or limit <= strategy.limit or limit > _reach(index):
        why = f"{strategy.why}; that gave too few, so each that passes is compared"
        return Strategy("subset", strategy.wanted, strategy.wanted, why)
    return msgspec.structs.replace(
        strategy, limit=limit, why=f"{strategy.why}, then {limit}: the filter leans away"
    )


def ef_search(strategy: Strategy) -> int:
    """Return hnsw.ef_search for a walk: as many as it is to give, within what pgvector takes."""
    return min(MOST_EF, max(100, strategy.limit))


def _reach(index: Index) -> int:
    if index.method == "ivfflat":
        return MOST_EF
    return MOST_WALKED if index.walks_on else MOST_EF


def _why_no_index(index: Index, limit: int) -> str:
    if not index.method:
        return "no vector index"
    if limit > _reach(index):
        version = ".".join(map(str, index.version))
        return f"pgvector {version} gives at most {_reach(index)} neighbours at once"
    return ""


def _rounded(limit: float, total: int) -> int:
    # Powers of two times 100: a statement per limit is prepared, and there are to be few.
    steps = max(0, math.ceil(math.log2(max(limit, 1) / 100)))
    return min(100 << steps, max(total, 1))
