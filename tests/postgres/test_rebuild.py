"""Rebuild beside the live tables: equal, compared, previewed, swapped, cancelled, killed, past."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
import psycopg
import pytest

from nextstep.db import pools
from nextstep.errors import RebuildFailed, UsageError
from nextstep.events.io import dead_letters, log, offsets
from nextstep.events.io.line import run_line
from nextstep.events.stage import Stage
from nextstep.projections.io import shadow
from nextstep.projections.io.rebuild import Options, RebuildReport, drop_old, rebuild
from nextstep.projections.trends import TRENDS
from nextstep.settings import Settings
from tests.conftest import notifications
from tests.drafts import START, draft
from tests.whole_line import SAMPLE, append_sample, digests, drain, test_stages


@pytest.fixture(scope="module")
def drained(make_database: Any, template: str) -> Iterator[str]:
    """The name of a database with the sample through every stage, to be cloned."""
    url = make_database(template)
    home = Path(tempfile.mkdtemp())

    async def fill() -> None:
        settings = Settings(
            database_url=url, home=home, executor="inline", notifications=notifications()
        )
        await append_sample(settings, url)
        await drain(settings, url)

    asyncio.run(fill())
    shutil.rmtree(home)
    yield str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@pytest.fixture
def live(drained: str, make_database: Any, settings: Settings) -> Settings:
    """Settings of a fresh clone of it."""
    return msgspec.structs.replace(
        settings, database_url=make_database(drained), executor="inline", poll_interval_s=0.2
    )


def url_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url


async def make(
    settings: Settings, *names: str, stages: Sequence[Stage] | None = None, **how: Any
) -> RebuildReport:
    options = Options(stages=names, **how)
    return await rebuild(url_of(settings), settings, stages or test_stages(settings), options)


@contextlib.asynccontextmanager
async def owner(settings: Settings) -> AsyncIterator[Any]:
    connection = await pools.connect(url_of(settings), None, settings)
    try:
        yield connection
    finally:
        await connection.close()


async def leftovers(settings: Settings) -> list[str]:
    async with owner(settings) as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'nextstep_shadow'::regnamespace"
        )
    return [row[0] for row in rows]


@pytest.mark.req("D-05", "D-08", "J-02")
@pytest.mark.parametrize(
    ("name", "rebuilt"),
    [
        ("clean", ["clean", "dedupe", "extract", "embed", "trends"]),
        ("dedupe", ["dedupe", "extract", "embed", "trends"]),
        ("extract", ["extract", "embed", "trends"]),
        ("embed:all-MiniLM-L6-v2", ["embed"]),
        ("trends", ["trends"]),
    ],
)
async def test_a_rebuild_equals_the_live_tables_and_takes_what_reads_from_them_along(
    name: str, rebuilt: list[str], live: Settings
) -> None:
    before = await digests(live, url_of(live))
    report = await make(live, name, mode="verify")
    assert [stage.partition(":")[0] for stage in report.stages] == rebuilt
    assert report.is_equal
    assert not report.live
    assert all(table.rebuilt_rows == table.live_rows for table in report.tables)
    made = {table.table: table.rebuilt_sha256 for table in report.tables}
    assert made == {table: before[table] for table in made}
    assert await leftovers(live) == []
    assert await digests(live, url_of(live)) == before


@pytest.mark.parametrize(
    ("damage", "table", "kind", "column"),
    [
        ("UPDATE jobs_normalized SET city = 'Atlantis' WHERE job_id = (SELECT min(job_id::text)"
         "::uuid FROM jobs_normalized) RETURNING job_id", "jobs_normalized", "changed", "city"),
        ("DELETE FROM job_entities WHERE job_id = (SELECT min(job_id::text)::uuid"
         " FROM job_entities) RETURNING job_id", "job_entities", "added", None),
        ("INSERT INTO job_dedupe_map (job_id, rule, position) VALUES"
         " ('00000000-0000-0000-0000-00000000beef', 'forged', 1) RETURNING job_id",
         "job_dedupe_map", "removed", None),
        ("UPDATE job_embeddings SET text_hash = '\\x00' WHERE job_id = (SELECT min(job_id::text)"
         "::uuid FROM job_embeddings) RETURNING job_id", "job_embeddings", "changed", "text_hash"),
        ("UPDATE trend_groups SET jobs = jobs + 1 WHERE (title_cluster, country, month) ="
         " (SELECT '*', '*', min(month) FROM trend_groups) RETURNING title_cluster", "trend_groups",
         "changed", "jobs"),
    ],
)  # fmt: skip
async def test_an_edited_row_is_found_and_named(
    damage: str, table: str, kind: str, column: str | None, live: Settings
) -> None:
    async with owner(live) as connection:
        named = str(await connection.fetchval(damage))
    report = await make(live, mode="verify")
    assert not report.is_equal
    change = next(each for each in report.tables if each.table == table)
    assert {"added": change.added, "removed": change.removed, "changed": change.changed}[kind] > 0
    assert change.live_sha256 != change.rebuilt_sha256
    assert change.ranges
    assert any(sample["change"] == kind and named in sample["key"] for sample in change.samples)
    if column is not None:
        assert change.columns.get(column)
        assert any(column in sample["columns"] for sample in change.samples)
    assert [each.table for each in report.tables if not each.is_equal] == [table]


async def test_a_vector_that_was_edited_is_found_when_it_is_encoded_again(live: Settings) -> None:
    async with owner(live) as connection:
        await connection.execute(
            "UPDATE job_embeddings SET embedding = (SELECT embedding FROM job_embeddings"
            " ORDER BY job_id DESC LIMIT 1)"
        )
    assert (await make(live, "embed:all-MiniLM-L6-v2", mode="verify")).is_equal
    report = await make(live, "embed:all-MiniLM-L6-v2", mode="verify", fresh_vectors=True)
    assert not report.is_equal
    assert report.vectors


def without(skill: str, settings: Settings) -> tuple[Stage, ...]:
    """The line with an extract of a newer version, which no longer knows a skill."""
    line = test_stages(settings)
    extract = next(stage for stage in line if stage.name == "extract")

    def decide(context: Any, rows: Any, prepared: Any, found: Any) -> Any:
        writes = extract.decide(context, rows, prepared, found)
        ops = []
        for op in writes.ops:
            if getattr(op, "columns", None) and "skills" in op.columns:
                place = op.columns.index("skills")
                kept = [
                    (*row[:place], [s for s in row[place] if s != skill], *row[place + 1 :])
                    for row in op.rows
                ]
                op = msgspec.structs.replace(op, rows=kept)  # noqa: PLW2901
            ops.append(op)
        return msgspec.structs.replace(writes, ops=ops)

    newer = msgspec.structs.replace(extract, code_version=extract.code_version + 1, decide=decide)
    return tuple(newer if stage.name == "extract" else stage for stage in line)


async def commonest_skill(settings: Settings) -> tuple[str, int]:
    """A skill, and how many jobs name it."""
    async with owner(settings) as connection:
        return tuple(
            await connection.fetchrow(
                "SELECT skill, count(*) FROM job_entities, unnest(skills) AS skill"
                " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
            )
        )


async def naming(skill: str, settings: Settings, schema: str = "public") -> int:
    async with owner(settings) as connection:
        return int(
            await connection.fetchval(
                f"SELECT count(*) FROM {schema}.job_entities WHERE $1 = ANY (skills)", skill
            )
        )


@pytest.mark.req("N-38", "D-08")
async def test_a_preview_says_what_a_new_version_changes_and_changes_nothing(
    live: Settings,
) -> None:
    skill, jobs = await commonest_skill(live)
    assert jobs > 5
    before = await digests(live, url_of(live))
    report = await make(live, "extract", stages=without(skill, live))
    change = next(each for each in report.tables if each.table == "job_entities")
    assert (change.added, change.removed, change.changed) == (0, 0, jobs)
    assert change.columns == {"skills": jobs}
    assert [(each.name, each.live, each.rebuilt) for each in report.lost] == [(skill, jobs, 0)]
    assert not report.gained
    assert not report.swapped
    assert await digests(live, url_of(live)) == before
    assert await leftovers(live) == []


@pytest.mark.req("D-05", "D-08", "X-06")
async def test_a_swap_puts_the_rebuilt_tables_in_place_with_everything_around_them(
    live: Settings, tmp_path: Path
) -> None:
    skill, jobs = await commonest_skill(live)
    url, newer = url_of(live), without(skill, live)
    async with owner(live) as connection:
        shape = await connection.fetch(_CATALOG)
    report = await make(live, "extract", stages=newer, mode="swap")
    assert report.swapped
    assert await naming(skill, live) == 0
    assert await naming(skill, live, "nextstep_old") == jobs > 5
    async with owner(live) as connection:
        assert await connection.fetch(_CATALOG) == shape
        view = await connection.fetchval(
            "SELECT count(*) FROM skill_trends_monthly WHERE skill = $1", skill
        )
        assert view == 0
        assert not any(
            stage["stale"] for stage in (await offsets.status(connection, live, newer))["stages"]
        )
    # The line goes on over the new tables, as a line would that never knew another version.
    file = tmp_path / "more.jsonl"
    file.write_text(
        SAMPLE.read_text(encoding="utf-8").splitlines()[0].replace('"id"', '"old_id"') + "\n",
        encoding="utf-8",
    )
    await append_sample(live, url, file, source="elsewhere")
    await run_line(url, live, newer, once=True)
    assert (await make(live, stages=newer, mode="verify")).is_equal
    assert sorted(await drop_old(url, live)) == sorted(
        {"job_entities", "job_embeddings", *TRENDS.tables}
    )
    assert await drop_old(url, live) == []


#: Columns, keys, indexes, checks, options, owners and grants of every table.
_CATALOG = """
SELECT c.relname::text, 'table' AS what, c.relkind::text || pg_get_userbyid(c.relowner)
       || ARRAY(SELECT g::text FROM unnest(c.relacl) g ORDER BY 1)::text
       || coalesce(c.reloptions::text, '') AS shape
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
UNION ALL
SELECT c.relname, 'column', a.attname || format_type(a.atttypid, a.atttypmod) || a.attnotnull
       || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT tablename::text, 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT conrelid::regclass::text, 'constraint', conname || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
 ORDER BY 1, 2, 3
