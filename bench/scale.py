"""
What a corpus costs as it grows: seconds of each part, bytes of each kind of table, peak memory.

    python bench/scale.py corpus.sqlite3 --rows 1000,10000,100000 [--vectors] [--prepared HOME]

Every size starts from an empty database of its own: `ingest`, the line without vectors, then with
`--vectors` the embed stage and the index, each as the command that an operator would run. HOME
holds a prepared model (`nextstep models prepare`) to be used. At the end each figure is fitted by
rows^b over the sizes: b is 1 where twice the posts cost twice as much.

Memory is the sum of PSS of the command and its workers, without the server, sampled once a second.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bootstrap import pss_mib
from common import say

from nextstep.db import embedded
from nextstep.db.migrate import connected, migrate
from nextstep.processors.embed import embed_stage
from nextstep.settings import Settings

_LINE = "clean,dedupe,extract,trends"
_BYTES = """
SELECT CASE WHEN relname LIKE 'job_events%%' OR relname LIKE 'job_heads%%' THEN 'log'
            WHEN relname LIKE 'job_embeddings%%' THEN 'vectors'
            WHEN relname LIKE 'dedupe%%' OR relname LIKE 'job_signatures%%' THEN 'signatures'
            WHEN relname LIKE 'trend%%' THEN 'trends'
            ELSE 'other' END AS kind, sum(pg_total_relation_size(oid))::bigint
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
GROUP BY 1 ORDER BY 1
"""


def timed(home: Path, url: str, *words: str) -> tuple[float, float]:
    """Run a command of ours and return its seconds and its peak memory in MiB."""
    started, peak = time.monotonic(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", "nextstep", "--home", str(home), "--database-url", url,
         "--log-level", "warning", *words],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None:
        # Of the command and its children alone: no server is under a folder of that name.
        peak = max(peak, pss_mib(process.pid, home / "no server")[0])
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return time.monotonic() - started, peak


def measure(corpus: Path, rows: int, prepared: Path | None, *, vectors: bool) -> dict[str, float]:
    """Return the figures of one size."""
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        Path(scratch).chmod(0o711)
        home = Path(scratch) / "home"
        if prepared is not None:
            for name in ("encoders", "models"):
                shutil.copytree(prepared / name, home / name)
        settings = Settings(home=home)
        figures: dict[str, float] = {}
        with embedded.running(settings) as url:
            migrate(url)
            ingested = ["ingest", str(corpus), "--rows", str(rows)]
            figures["ingest_s"], _ = timed(home, url, *ingested)
            figures["line_s"], figures["line_mib"] = timed(
                home, url, "run", "--stages", _LINE, "--once"
            )
            if vectors:
                stage = embed_stage(settings).name
                figures["embed_s"], figures["embed_mib"] = timed(
                    home, url, "run", "--stages", stage, "--once"
                )
                figures["index_s"], _ = timed(home, url, "db", "plan-index", "--apply")
            with connected(url) as connection:
                found = connection.execute(_BYTES).fetchall()
            figures |= {f"{kind}_mb": size / 1e6 for kind, size in found}
    return figures


def main() -> None:
    """Print a line per size, then the exponents."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("corpus", type=Path)
    flags.add_argument("--rows", default="1000,10000,100000")
    flags.add_argument("--vectors", action="store_true")
    flags.add_argument("--prepared", type=Path)
    args = flags.parse_args()
    sizes = [int(word) for word in args.rows.split(",")]
    each = []
    for rows in sizes:
        each.append(measure(args.corpus, rows, args.prepared, vectors=args.vectors))
        say("scale", rows=rows, **each[-1])
    if len(sizes) > 1:
        logs = [math.log(rows) for rows in sizes]
        exponents = {
            name: statistics.linear_regression(
                logs, [math.log(max(figures[name], 1e-6)) for figures in each]
            ).slope
            for name in each[0]
        }
        say("scale, exponents", **exponents)


if __name__ == "__main__":
    main()
