"""
Many writers at once, each a process that appends one post after the other until it is told to stop.

    python -m tests.faults.writers URL FOLDER WRITERS

Forks the writers; one that is killed is forked anew and goes on where its file ends. Writer `n`
keeps `FOLDER/n`: its pid in the first line of each life, then `number position` for every append
that the server confirmed. What was sent without an answer is sent again. Ends when stdin does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from nextstep.db import pools
from nextstep.errors import Unreachable
from nextstep.events.io.faults import LOST
from nextstep.events.io.log import append
from nextstep.settings import Settings
from tests.conftest import ROOT, command_environment
from tests.drafts import draft, job

#: Numbers of one writer's jobs begin here times its own number.
EACH = 1_000_000


# --- in the process ------------------------------------------------------------------------------


async def _write(url: str, file: Path, writer: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings(database_url=url)
    number = len(confirmed(file)) if file.exists() else 0
    with file.open("a", buffering=1) as out:
        out.write(f"pid {os.getpid()}\n")
        connection = None
        while not stop.is_set():
            try:
                if connection is None:
                    connection = await pools.connect(url, "ingest", settings)
                (done,) = await append(connection, [draft(EACH * writer + number)])
            except (*LOST, Unreachable):
                if connection is not None:
                    connection.terminate()
                connection = None
                await asyncio.sleep(0.05)
                continue
            # 0: it was there already, so the answer to the first sending was lost.
            out.write(f"{number} {done.position}\n")
            number += 1


def _fork(url: str, folder: Path, writer: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(_write(url, folder / str(writer), writer))
        finally:
            os._exit(0)
    return pid


def main() -> None:
    url, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    writers = {_fork(url, folder, writer): writer for writer in range(count)}
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        for pid, writer in list(writers.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del writers[pid]
                writers[_fork(url, folder, writer)] = writer
    for pid in writers:
        os.kill(pid, signal.SIGTERM)
    for pid in writers:
        os.waitpid(pid, 0)


# --- from outside --------------------------------------------------------------------------------


def confirmed(file: Path) -> list[tuple[int, int]]:
    """Return (number, position) of every confirmed append; a torn last line is no confirmation."""
    lines = file.read_text(encoding="ascii").split("\n")[:-1]
    return [(int(a), int(b)) for a, b in (x.split() for x in lines) if a != "pid"]


def last_pid(file: Path) -> int:
    """Return the newest pid in the file, 0 while there is none."""
    if not file.exists():
        return 0
    pids = [x.split()[1] for x in file.read_text("ascii").splitlines() if x.startswith("pid ")]
    return int(pids[-1]) if pids else 0


@contextmanager
def writing(url: str, folder: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    """Let `count` writers append until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.writers", url, str(folder), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=command_environment(folder, url),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


class Tail:
    """A reader that knows only `position > offset`, and comes back after every crash."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self.seen: list[tuple[int, str, bytes]] = []
        self.losses = 0

    def look(self) -> int | None:
        """Read what is new; return how many events that was, None where the connection was lost."""
        after = self.seen[-1][0] if self.seen else 0
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, row_factory=tuple_row, connect_timeout=5
                )
            rows = self._connection.execute(
                "SELECT position, job_id::text, chain FROM job_events"
                " WHERE position > %s ORDER BY position LIMIT 10000",
                [after],
            ).fetchall()
        except psycopg.OperationalError:
            self.losses += 1
            self.close()
            time.sleep(0.02)
            return None
        self.seen += rows
        return len(rows)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


def race(
    url: str, folder: Path, *, writers: int, seconds: float, disturb: Callable[[float], bool]
) -> dict[str, Any]:
    """
    Let writers append beside a tailing reader; return what each of them knows.

    `disturb(elapsed_s)` is called again and again, kills what it likes, and returns True when it
    has nothing left to do; nothing ends before. Keys of the answer:
    `seen` (events in the order in which the reader saw them), `confirmed` (writer -> number,
    position), `log` (events in position order), `losses` of the reader's connection.
    """
    tail = Tail(url)
    with writing(url, folder, writers):
        started = time.monotonic()
        is_done = False
        while (elapsed := time.monotonic() - started) < seconds or not is_done:
            tail.look()
            is_done = disturb(elapsed) and all(
                (folder / str(n)).exists() and confirmed(folder / str(n)) for n in range(writers)
            )
            assert elapsed < seconds + 120, "a writer got nothing through"
    while tail.look() != 0:  # a lost connection says nothing about the end
        assert time.monotonic() - started < seconds + 120, "the reader never came to the end"
    losses = tail.losses
    tail.close()
    with psycopg.connect(url) as connection:
        kept = connection.execute(
            "SELECT position, job_id::text, chain FROM job_events ORDER BY position"
        ).fetchall()
    return {
        "seen": tail.seen,
        "confirmed": {n: confirmed(folder / str(n)) for n in range(writers)},
        "log": kept,
        "losses": losses,
    }


def faults_of(found: dict[str, Any]) -> list[str]:
    """Return what contradicts "seen = appended = max(position), every order identical"."""
    kept, faults = found["log"], []
    positions = [row[0] for row in kept]
    if positions != list(range(1, len(kept) + 1)):
        faults.append("positions of the log have gaps")
    if [tuple(row) for row in found["seen"]] != [tuple(row) for row in kept]:
        faults.append(f"the reader saw {len(found['seen'])} events, the log has {len(kept)}")
    ids = [row[1] for row in kept]
    if len(set(ids)) != len(ids):
        faults.append("an event was appended twice")
    at = {job_id: position for position, job_id, _ in kept}
    for writer, answers in found["confirmed"].items():
        order = [at.get(str(job(EACH * writer + number))) for number, _ in answers]
        if None in order:
            faults.append(f"writer {writer}: a confirmed event is not in the log")
        elif order != sorted(order):
            faults.append(f"writer {writer}: its order is not that of the log")
        elif any(
            told not in (0, kept_at) for (_, told), kept_at in zip(answers, order, strict=True)
        ):
            faults.append(f"writer {writer}: an event has another position than it was told")
        # At most the last event of each writer went in without an answer.
        whole = {str(job(EACH * writer + number)) for number in range(len(answers) + 1)}
        found.setdefault("known", set()).update(whole)
    if not set(ids) <= found["known"]:
        faults.append("the log holds an event that no writer sent")
    return faults


if __name__ == "__main__":
    main()
