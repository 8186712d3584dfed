"""`rebuild` and `verify`: the tables made again from the log, compared, and put in place."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from nextstep.cli.common import add_json, print_json, run_async
from nextstep.cli.up import OnStatus, run_shown
from nextstep.db import embedded, migrate, pools
from nextstep.errors import NextStepError, UsageError
from nextstep.events.io import log
from nextstep.ops.stages import choose, line_stages
from nextstep.projections.io.rebuild import Options, RebuildReport, drop_old, rebuild
from nextstep.settings import Settings

#: Exit code of a comparison that found differences.
_DIFFERS = 3


def register(verbs: Any) -> None:
    """Add the verbs."""
    make = verbs.add_parser("rebuild", help="make tables again from the log, beside the live ones")
    make.add_argument("stages", nargs="*", metavar="STAGE", help="with all that read from them")
    mode = make.add_mutually_exclusive_group()
    mode.add_argument("--preview", action="store_true", help="say what would change (the default)")
    mode.add_argument("--verify", action="store_true", help="exit 3 unless nothing would change")
    mode.add_argument("--swap", action="store_true", help="put the rebuilt tables in place")
    mode.add_argument("--drop-old", action="store_true", help="drop what earlier swaps put aside")
    make.add_argument("--at", type=int, metavar="N", help="as of position N; never swaps")
    make.add_argument("--keep", action="store_true", help="leave the shadow for queries")
    make.add_argument("--without-vectors", action="store_true", help="the live vectors stay")
    make.add_argument("--no-reuse", action="store_true", help="encode a sample of vectors again")
    add_json(make)
    make.set_defaults(run=_rebuild)

    verify = verbs.add_parser("verify", help="the log, and every table against a rebuild")
    verify.add_argument("--no-reuse", action="store_true", help="encode a sample of vectors again")
    add_json(verify)
    verify.set_defaults(run=_verify)


def _rebuild(args: argparse.Namespace, settings: Settings) -> int:
    if args.at is not None and (args.swap or args.verify):
        raise UsageError("--at rebuilds the past: it is neither swapped nor compared")
    if args.drop_old:
        return _drop_old(args, settings)
    line = line_stages(settings)
    names = tuple(choose(line, name)[0].name for name in args.stages)
    options = Options(
        stages=names,
        mode="swap" if args.swap else "verify" if args.verify else "preview",
        at=args.at,
        without_vectors=args.without_vectors,
        fresh_vectors=args.no_reuse,
        keep=args.keep,
    )
    with embedded.running(settings) as url:
        migrate.require_migrated(url)
        report = _run(url, settings, options)
    if args.json:
        print_json(report)
    else:
        _print(report)
    return _DIFFERS if args.verify and (report.live or not report.is_equal) else 0


def _drop_old(args: argparse.Namespace, settings: Settings) -> int:
    async def main() -> int:
        with embedded.running(settings) as url:
            migrate.require_migrated(url)
            dropped = await drop_old(url, settings)
        if args.json:
            print_json({"dropped": dropped})
        else:
            print(f"dropped {len(dropped)} old table(s)" + "".join(f"\n  {t}" for t in dropped))
        return 0

    return run_async(main)


def _run(url: str, settings: Settings, options: Options) -> RebuildReport:
    def work(on_status: OnStatus, stop: anyio.Event) -> Coroutine[Any, Any, RebuildReport]:
        stages = line_stages(settings)
        return rebuild(url, settings, stages, options, on_status=on_status, stop=stop)

    return run_shown(work)


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        migrate.require_migrated(url)
        facts = _log_report(url, settings)
        report, failure = None, ""
        try:
            report = _run(url, settings, Options(mode="verify", fresh_vectors=args.no_reuse))
        except NextStepError as error:
            # What the log's own check found explains it; both are shown.
            failure = str(error)
    sound = not facts.faults and report is not None and report.is_equal and not report.live
    if args.json:
        print_json({"sound": sound, "log": facts, "rebuild": report, "failure": failure})
        return 0 if sound else _DIFFERS
    for fault in facts.faults:
        print(f"log: {fault}")
    if not facts.faults:
        print(f"log: {facts.events} events verified, head hash {facts.chain}")
    if report is not None:
        _print(report)
    if failure:
        print(f"the tables could not be rebuilt: {failure}")
    return 0 if sound else _DIFFERS


def _log_report(url: str, settings: Settings) -> log.LogReport:
    box: list[log.LogReport] = []

    async def main() -> int:
        connection = await pools.connect(url, "api", settings)
        try:
            box.append(await log.verify(connection))
        finally:
            await connection.close()
        return 0

    run_async(main)
    return box[0]


def _print(report: RebuildReport) -> None:
    past = report.mode == "at"
    table = Table(
        title=f"rebuilt to position {report.position} in {report.build_s + report.catch_up_s:.1f} s"
        + (" (went on with an earlier one)" if report.resumed else ""),
        title_justify="left",
    )
    table.add_column("table")
    for name in ("rows",) if past else ("live", "rebuilt", "added", "removed", "changed"):
        table.add_column(name, justify="right")
    table.add_column("sha256" if past else "digest")
    for each in report.tables:
        numbers = (
            (each.rebuilt_rows,)
            if past
            else (each.live_rows, each.rebuilt_rows, each.added, each.removed, each.changed)
        )
        verdict = each.rebuilt_sha256[:16] if past else "equal" if each.is_equal else "differs"
        table.add_row(each.table, *(f"{number:,}" for number in numbers), verdict)
    Console().print(table)
    for each in report.tables:
        if not past and not each.is_equal:
            _print_change(each)
    for name, changes in (("gained", report.gained), ("lost", report.lost)):
        if changes:
            said = ", ".join(f"{c.name} {c.live:,} to {c.rebuilt:,}" for c in changes)
            print(f"skills and tools that jobs {name}: {said}")
    for vector in report.vectors:
        print(vector)
    for stage, why in report.live.items():
        print(f"live {stage} was not there ({why}): compared as it is")
    if report.swapped:
        print(
            f"swapped; readers waited at most {report.swap_ms} ms; the old tables are in "
            "nextstep_old until: nextstep rebuild --drop-old"
        )
    elif report.mode == "preview" and not report.is_equal:
        print("nothing was changed; put it in place: nextstep rebuild STAGE --swap")


def _print_change(change: Any) -> None:
    ranges = ", ".join(map(str, change.ranges))
    columns = ", ".join(f"{name} {count:,}" for name, count in change.columns.items())
    print(f"{change.table}: key ranges {ranges} of 0..15 differ" + (columns and f"; {columns}"))
    for sample in change.samples:
        values = "; ".join(
            f"{name}: {live!r} -> {rebuilt!r}"
            for name, (live, rebuilt) in sample["columns"].items()
        )
        print(f"  {sample['change']} {sample['key']}" + (f"  {values}" if values else ""))
