"""The dedupe stage over a real database: what it merges, what it writes, what does not explode."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from nextstep.db import pools
from nextstep.processors.dedupe import DEDUPE
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Settings
from tests.contract.dedupe_runner import Ad, Line, job, outcome_of

_CHANCE = random.Random(7)
_WORDS = [
    "".join(_CHANCE.choice("aeiou") + _CHANCE.choice("bdfgklmnprst") for _ in range(3))
    for _ in range(400)
]
CHINESE = "我们正在寻找一位经验丰富的数据分析师加入北京团队负责报表建模与业务支持并与各部门密切合作"


def text(seed: int, words: int = 150) -> str:
    chance = random.Random(seed)
    return " ".join(chance.choice(_WORDS) for _ in range(words))


def edited(base: str, number: int) -> str:
    """The text with one word of its own, at a place of its own."""
    words = base.split()
    words[number % len(words)] = f"edit{''.join(chr(97 + int(d)) for d in str(number))}"
    return " ".join(words)


@pytest.fixture
async def line(database: str, settings: Settings) -> AsyncIterator[Line]:
    connection = await pools.connect(database, "worker", settings)
    yield Line(connection, DEDUPE)
    await connection.close()


async def mapping(line: Line) -> dict[Any, Any]:
    return outcome_of(await line.tables()).mapping


@pytest.mark.req("N-33", "N-36", "J-152")
async def test_copies_across_sources_are_one_cluster_around_the_earliest(line: Line) -> None:
    base = text(1)
    await line.put(
        {
            job(1): Ad(base, day=5, title="Data Engineer", city="Leeds"),
            job(2): Ad(edited(base, 3), day=2, title="Data Engineer (m/f/d)", city="Leeds"),
            job(3): Ad(base.upper(), day=9, title="Data Engineer", city="Leeds"),
            job(4): Ad(text(2), day=1, title="Data Engineer", city="Leeds"),
            job(5): Ad(base, day=6, title="Data Engineer", city="York"),
        }
    )
    await line.drain()
    made = await mapping(line)
    assert made[job(2)] == (job(2), 1.0, "canonical")
    assert made[job(1)][0] == made[job(3)][0] == job(2)
    assert made[job(1)][2] == "near"
    assert 0.95 < made[job(1)][1] < 1.0
    assert made[job(4)] == (job(4), 1.0, "canonical")
    assert made[job(5)] == (job(5), 1.0, "canonical")
    pair = await line.connection.fetchrow(
        "SELECT relation, reasons FROM job_duplicate_pairs WHERE $1 IN (job_a, job_b)"
        " AND relation = 'variant' LIMIT 1",
        job(5),
    )
    assert pair["reasons"]["veto"] == {"city": ["leeds", "york"]}
    # Each canonical maps to itself, and each job has one.
    assert all(made[place[0]][0] == place[0] for place in made.values())


@pytest.mark.req("N-36")
async def test_closing_keeps_the_cluster_and_the_latest_open_posting_follows(line: Line) -> None:
    base = text(3)
    await line.put({job(n): Ad(base, day=n) for n in (1, 2, 3)})
    await line.drain()
    before = await mapping(line)
    await line.put({job(3): Ad(base, day=3, status="closed")})
    await line.drain()
    assert await mapping(line) == before
    assert outcome_of(await line.tables()).clusters == {job(1): ("open", job(2), 3)}
    await line.put({job(n): Ad(base, day=n, status="closed") for n in (1, 2)})
    await line.drain()
    assert await mapping(line) == before
    assert outcome_of(await line.tables()).clusters == {job(1): ("closed", None, 3)}


@pytest.mark.req("N-36")
async def test_a_job_that_leaves_is_absent_and_its_cluster_finds_another_head(line: Line) -> None:
    base = text(4)
    await line.put({job(1): Ad(base, day=1), job(2): Ad(base, day=2), job(3): Ad(edited(base, 1))})
    await line.put({job(3): Ad(edited(base, 1), day=3)})
    await line.drain()
    await line.park(job(1))
    await line.drain()
    made = await mapping(line)
    assert made[job(1)] == (None, 0.0, "absent")
    assert made[job(2)] == (job(2), 1.0, "canonical")
    assert made[job(3)][0] == job(2)
    stamps = dict(
        await line.connection.fetch("SELECT job_id, position FROM job_dedupe_map")  # type: ignore[arg-type]
    )
    assert stamps == {job(1): line.head, job(2): line.head, job(3): line.head}
    await line.put({job(2): Ad(base, day=2, status="erased")})
    await line.drain()
    made = await mapping(line)
    assert made[job(2)] == (None, 0.0, "absent")
    assert made[job(3)] == (job(3), 1.0, "canonical")


async def test_a_verdict_parts_twins_joins_strangers_and_survives_a_replay(line: Line) -> None:
    base = text(5)
    await line.put({job(1): Ad(base, day=1), job(2): Ad(base, day=2), job(3): Ad(text(6), day=3)})
    await line.drain()
    await line.judge(job(1), job(2), "not_same")
    await line.judge(job(1), job(3), "same")
    await line.drain()
    made = await mapping(line)
    assert made[job(2)] == (job(2), 1.0, "canonical")
    assert made[job(3)][0] == job(1)
    assert made[job(3)][2] == "verdict"
    tables = await line.tables()
    for table in line.stage.tables:
        await line.connection.execute(f"DELETE FROM {table}")
    line.offset = 0
    await line.drain(1)
    assert await line.tables() == tables


@pytest.mark.req("N-34")
async def test_texts_that_prove_nothing_are_never_merged_by_their_text(line: Line) -> None:
    await line.put(
        {
            job(1): Ad("", company=""),
            job(2): Ad("", company=""),
            job(3): Ad("apply", city="Leeds"),
            job(4): Ad("apply", city="Leeds"),
            job(5): Ad("apply", city="York"),
            job(6): Ad("", city="Leeds", title=""),
            job(7): Ad("", city="Leeds", title=""),
        }
    )
    await line.drain()
    made = await mapping(line)
    alone = {number for number in range(1, 8) if made[job(number)][0] == job(number)}
    # Only 3 and 4 state title, company and place, all equal.
    assert len(alone) == 6
    assert made[job(3)][0] == made[job(4)][0]


@pytest.mark.req("N-33")
async def test_a_text_without_spaces_finds_its_copy(line: Line) -> None:
    await line.put(
        {
            job(1): Ad(CHINESE * 2, day=1),
            job(2): Ad(CHINESE * 2 + "欢迎投递", day=2),
            job(3): Ad(CHINESE[::-1] * 2, day=3),
        }
    )
    await line.drain()
    made = await mapping(line)
    assert made[job(2)][0] == job(1)
    assert made[job(3)][0] == job(3)


@pytest.mark.req("N-84")
async def test_one_more_ad_writes_its_own_rows_only(line: Line) -> None:
    await line.put({job(n): Ad(text(n), day=n) for n in range(1, 301)})
    await line.drain()
    await line.put({job(900): Ad(edited(text(7), 1), day=900)})
    # map, signature, group and one pair; bands are one statement
    assert await line.drain() == 4
    assert (await mapping(line))[job(900)][0] == job(7)


@pytest.mark.req("N-33")
async def test_thousands_of_identical_ads_are_one_group(line: Line) -> None:
    await line.put({job(n): Ad(text(8), day=n * 37 % 101) for n in range(1, 5001)})
    await line.drain()
    counts = await line.connection.fetchrow(
        "SELECT (SELECT count(*) FROM dedupe_groups), (SELECT count(*) FROM job_duplicate_pairs),"
        " (SELECT count(DISTINCT canonical_job_id) FROM job_dedupe_map),"
        " (SELECT members FROM job_clusters)"
    )
    assert tuple(counts) == (1, 0, 1, 5000)


@pytest.mark.req("N-33")
async def test_a_component_of_thousands_compares_each_with_a_few(line: Line) -> None:
    few, size = 500, 2500
    ads = {job(n): Ad(edited(text(9), n), day=n) for n in range(size)}
    await line.put({job_id: ads[job_id] for job_id in map(job, range(few))})
    await line.drain()
    first = await line.connection.fetchval("SELECT count(*) FROM job_duplicate_pairs")
    await line.put({job_id: ads[job_id] for job_id in map(job, range(few, size))})
    await line.drain()
    pairs = await line.connection.fetchval("SELECT count(*) FROM job_duplicate_pairs")
    # All pairs would be three millions, and twenty-five times as many as of the first five hundred.
    assert size < pairs < 2 * size / few * first
    assert outcome_of(await line.tables()).clusters[job(0)][2] == size


@pytest.mark.req("N-33", "N-34")
async def test_a_real_ad_and_its_badly_stripped_copy_are_one(
    line: Line, real_ads: Callable[..., list[dict[str, str]]]
) -> None:
    ads = [ad for ad in real_ads("linkedin_data_roles", 150) if len(ad["description_html"]) > 600]
    put: dict[Any, Ad] = {}
    for number, ad in enumerate(ads):
        html = ad["description_html"]
        glued = re.sub(r"<[^>]*>", "", html)
        cut = f"{glued[: len(glued) * 7 // 10]}..."
        for kind, body in enumerate(
            (clean_text(html).text, clean_text("", glued).text, clean_text("", cut).text)
        ):
            put[job(number * 3 + kind + 1)] = Ad(
                body, day=number * 3 + kind, title=ad["title"], company=ad["company"]
            )
    await line.put(put)
    await line.drain()
    made = await mapping(line)
    merged = [
        [
            made[job(number * 3 + 1)][0] == made[job(number * 3 + 1 + kind)][0]
            for number in range(len(ads))
        ]
        for kind in (1, 2)
    ]
    assert sum(merged[0]) >= 0.98 * len(ads)
    assert sum(merged[1]) >= 0.90 * len(ads)
