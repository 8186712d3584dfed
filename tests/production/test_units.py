"""The systemd units: systemd finds no fault in them; the services live under a supervisor."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from nextstep.db.migrate import migrate
from nextstep.errors import UsageError
from nextstep.ops.install import PROGRAM, Installed, check, install, render
from nextstep.ops.supervisor import LineHealth, Supervisor, supervisor, told
from nextstep.settings import Settings
from tests.conftest import command_environment
from tests.production.supervised import UNITS, WAIT_S, Supervised, unit_value

_NO_SYSTEMD = "systemd-analyze is not here"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason=_NO_SYSTEMD)

SERVICES = ("api", "ingest", "extract", "embed", "analytics")


@needs_systemd
@pytest.mark.req("N-102", "N-103")
def test_systemd_finds_no_fault_and_little_exposure() -> None:
    report = Installed()
    check(report)
    assert report.faults == []
    assert set(report.exposure) == set(UNITS)
    assert max(report.exposure.values()) <= 1.5


@needs_systemd
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("nextstep-api.service", "Restart=", "Resart=", "Unknown key"),
        ("nextstep-api.service", "WatchdogSec=60", "WatchdogSec=often", "Failed to parse sec"),
        ("10-common.conf", "NoNewPrivileges", "", "exposure"),
        ("nextstep-daily.timer", "02:30:00", "26:30:00", "calendar"),
    ],
)
def test_the_check_finds_what_systemd_only_prints(
    monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, said: str
) -> None:
    def damaged(program: str = PROGRAM) -> Iterator[tuple[Path, str]]:
        for place, text in render(program):
            if place.name in (file, "nextstep-api.service", "nextstep-daily.service"):
                head, found, rest = text.partition(old if place.name == file else "\0")
                # Without `new` the rest goes too: one directive alone is worth a tenth or two.
                yield place, head + new + rest if found and new else head

    monkeypatch.setattr("nextstep.ops.install.render", damaged)
    report = Installed()
    check(report)
    assert said in "\n".join(report.faults)


@pytest.mark.req("N-102", "N-103", "N-104", "N-105", "N-106")
def test_the_units_say_what_the_plan_asks(tmp_path: Path) -> None:
    report = install(tmp_path, "/srv/venv/bin/nextstep")
    placed = tmp_path / "etc/systemd/system"
    assert {f"nextstep-{name}.service" for name in SERVICES} <= {p.name for p in placed.iterdir()}
    common = (placed / "nextstep-.service.d/10-common.conf").read_text().splitlines()
    for line in ("EnvironmentFile=/etc/nextstep/nextstep.env", "StandardError=journal",
                 "Environment=NEXTSTEP_LOG_FORMAT=json", "KillMode=mixed"):  # fmt: skip
        assert line in common
    for name in SERVICES:
        text = (placed / f"nextstep-{name}.service").read_text()
        assert "ExecStart=/srv/venv/bin/nextstep " in text
        assert {"Type=notify", "Restart=on-failure", "WatchdogSec=60"} <= set(text.splitlines())
    env = tmp_path / "etc/nextstep/nextstep.env"
    assert env.stat().st_mode & 0o777 == 0o640
    env.write_text("DATABASE_URL=mine\n")
    again = install(tmp_path)
    assert (env.read_text(), again.kept) == ("DATABASE_URL=mine\n", [str(env)])
    assert str(env) in report.written
    with pytest.raises(UsageError):
        install(tmp_path, "bin/nextstep; rm")


def test_every_command_of_a_unit_is_one_that_there_is() -> None:
    from nextstep.cli.main import build_parser

    for unit in UNITS:
        words = unit_value(unit, "ExecStart").split()[1:]
        assert callable(build_parser(words).parse_args(words).run), unit


# --- the protocol ---------------------------------------------------------------------------------


async def test_what_is_told_and_when(tmp_path: Path) -> None:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.setblocking(False)
    heard: list[str] = []

    async def hear(word: str, wait_s: float = 10.0) -> bool:
        with anyio.move_on_after(wait_s):
            while True:
                try:
                    heard.append(channel.recv(4096).decode())
                except BlockingIOError:
                    await anyio.sleep(0.01)
                if heard and word in heard[-1]:
                    return True
        return False

    wrong = ""

    async def look() -> str:
        return wrong

    ready, stop = anyio.Event(), anyio.Event()
    async with told(ready, stop, look, Supervisor(str(tmp_path / "notify"), 0.15)):
        assert not await hear("READY=1", 0.2)
        ready.set()
        assert await hear("READY=1")
        assert await hear("WATCHDOG=1")
        wrong = "stage clean stands still"
        assert await hear("STATUS=stage clean stands still")
        heard.clear()
        assert not await hear("WATCHDOG=1", 0.4)  # who does not work gives no sign of life
        wrong = ""
        assert await hear("WATCHDOG=1")
        stop.set()
        assert await hear("STOPPING=1")
    channel.close()


async def test_an_error_of_the_block_is_the_error_of_the_block(tmp_path: Path) -> None:
    async def look() -> str:
        return ""

    with pytest.raises(UsageError):
        async with told(
            anyio.Event(), anyio.Event(), look, Supervisor(str(tmp_path / "none"), 1.0)
        ):
            raise UsageError("mine")


def test_only_who_is_meant_gives_signs_of_life() -> None:
    assert supervisor({}) == Supervisor("", None)
    of = {"NOTIFY_SOCKET": "@abc", "WATCHDOG_USEC": "30000000"}
    assert supervisor(of) == Supervisor("@abc", 30.0)
    assert supervisor({**of, "WATCHDOG_PID": "1"}).watchdog_s is None
    assert supervisor({**of, "WATCHDOG_PID": str(os.getpid())}).watchdog_s == 30.0
    Supervisor("@nextstep-nobody-listens").tell("READY=1")


async def test_a_stage_that_stands_before_rows_is_found_and_one_that_waits_is_not(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO stage_offsets (stage, holder) VALUES ('clean', %s)",
            [f"{socket.gethostname()}:{os.getpid()}"],
        )
        now = 1000.0
        monkeypatch.setattr("nextstep.clock.monotonic_s", lambda: now)
        health = LineHealth(database, settings, ["clean"])
        assert await health.look() == ""
        now += 5000
        assert await health.look() == ""  # at the head
        connection.execute(
            "SELECT append_job_events(ARRAY[gen_random_uuid()], ARRAY['job.observed'],"
            " ARRAY['board'], ARRAY[1::smallint], ARRAY['{}'::jsonb], ARRAY[sha256('x')],"
            " ARRAY[now()])"
        )
        assert await health.look() == ""  # it has only just come
        now += 5000
        assert await health.look() == "clean stands still"
        connection.execute("UPDATE stage_offsets SET last_error = 'server is down'")
        assert await health.look() == ""  # it knows, and tries again
        await health.close()


# --- under a supervisor ---------------------------------------------------------------------------


@pytest.fixture
def supervise(
    make_database: Any, home: Path, tmp_path: Path
) -> Iterator[Callable[..., Supervised]]:
    made: list[Supervised] = []

    def make(name: str, url: str, **env: str) -> Supervised:
        environment = command_environment(home, url) | {"NEXTSTEP_LOG_FORMAT": "json"} | env
        replaced = {"/opt/nextstep/import": str(tmp_path / "import")}
        made.append(Supervised(f"nextstep-{name}.service", tmp_path, environment, replaced))
        return made[-1]

    yield make
    for each in made:
        each.close()


def post(number: int) -> str:
    return json.dumps(
        {"source": "board", "source_job_id": str(number), "title": f"Data Engineer {number}",
         "company": "Acme", "location": "Berlin, Germany", "date_posted": "2026-03-14",
         "text": f"We look for a data engineer with Python and SQL. Team {number}."}
    )  # fmt: skip


def drop(folder: Path, name: str, numbers: range) -> None:
    """Put a file there as a copy does that ended a while ago."""
    path = folder / name
    path.write_text("\n".join(map(post, numbers)) + "\n")
    os.utime(path, (time.time() - 60,) * 2)


def until(url: str, query: str, wanted: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    with psycopg.connect(url, autocommit=True) as connection:
        while (found := connection.execute(query.encode()).fetchone()) != wanted:
            assert time.monotonic() < deadline, (found, wanted)
            time.sleep(0.2)


@pytest.mark.req("N-102", "N-106", "D-07")
def test_services_tell_readiness_survive_a_kill_and_stop_without_losing_a_post(
    make_database: Any, template: str, supervise: Callable[..., Supervised], tmp_path: Path
) -> None:
    url = make_database(template)
    migrate(url)
    inbox = tmp_path / "import"
    inbox.mkdir()
    services = [supervise(name, url) for name in ("ingest", "extract", "analytics")]
    for each in services:
        each.start()
    for each in services:
        each.hear("READY=1")
        each.hear("WATCHDOG=1")

    drop(inbox, "first.jsonl", range(40))
    until(url, "SELECT count(*) > 0 FROM job_events", (True,))
    for each in services:  # in the midst of it
        each.kill()
        each.start()
    drop(inbox, "second.jsonl", range(30, 60))
    for each in services:
        each.hear("READY=1")
    at_head = (
        "SELECT count(*), min(position) = (SELECT max(position) FROM job_events) FROM stage_offsets"
    )
    until(url, "SELECT count(*) FROM job_events WHERE kind = 'job.posted'", (60,))
    until(url, at_head, (4, True))
    assert [each.stop() for each in services] == [0, 0, 0]
    for each in services:
        each.hear("STOPPING=1")
    until(url, "SELECT count(*), count(DISTINCT job_id) FROM jobs_normalized", (60, 60))
    until(url, "SELECT count(*) FROM dead_letters", (0,))


@pytest.mark.req("N-102", "D-10")
def test_the_services_with_a_model_tell_readiness_and_stop(
    make_database: Any, template: str, supervise: Callable[..., Supervised]
) -> None:
    url = make_database(template)
    services = [supervise("api", url, NEXTSTEP_HTTP_PORT="0"), supervise("embed", url)]
    for each in services:
        each.start()
    for each in services:
        each.hear("READY=1")
        each.hear("WATCHDOG=1")
    assert [each.stop() for each in services] == [0, 0]
