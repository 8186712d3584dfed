"""`up` and `bootstrap`: everything, from nothing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nextstep import clock, logs
from nextstep.cli import ingest
from nextstep.cli.common import add_json, print_json, run_async, stop_on_signals
from nextstep.cli.match import ask
from nextstep.cli.match_text import render_answer
from nextstep.db import embedded
from nextstep.db.migrate import migrate
from nextstep.events.io.line import run_line
from nextstep.http.app import PortTaken, serve
from nextstep.ingest.io.sniff import require_file
from nextstep.match.profile import convert_profile
from nextstep.ops.bootstrap import (
    BootstrapReport,
    bootstrap,
    index_when_drained,
    prepare,
    takes_sample,
)
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings

T = TypeVar("T")
OnStatus = Callable[[dict[str, Any]], None]

#: The corpus and the profiles that are shipped.
SAMPLE = Path(__file__).resolve().parents[1] / "sample"
#: Seconds between two lines of progress where no bar can be drawn.
_SAY_EVERY_S = 5.0
#: Matches shown of each sample profile.
_SHOWN = 3


def register(verbs: Any) -> None:
    """Add the verbs."""
    up = verbs.add_parser(
        "up",
        help="everything, from nothing: server, schema, corpus, all stages, HTTP",
        description="Start the database, bring the schema up to date, append the corpus (the "
        "shipped sample without --corpus), run every stage and serve HTTP until SIGTERM.",
    )
    up.add_argument("--corpus", type=Path, metavar="FILE", help="SQLite, CSV, JSONL or Parquet")
    up.add_argument("--rows", type=int, metavar="N", help="read at most N rows of it")
    up.add_argument("--source", default="", help="source of rows that name none")
    up.add_argument("--map", type=Path, metavar="MAP.yml", help="column map; docs/ingest.md")
    up.add_argument("--once", action="store_true", help="drain to the head, report and exit")
    add_json(up)
    up.set_defaults(run=_up, complete_scan=False, observed_at=None, yes=False)

    boot = verbs.add_parser("bootstrap", help="append a file, drain every stage, report")
    boot.add_argument("files", nargs="+", type=Path, metavar="FILE")
    ingest.add_arguments(boot)
    add_json(boot)
    boot.set_defaults(run=_bootstrap)


def _bootstrap(args: argparse.Namespace, settings: Settings) -> int:
    for path in args.files:
        require_file(path)
    with embedded.running(settings) as url:
        report = _drained(args, settings, url, args.files)
    _print_report(report, args, args.files)
    if report.ingest is not None:
        report.ingest.require_scanned()
    return 0


def _up(args: argparse.Namespace, settings: Settings) -> int:
    if args.corpus is not None:
        require_file(args.corpus)  # before a server is started and tables are made anew
    with embedded.running(settings) as url:
        files = _files(args, url)
        if not args.once:
            return _stay_up(args, settings, url, files)
        report = _drained(args, settings, url, files)
        _print_report(report, args, files)
        if not args.json and files and args.corpus is None:
            _show_sample_matches(settings, url)
        if not args.json:
            _say_how_to_go_on()
    return 0


def _files(args: argparse.Namespace, url: str) -> list[Path]:
    """The corpus asked for; else the sample, where it does no harm."""
    if args.corpus is not None:
        return [args.corpus]
    migrate(url)
    sample = SAMPLE / "jobs.jsonl"
    if takes_sample(url, sample):
        return [sample]
    print("the log holds posts of your own: the sample is left out", file=sys.stderr)
    return []


def _drained(
    args: argparse.Namespace, settings: Settings, url: str, files: list[Path]
) -> BootstrapReport:
    settings = _quiet(args, settings)

    async def main() -> BootstrapReport:
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(stop_on_signals, stop)
            with ingest.showing_progress() as on_progress, showing_stages() as on_status:
                report = await bootstrap(
                    url,
                    settings,
                    line_stages(settings),
                    files,
                    ingest.options_from(args),
                    on_progress=on_progress,
                    on_status=on_status,
                    stop=stop,
                )
            group.cancel_scope.cancel()
        return report

    return _result(main)


def _result(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    box: list[T] = []

    async def run() -> int:
        box.append(await main())
        return 0

    run_async(run)
    return box[0]


def _quiet(args: argparse.Namespace, settings: Settings) -> Settings:
    """On a terminal the bars say enough; elsewhere every batch is a log line."""
    if not sys.stderr.isatty():
        return settings
    if args.log_level is None and "NEXTSTEP_LOG_LEVEL" not in os.environ:
        settings = msgspec.structs.replace(settings, log_level="warning")
        logs.configure(settings)
    return settings


def _stay_up(args: argparse.Namespace, settings: Settings, url: str, files: list[Path]) -> int:
    stages = line_stages(settings)

    async def main() -> int:
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(stop_on_signals, stop)
            done = await prepare(url, settings, stages)
            for stage in done.rebuilt:
                print(
                    f"{stage} was rebuilt: its code, taxonomies or model changed", file=sys.stderr
                )
            # The stages and the server stop by themselves once `stop` is set; what else runs is
            # cancelled when they are through.
            async with anyio.create_task_group() as rest:
                rest.start_soon(_append, args, settings, url, files)
                rest.start_soon(index_when_drained, url, settings, stages)
                async with anyio.create_task_group() as work:
                    work.start_soon(lambda: run_line(url, settings, stages, stop=stop))
                    work.start_soon(_serve_somewhere, settings, url, stop)
                rest.cancel_scope.cancel()
            group.cancel_scope.cancel()
        return 0

    return run_async(main)


async def _append(
    args: argparse.Namespace, settings: Settings, url: str, files: list[Path]
) -> None:
    if files:
        report = await ingest.ingest_files(settings, url, files, ingest.options_from(args))
        ingest.print_report(report, files)


async def _serve_somewhere(settings: Settings, url: str, stop: anyio.Event) -> None:
    """Serve on the port asked for, or on a free one if that is taken."""

    def say(address: str) -> None:
        print(f"NextStep is up: {address} (stop it with ctrl-C)", file=sys.stderr, flush=True)

    try:
        await serve(settings, url, stop=stop, on_ready=say)
    except PortTaken as error:
        print(f"{error.message}; taking a free port", file=sys.stderr)
        await serve(msgspec.structs.replace(settings, http_port=0), url, stop=stop, on_ready=say)


def _print_report(report: BootstrapReport, args: argparse.Namespace, files: list[Path]) -> None:
    if args.json:
        print_json(report)
        return
    if report.ingest is not None:
        ingest.print_report(report.ingest, files)
    counts = report.counts
    print(
        f"{counts['jobs']:,} posts; {counts['canonical']:,} distinct jobs, "
        f"{counts['duplicates']:,} duplicates; entities of {counts['entities']:,}, "
        f"vectors of {counts['embeddings']:,}; {counts['trend_cells']:,} trend cells; "
        f"{counts['dead_letters']:,} dead letters"
    )
    print(
        f"head {report.head:,}; every stage there: "
        + ", ".join(f"{s['stage']} {s['offset']:,}" for s in report.stages)
    )
    print(
        f"append {report.ingest_s:.1f} s, stages {report.drain_s:.1f} s, "
        f"vector index {report.index_s:.1f} s ({', '.join(report.vector_indexes) or 'exact scan'})"
    )


def _show_sample_matches(settings: Settings, url: str) -> None:
    profiles: dict[str, Any] = msgspec.json.decode((SAMPLE / "profiles.json").read_bytes())
    asked = [convert_profile({**profile, "limit": _SHOWN}) for profile in profiles.values()]

    async def answers() -> Any:
        return await ask(url, settings, asked)

    for name, answer in zip(profiles, _result(answers), strict=True):
        print(f"\n=== matches for the sample profile {name} ===\n")
        print(render_answer(answer))


def _say_how_to_go_on() -> None:
    called = Path(sys.argv[0])
    name = "python -m nextstep" if called.name == "__main__.py" else os.path.relpath(called)
    print(
        f"""
