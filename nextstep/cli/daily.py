"""`run-daily`, `replay`, `watch`: the import folder, daily with a report, or as files arrive."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import anyio
import msgspec

from nextstep.cli.common import add_json, print_json, run_async, stop_on_signals
from nextstep.cli.match import ask
from nextstep.db import embedded, migrate
from nextstep.errors import NextStepError, UsageError
from nextstep.match.profile import ProfileRefused, convert_profile
from nextstep.ops import daily, daily_files
from nextstep.ops.daily_report import RunReport, markdown
from nextstep.ops.inbox import SETTLED_S, Watch
from nextstep.ops.replay import replay
from nextstep.ops.stages import line_stages
from nextstep.ops.supervisor import told
from nextstep.settings import Settings

#: Results kept of each saved profile.
_TOP = 10


def register(verbs: Any) -> None:
    """Add the verbs."""
    about = "take the import folder, drain every stage to one head, report"
    run = verbs.add_parser("run-daily", help=about, description=about)
    run.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="default: <home>/import")
    run.add_argument(
        "--settled", type=float, default=SETTLED_S, metavar="S",
        help=f"leave files changed within so many seconds (default {SETTLED_S:.0f})",
    )  # fmt: skip
    add_json(run)
    run.set_defaults(run=_run)

    about = "make a run's report again from the log and compare; exit 3 where it differs"
    again = verbs.add_parser("replay", help=about, description=about)
    again.add_argument("run_id", metavar="RUN", help="an id, or latest")
    add_json(again)
    again.set_defaults(run=_replay)

    about = "append files as they arrive in a folder, until SIGTERM"
    watch = verbs.add_parser("watch", help=about, description=about)
    watch.add_argument("folder", type=Path, metavar="DIR")
    watch.set_defaults(run=_watch)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    folder = args.folder
    if folder is None:
        folder = settings.home.expanduser() / "import"
        folder.mkdir(parents=True, exist_ok=True)

    async def main() -> int:
        with embedded.running(settings) as url:
            migrate.require_migrated(url)
            stop = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(stop_on_signals, stop)
                report = await daily.run_daily(
                    url, settings, line_stages(settings), folder, _asker(url, settings),
                    settled_s=args.settled, stop=stop,
                )  # fmt: skip
                group.cancel_scope.cancel()
        if args.json:
            print_json(report)
        else:
            print(markdown(report))
        return report.exit_code

    return run_async(main)


def _asker(url: str, settings: Settings) -> daily.Ask:
    async def answer(profiles: list[dict[str, Any]]) -> list[list[dict[str, Any]] | str]:
        answers: list[list[dict[str, Any]] | str] = []
        for profile in profiles:
            try:
                found = (await ask(url, settings, [convert_profile({**profile, "limit": _TOP})]))[0]
            except (ProfileRefused, UsageError) as error:
                answers.append(error.message)
                continue
            except NextStepError as error:
                answers.append(f"not answered: {error.message}")
                continue
            answers.append([_shown(result) for result in found.results])
        return answers

    return answer


def _shown(result: Any) -> dict[str, Any]:
    kept = ("job_id", "canonical_job_id", "score", "title", "company", "location", "url")
    whole: dict[str, Any] = msgspec.to_builtins(result)
    return {name: whole[name] for name in kept}


def _replay(args: argparse.Namespace, settings: Settings) -> int:
    runs = daily_files.runs_folder(settings)
    report: RunReport = daily_files.read(runs, args.run_id)
    if report.status == "failed":
        raise UsageError(
            f"run {report.run_id} failed, so it has no result to make again",
            detail=report.error.splitlines()[0] if report.error else "",
            hint="nextstep replay latest takes the newest; see its report",
        )

    async def main() -> int:
        with embedded.running(settings) as url:
            migrate.require_migrated(url)
            made = await replay(url, settings, line_stages(settings), report, runs / report.run_id)
        same = all(each.ok for each in made)
        if args.json:
            print_json({"run_id": report.run_id, "same": same, "parts": made})
        else:
            for each in made:
                print(f"{'same' if each.ok else 'differs':<8} {each.part}: {each.detail}")
        return 0 if same else 3

    return run_async(main)


def _watch(args: argparse.Namespace, settings: Settings) -> int:
    async def main() -> int:
        with embedded.running(settings) as url:
            migrate.require_migrated(url)
            stop, ready = anyio.Event(), anyio.Event()
            work = Watch(url, settings, args.folder)
            async with anyio.create_task_group() as group:
                group.start_soon(stop_on_signals, stop)
                async with told(ready, stop, work.look):
                    await work.run(stop, on_ready=ready.set)
                group.cancel_scope.cancel()
        return 0

    return run_async(main)
