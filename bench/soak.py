"""
Appends, revisions and closings with random kills; at the end every table equals a clean replay.

    python bench/soak.py [--minutes 10] [--seed 1]      kills at random moments, of real processes
    python bench/soak.py --kills 200 [--seed 1]         kills at awaits of the runner, one by one

Sources are written by processes that ingest one complete scan after the other: new posts, changed
ones, copies of others, and what is gone is closed. Beside them two processors run the whole line on
a test encoder, one of them on standby. Seeded chance kills (-9) writers, processors and, where the
server is the throwaway one, the server. With `--kills` the processors are forks that are killed at
a drawn await of the runner, and every fifth kill hits a writer in the middle of a scan.

Prints one JSON line; exits 1 when an event is lost, a row doubled or a digest different.
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
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import anyio
import msgspec
import psycopg
from common import sentences

from nextstep import logs
from nextstep.cli.common import stop_on_signals
from nextstep.db import embedded, pools
from nextstep.db.dsn import parse, with_database
from nextstep.db.migrate import migrate
from nextstep.db.server_files import locate
from nextstep.events.io.line import run_line
from nextstep.events.io.log import verify
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.projections.io.digests import digest_all
from nextstep.settings import Settings
from tests.faults.killing import behind, forks
from tests.whole_line import SAMPLE, drain, test_stages

ROOT = Path(__file__).resolve().parents[1]
_START = datetime(2026, 1, 1, tzinfo=UTC)
#: New posts per scan, and the most scans for which a post is shown.
_NEW, _LIFE = 6, 12


# --- what a source shows --------------------------------------------------------------------------


def listing(seed: int, source: str, scan: int) -> list[dict[str, Any]]:
    """Return the rows of a source's scan: a function of its arguments alone."""
    rows = []
    for number in range(max(0, (scan - _LIFE) * _NEW), (scan + 1) * _NEW):
        draw = random.Random(f"{seed} {source} {number}")
        age, life = scan - number // _NEW, draw.randint(2, _LIFE)
        # One in ten is gone for a while and comes back.
        gone = draw.random() < 0.1 and age == life // 2
        if age < life and not gone:
            rows.append(_post(seed, source, number, draw, age // 4))
    return rows


def _post(seed: int, source: str, number: int, draw: random.Random, changes: int) -> dict[str, Any]:
    # One in three repeats the text of a post that any source may have shown.
    text = random.Random(
        f"{seed} {draw.randrange(40) if draw.random() < 0.33 else (source, number)}"
    )
    base = json.loads(_LINES[text.randrange(len(_LINES))])
    pieces = [text.choice(_SENTENCES) for _ in range(12)]
    edits = [f"Edit {n}: {draw.choice(_SENTENCES)}" for n in range(changes)]
    return {
        **{name: base.get(name, "") for name in ("title", "company", "location", "date_posted")},
        "source": source,
        "source_job_id": str(number),
        "url": f"https://{source}.example/{number}",
        "converted_to_text": " ".join([base.get("converted_to_text") or "", *pieces, *edits]),
    }


_LINES = SAMPLE.read_text(encoding="utf-8").splitlines()
_SENTENCES = sentences()


async def write(  # noqa: PLR0917
    url: str, folder: Path, source: str, seed: int, pace_s: float, scans: int
) -> None:
    """Ingest scan after scan from where the last life of this writer stopped."""
    settings = Settings(database_url=url, home=folder, log_level="error", ingest_batch=10)
    logs.configure(settings)
    state, stop = folder / f"{source}.scan", anyio.Event()

    async def work() -> None:
        first = int(state.read_text()) if state.exists() else 0
        for scan in range(first, first + scans):
            file = folder / f"{source}.jsonl"
            rows = listing(seed, source, scan)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            options = IngestOptions(
                complete_scan=True, allow_close=True, observed_at=_START + timedelta(hours=scan)
            )
            await ingest_files(settings, url, [file], options)
            fresh = state.with_suffix(".new")
            fresh.write_text(str(scan + 1))
            fresh.replace(state)
            with anyio.move_on_after(pace_s):
                await stop.wait()
            if stop.is_set():
                return

    async with anyio.create_task_group() as group:

        async def until_signalled() -> None:
            await stop_on_signals(stop)

        group.start_soon(until_signalled)
        await work()
        group.cancel_scope.cancel()


async def process(url: str, folder: Path, executor: str) -> None:
    """Run the whole line on the test encoder until SIGTERM."""
    settings = msgspec.structs.replace(
        Settings(database_url=url, home=folder, log_level="error", workers=1, batch_size=50),
        executor=executor,
    )
    logs.configure(settings)
    stop = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(stop_on_signals, stop)
        await run_line(url, settings, test_stages(settings), stop=stop)
        group.cancel_scope.cancel()


# --- kills at random moments ----------------------------------------------------------------------


class Crew:
    """Writers and processors as processes; whoever ends is started anew."""

    def __init__(self, url: str, home: Path, folder: Path, args: argparse.Namespace) -> None:
        self._url, self._home, self._folder, self._args = url, home, folder, args
        self._chance = random.Random(args.seed)
        self._roles = [("writer", f"board{n}") for n in range(args.writers)]
        self._roles += [("processor", str(n)) for n in range(2)]
        self._live: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self.kills: Counter[str] = Counter()
        self.in_flight = 0
        self.ended: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Keep everybody at work, kill one of them every few seconds, then let all end in peace."""
        end = time.monotonic() + seconds
        strike = time.monotonic() + 5
        try:
            while time.monotonic() < end:
                self._fill()
                if time.monotonic() >= strike:
                    self._strike()
                    strike = time.monotonic() + self._chance.uniform(0.5, 1.5) * self._args.every
                time.sleep(0.05)
            for each in self._live.values():
                each.terminate()
            for each in self._live.values():
                each.wait(120)
        finally:
            for each in self._live.values():
                if each.poll() is None:
                    each.kill()
                each.wait()

    def _fill(self) -> None:
        for role in self._roles:
            at_work = self._live.get(role)
            if at_work is not None and at_work.poll() is not None:
                if at_work.returncode != -signal.SIGKILL:
                    # A server that was killed takes with it whoever was about to start.
                    self.ended[f"{role[0]} {at_work.returncode}"] += 1
                at_work = None
            if at_work is None:
                self._live[role] = self._start(*role)

    def _start(self, kind: str, name: str) -> subprocess.Popen[bytes]:
        # A child of the executor's would outlive a killed group leader only by a moment.
        arguments = [str(self._folder), name, str(self._args.seed), str(self._args.pace)]
        if kind == "processor":
            arguments = [str(self._folder), self._args.executor]
        return subprocess.Popen(
            [sys.executable, __file__, f"--{kind}", self._url, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )

    def _strike(self) -> None:
        kind = self._chance.choices(
            ("processor", "writer", "server"), (6, 3, 0 if self._args.url else 1)
        )[0]
        if kind == "server":
            text = (locate(self._home).data / "postmaster.pid").read_text()
            os.kill(int(text.split("\n", 1)[0]), signal.SIGKILL)
            embedded.start(Settings(home=self._home))
        else:
            victims = [v for role, v in self._live.items() if role[0] == kind]
            victim = self._chance.choice(victims)
            if kind == "processor":
                victim = self._at_work(victims) or victim
            victim.kill()
            victim.wait()
        self.kills[kind] += 1

    def _at_work(self, victims: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes] | None:
        """Return a processor with a batch in flight; None when there is none for three seconds."""
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for victim in victims:
                if behind(self._url, victim.pid):
                    self.in_flight += 1
                    return victim
            time.sleep(0.01)
        return None


# --- kills at the awaits of the runner ------------------------------------------------------------


def inject(url: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Kill forks at drawn awaits, writers in the middle of scans; return what was hit."""
    chance = random.Random(args.seed)
    hits: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    idle = writers = 0
    with forks(url, folder, "whole", 5) as line:
        points = list(line.points)
        while sum(hits.values()) + writers < args.kills:
            source = f"board{chance.randrange(args.writers)}"
            if (sum(hits.values()) + writers) % 5 == 4:
                writers += _kill_writer(url, folder, source, chance, args.seed)
                continue
            asyncio.run(write(url, folder, source, args.seed, 0.0, 1))
            point, skip = chance.choice(points), chance.choice((0, 0, 1, 2, 5))
            mode = chance.choice(("before", "during"))
            found = line.run(point, mode, skip=skip)
            if found["error"]:
                raise SystemExit(f"a processor failed: {found['error']}")
            if found["hit"] is None:
                missed[point] += 1
                # Paths of faults, which nothing here leads to: the suite's own test does.
                if missed[point] >= 3 and not hits[point]:
                    points.remove(point)
            elif behind(url, found["pid"]):
                hits[point] += 1
            else:
                idle += 1
    return {
        "kills": sum(hits.values()) + writers,
        "processor_kills": sum(hits.values()),
        "writer_kills": writers,
        "points_hit": len(hits),
        "kills_with_nothing_in_flight": idle,
        "points_not_reached": sorted(set(missed) - set(hits)),
    }


def _kill_writer(url: str, folder: Path, source: str, chance: random.Random, seed: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(write(url, folder, source, seed, 0.0, 50))
        finally:
            os._exit(0)
    time.sleep(chance.uniform(0.05, 0.6))
    os.kill(pid, signal.SIGKILL)
    return int(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL)


# --- the verdict ----------------------------------------------------------------------------------


async def verdict(url: str, settings: Settings) -> dict[str, Any]:
    """Drain, then compare with a replay of the same log into emptied tables of a copy."""
    stages = test_stages(settings)
    await drain(settings, url, stages)
    replay = f"{parse(url).database}_replay"
    with psycopg.connect(with_database(url, "postgres"), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {replay} TEMPLATE {parse(url).database}".encode())
    copy = with_database(url, replay)
    with psycopg.connect(copy, autocommit=True) as owner:
        tables = sorted({table for stage in stages for table in stage.tables})
        owner.execute(f"TRUNCATE {', '.join(tables)}, dead_letters, stage_offsets".encode())
    await drain(msgspec.structs.replace(settings, database_url=copy), copy, stages)
    connections = [await pools.connect(each, "worker", settings) for each in (url, copy)]
    try:
        found = [dict(await digest_all(each, stages)) for each in connections]
        report = await verify(connections[0])
        counts = await connections[0].fetchrow(_COUNTS)
    finally:
        for each in connections:
            await each.close()
    differing = sorted(name for name in found[0] if found[0][name] != found[1].get(name))
    faults = [*report.faults, *(f"{table} differs from the replay" for table in differing)]
    if counts["events"] != counts["head"]:
        faults.append(f"{counts['events']} events, but the head is {counts['head']}")
    if counts["counted"] != counts["events"]:
        faults.append(f"clean counted {counts['counted']} events, the log has {counts['events']}")
    return {**dict(counts), "tables_equal": len(found[0]) - len(differing), "faults": faults}


#: `counted`: each batch's count is committed with its rows, so a batch done twice counts twice.
_COUNTS = """
SELECT count(*) AS events, max(position) AS head,
       count(*) FILTER (WHERE kind = 'job.posted') AS posted,
       count(*) FILTER (WHERE kind = 'job.revised') AS revised,
       count(*) FILTER (WHERE kind = 'job.closed') AS closed,
       count(*) FILTER (WHERE kind = 'job.reopened') AS reopened,
       count(*) FILTER (WHERE kind = 'source.scanned') AS scans,
       (SELECT sum((counts ->> 'in')::bigint)::bigint FROM pipeline_runs
         WHERE stage = 'clean') AS counted,
       (SELECT count(*) FROM jobs_normalized) AS jobs,
       (SELECT count(*) FROM dead_letters) AS dead_letters,
       (SELECT max(epoch) FROM stage_offsets) AS last_epoch
  FROM job_events
"""


def main() -> None:
    """Run as one of the crew, or print the verdict."""
    if sys.argv[1:2] == ["--writer"]:
        url, folder, source, seed, pace = sys.argv[2:]
        asyncio.run(write(url, Path(folder), source, int(seed), float(pace), 10**6))
        return
    if sys.argv[1:2] == ["--processor"]:
        asyncio.run(process(sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=0, help="kill at awaits, until so many hit")
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--every", type=float, default=4.0, help="mean seconds between kills")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between a source's scans")
    parser.add_argument("--executor", choices=("processes", "inline"), default="processes")
    parser.add_argument("--url", help="an empty database; default: a throwaway embedded server")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        Path(scratch).chmod(0o711)
        home, folder = Path(scratch) / "home", Path(scratch) / "crew"
        folder.mkdir()
        settings = Settings(home=home, log_level="warning", executor="inline")
        logs.configure(settings)
        url = args.url or embedded.start(settings)
        try:
            migrate(url)
            if args.kills:
                told = inject(url, folder, args)
            else:
                crew = Crew(url, home, folder, args)
                crew.run(args.minutes * 60)
                told = {
                    "kills": dict(crew.kills),
                    "processor_kills_with_a_batch_in_flight": crew.in_flight,
                    "ended_by_themselves": dict(crew.ended),
                }
            found = asyncio.run(verdict(url, msgspec.structs.replace(settings, database_url=url)))
        finally:
            if not args.url:
                embedded.stop(Settings(home=home), now=True)
    took_s = round(time.monotonic() - started, 1)
    print(json.dumps({"bench": "soak", "seed": args.seed, **told, **found, "took_s": took_s}))
    raise SystemExit(1 if found["faults"] else 0)


if __name__ == "__main__":
    main()