How to go on:
  {name} match --text "accountant in Lyon" --skill Excel    ranked and explained
  {name} up --corpus jobs.sqlite3    your own posts; stays up and serves HTTP
  {name} status    offsets and lag of every stage
  {name} log show --limit 3    the facts themselves"""
    )


@contextmanager
def showing_stages() -> Iterator[OnStatus]:
    """Give a function that shows status documents: bars on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    columns = (
        TextColumn("{task.description:28}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(found: dict[str, Any]) -> None:
            for stage in found["stages"]:
                name = stage["stage"]
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=found["head"])
                bar.update(tasks[name], completed=stage["offset"], total=found["head"])

        yield show


def run_shown(work: Callable[[OnStatus, anyio.Event], Coroutine[Any, Any, T]]) -> T:
    """Return what a piece of work gives, which shows its stages and stops on a signal."""
    box: list[T] = []

    async def main() -> int:
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(stop_on_signals, stop)
            with showing_stages() as on_status:
                box.append(await work(on_status, stop))
            group.cancel_scope.cancel()
        return 0

    run_async(main)
    return box[0]


def _lines() -> Callable[[dict[str, Any]], None]:
    log = logs.get("line")
    last = clock.monotonic_s()

    def show(found: dict[str, Any]) -> None:
        nonlocal last
        if clock.monotonic_s() - last < _SAY_EVERY_S:
            return
        last = clock.monotonic_s()
        log.info(
            "draining", head=found["head"], **{s["stage"]: s["offset"] for s in found["stages"]}
        )

    return show
