"""The fold of clean on a real log: batch cuts, scans, parking, requeues, erasure."""

from __future__ import annotations

import functools
import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextstep.db import pools
from nextstep.events import kinds
from nextstep.events.codec import encode_payload
from nextstep.events.io import log
from nextstep.events.io.runner import Failure, without_superseded
from nextstep.events.io.writes import Writer
from nextstep.events.model import Draft, JobRequeued, PairJudged, SourceScanned
from nextstep.events.stage import Found
from nextstep.ops.sources import drop_lines, read_sources
from nextstep.processors.clean import CLEAN
from nextstep.processors.shared.fill import FIELDS
from nextstep.settings import Settings
from tests.drafts import START, draft, job

BOARDS = ("board", "other")


@functools.cache
def context() -> Any:
    """The taxonomies and the model; no fixture, so that a failing example does not print them."""
    assert CLEAN.setup is not None
    return CLEAN.setup(Settings())


class Clean:
    """Runs the stage over a log in batches, as the runner does; `poison` positions are parked."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def run(self, batch_size: int = 500, poison: Sequence[int] = ()) -> list[dict[str, Any]]:
        await self.connection.execute("TRUNCATE jobs_normalized, pair_verdicts, job_fill")
        offset = 0
        while rows := await self._read(offset, batch_size):
            await self._batch([row for row in rows if row.position not in poison],
                              [row for row in rows if row.position in poison])  # fmt: skip
            offset = rows[-1].position
        return await self.rows()

    async def _read(self, offset: int, limit: int) -> list[Any]:
        rows = await self.connection.fetch(CLEAN.read, offset, 2**62, limit)
        return [CLEAN.row(*row) for row in rows]

    async def _batch(self, rows: list[Any], dead: list[Any]) -> None:
        writer = Writer()
        assert CLEAN.absent is not None
        await writer.apply(self.connection, CLEAN.absent(dead).ops)
        parked = [Failure(row, "", "", 1) for row in dead]
        rows, prepared = without_superseded(rows, CLEAN.prepare(context(), rows), parked)
        found: Found = {}
        for lookup in CLEAN.lookups:
            args = lookup.args(rows, prepared, found)
            found[lookup.name] = [
                tuple(row) for row in await self.connection.fetch(lookup.sql, *args)
            ]
        await writer.apply(self.connection, CLEAN.decide(context(), rows, prepared, found).ops)

    async def rows(self) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(
            "SELECT n.*, f.source AS fill_source, f.observed_on, f.filled"
            "  FROM jobs_normalized AS n FULL JOIN job_fill AS f USING (job_id) ORDER BY job_id"
        )
        verdicts = await self.connection.fetch("SELECT * FROM pair_verdicts ORDER BY job_a, job_b")
        return [dict(row) for row in (*rows, *verdicts)]


@pytest.fixture
def clean(connection: Any) -> Clean:
    return Clean(connection)


async def scan(connection: Any, source: str, seen: Sequence[int], day: int) -> None:
    scan_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{source} {day} {sorted(seen)}")
    await connection.execute("DELETE FROM scan_seen")
    await connection.executemany(
        "INSERT INTO scan_seen (scan_id, job_id, occurred_at) VALUES ($1, $2, $3)",
        [(scan_id, job(number), START + timedelta(days=day)) for number in sorted(set(seen))],
    )
    payload = encode_payload(SourceScanned(source=source, scan_id=scan_id, complete=True))
    await log.finish_scan(
        connection,
        source=source,
        stream=uuid.uuid5(uuid.NAMESPACE_DNS, source),
        scan_id=scan_id,
        complete=True,
        payload=payload,
        content_hash=hashlib.sha256(payload).digest(),
        occurred_at=START + timedelta(days=day),
        max_share=1.0,
    )


async def requeue(connection: Any, number: int) -> None:
    payload = encode_payload(JobRequeued(stage="clean"))
    await log.append(
        connection,
        [Draft(job(number), kinds.REQUEUED, "board", 1, payload, bytes(32), START)],
    )


async def erase(connection: Any, number: int) -> None:
    await connection.execute("SELECT erase_job($1, 'asked for')", job(number))


async def judge(connection: Any, one: int, other: int, verdict: str) -> None:
    low, high = sorted((job(one), job(other)))
    payload = encode_payload(PairJudged(low, high, verdict))
    stream = uuid.uuid5(low, str(high))
    digest = hashlib.sha256(payload).digest()
    await log.append(
        connection, [Draft(stream, kinds.JUDGED, "operator", 1, payload, digest, START)]
    )


def by_job(rows: list[dict[str, Any]]) -> dict[uuid.UUID, dict[str, Any]]:
    return {row["job_id"]: row for row in rows if "job_id" in row}


async def test_a_post_becomes_one_row_with_every_column_normalized(clean: Clean) -> None:
    post = {
        "source": "board",
        "identity_rule": "source_job_id",
        "source_job_id": "17",
        "url": "https://jobs.example/17",
        "title": "Senior Data Analyst (m/f/d)",
        "company": "Müller Söhne GmbH\n3.8",
        "location": "Berlin, Germany",
        "date_posted": "30+ days ago",
        "scraped_at": "2026-02-10",
        "salary": " 50.000\u00a0€ ",
        "employment_type": "Full-time",
        "html": "<p>We need you &amp; your SQL, the team is large and kind to all.</p>"
        "<p>We are an equal opportunity employer.</p>",
    }
    one = msgspec.structs.replace(draft(1), payload=json.dumps(post).encode())
    await log.append(clean.connection, [one])
    (row,) = await clean.run()
    assert {name: row[name] for name in ("source", "source_job_id", "url", "title", "company",
            "company_norm", "location_raw", "country", "date_precision", "salary_raw",
            "employment_type", "employment_type_raw", "language", "status", "position")} == {
        "source": "board", "source_job_id": "17", "url": "https://jobs.example/17",
        "title": "Senior Data Analyst (m/f/d)", "company": "Müller Söhne GmbH",
        "company_norm": "muller sohne", "location_raw": "Berlin, Germany", "country": "DE",
        "date_precision": "month", "salary_raw": "50.000 €", "employment_type": "full_time",
        "employment_type_raw": "Full-time", "language": "en", "status": "open", "position": 1,
    }  # fmt: skip
    assert row["date_posted"].isoformat() == "2026-01-01"
    assert row["title_norm"] == "Data Analyst"
    assert row["description_clean"] == (
        "We need you & your SQL, the team is large and kind to all.\n\n"
        "We are an equal opportunity employer."
    )
    assert row["sections"] == [{"kind": "boilerplate", "start": 60, "end": 97}]
    assert row["changes"] == {"html": True, "date": "month", "fields": ["company"]}
    assert row["content_hash"] == one.content_hash
    assert row["first_seen_at"] == row["last_seen_at"] == START


async def test_a_scan_moves_last_seen_of_what_is_open_and_leaves_positions(clean: Clean) -> None:
    connection = clean.connection
    await log.append(connection, [draft(n) for n in (1, 2)] + [draft(3, source="other")])
    await scan(connection, "board", [1], day=5)
    rows = by_job(await clean.run())
    assert rows[job(1)]["last_seen_at"] == START + timedelta(days=5)
    assert rows[job(1)]["position"] == 1
    assert (rows[job(2)]["status"], rows[job(2)]["last_seen_at"]) == ("closed", START)
    assert rows[job(2)]["position"] == 4
    assert rows[job(3)]["last_seen_at"] == START


async def test_a_requeued_job_is_made_again_at_its_new_position(clean: Clean) -> None:
    await log.append(clean.connection, [draft(1, "Old title"), draft(2)])
    await log.append(clean.connection, [draft(1, "New title", day=3)])
    await requeue(clean.connection, 1)
    row = by_job(await clean.run())[job(1)]
    assert (row["title"], row["position"], row["status"]) == ("New title", 4, "open")
    assert row["first_seen_at"] == START
    assert row["last_seen_at"] == START + timedelta(days=3)


async def test_erasure_leaves_nothing_of_the_post_and_a_replay_of_blank_events_agrees(
    clean: Clean,
) -> None:
    await log.append(clean.connection, [draft(1), draft(2)])
    await log.append(clean.connection, [draft(1, "Secret", day=1)])
    before = by_job(await clean.run())
    assert before[job(1)]["title"] == "Secret"
    await erase(clean.connection, 1)
    expected = await clean.run(1)
    row = by_job(expected)[job(1)]
    assert (row["status"], row["title"], row["source"], row["position"]) == ("erased", "", "", 4)
    assert await clean.run(500) == expected
    await log.append(clean.connection, [draft(1, "Back again", day=9)])
    again = by_job(await clean.run())[job(1)]
    assert (again["status"], again["title"]) == ("open", "Back again")


@pytest.mark.req("N-32")
async def test_each_written_job_says_which_fields_it_has_and_an_erased_one_nothing(
    clean: Clean,
) -> None:
    await log.append(clean.connection, [draft(1), draft(2), draft(3, source="other")])
    await log.append(clean.connection, [draft(1, "Data Analyst in Berlin", day=3)])
    await erase(clean.connection, 2)
    rows = by_job(await clean.run())
    titled = 1 << FIELDS.index("title")
    assert rows[job(1)]["filled"] & titled
    assert not rows[job(1)]["filled"] & 1 << FIELDS.index("salary_raw")
    assert rows[job(1)]["observed_on"] == (START + timedelta(days=3)).date()
    assert (rows[job(2)]["filled"], rows[job(2)]["fill_source"]) == (None, None)
    assert rows[job(3)]["fill_source"] == "other"
    sources = await read_sources(clean.connection)
    assert [(entry["source"], entry["posts"], entry["dropped"]) for entry in sources] == [
        ("board", 1, []), ("other", 1, []),
    ]  # fmt: skip
    assert sources[0]["fields"][0] == {
        "field": "title", "filled": 1, "total": 1, "rate": 1.0, "recent_rate": 1.0,
        "earlier_rate": None, "dropped": False,
    }  # fmt: skip


async def test_a_source_that_loses_its_salaries_raises_an_alarm(clean: Clean) -> None:
    def paid(number: int, salary: str, day: int) -> Draft:
        made = draft(number, day=day)
        post = json.loads(made.payload) | {"salary": salary}
        return msgspec.structs.replace(made, payload=json.dumps(post).encode())

    before = [paid(number, "50,000 EUR" if number % 10 else "", 0) for number in range(60)]
    after = [paid(number, "50,000 EUR" if number % 2 else "", 1) for number in range(60, 120)]
    await log.append(clean.connection, [*before, *after])
    await clean.run()
    (source,) = await read_sources(clean.connection)
    assert source["dropped"] == ["salary_raw"]
    assert drop_lines([source]) == [
        "board: salary_raw fell from 90% to 50% of posts since 2026-01-02"
    ]


async def test_a_crawl_that_rewrites_every_post_of_a_source_raises_an_alarm(clean: Clean) -> None:
    """No post of an earlier day is left; what the same posts said before is in the log."""

    def post(number: int, day: int, **fields: str) -> Draft:
        made = draft(number, f"Data Analyst {day}", day=day)
        found = {"location": "Leeds, UK", "salary": "50,000 GBP"} | fields
        payload = {name: value for name, value in found.items() if value}
        return msgspec.structs.replace(
            made, payload=json.dumps(json.loads(made.payload) | payload).encode()
        )

    async def alarms() -> list[str]:
        await clean.run()
        return drop_lines(await read_sources(clean.connection))

    numbers = range(60)
    await log.append(clean.connection, [post(n, 0) for n in numbers])
    assert await alarms() == []
    await log.append(clean.connection, [post(n, 1) for n in numbers])
    assert await alarms() == [], "rewritten, and nothing lost"
    await log.append(
        clean.connection, [post(n, 2, salary="" if n % 3 else "1 GBP") for n in numbers]
    )
    assert await alarms() == [
        "board: salary_raw fell from 100% to 33% of the 60 posts that changed last"
    ]
    (source,) = await read_sources(clean.connection)
    assert source["rewritten"] == [
        {"field": "salary_raw", "posts": 60, "earlier_rate": 1.0, "recent_rate": 0.333}
    ]
    await clean.connection.execute("SELECT erase_job($1, 'asked')", job(0))
    assert "of the 59 posts" in (await alarms())[0], "an erased post says nothing"
    await log.append(clean.connection, [post(n, 3) for n in numbers if n])
    assert await alarms() == [], "mended"


async def test_an_operators_last_verdict_on_a_pair_counts(clean: Clean) -> None:
    await judge(clean.connection, 1, 2, "same")
    await judge(clean.connection, 1, 2, "not_same")
    (row,) = await clean.run()
    assert (row["verdict"], row["position"]) == ("not_same", 2)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.integers(1, 4), st.integers(0, 3)),
        st.tuples(st.just("scan"), st.sets(st.integers(1, 4)), st.integers(0, 1)),
        st.tuples(st.just("requeue"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("erase"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("judge"), st.integers(1, 3), st.integers(0, 1)),
    ),
    min_size=1,
    max_size=14,
)


async def write_log(connection: Any, steps: list[Any]) -> None:
    """Turn steps into events, one day apart; jobs 1 and 2 are of one source, 3 and 4 of another."""
    posted: set[int] = set()
    for day, (what, first, second) in enumerate(steps):
        if what == "post":
            source = BOARDS[first > 2]
            await log.append(connection, [draft(first, f"Title {second}", day=day, source=source)])
            posted.add(first)
        elif what == "scan":
            # Every other scan is dated back, as when an old file is read late.
            await scan(connection, BOARDS[second], sorted(first), day if day % 2 else day + 3)
        elif what == "judge":
            await judge(connection, first, 4, ("same", "not_same")[second])
        elif first in posted:
            await (requeue if what == "requeue" else erase)(connection, first)


async def empty_log(connection: Any) -> None:
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("TRUNCATE job_events, job_heads")
    await connection.execute("SET session_replication_role = origin")


@pytest.mark.req("D-05", "N-89")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_any_cut_of_any_log_gives_the_same_rows(
    steps: list[Any], database: str, settings: Settings
) -> None:
    async def check() -> None:
        connection = await pools.connect(database, None, settings)
        try:
            await empty_log(connection)
            await write_log(connection, steps)
            clean = Clean(connection)
            expected = await clean.run(500)
            for batch_size in (1, 2, 7):
                assert await clean.run(batch_size) == expected
        finally:
            await connection.close(timeout=5)

    import asyncio

    asyncio.run(check())


@pytest.mark.req("D-10")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, data=st.data())
def test_a_job_that_was_parked_and_requeued_looks_as_if_it_never_had_been(
    steps: list[Any], data: st.DataObject, database: str, settings: Settings
) -> None:
    async def check() -> None:
        connection = await pools.connect(database, None, settings)
        try:
            await empty_log(connection)
            await write_log(connection, [("post", 1, 0), *steps])
            contents = await connection.fetch(
                "SELECT position FROM job_events WHERE job_id = $1 AND kind = ANY ($2)"
                " AND payload <> '{\"erased\": true}' ORDER BY position",
                job(1),
                sorted(kinds.CONTENT),
            )
            last = await connection.fetchval(
                "SELECT kind FROM job_events WHERE job_id = $1 ORDER BY version DESC LIMIT 1",
                job(1),
            )
            await requeue(connection, 1)
            clean = Clean(connection)
            expected = await clean.run()
            if not contents or last == kinds.ERASED:
                return
            places = st.sampled_from([row["position"] for row in contents])
            poison = sorted(data.draw(st.sets(places, min_size=1)))
            for batch_size in (1, 3):
                assert await clean.run(batch_size, poison) == expected
        finally:
            await connection.close(timeout=5)

    import asyncio

    asyncio.run(check())
