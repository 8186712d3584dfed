"""Files into a real log: counts that add up, nothing twice, complete scans, refusals."""

from __future__ import annotations

import csv
import gc
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextstep.db import pools
from nextstep.db.queries import read_queries
from nextstep.errors import (
    DatabaseError,
    FileError,
    InputError,
    MappingError,
    ScanRefused,
    Unreachable,
    UsageError,
)
from nextstep.events.io import log
from nextstep.ingest.columns import ColumnMap
from nextstep.ingest.io import append, store
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ingest.report import IngestReport
from nextstep.settings import Settings

FIELDS = ("source", "job_id", "title", "text", "scraped_at")


@pytest.fixture
def ingest(settings: Settings, database: str) -> Callable[..., Any]:
    """A function that ingests files and checks that the counts add up."""

    async def run(*paths: Path, **options: Any) -> IngestReport:
        report = await ingest_files(settings, database, paths, IngestOptions(**options))
        for counts in [report.totals, *report.sources.values(), *(f.counts for f in report.files)]:
            outcomes = counts.new + counts.changed + counts.unchanged + counts.stale
            assert counts.rows == outcomes + counts.rejected
        assert report.totals.rejected == sum(report.reasons.values())
        assert report.totals.rows == sum(counts.rows for counts in report.sources.values())
        return report

    return run


def ads(*numbers: int, text: str = "Care.", day: int = 1, source: str = "board") -> list[list[str]]:
    return [[source, str(n), f"Nurse {n}", text, f"2024-05-{day:02}"] for n in numbers]


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([FIELDS, *rows])
    return path


async def kinds_in(connection: Any) -> dict[str, int]:
    rows = await connection.fetch("SELECT kind, count(*) FROM job_events GROUP BY kind ORDER BY 1")
    return dict(map(tuple, rows))


