"""
One whole bootstrap as a process: seconds per part, rows per table, peak memory of all processes.

    python bench/bootstrap.py corpus.sqlite3 [--home DIR] [--again]

Memory is the sum of PSS (a page shared by n processes counts 1/n for each) over the command, its
workers and the embedded server, sampled twice a second; Linux only. `--again` runs the command a
second time, which must append nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil


def pss_mib(root: int, home: Path) -> tuple[float, int]:
    """Return the summed PSS in MiB of a process, its descendants and the server under `home`."""
    found = {root}
    for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home) in line and "postgres" in line:
            found.add(process.info["pid"])
    for pid in list(found):
        try:
            found.update(child.pid for child in psutil.Process(pid).children(recursive=True))
        except psutil.Error:
            continue
    total = 0.0
    for pid in found:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
        except OSError:
            continue
    return total, len(found)


def bootstrap(corpus: Path, home: Path) -> dict[str, object]:
    """Run the command once and return its report with `wall_s`, `peak_mib` and `processes`."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "nextstep", "bootstrap", str(corpus), "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "NEXTSTEP_HOME": str(home)},
    )
    peak, processes = 0.0, 0
    while process.poll() is None:
        now, count = pss_mib(process.pid, home)
        if now > peak:
            peak, processes = now, count
        time.sleep(0.5)
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    return {
        "exit": process.returncode,
        "wall_s": round(time.monotonic() - started, 1),
        "peak_pss_mib": round(peak),
        "processes_at_peak": processes,
        **{name: report[name] for name in ("ingest_s", "drain_s", "index_s", "head", "counts")},
        "ingest": report["ingest"]["totals"],
        "stages": {s["stage"]: s["offset"] for s in report["stages"]},
    }


def main() -> None:
    """Print one JSON line per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        Path(scratch).chmod(0o711)
        for _ in range(1 + args.again):
            print(json.dumps(bootstrap(args.corpus, args.home or Path(scratch))), flush=True)


if __name__ == "__main__":
    main()
