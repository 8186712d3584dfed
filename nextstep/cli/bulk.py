"""`nextstep bulk`: a whole log through Ray, range by range, into a shadow, and into place."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Coroutine
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import anyio

from nextstep.cli.common import add_json, confirmed, print_json
from nextstep.cli.up import OnStatus, run_shown
from nextstep.db import embedded
from nextstep.events.io.ray_cluster import require_ray
from nextstep.ops.bulk import drop, ledger
from nextstep.ops.bulk.compute import ComputeReport, compute
from nextstep.ops.bulk.export import RANGE_SIZE, ExportReport, export
from nextstep.ops.bulk.load import LoadReport, load
from nextstep.ops.bulk.worker import Answer
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings

#: Exit code while ranges have failed.
_FAILED = 3


def register(verbs: Any) -> None:
    """Add `bulk` and its verbs."""
    about = "a whole log on Ray, for many millions of posts: export, compute, load"
    group = verbs.add_parser("bulk", help=about, description=about)
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, run: Any, text: str) -> Any:
        parser = actions.add_parser(name, help=text, description=text)
        parser.add_argument("folder", type=Path, metavar="DIR", help="all machines see it")
        add_json(parser)
        parser.set_defaults(run=run)
        return parser

    every = add("run", _run, "export, compute and load, each as far as it is not done")
    exporting = add("export", _export, "write log ranges as Parquet")
    for parser in (every, exporting):
        parser.add_argument("--upto", type=int, metavar="N", help="last position; default the head")
        parser.add_argument(
            "--range-size", type=int, default=RANGE_SIZE, metavar="N",
            help=f"positions of a range, {RANGE_SIZE:,} by default",
        )  # fmt: skip
    computing = add("compute", _compute, "clean, extract and encode what has no results, on Ray")
    for parser in (every, computing):
        parser.add_argument("--without-vectors", action="store_true", help="encode nothing")
    loading = add("load", _load, "fill a shadow with the results and compare it")
    for parser in (every, loading):
        parser.add_argument("--swap", action="store_true", help="put the shadow in place")
    add("status", _status, "how far each range is")
    dropping = add("drop", _drop, "delete the folder's files and close its run")
    dropping.add_argument("--yes", action="store_true", help="do not ask")


def _run(args: argparse.Namespace, settings: Settings) -> int:
    require_ray(settings)  # before an hour of exporting
    with embedded.running(settings) as url:
        exported = _exported(url, args)
        computed = _computed(url, args, settings)
        loaded = None if computed.failed or computed.waiting else _loaded(url, args, settings)
    if args.json:
        print_json({"export": exported, "compute": computed, "load": loaded})
    else:
        _print_export(exported)
        _print_compute(computed, args.folder)
        if loaded is not None:
            _print_load(loaded, args.folder)
    return 0 if loaded is not None else _FAILED


def _export(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        report = _exported(url, args)
    if args.json:
        print_json(report)
    else:
        _print_export(report)
    return 0


def _exported(url: str, args: argparse.Namespace) -> ExportReport:
    def say(part: ledger.Range, place: int, of: int) -> None:
        _say(f"exported {place:,} of {of:,}: positions {part.after + 1:,} to {part.upto:,}")

    with ledger.opened(url) as connection:
        return export(
            connection, args.folder, upto=args.upto, range_size=args.range_size, on_range=say
        )


def _print_export(report: ExportReport) -> None:
    print(
        f"{report.exported:,} of {report.ranges:,} ranges exported now; {report.streams:,} streams "
        f"up to position {report.upto:,}, {report.size_bytes / 1e6:,.1f} MB in {report.folder}"
    )


def _compute(args: argparse.Namespace, settings: Settings) -> int:
    require_ray(settings)
    with embedded.running(settings) as url:
        report = _computed(url, args, settings)
    if args.json:
        print_json(report)
    else:
        _print_compute(report, args.folder)
    return _FAILED if report.failed or report.waiting else 0


def _computed(url: str, args: argparse.Namespace, settings: Settings) -> ComputeReport:
    def say(answer: Answer) -> None:
        part = answer.range
        _say(
            f"positions {part.after + 1:,} to {part.upto:,}: "
            + (answer.error or f"{part.streams:,} streams, {len(answer.letters)} dead letters")
        )

    # Ray tells of workers that ended on stdout, where our own answer goes.
    with redirect_stdout(sys.stderr), ledger.opened(url) as connection:
        return compute(
            connection,
            args.folder,
            settings,
            line_stages(settings),
            with_vectors=not args.without_vectors,
            on_answer=say,
        )


def _print_compute(report: ComputeReport, folder: Path) -> None:
    if report.restarted:
        print("results of other code, taxonomies or models were made again")
    print(
        f"{report.done:,} of {report.ranges:,} ranges have results: {report.streams:,} streams, "
        f"{report.letters:,} dead letters"
    )
    if report.failed:
        print(f"{report.failed:,} failed; they are tried again by: nextstep bulk run {folder}")
    if report.waiting:
        print(f"{report.waiting:,} are to be exported first: nextstep bulk export {folder}")


def _load(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        report = _loaded(url, args, settings)
    if args.json:
        print_json(report)
    else:
        _print_load(report, args.folder)
    return 0


def _loaded(url: str, args: argparse.Namespace, settings: Settings) -> LoadReport:
    def say(step: str, place: int, of: int) -> None:
        _say(f"{step}: range {place:,} of {of:,} is in the shadow")

    def work(on_status: OnStatus, stop: anyio.Event) -> Coroutine[Any, Any, LoadReport]:
        return load(
            url,
            args.folder,
            settings,
            line_stages(settings),
            swap=args.swap,
            on_step=say,
            on_status=on_status,
            stop=stop,
        )

    return run_shown(work)


def _print_load(report: LoadReport, folder: Path) -> None:
    assert report.rebuild is not None
    print(
        f"loaded {sum(report.rows.values()):,} rows"
        + (", going on with an earlier load" if report.resumed else "")
        + f": copied in {report.copy_s} s, indexes in {report.index_s} s, dedupe in "
        f"{report.dedupe_s} s, the rest up to position {report.rebuild.position:,} in "
        f"{report.rebuild_s} s"
    )
    for table in report.rebuild.tables:
        verdict = (
            "as the live table"
            if table.is_equal
            else f"{table.added:,} added, {table.removed:,} removed, {table.changed:,} changed"
        )
        print(f"{table.rebuilt_rows:>12,}  {table.table}: {verdict}")
    if report.rebuild.swapped:
        print(f"swapped; readers waited at most {report.rebuild.swap_ms} ms")
        print(f"the posts' texts are still in {folder}: nextstep bulk drop {folder}")
    else:
        print(f"nothing was changed; put it in place: nextstep bulk load {folder} --swap")


def _status(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url, ledger.opened(url) as connection:
        run = ledger.find(connection, args.folder)
        parts = ledger.ranges(connection, run) if run else []
    counts = Counter(part.status for part in parts)
    failed = [part for part in parts if part.status == "failed"]
    if args.json:
        print_json({"run": run, "counts": counts, "ranges": parts})
    elif run is None:
        print(f"no bulk run in {args.folder}")
    else:
        print(
            f"run {run.run_id} is {run.status}: positions 1 to {run.upto:,}, begun {run.started_at}"
        )
        print(", ".join(f"{counts[name]:,} {name}" for name in sorted(counts)))
        for part in failed[:20]:
            print(
                f"failed, {part.attempts} tries: positions {part.after + 1:,} to {part.upto:,}: "
                f"{part.error}"
            )
    return _FAILED if failed else 0


def _drop(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url, ledger.opened(url) as connection:
        asked = f"delete the bulk run's files in {args.folder}?"
        if not confirmed(asked, args.yes):
            return 2
        deleted = drop.drop(connection, args.folder)
    if args.json:
        print_json({"deleted": deleted})
    else:
        print(f"deleted {deleted:,} files")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
