"""Dedupe is a function of the jobs there are: any order, any cut, any detour gives one result."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nextstep.db import pools
from nextstep.processors.dedupe import dedupe_stage
from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.settings import Settings
from tests.contract.dedupe_runner import Ad, Line, cluster_from_scratch, job, outcome_of

#: Few values, few bands, tiny buckets: what needs thousands of ads otherwise happens with ten.
SMALL = Rules(
    permutations=16,
    bands=8,
    bucket_limit=4,
    bucket_first=2,
    gate=0.3,
    duplicate=0.9,
    min_words=5,
    prefix_chars=40,
)
_WORDS = [f"{a}{b}" for a in "bcdfgh" for b in ("alo", "ero", "imi", "ona", "unu", "ysy")]
JOBS = 18


def text(template: int, edits: tuple[int, ...]) -> str:
    """A text of forty words; each edit changes one of them."""
    chance = random.Random(template)
    words = [chance.choice(_WORDS) for _ in range(40)]
    for edit in edits:
        words[edit % 40] = f"edit{chr(97 + edit % 26)}"
    return " ".join(words)


def make_ad(chance: random.Random) -> Ad:
    """Mostly near copies of one text, so that buckets fill; some others, some that say nothing."""
    kind = chance.choice((0, 0, 0, 0, 0, 1, 2, 3))
    edits = tuple(chance.randrange(60) for _ in range(chance.choice((0, 0, 0, 1, 2, 2, 3, 6))))
    return Ad(
        text=text(kind, edits) if kind < 3 else chance.choice(("", "one word")),
        day=chance.randrange(5),
        city=chance.choice(("",) * 6 + ("leeds", "york")),
        status=chance.choice(("open",) * 5 + ("closed", "erased")),
        title=chance.choice(("Nurse",) * 5 + ("Senior Nurse", "Hematology Nurse")),
    )


def make_history(seed: int, verdicts: bool) -> list[tuple[str, Any]]:
    """Steps of a line's life: posts and revisions, parking, verdicts, drains of any batch size."""
    chance = random.Random(seed)
    kinds = ("put", "put", "put", "drain", "drain", "park", *(["judge"] * 2 * verdicts))
    history: list[tuple[str, Any]] = []
    for kind in chance.choices(kinds, k=chance.randrange(3, 16)):
        if kind == "put":
            some = chance.sample(range(1, JOBS + 1), chance.choice((1, 2, 5, 10, JOBS)))
            history.append((kind, {number: make_ad(chance) for number in some}))
        elif kind == "park":
            history.append((kind, chance.randint(1, JOBS)))
        elif kind == "judge":
            a, b = chance.sample(range(1, JOBS + 1), 2)
            history.append((kind, (a, b, chance.choice(("same", "not_same")))))
        else:
            history.append((kind, chance.choice((1, 2, 3, 7, 500))))
    return history


class World:
    """The state that the steps lead to, beside the line that follows them."""

    def __init__(self) -> None:
        self.ads: dict[UUID, Ad | None] = {}
        self.verdicts: dict[frozenset[UUID], str] = {}

    async def take(self, line: Line, kind: str, what: Any) -> None:
        if kind == "put":
            put = {job(number): ad for number, ad in what.items()}
            self.ads.update(put)
            await line.put(put)
        elif kind == "park":
            self.ads[job(what)] = None
            await line.park(job(what))
        elif kind == "judge":
            a, b, verdict = job(what[0]), job(what[1]), what[2]
            for one in (a, b):
                self.ads.setdefault(one, None)
            self.verdicts[frozenset((a, b))] = verdict
            await line.judge(a, b, verdict)
        else:
            await line.drain(what)

    def expected(self, line: Line, rules: Rules) -> Any:
        rows = [_row(line, job_id, ad) for job_id, ad in self.ads.items()]
        posts = line.stage.prepare(line.context, rows)
        by_job = {row.job_id: post for row, post in zip(rows, posts, strict=True)}
        return cluster_from_scratch(by_job, self.verdicts, rules)


def _row(line: Line, job_id: UUID, ad: Ad | None) -> Any:
    from tests.contract.dedupe_runner import values

    if ad is None:
        return line.stage.row(1, job_id, *[None] * 14)
    (_, title, company, place, city, country, employment, posted, body, seen, status, _) = values(
        job_id, ad, 1
    )
    return line.stage.row(
        1, job_id, status, seen, posted, title, company, company.lower(), place, city, "", country,
        employment, employment, body, [],
    )  # fmt: skip


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.mark.req("N-36", "N-84")
@pytest.mark.parametrize("verdicts", [False, True], ids=["posts", "posts_and_verdicts"])
def test_any_history_gives_what_a_computation_from_scratch_gives(
    database: str, settings: Settings, verdicts: bool
) -> None:
    stage = dedupe_stage(SMALL)

    async def check(history: list[tuple[str, Any]]) -> None:
        connection = await pools.connect(database, "worker", settings)
        try:
            line, world = Line(connection, stage), World()
            await line.clear()
            for kind, what in history:
                await world.take(line, kind, what)
            await line.drain(3)
            tables = await line.tables()
            expected = world.expected(line, SMALL)
            made = outcome_of(tables)
            assert made.pairs == expected.pairs
            assert made.mapping == expected.mapping
            assert made.clusters == expected.clusters
            # And the stage's own state holds nothing that a fresh run would not hold.
            for table in stage.tables:
                await connection.execute(f"DELETE FROM {table}")
            line.offset = 0
            await line.drain(500)
            assert await line.tables() == tables
        finally:
            await connection.close()

    @hypothesis_settings(
        max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(st.integers(0, 10**9))
    def explore(seed: int) -> None:
        run(check(make_history(seed, verdicts)))

    explore()
