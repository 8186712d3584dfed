"""Real processors under kill -9 and SIGTERM: nothing lost, nothing doubled, the same tables."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nextstep.settings import Settings
from tests.conftest import command_environment
from tests.whole_line import append_sample, digests, drain

#: Runs the whole line on the test encoder until SIGTERM; `once` drains and ends.
_RUN = """
import os, sys, anyio, msgspec
from pathlib import Path
from nextstep import logs
from nextstep.cli.common import run_async, stop_on_signals
from nextstep.events.io.line import run_line
from nextstep.settings import load_settings
from tests.whole_line import test_stages

async def main():
    url, home, once = sys.argv[1:4]
    settings = msgspec.structs.replace(
        load_settings(environ=os.environ), database_url=url, home=Path(home),
        executor="processes", workers=1, batch_size=20, poll_interval_s=0.5)
    logs.configure(settings)
    stop = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(stop_on_signals, stop)
        await run_line(url, settings, test_stages(settings), stop=stop, once=once == "once")
        group.cancel_scope.cancel()
    return 0

if __name__ == "__main__":
    sys.exit(run_async(main))
"""


@pytest.fixture
def processors(tmp_path: Path, home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts the processors as a process of their own."""
    script = tmp_path / "processors.py"
    script.write_text(_RUN, encoding="utf-8")
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str, once: str = "once") -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(script), url, str(home), once],
            env=command_environment(home, url),
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@contextmanager
def deadline(seconds: float) -> Iterator[Callable[[], None]]:
    end = time.monotonic() + seconds

    def check() -> None:
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)

    yield check


def lags(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT stage, (SELECT max(position) FROM job_events) - position FROM stage_offsets"
        ).fetchall()
    return dict(rows)


@pytest.mark.req("D-04", "N-89")
async def test_five_kills_with_batches_in_flight_leave_the_tables_of_an_undisturbed_run(
    settings: Settings,
    make_database: Any,
    template: str,
    processors: Callable[..., subprocess.Popen[bytes]],
) -> None:
    calm, killed = make_database(template), make_database(template)
    for url in (calm, killed):
        await append_sample(settings, url)
    await drain(settings, calm)
    kills: list[dict[str, int]] = []
    with deadline(240) as check:
        while len(kills) < 5:
            process = processors(killed)
            before = lags(killed)
            while process.poll() is None:
                check()
                now = lags(killed)
                # One batch of this process is through, more are under way.
                if now and now != before and any(lag > 0 for lag in now.values()):
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills.append({stage: lag for stage, lag in now.items() if lag})
            if process.returncode == 0:
                break
    assert len(kills) == 5, f"the line was through after {len(kills)} kills: {kills}"
    last = processors(killed)
    assert await asyncio.to_thread(last.wait, 120) == 0
    assert set(lags(killed).values()) == {0}
    assert await digests(settings, killed) == await digests(settings, calm)


@pytest.mark.req("D-07")
async def test_sigterm_ends_after_the_batch_under_way_with_exit_code_0(
    settings: Settings, database: str, processors: Callable[..., subprocess.Popen[bytes]]
) -> None:
    await append_sample(settings, database)
    process = processors(database, "for ever")
    with deadline(90) as check:
        while not any(lag == 0 for lag in lags(database).values()):
            check()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    with psycopg.connect(database) as connection:
        holders = connection.execute("SELECT DISTINCT holder FROM stage_offsets").fetchall()
    assert holders == [("",)]
    await drain(settings, database)
    assert set(lags(database).values()) == {0}


async def test_workers_do_not_outlive_a_killed_parent(
    settings: Settings, database: str, processors: Callable[..., subprocess.Popen[bytes]]
) -> None:
    import psutil

    await append_sample(settings, database)
    process = processors(database, "for ever")
    parent = psutil.Process(process.pid)
    with deadline(60) as check:
        while len(parent.children(recursive=True)) < 3:
            check()
    workers = parent.children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
