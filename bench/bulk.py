"""
The bulk path beside the line: the same log through both, seconds, CPU seconds, memory, digests.

    python bench/bulk.py corpus.sqlite3 [--encoders DIR] [--range-size 2000] [--kill]

The log is ingested once and copied; `nextstep run --once` works on the one, `nextstep bulk run
--swap` on the other, each as the command that an operator would run. `--kill` ends one Ray worker
while it writes. `--encoders` is a folder of prepared models; without it the reference one works.

CPU seconds are those of the command, everything it started and the server; memory is the sum of PSS
of the command and what it started, without the server. Both are sampled twice a second, so that a
process that lives shorter is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
from bootstrap import pss_mib
from common import say

from nextstep.db import embedded, pools
from nextstep.db.dsn import with_database
from nextstep.db.migrate import migrate
from nextstep.ops.stages import line_stages
from nextstep.projections.io.digests import digest_all
from nextstep.settings import Settings

_VECTORS = (
    "SELECT job_id::text, embedding::text FROM job_embeddings ORDER BY job_id, model_name, recipe"
)


class Watch(threading.Thread):
    """Samples a command and the server; `kill_in` ends a Ray worker that writes there, once."""

    def __init__(self, command: subprocess.Popen[bytes], home: Path, kill_in: Path | None) -> None:
        super().__init__()
        self._command, self._home, self._kill_in = command, home, kill_in
        self._seen: dict[int, float] = {}
        self.peak_mib = 0.0
        self.killed = 0

    def run(self) -> None:
        before = _server_s(self._home)
        sampled = 0.0
        while self._command.poll() is None:
            if time.monotonic() - sampled > 0.5:
                sampled = time.monotonic()
                self._sample()
            if self._kill_in is not None and not self.killed:
                self._kill()
            time.sleep(0.05)
        self.server_s = _server_s(self._home) - before

    @property
    def cpu_s(self) -> float:
        return sum(self._seen.values())

    def _family(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._command.pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []

    def _sample(self) -> None:
        for process in self._family():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self._seen[process.pid] = max(
                self._seen.get(process.pid, 0.0), times.user + times.system
            )
        self.peak_mib = max(self.peak_mib, pss_mib(self._command.pid, Path("/no such home"))[0])

    def _kill(self) -> None:
        assert self._kill_in is not None
        if len(list(self._kill_in.glob("*.job_entities.parquet"))) < 2:
            return  # not before the middle
        if not any(self._kill_in.glob(".*.jobs_normalized.*.partial")):
            return
        for process in self._family():
            try:
                if "MapBatches(Posts)" in " ".join(process.cmdline()):
                    process.kill()
                    self.killed = process.pid
                    return
            except psutil.Error:
                continue


def _server_s(home: Path) -> float:
    """CPU seconds of the server under `home`; backends that ended count for their parent."""
    (pid,) = home.glob("**/postmaster.pid")
    process = psutil.Process(int(pid.read_text().split()[0]))
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        if each.pid == process.pid:
            total += times.children_user + times.children_system
    return total


def timed(
    home: Path, url: str, words: list[str], env: dict[str, str], kill_in: Path | None = None
) -> dict[str, Any]:
    """Run a command of ours and return what it took."""
    started = time.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "nextstep", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "DATABASE_URL": url, "NEXTSTEP_HOME": str(home / "own"), **env},
    )
    watch = Watch(command, home, kill_in)
    watch.start()
    assert command.stdout is not None
    out = command.stdout.read()
    watch.join()
    if command.returncode:
        raise SystemExit(f"{words} ended with {command.returncode}: {out[-500:]!r}")
    return {
        "wall_s": round(time.monotonic() - started, 1),
        "cpu_s": round(watch.cpu_s, 1),
        "server_cpu_s": round(watch.server_s, 1),
        "peak_pss_mib": round(watch.peak_mib),
        "killed": bool(watch.killed),
        "out": out,
    }


async def _digests(url: str, settings: Settings) -> dict[str, str]:
    connection = await pools.connect(url, "worker", settings)
    try:
        return await digest_all(connection, line_stages(settings))
    finally:
        await connection.close()


def least_cosine(one: str, other: str) -> float:
    """Return the least cosine of two databases' vectors of the same job."""
    found = []
    for url in (one, other):
        with psycopg.connect(url) as connection:
            rows = connection.execute(_VECTORS).fetchall()
        found.append({job: np.fromstring(text[1:-1], sep=",") for job, text in rows})
    assert found[0].keys() == found[1].keys()
    return min(float(found[0][job] @ found[1][job]) for job in found[0])


def main() -> None:
    """Print one JSON line per way and one that compares them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--encoders", type=Path)
    parser.add_argument("--range-size", type=int, default=2000)
    parser.add_argument("--kill", action="store_true")
    args = parser.parse_args()
    env = {"NEXTSTEP_ENCODER_FOLDER": str(args.encoders)} if args.encoders else {}
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        home = Path(scratch)
        home.chmod(0o711)
        settings = Settings(home=home, encoder_folder=args.encoders)
        with embedded.running(settings) as server:
            line, bulk = (with_database(server, name) for name in ("line", "bulk"))
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute("CREATE DATABASE line")
                migrate(line)
                timed(home, line, ["ingest", str(args.corpus)], env)
                admin.execute("CREATE DATABASE bulk TEMPLATE line")
            local = timed(home, line, ["run", "--once"], env)
            say("line", **{name: value for name, value in local.items() if name != "out"})
            folder = home / "range files"
            words = ["bulk", "run", str(folder), "--swap", "--json"]
            words += ["--range-size", str(args.range_size)]
            found = timed(home, bulk, words, env, folder if args.kill else None)
            report = json.loads(found.pop("out"))
            load = report["load"]
            say("bulk", **found, ranges=report["compute"]["ranges"],
                files_mb=round(sum(f.stat().st_size for f in folder.iterdir()) / 1e6, 1),
                load={name: load[name] for name in load if name.endswith("_s")})  # fmt: skip
            one, other = (asyncio.run(_digests(url, settings)) for url in (line, bulk))
            say("digests", equal=[name for name in one if one[name] == other[name]],
                differ=[name for name in one if one[name] != other[name]],
                least_cosine=round(least_cosine(line, bulk), 6))  # fmt: skip


if __name__ == "__main__":
    main()
