"""
Recall of the nearest vectors against an exact scan, and what each way costs, by size of filter.

    python bench/recall.py --url URL [--queries 100]

URL names a database that bench/market.py has filled; its docstring says what the vectors are. The
queries are stored vectors of open jobs moved by noise of the same size, so none is its own answer.
For k = 10 and 50, and filters of 100 %, 5 % and 0.5 %: how many of the true nearest the chosen way
finds, with the vectors in memory and without. After that every way of the database is timed at
several sizes of filter: the constants in strategy.py come from these lines (time is that of the
process and its server together, one query at a time).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import numpy as np
from common import parser, say
from market import NOISE

from nextstep.db import pools
from nextstep.match import strategy as strategies
from nextstep.match.board import Board, Mask
from nextstep.match.filters import passing
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.horizon import read_horizon
from nextstep.match.io.retrieve import VectorQuery, find_nearest
from nextstep.match.io.service import held_vectors, snapshot, stages_below_match
from nextstep.match.profile import Filters
from nextstep.processors.embed import recipe_name
from nextstep.processors.io.model_files import short_name
from nextstep.settings import Settings

_FILTERS = {
    "100 %": Filters(),
    "5 %": Filters(source=["one-in-20"]),
    "0.5 %": Filters(source=["one-in-200"]),
}


async def queries(connection: Any, settings: Settings, count: int) -> list[VectorQuery]:
    """Return that many vectors near, and not at, stored ones."""
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    rows = await connection.fetch(
        "SELECT embedding FROM job_embeddings WHERE model_name = $1 AND recipe = $2"
        " ORDER BY md5(job_id::text) LIMIT $3",
        model, recipe, count,
    )  # fmt: skip
    draw = np.random.default_rng(11)
    made = []
    for row in rows:
        vector = row["embedding"].to_numpy()
        noise = draw.standard_normal(len(vector), dtype=np.float32) * NOISE / np.sqrt(len(vector))
        moved = (vector + noise) / np.linalg.norm(vector + noise)
        made.append(VectorQuery(vector=moved.astype(np.float32), model=model, recipe=recipe))
    return made


async def recall(connection: Any, board: Board, asked: list[VectorQuery], where: str) -> None:
    """Print recall per filter and k, the way taken and its milliseconds."""
    for name, filters in _FILTERS.items():
        mask = passing(board, filters)
        spent: list[float] = []
        shares: dict[int, list[float]] = {10: [], 50: []}
        given, ways = [], set()
        for query in asked:
            async with snapshot(connection):
                true = (await find_nearest(connection, query, board, mask, exact=True)).slots
                began = time.perf_counter()
                found = await find_nearest(connection, query, board, mask)
                spent.append((time.perf_counter() - began) * 1000)
            ways.add(found.strategy.method)
            given.append(len(found.slots))
            for k, each in shares.items():
                each.append(len(set(true[:k]) & set(found.slots[:k])) / k)
        say(
            f"recall {where}, filter {name}",
            passing=int(mask.sum()),
            ways=sorted(ways),
            fewest_given=min(given),
            ms_p50=statistics.median(spent),
            **{f"recall@{k}": statistics.mean(each) for k, each in shares.items()},
        )


async def crossover(connection: Any, board: Board, asked: list[VectorQuery]) -> None:
    """Print the milliseconds of both ways at several sizes of filter."""
    draw = np.random.default_rng(3)
    for share in (0.02, 0.05, 0.1, 0.15, 0.3, 0.6, 1.0):
        mask: Mask = board.column("alive") & (draw.random(board.size) < share)
        figures: dict[str, float] = {}
        for way, cost in (("subset", 1e9), ("index", 0.0)):
            strategies.WALK_MS = cost
            strategies.SCAN_MS = 1e9
            spent = []
            for query in asked[:15]:
                async with snapshot(connection):
                    began = time.perf_counter()
                    await find_nearest(connection, query, board, mask)
                    spent.append((time.perf_counter() - began) * 1000)
            figures[way] = statistics.median(spent[3:])
        say("crossover, ms", share=share, passing=int(mask.sum()), **figures)


async def measure(url: str, count: int) -> None:
    """Load the board once and run both measurements."""
    settings = Settings(database_url=url)
    connection = await pools.connect(url, "api", settings)
    try:
        live = LiveBoard(frozenset(), held_vectors(settings))
        async with snapshot(connection):
            began = time.perf_counter()
            horizon = await read_horizon(connection, stages_below_match(settings))
            board = await live.at(connection, horizon)
            say("board", open=len(board), load_s=time.perf_counter() - began)
        asked = await queries(connection, settings, count)
        await recall(connection, board, asked, "in memory")
        board.vectors = None
        await recall(connection, board, asked, "by the database")
        await crossover(connection, board, asked)
    finally:
        await connection.close()


def main() -> None:
    """Run the bench."""
    flags = parser(__doc__)
    flags.add_argument("--queries", type=int, default=100)
    args = flags.parse_args()
    if not args.url:
        flags.error("--url is needed: a database that bench/market.py has filled")
    asyncio.run(measure(args.url, args.queries))


if __name__ == "__main__":
    main()
