"""The bulk path: the same digests as the line, whatever dies, and no byte believed unseen."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil
import psycopg
import pytest

from nextstep.db import pools
from nextstep.errors import FileError, RebuildFailed, StaleStage, UsageError
from nextstep.events.io import dead_letters
from nextstep.ops.bulk import drop, files, ledger
from nextstep.ops.bulk.compute import compute
from nextstep.ops.bulk.export import export
from nextstep.ops.bulk.load import LoadReport, load
from nextstep.ops.bulk.worker import Answer, Kit, Posts, Vectors
from nextstep.settings import Settings
from tests.cluster.streams import small
from tests.drafts import START, job
from tests.whole_line import digests, drain, test_stages

#: Positions of a range: five ranges or so of the log below.
SIZE = 60


@pytest.fixture
def bulk(make_database: Any, logged: str, shared_home: Path, tmp_path: Path) -> Bulk:
    url = make_database(logged)
    return Bulk(small(url, shared_home), url, tmp_path / "bulk")


def in_process(_: Settings, kit: Kit, waiting: Sequence[ledger.Range]) -> Iterator[Answer]:
    """The actors' work without actors."""
    actors = [Posts(kit), *([Vectors(kit)] if len(kit.stages) > 2 else [])]
    for part in waiting:
        batch = {"answer": [msgspec.json.encode(Answer(part)).decode()]}
        for actor in actors:
            batch = actor(batch)
        yield msgspec.json.decode(batch["answer"][0], type=Answer)


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the tables whose digests differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


class Bulk:
    """A database with the log, and a folder."""

    def __init__(self, settings: Settings, url: str, folder: Path) -> None:
        self.settings, self.url, self.folder = settings, url, folder
        self.stages = test_stages(settings)

    def export(self, **how: Any) -> Any:
        with ledger.opened(self.url) as connection:
            return export(connection, self.folder, range_size=SIZE, **how)

    def compute(self, **how: Any) -> Any:
        with ledger.opened(self.url) as connection:
            return compute(connection, self.folder, self.settings, self.stages, **how)

    def load(self, **how: Any) -> LoadReport:
        return asyncio.run(load(self.url, self.folder, self.settings, self.stages, **how))

    def digests(self) -> dict[str, Any]:
        return asyncio.run(digests(self.settings, self.url))

    def ranges(self) -> list[ledger.Range]:
        with ledger.opened(self.url) as connection:
            run = ledger.find(connection, self.folder)
            assert run is not None
            return ledger.ranges(connection, run)

    def sql(self, statement: str) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.mark.req("D-05")
def test_bulk_on_ray_equals_the_line_though_a_worker_is_killed(
    bulk: Bulk, local: dict[str, Any], ray: Any
) -> None:
    exported = bulk.export()
    assert exported.ranges == exported.exported == len(bulk.ranges()) >= 4
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker_at_work, args=(bulk.folder, killed))
    killer.start()
    report = bulk.compute()
    killer.join()
    assert len(killed) == 1
    assert (report.done, report.failed, report.letters) == (exported.ranges, 0, 0)
    assert report.streams == exported.streams
    loaded = bulk.load(swap=True)
    assert loaded.rebuild is not None and loaded.rebuild.swapped
    assert differing(bulk.digests(), local) == []
    assert bulk.sql("SELECT count(*) FROM jobs_normalized WHERE status = 'erased'") == [(1,)]
    assert (
        bulk.sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'nextstep_shadow'::regnamespace"
        )
        == []
    )
    with pytest.raises(UsageError, match="it is swapped"):
        bulk.load()
    there = [path.name for path in bulk.folder.iterdir()]
    # One of events and one of each of five tables for every range, and the scans.
    assert sum(not name.startswith(".") for name in there) == 6 * exported.ranges + 1
    with ledger.opened(bulk.url) as connection:
        assert drop.drop(connection, bulk.folder) == len(there)
    assert list(bulk.folder.iterdir()) == []


