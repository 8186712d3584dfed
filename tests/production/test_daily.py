"""The daily run: files chosen with reasons, one head, a report that can be made again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import psycopg
import pytest

from nextstep.errors import UsageError
from nextstep.ops import daily, daily_files, inbox
from nextstep.ops.daily_report import SCHEMA, Changes, Named, RunReport, Top, markdown
from nextstep.ops.inbox import Input
from nextstep.ops.replay import replay
from nextstep.settings import Settings
from tests.production.test_units import drop
from tests.whole_line import test_stages

Clone = Callable[[], str]


def asked(url: str) -> tuple[daily.Ask, list[Any]]:
    """An `ask` that remembers what it was asked."""
    seen: list[Any] = []

    async def ask(profiles: list[dict[str, Any]]) -> list[list[dict[str, Any]] | str]:
        seen.extend(profiles)
        job = {"job_id": "a", "canonical_job_id": "a", "score": 0.5, "title": "T*", "company": "C",
               "location": "L", "url": ""}  # fmt: skip
        return [[job], *["no such country"] * (len(profiles) - 1)]

    return ask, seen


async def run(url: str, settings: Settings, folder: Path, **how: Any) -> RunReport:
    ask = how.pop("ask", asked(url)[0])
    return await daily.run_daily(url, settings, test_stages(settings), folder, ask, **how)


@pytest.mark.req("J-01", "J-18", "J-19", "J-20", "J-24", "J-46", "J-54", "D-08")
async def test_a_day_and_the_next_and_both_made_again(
    clone: Clone, line_settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = clone(), tmp_path / "import"
    (folder / "board").mkdir(parents=True)
    settings = msgspec.structs.replace(line_settings, database_url=url)
    profiles = settings.home / "profiles"
    profiles.mkdir()
    (profiles / "ann.json").write_text('{"skills": ["Python"]}')
    (profiles / "bob.json").write_text('{"location": {"country": "Nowhere"}}')
    (profiles / "cut.json").write_text("{")
    drop(folder, "a.jsonl", range(6))
    drop(folder, "copy of a.jsonl", range(6))
    drop(folder, "coming.jsonl.part", range(2))
    (folder / "new.jsonl").write_text("{}\n")
    (folder / "bad.csv").write_bytes(b"\x7fELF" + bytes(100))
    os.utime(folder / "bad.csv", (time.time() - 60,) * 2)
    ask, seen = asked(url)

    first = await run(url, settings, folder, ask=ask)
    assert (first.status, first.exit_code, first.schema) == ("rejected", 2, SCHEMA)
    assert {each.name: each.reason.partition(":")[0] for each in first.inputs} == {
        "a.jsonl": "taken", "bad.csv": "taken", "coming.jsonl.part": "left",
        "copy of a.jsonl": "left", "new.jsonl": "left",
    }  # fmt: skip
    by_name = {each.name: each for each in first.inputs}
    assert by_name["a.jsonl"].counts["new"] == 6
    assert by_name["copy of a.jsonl"].sha256 == by_name["a.jsonl"].sha256
    assert "ELF" not in by_name["bad.csv"].error and by_name["bad.csv"].error
    assert (first.since, first.since_reason) == (0, "no run before this one")
    assert {stage.offset for stage in first.stages} == {first.head}
    assert first.stages[0].counts["in"] == 7  # six posts and the end of their scan
    assert set(first.digests) == set(first.tables) and len(first.digests) >= 13
    assert [top.profile for top in first.profiles] == ["ann", "bob", "cut"]
    assert [bool(top.error) for top in first.profiles] == [False, True, True]
    assert seen == [{"skills": ["Python"]}, {"location": {"country": "Nowhere"}}]

    (folder / "bad.csv").unlink()
    drop(folder / "board", "b.jsonl", range(4, 9))
    second = await run(url, settings, folder)
    assert (second.status, second.exit_code, second.error) == ("done", 0, "")
    assert second.since == first.head
    assert second.changes.counts == {"new": 3}
    assert [post.title for post in second.changes.named["new"]] == [
        "Data Engineer 6", "Data Engineer 7", "Data Engineer 8",
    ]  # fmt: skip
    kept = settings.home / "runs" / second.run_id
    assert (kept / "summary.md").read_text() == markdown(second)
    assert daily_files.read(settings.home / "runs", "latest") == second

    idle = await run(url, settings, folder)
    assert (idle.changes.counts, idle.digests) == ({}, second.digests)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line[:1] == "{"]
    assert all("run_id" in line for line in lines)

    for report in (first, second):
        made = await replay(
            url, settings, test_stages(settings), report, settings.home / "runs" / report.run_id
        )
        assert [each.part for each in made] == ["log", "changes", "digests", "summary"]
        assert all(each.ok for each in made), made

    forged = msgspec.structs.replace(second, digests={**second.digests, "job_entities": "0" * 64})
    made = await replay(url, settings, test_stages(settings), forged, kept)
    assert [each.part for each in made if not each.ok] == ["digests"]
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT status, counts ->> 'new' FROM pipeline_runs WHERE stage = 'run-daily'"
            " ORDER BY started_at"
        ).fetchall()
    assert rows[1] == ("done", "3")


@pytest.mark.req("J-20", "J-46")
async def test_a_run_that_fails_says_so_and_leaves_a_report(
    clone: Clone, line_settings: Settings, tmp_path: Path
) -> None:
    url = clone()
    settings = msgspec.structs.replace(line_settings, database_url=url)
    missing = await run(url, settings, tmp_path / "none")
    assert (missing.status, missing.exit_code) == ("failed", 2)

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE stage_offsets SET status = 'paused' WHERE stage = 'extract'")
    drop(tmp_path, "a.jsonl", range(2))
    paused = await run(url, settings, tmp_path)
    assert (paused.status, paused.exit_code) == ("failed", 4)
    assert "stage extract is paused" in paused.error
    assert daily_files.read(settings.home / "runs", paused.run_id) == paused
    with psycopg.connect(url) as connection:
        held = connection.execute(
            "SELECT count(*) FROM stage_offsets WHERE stop_until IS NOT NULL"
        ).fetchone()
    assert held == (0,)
    # What failed is no run to count from.
    assert daily_files.latest(settings.home / "runs") is None

    gone = msgspec.structs.replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none")
    down = await run(gone.database_url, gone, tmp_path)
    assert (down.status, down.exit_code) == ("failed", 3)


async def test_watching_takes_what_arrives_once(
    database: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_LOOK_S", 0.05)
    drop(tmp_path, "a.jsonl", range(3))
    (tmp_path / ".hidden.jsonl").write_text("{}")
    stop, ready = anyio.Event(), anyio.Event()
    watch = inbox.Watch(database, settings, tmp_path)

    async def events() -> int:
        with psycopg.connect(database) as connection:
            return int(
                connection.execute(
                    "SELECT count(*) FROM job_events WHERE kind LIKE 'job.%'"
                ).fetchone()[0]
            )  # type: ignore[index]

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run, stop, ready.set)
            await ready.wait()
            assert await events() == 3
            drop(tmp_path, "b.jsonl", range(2, 5))
            while await events() < 5:
                await anyio.sleep(0.05)
            assert await watch.look() == ""
            stop.set()
    assert await events() == 5


def test_a_summary_shows_texts_of_sources_and_obeys_none() -> None:
    report = RunReport(run_id="r", started_at="t", nextstep="0", status="done")
    report.inputs = [Input("a|b.csv", 1, "", "", "", True, "taken", {"rows": 2, "new": 2})]
    report.changes = Changes({"new": 30}, {"new": [Named("1", "# <b>Boss</b>\n## x", "C`", "")]})
    report.profiles = [Top("ann", "")]
    text = markdown(report)
    assert "- \\# \\<b\\>Boss\\</b\\> \\#\\# x, C\\` `1`\n- and 29 more" in text
    assert "- a\\|b.csv: rows 2, new 2" in text
    assert "## Top jobs for ann\n\nnone" in text


def test_runs_are_found_by_id_and_only_there(tmp_path: Path) -> None:
    for wrong in ("latest", "none", "../../etc"):
        with pytest.raises(UsageError):
            daily_files.read(tmp_path, wrong)
