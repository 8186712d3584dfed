"""
Eight writers beside a tailing reader: seen = appended = max(position), every order identical.

    python bench/writers.py [--seconds 30] [--writers 8] [--kill writers|server|both|none]

Each writer is a process that appends one post after the other. Killed ones (-9) are started anew
and go on where they were; a killed server (-9 on the postmaster) recovers from its log. Prints one
JSON line; exits 1 on any fault.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import say

from nextstep.db import embedded, pools
from nextstep.db.migrate import migrate
from nextstep.db.server_files import locate
from nextstep.events.io.log import verify
from nextstep.settings import Settings
from tests.faults.writers import faults_of, last_pid, race


class Killer:
    """Kills a writer every half second, the server every five, as far as it was asked to."""

    def __init__(self, home: Path, folder: Path, args: argparse.Namespace) -> None:
        self._home, self._folder, self._args = home, folder, args
        self._chance = random.Random(args.seed)
        self._next = {"writers": 0.5, "server": 2.5}
        self.kills = {"writers": 0, "server": 0}

    def __call__(self, elapsed: float) -> bool:
        for what, every in (("writers", 0.5), ("server", 5.0)):
            if self._args.kill in (what, "both") and elapsed >= self._next[what]:
                self._next[what] = elapsed + every * self._chance.uniform(0.5, 1.5)
                self.kills[what] += getattr(self, f"_kill_{what}")()
        return True

    def _kill_writers(self) -> int:
        pid = last_pid(self._folder / str(self._chance.randrange(self._args.writers)))
        if not pid:
            return 0
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # killed before, and not yet started anew
            return 0
        return 1

    def _kill_server(self) -> int:
        text = (locate(self._home).data / "postmaster.pid").read_text()
        os.kill(int(text.split("\n", 1)[0]), signal.SIGKILL)
        embedded.start(Settings(home=self._home))
        return 1


async def chain(url: str, settings: Settings) -> list[str]:
    """Return what the log's own check finds."""
    connection = await pools.connect(url, "worker", settings)
    try:
        return (await verify(connection)).faults
    finally:
        await connection.close()


def main() -> None:
    """Print the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--kill", choices=("none", "writers", "server", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        Path(scratch).chmod(0o711)
        settings = Settings(home=Path(scratch) / "home", log_level="warning")
        folder = Path(scratch) / "writers"
        folder.mkdir()
        url = embedded.start(settings)
        try:
            migrate(url)
            killer = Killer(settings.home, folder, args)
            found: dict[str, Any] = race(
                url, folder, writers=args.writers, seconds=args.seconds, disturb=killer
            )
            faults = faults_of(found) + asyncio.run(chain(url, settings))
        finally:
            embedded.stop(settings, now=True)
    say(
        "writers",
        seconds=args.seconds,
        writers=args.writers,
        kills=killer.kills,
        appended=len(found["log"]),
        seen=len(found["seen"]),
        max_position=found["log"][-1][0],
        confirmed=sum(len(answers) for answers in found["confirmed"].values()),
        connections_lost=found["losses"],
        faults=faults,
    )
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