def kill_a_worker_at_work(folder: Path, killed: list[int]) -> None:
    """Kill one actor that cleans, while it writes."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and not killed:
        if any(folder.glob(".*.jobs_normalized.*.partial")):
            for process in psutil.process_iter(["cmdline"]):
                if "MapBatches(Posts)" in (process.info["cmdline"] or [""])[0]:
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(process.pid)
                    return
        time.sleep(0.005)


def test_a_failed_range_is_rerun_alone(bulk: Bulk, local: dict[str, Any]) -> None:
    bulk.export()
    parts = bulk.ranges()
    worked: list[int] = []

    def counted(settings: Settings, kit: Kit, waiting: Any) -> Iterator[Answer]:
        worked.extend(part.after for part in waiting)
        yield from in_process(settings, kit, waiting)

    damaged = bulk.folder / parts[2].name("events")
    bytes_ = damaged.read_bytes()
    damaged.write_bytes(bytes_[:50] + bytes([bytes_[50] ^ 1]) + bytes_[51:])
    # What is left of workers that end at their work: a byte each.
    (bulk.folder / f".{parts[1].name('Posts')}.tries").write_bytes(b"...")
    report = bulk.compute(answers=in_process)
    assert (report.failed, report.waiting) == (1, 1)
    found = bulk.ranges()
    assert (found[1].status, found[1].attempts) == ("failed", 1)
    assert found[1].error == "its worker ended while it worked, 3 times"
    assert (found[2].status, found[2].input) == ("planned", None)
    with pytest.raises(UsageError, match="1 planned, 1 failed"):
        bulk.load(swap=True)
    assert bulk.export().exported == 1
    report = bulk.compute(answers=counted)
    assert worked == [parts[1].after, parts[2].after]
    assert (report.failed, report.waiting) == (0, 0)
    bulk.load(swap=True)
    assert differing(bulk.digests(), local) == []


def test_what_is_killed_goes_on_where_it_was(bulk: Bulk, local: dict[str, Any]) -> None:
    bulk.export()

    def ends(settings: Settings, kit: Kit, waiting: Any) -> Iterator[Answer]:
        yield from in_process(settings, kit, waiting[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bulk.compute(answers=ends)
    parts = bulk.ranges()
    assert [part.status for part in parts] == ["done"] * 2 + ["exported"] * (len(parts) - 2)
    bulk.compute(answers=in_process)

    def stops(step: str, place: int, of: int) -> None:
        if (step, place) == ("posts", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bulk.load(swap=True, on_step=stops)
    assert bulk.sql("SELECT count(*) FROM jobs_normalized") == [(0,)]
    marks = bulk.sql("SELECT step, count(*) FROM nextstep_shadow.bulk_loaded GROUP BY 1 ORDER BY 1")
    assert marks == [("clean", len(parts)), ("posts", 2)]

    file = next(each for each in parts[3].parts or bulk.ranges()[3].parts
                if each.name == "job_entities")  # fmt: skip
    path = bulk.folder / file.file
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(FileError, match="is not what was written"):
        bulk.load(swap=True)
    path.write_bytes(whole)
    report = bulk.load(swap=True)
    assert report.resumed
    assert set(report.rows) == {"job_entities", "job_embeddings"}
    assert differing(bulk.digests(), local) == []


def test_without_vectors_the_line_encodes_and_goes_on_from_there(
    bulk: Bulk, local: dict[str, Any]
) -> None:
    bulk.export(upto=250)
    bulk.compute(answers=in_process, with_vectors=False)
    report = bulk.load()
    assert report.rebuild is not None and not report.rebuild.swapped
    assert bulk.sql("SELECT count(*) FROM jobs_normalized") == [(0,)]
    report = bulk.load(swap=True)
    assert report.resumed and report.rows == {}
    assert bulk.sql("SELECT count(*) FROM job_embeddings") == [(0,)]
    assert bulk.digests()["job_entities"] == local["job_entities"]
    asyncio.run(drain(bulk.settings, bulk.url, bulk.stages))
    assert differing(bulk.digests(), local) == []


def test_results_of_other_code_are_never_loaded(bulk: Bulk) -> None:
    bulk.export()
    bulk.compute(answers=in_process)
    bulk.sql("UPDATE bulk_runs SET stages = jsonb_set(stages, '{clean}', '\"0-old\"') RETURNING 1")
    with pytest.raises(StaleStage, match="clean were made with 0-old"):
        bulk.load()
    seen: list[Any] = []
    report = bulk.compute(answers=lambda *_: iter(()), on_answer=seen.append)
    assert report.restarted
    assert (report.done, report.waiting, seen) == (0, report.ranges, [])


def test_a_post_that_cannot_be_cleaned_stops_the_swap_until_it_is_given_up(
    bulk: Bulk, local: dict[str, Any]
) -> None:
    poisoned = [
        msgspec.structs.replace(stage, prepare=Poisoned(stage.prepare))
        if stage.name == "clean"
        else stage
        for stage in bulk.stages
    ]
    bulk.stages = tuple(poisoned)
    bulk.export()
    assert bulk.compute(answers=in_process).letters == 1
    with pytest.raises(RebuildFailed, match="no one has discarded"):
        bulk.load(swap=True)
    assert bulk.sql("SELECT stage, job_id, status, error FROM dead_letters") == [
        ("clean", job(12), "parked", "ValueError: see detail for the place")
    ]

    async def discard() -> None:
        connection = await pools.connect(bulk.url, None, bulk.settings)
        letters = await dead_letters.letters(connection, stage="clean")
        assert await dead_letters.discard(connection, letters, START, "not a post") == 1
        await connection.close()

    asyncio.run(discard())
    report = bulk.load(swap=True)
    assert report.resumed and report.rebuild is not None and report.rebuild.swapped
    jobs = bulk.sql("SELECT job_id FROM job_heads WHERE is_job")
    there = {row[0] for row in bulk.sql("SELECT job_id FROM jobs_normalized")}
    assert {row[0] for row in jobs} - there == {job(12)}
    assert bulk.digests()["pair_verdicts"] == local["pair_verdicts"]


class Poisoned:
    """A `prepare` that fails on one post."""

    def __init__(self, prepare: Any) -> None:
        self._prepare = prepare

    def __call__(self, context: Any, rows: list[Any]) -> list[Any]:
        if any(row.job_id == job(12) for row in rows):
            raise ValueError("a post that nobody can read")
        return list(self._prepare(context, rows))


def test_a_range_that_cannot_be_computed_says_why(bulk: Bulk) -> None:
    bulk.export()
    bulk.settings = msgspec.structs.replace(bulk.settings, taxonomies=bulk.folder / "nowhere")
    bulk.stages = tuple(msgspec.structs.replace(stage, fingerprint=None) for stage in bulk.stages)
    report = bulk.compute(answers=in_process)
    assert (report.failed, report.done) == (report.ranges, 0)
    assert bulk.ranges()[0].error.startswith("TaxonomyError: ")


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.Writer(tmp_path, "a.parquet", files.SCANS) as writer:
        writer.add([(1, "board", START)])
        raise RuntimeError("in the middle")
    assert list(tmp_path.iterdir()) == []
    with files.Writer(tmp_path, "a.parquet", files.SCANS) as writer:
        writer.add([(1, "board", START)])
    assert writer.made is not None and writer.made.rows == 1
    assert [each.name for each in tmp_path.iterdir()] == ["a.parquet"]
    assert list(files.read_rows(files.require_whole(tmp_path, writer.made))) == [
        (1, "board", START)
    ]


def test_the_command_exports_tells_and_drops(
    command: Any, make_database: Any, logged: str, tmp_path: Path
) -> None:
    url, folder = make_database(logged), str(tmp_path / "bulk")
    made = command("bulk", "export", folder, "--range-size", "100", "--json", url=url)
    assert made.returncode == 0, made.stderr
    report = msgspec.json.decode(made.stdout)
    assert report["ranges"] == report["exported"] >= 3
    told = command("bulk", "status", folder, "--json", url=url)
    assert msgspec.json.decode(told.stdout)["counts"] == {"exported": report["ranges"]}
    assert command("bulk", "drop", folder, "--yes", url=url).stdout == (
        f"deleted {report['ranges'] + 1} files\n"
    )
