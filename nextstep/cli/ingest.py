"""`nextstep ingest FILE…`: append files to the log, show progress, counts and rejects."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from nextstep import clock, logs
from nextstep.db import embedded
from nextstep.db.migrate import require_migrated
from nextstep.errors import UsageError
from nextstep.ingest.columns import ColumnMap
from nextstep.ingest.io import append
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ingest.io.files import load_map
from nextstep.ingest.moments import parse_moment
from nextstep.ingest.report import IngestReport
from nextstep.settings import Settings

__all__ = ["IngestOptions", "ingest_files", "print_report", "register", "showing_progress"]

#: Seconds between two log lines where no progress bar can be drawn.
_LOG_EVERY_S = 5.0


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `ingest`."""
    parser = verbs.add_parser(
        "ingest",
        help="append posts from files to the log",
        description="Append posts from SQLite, CSV(.gz), JSON lines(.gz) or Parquet files.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how files are read; `options_from` takes them."""
    parser.add_argument("--source", default="", help="source of rows that name none")
    parser.add_argument("--map", type=Path, metavar="MAP.yml", help="column map; docs/ingest.md")
    parser.add_argument(
        "--complete-scan",
        action="store_true",
        help="the files list all that is open at their sources: close what they do not list",
    )
    parser.add_argument(
        "--observed-at", metavar="TIME", help="when rows without a time of their own were seen"
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="carry a complete scan out though rows were rejected or much would close",
    )
    parser.add_argument("--rows", type=int, metavar="N", help="read at most N rows of each file")


def options_from(args: argparse.Namespace) -> IngestOptions:
    """
    Return the options that the flags of `add_arguments` ask for.

    Raises:
        UsageError: a time that is none.
        FileError, MappingError: the column map.
    """
    observed_at: datetime | None = None
    if args.observed_at:
        observed_at = parse_moment(args.observed_at)
        if observed_at is None:
            raise UsageError(
                f"--observed-at {args.observed_at} is no time that is known",
                hint="write it as 2026-01-31 or 2026-01-31T06:00:00Z",
            )
    return IngestOptions(
        source=args.source,
        column_map=load_map(args.map) if args.map else ColumnMap(),
        complete_scan=args.complete_scan,
        observed_at=observed_at,
        allow_close=args.yes,
        rows=args.rows,
    )


def _run(args: argparse.Namespace, settings: Settings) -> int:
    options = options_from(args)
    with embedded.running(settings) as url:
        require_migrated(url)
        with showing_progress() as on_progress:
            report = asyncio.run(ingest_files(settings, url, args.files, options, on_progress))
    if args.json:
        print(report_json(report))
    else:
        print_report(report, args.files)
    report.require_scanned()
    return 0


@contextmanager
def showing_progress() -> Iterator[append.OnProgress]:
    """Yield what `ingest_files` calls: a bar on a terminal, else a log line every few seconds."""
    if not sys.stderr.isatty():
        yield _log_lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    started = clock.monotonic_s()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0, rows=0, rate=0.0)

        def show(now: append.Progress) -> None:
            rate = now.rows / max(clock.monotonic_s() - started, 1e-9)
            bar.update(task, completed=now.fraction, description=now.file, rows=now.rows, rate=rate)

        yield show


def _log_lines() -> append.OnProgress:
    log = logs.get("ingest")
    started = clock.monotonic_s()
    last = started

    def show(now: append.Progress) -> None:
        nonlocal last
        at = clock.monotonic_s()
        if at - last < _LOG_EVERY_S:
            return
        last = at
        spent = at - started
        left = spent / now.fraction - spent if now.fraction > 0 else None
        log.info(
            "ingesting",
            file=now.file,
            rows=now.rows,
            rejected=now.rejected,
            rate_per_s=round(now.rows / spent, 1),
            eta_s=None if left is None else round(left, 1),
        )

    return show


def report_json(report: IngestReport) -> str:
    """Return the report as one line of JSON: the totals at the top, then the parts."""
    plain = msgspec.to_builtins(report)
    totals = plain.pop("totals")
    return msgspec.json.encode({**totals, **plain}).decode()


def print_report(report: IngestReport, files: Sequence[Path]) -> None:
    """Print counts per source and the first rejects for a person."""
    console = Console(soft_wrap=True, highlight=False)
    table = Table("source", box=None, pad_edge=False)
    for name in _COUNTED:
        table.add_column(name, justify="right")
    rows = sorted(report.sources.items())
    for source, counts in [*rows, ("all", report.totals)]:
        numbers = (f"{getattr(counts, name):,}" for name in _COUNTED)
        table.add_row(source or "(unknown)", *numbers)
    console.print(table)
    rate = report.totals.rows / report.seconds if report.seconds else 0.0
    print(f"{len(files)} file(s) in {report.seconds:.1f} s, {rate:,.0f} rows/s")
    if report.stopped:
        print("stopped before the end; the same command again appends the rest")
    _print_rejects(report, print)


def _print_rejects(report: IngestReport, say: Callable[[str], None]) -> None:
    if not report.totals.rejected:
        return
    reasons = ", ".join(f"{name} {times:,}" for name, times in sorted(report.reasons.items()))
    say(f"{report.totals.rejected:,} row(s) rejected: {reasons}")
    for reject in report.rejects:
        where = f"{reject.file} row {reject.row}" + (f" {reject.column}" if reject.column else "")
        say(f"  {where}: {reject.reason} ({reject.detail})")
    if report.totals.rejected > len(report.rejects):
        say("  … all of them are in the table ingest_rejects")


_COUNTED = ("rows", "new", "changed", "unchanged", "stale", "rejected", "closed")
