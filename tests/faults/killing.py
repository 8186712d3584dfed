"""Steers the process of `forks.py`, and asks the server what was in flight."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import ROOT, command_environment


class Forks:
    """The forking process; `points` are the awaits of the runner."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.points: list[str] = self._answer()

    def run(self, point: str = "", mode: str = "", fault: str = "", skip: int = 0) -> Any:
        """Drain the line in a fork of its own, killed at `point`; return what became of it."""
        assert self._process.stdin is not None
        order = {"point": point, "mode": mode, "fault": fault, "skip": skip}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the forking process ended; see its stderr above"
        return json.loads(line)


@contextmanager
def forks(
    url: str, home: Path, kind: str = "toys", batch_size: int = 2, **environ: str
) -> Iterator[Forks]:
    """Yield the steering of a forking process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.forks", url, str(home), kind, str(batch_size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=command_environment(home, url) | environ,
    )
    try:
        yield Forks(process)
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def behind(url: str, pid: int) -> dict[str, int]:
    """Return by how many events the stages are behind that process `pid` holds."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT stage, (SELECT max(position) FROM job_events) - position FROM stage_offsets"
            " WHERE holder LIKE %s",
            [f"%:{pid}"],
        ).fetchall()
    return {stage: lag for stage, lag in rows if lag > 0}


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Return the first true value of `condition`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)
    return value
