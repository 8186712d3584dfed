"""Any cut of a log into files and batches, any order of progress, any repeats: the same tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, event, example, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from nextstep.db import pools
from nextstep.db.dsn import parse
from nextstep.events.io import dead_letters, log
from nextstep.events.io.executor import Inline
from nextstep.events.io.runner import StageRunner
from nextstep.events.io.wake import Wake
from nextstep.events.stage import Stage
from nextstep.settings import Settings
from tests.conftest import drop_database
from tests.whole_line import SAMPLE, append_sample, digests, test_stages

#: Posts of the sample, and how many of them are seen a second time with other words.
POSTS, REVISED = 36, 9


def observations() -> list[str]:
    """Lines of a file: posts, some of which come back changed."""
    with SAMPLE.open(encoding="utf-8") as lines:
        posts = [json.loads(line) for _, line in zip(range(POSTS), lines, strict=False)]
    for post in posts:
        post["scraped_at"] = "2026-01-01T00:00:00Z"
    revised = [
        {**post, "title": f"{post['title']} (m/f/d)", "scraped_at": "2026-02-01T00:00:00Z"}
        for post in posts[:: POSTS // REVISED]
    ]
    return [json.dumps(post) + "\n" for post in (*posts, *revised)]


LINES = observations()


class After:
    """A stop that comes after so many batches; as much of an event as `drain` asks for."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


class Bench:
    """A line of which each stage is moved by hand."""

    def __init__(self, url: str, settings: Settings, stages: tuple[Stage, ...], executor: Any):
        self.url = url
        self._settings = settings
        self._stages = stages
        self._executor = executor
        self._pool: Any = None

    async def open(self) -> None:
        self._pool = await pools.create_pool(self.url, "worker", self._settings, max_size=3)
        await self._pool.executemany(
            "INSERT INTO stage_offsets (stage, epoch, version) VALUES ($1, 1, 'test')",
            [(stage.name,) for stage in self._stages],
        )

    async def close(self) -> None:
        await self._pool.close()

    async def append(self, folder: Path, lines: list[str], batch: int) -> None:
        file = folder / "part.jsonl"
        file.write_text("".join(lines), encoding="utf-8")
        await append_sample(
            msgspec.structs.replace(self._settings, ingest_batch=batch), self.url, file
        )

    async def step(self, stage: int, batches: int, size: int) -> int:
        """Let a stage commit at most so many batches of `size`; return its offset."""
        one = self._stages[stage]
        settings = msgspec.structs.replace(self._settings, batch_size=size)
        wake = Wake(self.url, settings, self._stages)
        runner = StageRunner(one, self._pool, self._executor, wake, settings)
        runner.epoch = 1
        await runner.drain(After(batches))  # type: ignore[arg-type]
        return runner.offset

    async def lags(self) -> list[int]:
        rows = await self._pool.fetch(
            "SELECT (SELECT coalesce(max(position), 0) FROM job_events) - position"
            " FROM stage_offsets"
        )
        return [row[0] for row in rows]


#: One move: append so many more (with repeats of what was there), or let one stage go on.
MOVES = st.lists(
    st.one_of(
        st.tuples(
            st.just("append"),
            st.integers(0, 20),
            st.integers(1, 50),
            st.lists(st.tuples(st.integers(0, len(LINES)), st.integers(1, 9)), max_size=2),
        ),
        st.tuples(
            st.just("step"), st.integers(0, 4), st.integers(1, 3), st.sampled_from([1, 2, 7, 40])
        ),
    ),
    min_size=4,
    max_size=20,
)


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """The digests of the undisturbed line, and an executor whose taxonomies are loaded once."""
    return {}


@pytest.fixture
def drop(admin: Any) -> Any:
    return lambda url: drop_database(admin, parse(url).database)


@pytest.mark.req("N-89", "D-05", "D-06", "N-84")
@rules(
    max_examples=12,
    phases=[p for p in Phase if p is not Phase.explain],
    suppress_health_check=list(HealthCheck),
)
@given(moves=MOVES)
@example(moves=[("append", n, 1, [(0, 9)]) for n in [5] * 9])
@example(
    moves=[
        ("append", 20, 50, []),
        ("step", 0, 3, 7),
        ("append", 25, 3, [(0, 9), (3, 9)]),
        ("step", 1, 1, 7),
        ("step", 0, 1, 2),
        ("step", 2, 1, 1),
        ("step", 4, 1, 40),
        ("step", 3, 1, 1),
    ]
)
async def test_any_interleaving_of_appends_and_stages_gives_the_same_tables(  # noqa: PLR0917
    moves: list[Any],
    known: dict[str, Any],
    settings: Settings,
    make_database: Any,
    drop: Any,
    template: str,
    tmp_path: Path,
) -> None:
    executor = known.setdefault("executor", Inline(settings))
    stages = test_stages(settings)
    if "digests" not in known:
        known["digests"] = await play(
            [], Bench(make_database(template), settings, stages, executor), tmp_path, settings
        )
    url = make_database(template)
    try:
        found = await play(moves, Bench(url, settings, stages, executor), tmp_path, settings)
    finally:
        drop(url)
    assert found == known["digests"]


async def play(moves: list[Any], bench: Bench, folder: Path, settings: Settings) -> dict[str, Any]:
    """Make the moves, then bring everything to the end; return digests and log."""
    await bench.open()
    try:
        sent = 0
        for move in moves:
            if move[0] == "append":
                _, more, batch, repeats = move
                fresh = LINES[sent : sent + more]
                sent += len(fresh)
                again = [line for at, size in repeats for line in LINES[:sent][at : at + size]]
                if fresh or again:
                    await bench.append(folder, [*fresh, *again], batch)
                event("repeats" if again else "no repeats")
            else:
                _, stage, batches, size = move
                await bench.step(stage, batches, size)
        event(f"behind: {max(await bench.lags() or [0]) > 0}")
        await bench.append(folder, LINES[sent:] or LINES[:1], 50)
        for stage in range(5):
            await bench.step(stage, 1000, 500)
        assert set(await bench.lags()) == {0}
    finally:
        await bench.close()
    connection = await pools.connect(bench.url, "worker", settings)
    try:
        assert await dead_letters.letters(connection, status=None) == []
        events = [
            (e["job_id"], e["version"], e["kind"], e["content_hash"])
            for e in await log.show(connection, after=0, limit=1000)
            if e["kind"] != "source.scanned"
        ]
    finally:
        await connection.close()
    return {**await digests(settings, bench.url), "log": events}
