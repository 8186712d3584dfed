"""
kill -9 the processors with batches in flight, start them again, compare with an undisturbed run.

    python bench/crash.py corpus.sqlite3 [--kills 5] [--seed 1] [--executor processes]

Both runs read the same log. A kill counts only if some stage had a batch under way: its lag was
above zero, and its row in stage_offsets was held by the process that was killed. Prints one JSON
line; exits 1 when a digest differs or a kill hit nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from nextstep.db import embedded, pools
from nextstep.db.dsn import with_database
from nextstep.db.migrate import migrate
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ops.stages import line_stages
from nextstep.projections.io.digests import digest_all
from nextstep.settings import Settings


def start(url: str, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the processors as a process of their own."""
    return subprocess.Popen(
        [sys.executable, "-m", "nextstep", "--log-level", "warning", "run", "--once"],
        env={
            **os.environ,
            "DATABASE_URL": url,
            "NEXTSTEP_HOME": str(settings.home),
            "NEXTSTEP_EXECUTOR": settings.executor,
        },
    )


def in_flight(url: str, pid: int) -> dict[str, int]:
    """Return the lag of the stages that the process holds and that are behind their bound."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT stage, (SELECT max(position) FROM job_events) - position FROM stage_offsets"
            " WHERE holder LIKE %s AND status = 'running'",
            [f"%:{pid}"],
        ).fetchall()
    return {stage: lag for stage, lag in rows if lag > 0}


async def digests(url: str, settings: Settings) -> dict[str, Any]:
    """Return a digest per projection table."""
    connection = await pools.connect(url, "worker", settings)
    try:
        return dict(await digest_all(connection, line_stages(settings)))
    finally:
        await connection.close()


def run_to_end(url: str, settings: Settings) -> float:
    """Run the processors undisturbed; return seconds."""
    started = time.monotonic()
    code = start(url, settings).wait()
    if code:
        raise SystemExit(f"the processors ended with {code}")
    return round(time.monotonic() - started, 1)


def run_with_kills(url: str, settings: Settings, kills: int, chance: random.Random) -> list[Any]:
    """Kill the processors `kills` times at random moments with work under way."""
    hit: list[Any] = []
    while len(hit) < kills:
        process = start(url, settings)
        wanted = time.monotonic() + chance.uniform(4, 25)
        while process.poll() is None:
            if time.monotonic() >= wanted and (lags := in_flight(url, process.pid)):
                process.send_signal(signal.SIGKILL)
                process.wait()
                hit.append(lags)
                break
            time.sleep(0.05)
        else:
            break  # drained before the next kill
    return hit


def main() -> None:
    """Print the verdict as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executor", choices=("processes", "inline"), default="processes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        Path(scratch).chmod(0o711)
        settings = Settings(home=Path(scratch), executor=args.executor, log_level="warning")
        with embedded.running(settings) as server:
            urls = {}
            for name in ("calm", "killed"):
                with psycopg.connect(server, autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE crash_{name}")
                urls[name] = with_database(server, f"crash_{name}")
                migrate(urls[name])
                asyncio.run(ingest_files(settings, urls[name], [args.corpus], IngestOptions()))
            calm_s = run_to_end(urls["calm"], settings)
            hit = run_with_kills(urls["killed"], settings, args.kills, random.Random(args.seed))
            last_s = run_to_end(urls["killed"], settings)
            found = {name: asyncio.run(digests(url, settings)) for name, url in urls.items()}
    equal = found["calm"] == found["killed"]
    print(
        json.dumps(
            {
                "kills": len(hit),
                "lags_at_kill": hit,
                "equal": equal,
                "differing": sorted(
                    table
                    for table in found["calm"]
                    if found["calm"][table] != found["killed"].get(table)
                ),
                "calm_s": calm_s,
                "last_run_s": last_s,
                "digests": found["calm"],
            }
        )
    )
    raise SystemExit(0 if equal and len(hit) == args.kills else 1)


if __name__ == "__main__":
    main()
