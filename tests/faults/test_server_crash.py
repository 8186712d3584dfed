"""The server and the writers are killed outright or restarted while everybody is at work."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import psycopg
import pytest

from nextstep.db import embedded, pools
from nextstep.db.dsn import with_database
from nextstep.db.migrate import migrate
from nextstep.db.server_files import locate
from nextstep.events.io.line import Line
from nextstep.events.io.log import verify
from nextstep.settings import Settings
from tests.conftest import notifications
from tests.faults.killing import wait_until
from tests.faults.writers import EACH, faults_of, last_pid, race
from tests.toy_stages import DDL, TOYS


@pytest.fixture(scope="module")
def crash_home() -> Iterator[Path]:
    """A home of its own: nobody else's server is killed."""
    path = Path(tempfile.mkdtemp(prefix="nextstep-crash-"))
    path.chmod(0o711)
    yield path
    embedded.stop(Settings(home=path), now=True)
    shutil.rmtree(path)


@pytest.fixture
def crashing(crash_home: Path, request: pytest.FixtureRequest) -> tuple[str, Settings]:
    """A migrated database with the toy tables on a server that may be killed."""
    own = Settings(home=crash_home)
    name = f"crash_{request.node.name.partition('[')[2].rstrip(']') or 'one'}".replace("-", "_")
    server = embedded.start(own)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = with_database(server, name)
    migrate(url)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(DDL)
    return url, msgspec.structs.replace(
        own,
        executor="inline",
        poll_interval_s=0.2,
        batch_size=50,
        notifications=notifications(),
    )


def postmaster(home: Path) -> int:
    return int((locate(home).data / "postmaster.pid").read_text().split("\n", 1)[0])


def kill_server(home: Path) -> None:
    """kill -9 the postmaster and start anew: crash recovery from the write-ahead log."""
    os.kill(postmaster(home), signal.SIGKILL)
    embedded.start(Settings(home=home))


def restart_server(home: Path) -> None:
    """An operator's restart: every session is ended at once."""
    embedded.stop(Settings(home=home), now=True)
    embedded.start(Settings(home=home))


class LineThread:
    """The toy line in a thread with a loop of its own, so that it may live through all this."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._arguments = (url, settings, TOYS)
        self._stop: Any = None
        self._loop: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)

    def _main(self) -> None:
        async def main() -> None:
            self._stop, self._loop = anyio.Event(), asyncio.get_running_loop()
            await Line(*self._arguments).run(self._stop)

        try:
            asyncio.run(main())
        except BaseException as error:  # told to the test, which is in another thread
            self.error = error

    def __enter__(self) -> LineThread:
        self._thread.start()
        wait_until(lambda: self._stop is not None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()


def at_head(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT count(*) FILTER (WHERE position = (SELECT max(position) FROM job_events))"
                " FROM stage_offsets WHERE status = 'running'"
            ).fetchone()
    except psycopg.OperationalError:
        return False
    return row == (len(TOYS),)


class Once:
    """Calls what stands in `plan` when its second has come."""

    def __init__(self, plan: list[tuple[float, Callable[[], Any]]]) -> None:
        self._plan = plan
        self.done = 0

    def __call__(self, elapsed: float) -> bool:
        if self.done < len(self._plan) and elapsed >= self._plan[self.done][0]:
            self._plan[self.done][1]()
            self.done += 1
        return self.done == len(self._plan)


def kill_writer(folder: Path, writer: int) -> Callable[[], None]:
    def kill() -> None:
        pid = wait_until(lambda: last_pid(folder / str(writer)))
        os.kill(pid, signal.SIGKILL)

    return kill


@pytest.mark.req("X-01", "D-04", "N-35")
@pytest.mark.parametrize("fault", ["calm", "writers-killed", "server-killed", "server-restarted"])
def test_eight_writers_a_reader_and_the_line_agree_whatever_is_killed(
    crashing: tuple[str, Settings], crash_home: Path, tmp_path: Path, fault: str
) -> None:
    url, settings = crashing
    plan: dict[str, list[tuple[float, Callable[[], Any]]]] = {
        "calm": [],
        "writers-killed": [(0.15 * (n + 1), kill_writer(tmp_path, n % 8)) for n in range(12)],
        "server-killed": [(at, lambda: kill_server(crash_home)) for at in (0.5, 1.2)],
        "server-restarted": [(at, lambda: restart_server(crash_home)) for at in (0.5, 1.2)],
    }
    disturb = Once(plan[fault])
    with LineThread(url, settings) as line:
        found = race(url, tmp_path, writers=8, seconds=2.0, disturb=disturb)
        wait_until(lambda: at_head(url) or line.error, 60)
        assert line.error is None
    assert disturb.done == len(plan[fault])
    assert (found["losses"] > 0) == fault.startswith("server")
    assert faults_of(found) == []
    lives = [(tmp_path / str(n)).read_text("ascii").count("pid ") for n in range(8)]
    assert sum(lives) == 8 + (12 if fault == "writers-killed" else 0)
    assert min(len(answers) for answers in found["confirmed"].values()) > 0
    asyncio.run(_log_and_tables_agree(url, settings, len(found["log"])))


async def _log_and_tables_agree(url: str, settings: Settings, events: int) -> None:
    connection = await pools.connect(url, "worker", settings)
    try:
        report = await verify(connection)
        assert (report.faults, report.head, report.events) == ([], events, events)
        for table, change in (("toy_first", ""), ("toy_second", "upper")):
            differing = await connection.fetchval(
                f"SELECT count(*) FROM job_events e FULL JOIN {table} t USING (job_id)"
                f" WHERE t.title IS DISTINCT FROM {change}(e.payload ->> 'title')"
                "  OR t.position IS DISTINCT FROM e.position"
            )
            assert differing == 0, table
        assert await connection.fetchval("SELECT count(*) FROM dead_letters") == 0
    finally:
        await connection.close()


def test_the_checker_of_the_race_finds_what_it_is_there_for() -> None:
    from tests.drafts import job

    def found(**changes: Any) -> dict[str, Any]:
        kept = [(1, str(job(0)), b"a"), (2, str(job(EACH)), b"b"), (3, str(job(1)), b"c")]
        sound = {"log": kept, "seen": kept, "confirmed": {0: [(0, 1), (1, 3)], 1: [(0, 2)]}}
        return {**sound, **changes}

    kept = found()["log"]
    assert faults_of(found()) == []
    gap = [kept[0], kept[1], (4, *kept[2][1:])]
    assert "gaps" in faults_of(found(log=gap, seen=gap))[0]
    assert "saw 2" in faults_of(found(seen=kept[:2]))[0]
    assert "saw 3" in faults_of(found(seen=[kept[1], kept[0], kept[2]]))[0]
    twice = [*kept, (4, str(job(1)), b"d")]
    assert "twice" in faults_of(found(log=twice, seen=twice))[0]
    lost = {0: [(0, 1), (1, 3), (2, 4)], 1: [(0, 2)]}
    assert "not in the log" in faults_of(found(confirmed=lost))[0]
    stranger = [*kept, (4, str(job(7)), b"d")]
    assert "no writer sent" in faults_of(found(log=stranger, seen=stranger))[0]
    told = {0: [(0, 1), (1, 2)], 1: [(0, 2)]}
    assert "another position" in faults_of(found(confirmed=told))[0]