"""


@pytest.mark.req("D-07")
async def test_readers_and_the_line_go_on_through_swaps(live: Settings) -> None:
    url, stop, seen = url_of(live), anyio.Event(), set()

    async def read() -> None:
        connection = await pools.connect(url, "api", live)
        try:
            while not stop.is_set():
                seen.add(
                    await connection.fetchval(
                        "SELECT count(*) FROM job_entities e JOIN job_dedupe_map m USING (job_id)"
                    )
                )
        finally:
            await connection.close()

    async with owner(live) as connection:
        jobs = await connection.fetchval("SELECT count(*) FROM job_entities")
        async with anyio.create_task_group() as group:
            line_stop = anyio.Event()
            group.start_soon(lambda: run_line(url, live, test_stages(live), stop=line_stop))
            group.start_soon(read)
            for _ in range(3):
                assert (await make(live, "dedupe", mode="swap")).swapped
            assert seen == {jobs}
            await log.append(connection, [draft(n) for n in range(20)])
            report = await make(live, mode="verify")
            assert report.is_equal
            assert not report.live
            stop.set()
            line_stop.set()


async def test_without_vectors_the_live_ones_stay_and_are_read_through_again(
    live: Settings,
) -> None:
    report = await make(live, "dedupe", mode="swap", without_vectors=True)
    assert "job_embeddings" not in {table.table for table in report.tables}
    async with owner(live) as connection:
        rows = {
            stage["stage"]: stage["offset"]
            for stage in (await offsets.status(connection, live, test_stages(live)))["stages"]
        }
        assert rows["embed:all-MiniLM-L6-v2"] == 0
        assert rows["trends"] == report.position
    await drain(live, url_of(live))
    assert (await make(live, mode="verify")).is_equal


@pytest.mark.req("D-08")
async def test_the_past_is_rebuilt_as_it_was(
    settings: Settings, make_database: Any, template: str, tmp_path: Path
) -> None:
    url = make_database(template)
    at = msgspec.structs.replace(settings, database_url=url)
    lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text("".join(lines[:120]), encoding="utf-8")
    second.write_text("".join(lines[120:]), encoding="utf-8")
    await append_sample(at, url, first)
    await drain(at, url)
    then = await digests(at, url)
    async with owner(at) as connection:
        position = await log.head(connection)
    await append_sample(at, url, second)
    await drain(at, url)
    now = await digests(at, url)
    report = await make(at, at=position)
    assert report.position == position
    assert {table.table: table.rebuilt_sha256 for table in report.tables} == then
    assert then != now
    assert await digests(at, url) == now
    with pytest.raises(UsageError, match="the log has positions"):
        await make(at, at=10**6)


async def test_a_cancelled_rebuild_leaves_nothing_behind(live: Settings) -> None:
    before = await digests(live, url_of(live))
    stop = anyio.Event()
    stop.set()
    with pytest.raises(RebuildFailed, match="cancelled"):
        await rebuild(url_of(live), live, test_stages(live), Options(mode="swap"), stop=stop)
    assert await leftovers(live) == []
    assert await digests(live, url_of(live)) == before


async def test_the_next_rebuild_goes_on_with_the_shadow_of_the_last_or_drops_it(
    live: Settings,
) -> None:
    assert not (await make(live, "extract", keep=True)).resumed
    again = await make(live, "extract", keep=True)
    assert again.resumed
    assert again.is_equal
    skill, _ = await commonest_skill(live)
    other = await make(live, "extract", stages=without(skill, live))
    assert not other.resumed
    assert not other.is_equal


@pytest.mark.req("D-10", "N-90")
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_row_that_fails_fails_the_rebuild_until_it_is_discarded(
    place: int, live: Settings
) -> None:
    url, line = url_of(live), failing_on("poison")
    poison = draft(1, title="poison")
    async with owner(live) as connection:
        posts = [draft(0), draft(2)]
        posts.insert(place, poison)
        await log.append(connection, posts)
    stages = line(live)
    await run_line(url, live, stages, once=True)
    with pytest.raises(RebuildFailed, match="no one has discarded") as error:
        await make(live, stages=stages)
    assert str(poison.job_id) in error.value.detail
    assert "clean at position" in error.value.detail
    # What only reads from clean is rebuilt from what clean has, its letters among it.
    assert (await make(live, "dedupe", mode="verify", stages=stages)).is_equal
    async with owner(live) as connection:
        letter = {"stage": "clean", "job_id": poison.job_id}
        assert await dead_letters.discard(connection, [letter], START) == 1
    await run_line(url, live, stages, once=True)
    report = await make(live, mode="verify", stages=stages)
    assert report.is_equal


def failing_on(title: str) -> Any:
    """The line with a clean that cannot read posts of one title."""

    def line(settings: Settings) -> tuple[Stage, ...]:
        stages = test_stages(settings)
        clean = stages[0]

        def prepare(context: Any, rows: Any) -> Any:
            if any(f'"{title}"' in row.payload for row in rows):
                raise ValueError("a title that nobody can read")
            return clean.prepare(context, rows)

        return (msgspec.structs.replace(clean, prepare=prepare), *stages[1:])

    return line


async def test_a_live_stage_that_stands_still_is_told_apart_from_one_that_differs(
    live: Settings,
) -> None:
    async with owner(live) as connection:
        await offsets.set_status(connection, "extract", "paused", "maintenance")
        await log.append(connection, [draft(n) for n in range(5)])
    with contextlib.suppress(Exception):
        await drain(live, url_of(live))
    report = await make(live, mode="verify")
    assert report.live["extract"].startswith("paused at")
    assert sorted(report.live) == ["embed:all-MiniLM-L6-v2", "extract", "trends"]


async def test_a_stop_whose_owner_died_does_not_stall_the_line(live: Settings) -> None:
    async with owner(live) as connection:
        head = await log.head(connection)
        await connection.execute(
            "UPDATE stage_offsets SET stop_at = $1,"
            " stop_until = clock_timestamp() - interval '1 ms'",
            head,
        )
        await log.append(connection, [draft(1)])
    await drain(live, url_of(live))
    async with owner(live) as connection:
        found = await offsets.status(connection, live, test_stages(live))
    assert all(stage["lag"] == 0 for stage in found["stages"])


async def test_two_rebuilds_of_one_database_do_not_meet(live: Settings) -> None:
    async with owner(live) as connection:
        await connection.fetchval("SELECT pg_advisory_lock(5641900)")
        with pytest.raises(RebuildFailed, match="another rebuild"):
            await make(live)


async def test_the_role_of_a_rebuild_cannot_write_a_live_table(live: Settings) -> None:
    connection = await pools.connect(url_of(live), "rebuild", live)
    try:
        for table in sorted({table for stage in test_stages(live) for table in stage.tables}):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") is not None
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE stage_offsets SET position = 0")
    finally:
        await connection.close()


async def test_a_swap_gives_up_on_readers_that_never_end(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_LOCK_TRIES_S", 0.3)
    before = await digests(live, url_of(live))
    async with owner(live) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetchval("SELECT count(*) FROM trend_groups")
        with pytest.raises(RebuildFailed, match="never free long enough"):
            await make(live, "trends", mode="swap")
        await transaction.rollback()
    assert await digests(live, url_of(live)) == before
    assert await leftovers(live) == []
    assert (await make(live, "trends", mode="swap")).swapped