@pytest.mark.req("D-02", "D-06", "N-89")
async def test_the_same_file_twice_appends_nothing(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    path = write(tmp_path / "a.csv", ads(1, 2, 3))
    first = await ingest(path)
    assert (first.totals.new, first.totals.rows) == (3, 3)
    head = await log.head(connection)
    second = await ingest(path)
    assert (second.totals.unchanged, second.totals.appended()) == (3, 0)
    assert await log.head(connection) == head == 4  # three posts and the scan
    assert (await log.verify(connection)).faults == []


async def test_one_id_twice_with_other_content_is_two_versions_and_then_none(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    path = write(tmp_path / "a.csv", [*ads(1), *ads(1, text="Cure."), *ads(2), *ads(1)])
    first = await ingest(path)
    assert (first.totals.new, first.totals.changed, first.totals.unchanged) == (2, 1, 1)
    second = await ingest(path)
    assert second.totals.appended() == 0
    assert await kinds_in(connection) == {"job.posted": 2, "job.revised": 1, "source.scanned": 1}


@pytest.mark.req("N-83", "D-02")
async def test_a_corrected_row_is_taken_and_an_older_state_is_stale(
    ingest: Any, tmp_path: Path
) -> None:
    await ingest(write(tmp_path / "a.csv", ads(1, 2, day=3)))
    corrected = await ingest(write(tmp_path / "b.csv", ads(1, text="Cure.", day=3)))
    assert corrected.totals.changed == 1
    late = await ingest(write(tmp_path / "c.csv", ads(1, text="Old.", day=1)))
    assert (late.totals.stale, late.totals.appended()) == (1, 0)


async def test_what_is_stored_is_the_post_with_its_origin(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    await ingest(write(tmp_path / "a.csv", ads(1)))
    row = await connection.fetchrow("SELECT * FROM job_events WHERE kind = 'job.posted'")
    assert row["payload"] == {
        "identity_rule": "source_job_id",
        "origin": "a.csv:1",
        "scraped_at": "2024-05-01",
        "source": "board",
        "source_job_id": "1",
        "text": "Care.",
        "title": "Nurse 1",
    }
    assert row["occurred_at"] == datetime(2024, 5, 1, tzinfo=UTC)


async def test_rejects_are_stored_with_row_column_and_reason_and_replaced_next_time(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    path = tmp_path / "a.jsonl"
    lines = [{"title": "a"}, {"title": {"x": 1}}, {"text": ""}, {"text": "x" * 3_000_000}]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n{broken\n", encoding="utf-8")
    for _ in range(2):
        report = await ingest(path, source="s")
        assert (report.totals.rows, report.totals.rejected) == (5, 4)
        assert report.reasons == {
            "wrong_type": 1, "no_title_and_text": 1, "too_large": 1, "bad_json": 1,
        }  # fmt: skip
        assert [(r.row, r.column) for r in report.rejects] == [
            (2, "title"), (3, ""), (4, "text"), (5, ""),
        ]  # fmt: skip
        stored = await connection.fetch(
            "SELECT row_number, column_name, reason, source FROM ingest_rejects ORDER BY row_number"
        )
        assert [tuple(row) for row in stored] == [
            (2, "title", "wrong_type", "s"),
            (3, "", "no_title_and_text", "s"),
            (4, "text", "too_large", "s"),
            (5, "", "bad_json", ""),
        ]
        (file,) = await connection.fetch("SELECT name, status, counts FROM ingest_files")
        assert (file["name"], file["status"]) == ("a.jsonl", "done")
        assert file["counts"]["rejected"] == 4


async def test_a_50_mb_description_is_one_reject(ingest: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [*ads(1), *ads(2, text="x" * 50_000_000), *ads(3)])
    report = await ingest(path)
    assert (report.totals.new, report.reasons) == (2, {"too_large": 1})
    (reject,) = report.rejects
    assert (reject.row, reject.reason) == (2, "too_large")
    assert len(reject.detail) < 200


async def test_nul_bytes_and_surrogates_are_removed_and_noted(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"title": "Nu\\u0000rse", "text": "a\\ud800b", "id": 1, "x": "\\u0000"}\n')
    assert (await ingest(path, source="s")).totals.new == 1
    payload = await connection.fetchval("SELECT payload FROM job_events WHERE version = 1 LIMIT 1")
    assert (payload["title"], payload["text"]) == ("Nurse", "ab")
    assert payload["repairs"] == ["title: NUL removed", "text: lone surrogates removed"]


BAD_FILES: list[tuple[str, Any, type[InputError]]] = [
    ("a.sqlite3", "truncated", FileError),
    ("a.bin", lambda p: p.write_bytes(os.urandom(10_000)), FileError),
    ("a.csv", lambda p: p.write_text('"title,text\nbroken,"header'), FileError),
    ("a.csv", lambda p: p.write_text("x,y\n1,2\n"), MappingError),
    ("a.csv", lambda p: p.write_text("title,text\na,b\n"), MappingError),  # no source
    ("a.csv", lambda p: p.write_text("source,title\n,a\n,b\n"), MappingError),
    ("a.csv", lambda p: None, FileError),
]


@pytest.mark.parametrize("bad", BAD_FILES)
async def test_a_bad_file_stops_before_anything_is_written(
    ingest: Any, tmp_path: Path, connection: Any, bad: tuple[str, Any, type[InputError]]
) -> None:
    name, make, error = bad
    good = write(tmp_path / "good.csv", ads(1))
    (_truncated_sqlite if make == "truncated" else make)(tmp_path / name)
    with pytest.raises(error) as caught:
        await ingest(*([good] if name != "a.csv" else []), tmp_path / name)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert await log.head(connection) == 0


def _truncated_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (title TEXT, text TEXT, source TEXT)")
        database.executemany("INSERT INTO jobs VALUES (?, ?, 's')", [("t", "x" * 900)] * 200)
    database.close()
    path.write_bytes(path.read_bytes()[:-50_000])


async def test_a_file_that_breaks_off_leaves_whole_batches_and_goes_on_later(
    settings: Settings, database: str, tmp_path: Path, connection: Any
) -> None:
    path = tmp_path / "a.sqlite3"
    with sqlite3.connect(path) as handle:
        handle.execute("CREATE TABLE jobs (source TEXT, job_id TEXT, title TEXT, text TEXT)")
        rows = [("s", str(n), f"Job {n}", "word " * 300) for n in range(600)]
        handle.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?)", rows)
    handle.close()
    whole = path.read_bytes()
    damaged = bytearray(whole)
    middle = len(whole) // 2 // 4096 * 4096
    damaged[middle : middle + 4096 * 8] = b"\xff" * (4096 * 8)
    path.write_bytes(damaged)
    small = msgspec.structs.replace(settings, ingest_batch=50)
    with pytest.raises(FileError, match="is damaged"):
        await ingest_files(small, database, [path], IngestOptions())
    head = await log.head(connection)
    assert 0 < head < 600 and head % 50 == 0
    status = await connection.fetchval("SELECT status FROM ingest_files")
    assert status == "failed"
    path.write_bytes(whole)
    report = await ingest_files(small, database, [path], IngestOptions())
    assert (report.totals.unchanged, report.totals.new) == (head, 600 - head)


@pytest.mark.req("N-83")
async def test_a_row_limit_reads_the_first_rows_only(ingest: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ads(*range(1, 30)))
    assert (await ingest(path, rows=7)).totals.rows == 7
    assert (await ingest(path)).totals.new == 22


async def test_options_that_exclude_each_other_are_refused(ingest: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ads(1))
    with pytest.raises(UsageError, match="exclude"):
        await ingest(path, rows=1, complete_scan=True)
    with pytest.raises(UsageError, match="at least 1"):
        await ingest(path, rows=0)
    with pytest.raises(UsageError, match="future"):
        await ingest(path, observed_at=datetime(2999, 1, 1, tzinfo=UTC))


# --- complete scans ---------------------------------------------------------------------------


async def test_a_complete_scan_closes_what_is_gone_and_twice_closes_nothing(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    await ingest(write(tmp_path / "a.csv", [*ads(*range(10)), *ads(1, source="other")]))
    path = write(tmp_path / "b.csv", ads(*range(8), day=2))
    report = await ingest(path, complete_scan=True)
    assert (report.totals.closed, report.sources["board"].closed, report.refused) == (2, 2, [])
    closed = await connection.fetch("SELECT payload FROM job_events WHERE kind = 'job.closed'")
    assert all(row["payload"]["source"] == "board" for row in closed)
    head = await log.head(connection)
    assert (await ingest(path, complete_scan=True)).totals.closed == 0
    assert await log.head(connection) == head
    assert await connection.fetchval("SELECT count(*) FROM scan_seen") == 0
    still_open = await connection.fetchval(
        "SELECT count(*) FROM job_heads WHERE is_open AND source = 'other' AND is_job"
    )
    assert still_open == 1


async def test_the_newest_post_of_all_may_be_the_one_that_is_gone(
    ingest: Any, tmp_path: Path
) -> None:
    await ingest(write(tmp_path / "a.csv", [*ads(1, 2, 3, day=1), *ads(4, day=9)]))
    report = await ingest(write(tmp_path / "b.csv", ads(1, 2, 3, day=1)), complete_scan=True)
    assert report.totals.closed == 1


async def test_an_old_scan_that_comes_late_closes_nothing_newer(
    ingest: Any, tmp_path: Path
) -> None:
    await ingest(write(tmp_path / "b.csv", ads(*range(10), day=9)))
    report = await ingest(write(tmp_path / "a.csv", ads(*range(8), day=2)), complete_scan=True)
    assert (report.totals.unchanged, report.totals.closed) == (8, 0)


async def test_a_post_that_comes_back_is_reopened(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    await ingest(write(tmp_path / "a.csv", ads(*range(10), day=1)), complete_scan=True)
    await ingest(write(tmp_path / "b.csv", ads(*range(9), day=2)), complete_scan=True)
    report = await ingest(write(tmp_path / "c.csv", ads(*range(10), day=3)), complete_scan=True)
    assert (report.totals.changed, report.totals.unchanged, report.totals.closed) == (1, 9, 0)
    assert (await kinds_in(connection))["job.reopened"] == 1


async def test_a_scan_that_would_close_too_much_is_refused_unless_told(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    await ingest(write(tmp_path / "a.csv", [*ads(*range(10)), *ads(*range(9), source="other")]))
    path = write(tmp_path / "b.csv", [*ads(*range(6), day=2), *ads(*range(8), source="other")])
    report = await ingest(path, complete_scan=True)
    assert (report.sources["board"].closed, report.sources["other"].closed) == (0, 1)
    assert "would close 4 of 10" in report.refused[0]
    with pytest.raises(ScanRefused) as caught:
        report.require_scanned()
    assert caught.value.exit_code == 2 and "--yes" in caught.value.hint
    assert (await ingest(path, complete_scan=True, allow_close=True)).totals.closed == 4


async def test_a_scan_with_a_rejected_row_is_refused_unless_told(
    ingest: Any, tmp_path: Path
) -> None:
    await ingest(write(tmp_path / "a.csv", ads(*range(10))))
    path = write(tmp_path / "b.csv", [*ads(*range(8), day=2), ["board", "8", "", "", ""]])
    report = await ingest(path, complete_scan=True)
    assert (report.totals.closed, report.totals.rejected) == (0, 1)
    assert "1 row(s) were rejected" in report.refused[0]
    assert (await ingest(path, complete_scan=True, allow_close=True)).totals.closed == 2


async def test_files_of_one_call_are_one_scan(ingest: Any, tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / name, ads(*numbers))
        for name, numbers in (("a.csv", range(5)), ("b.csv", range(5, 10)))
    )
    report = await ingest(first, second, complete_scan=True)
    assert (report.totals.new, report.totals.closed, len(report.files)) == (10, 0, 2)


async def test_a_source_that_lists_nothing_is_refused_and_then_closed(
    ingest: Any, tmp_path: Path
) -> None:
    await ingest(write(tmp_path / "a.csv", ads(1, 2)))
    empty = write(tmp_path / "b.csv", [])
    assert (await ingest(empty, complete_scan=True, source="board")).refused
    report = await ingest(empty, complete_scan=True, source="board", allow_close=True)
    assert (report.totals.rows, report.totals.closed) == (0, 2)


# --- maps, kinds, faults ----------------------------------------------------------------------


async def test_a_map_and_a_source_flag_read_a_foreign_file(
    ingest: Any, tmp_path: Path, connection: Any
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Nr;Stelle;Aufgaben;Stufe\n7;Pflegekraft;Pflegen;2\n", encoding="cp1252")
    column_map = ColumnMap(
        columns={"source_job_id": ["nr"], "title": ["stelle"], "text": ["aufgaben"]},
        extra_significant=["Stufe"],
    )
    await ingest(path, source="bund", column_map=column_map)
    path.write_text("Nr;Stelle;Aufgaben;Stufe\n7;Pflegekraft;Pflegen;3\n", encoding="cp1252")
    assert (await ingest(path, source="bund", column_map=column_map)).totals.changed == 1
    payload = await connection.fetchval("SELECT payload FROM job_events WHERE kind = 'job.revised'")
    assert (payload["source"], payload["extra"]) == ("bund", {"Stufe": "3"})


async def test_rows_of_the_wrong_types_in_sqlite_are_rejected(ingest: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (source, job_id, title, text)")
        database.executemany(
            "INSERT INTO jobs VALUES (?, ?, ?, ?)",
            [("s", 1, "a", b"\x00\xff"), ("s", 2, 5.5, "b"), ("s", b"\x01", "c", "d"),
             ("s", 3, "ok", "fine"), ("s", 4.0, "ok", "fine"), (None, 5, "ok", "fine")],
        )  # fmt: skip
    database.close()
    report = await ingest(path)
    assert (report.totals.new, report.reasons) == (2, {"wrong_type": 3, "no_source": 1})


async def test_a_dead_server_and_a_lost_one_are_told_apart_from_bad_input(
    settings: Settings, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.csv", ads(1, 2))
    with pytest.raises(Unreachable):
        await ingest_files(settings, "postgresql://nobody@127.0.0.1:1/none", [path])

    async def full(*_: Any) -> None:
        raise asyncpg.DiskFullError("could not extend file: no space left; row Nurse 1")

    monkeypatch.setattr(append.log, "append", full)
    with pytest.raises(DatabaseError, match="disk is full") as caught:
        await ingest_files(settings, database, [path])
    assert "Nurse" not in str(caught.value)
    assert caught.value.exit_code == 3


async def test_progress_rises_to_the_end(settings: Settings, database: str, tmp_path: Path) -> None:
    seen: list[append.Progress] = []
    small = msgspec.structs.replace(settings, ingest_batch=10)
    path = write(tmp_path / "a.csv", ads(*range(95)))
    await ingest_files(small, database, [path, path], IngestOptions(), seen.append)
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert seen[-1].rows == 190


async def test_a_stop_ends_after_a_whole_batch_and_closes_nothing(
    settings: Settings, database: str, tmp_path: Path, connection: Any
) -> None:
    small = msgspec.structs.replace(settings, ingest_batch=10)
    path = write(tmp_path / "a.csv", ads(*range(95)))
    options = IngestOptions(complete_scan=True)
    report = await ingest_files(small, database, [path, path], options, stop=lambda: True)
    assert (report.stopped, report.totals.rows, report.totals.closed) == (True, 10, 0)
    assert await kinds_in(connection) == {"job.posted": 10}


async def test_a_cancelled_ingest_closes_its_file_and_keeps_whole_batches(
    settings: Settings, database: str, tmp_path: Path, connection: Any
) -> None:
    small = msgspec.structs.replace(settings, ingest_batch=10)
    path = write(tmp_path / "a.csv", ads(*range(2000)))
    with anyio.CancelScope() as scope:
        await ingest_files(
            small,
            database,
            [path],
            IngestOptions(),
            lambda now: scope.cancel() if now.rows >= 50 else None,
        )
    assert scope.cancelled_caught
    head = await log.head(connection)
    assert 50 <= head < 2000 and head % 10 == 0
    gc.collect()  # an open file would warn, and warnings are errors


async def test_the_ingest_role_may_not_touch_the_log_itself(
    settings: Settings, database: str
) -> None:
    connection = await pools.connect(database, "ingest", settings)
    try:
        for statement in (
            "INSERT INTO job_heads SELECT * FROM job_heads",
            "DELETE FROM job_events",
            "TRUNCATE job_events",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close(timeout=5)


async def test_every_query_of_the_ingest_is_valid(connection: Any) -> None:
    for sql in read_queries(Path(store.__file__).with_name("queries.sql")).values():
        await connection.prepare(sql)


async def test_real_ads_go_in_whole_and_only_once(
    ingest: Any, tmp_path: Path, real_ads: Any, connection: Any
) -> None:
    rows = real_ads(limit=400)
    path = tmp_path / "real.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    first = await ingest(path)
    assert (first.totals.new, first.totals.rejected) == (400, 0)
    assert len(first.sources) == 8
    head = await log.head(connection)
    assert head == 408
    assert (await ingest(path)).totals.unchanged == 400
    assert await log.head(connection) == head
    assert (await log.verify(connection)).faults == []


async def test_the_same_ads_from_another_kind_of_file_are_unchanged(
    ingest: Any, tmp_path: Path, real_ads: Any
) -> None:
    rows = real_ads(limit=160)
    names = list(rows[0])
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=names)
        writer.writeheader()
        writer.writerows(rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    with sqlite3.connect(tmp_path / "a.sqlite3") as store_file:
        store_file.execute(f"CREATE TABLE jobs ({', '.join(names)})")
        marks = ", ".join("?" * len(names))
        store_file.executemany(
            f"INSERT INTO jobs VALUES ({marks})", [tuple(row.values()) for row in rows]
        )
    store_file.close()
    assert (await ingest(tmp_path / "a.csv")).totals.new == 160
    for name in ("a.jsonl", "a.parquet", "a.sqlite3"):
        report = await ingest(tmp_path / name)
        assert (name, report.totals.unchanged) == (name, 160)
