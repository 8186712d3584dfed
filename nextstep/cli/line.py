"""`run`, `status`, `pause`, `resume`, `reset`: the processors and who steers them."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from nextstep import clock
from nextstep.cli.common import (
    add_json,
    confirmed,
    operator,
    print_json,
    run_async,
    session,
    stop_on_signals,
    with_session,
)
from nextstep.db import embedded, migrate
from nextstep.errors import UsageError
from nextstep.events.io import offsets
from nextstep.events.io.line import run_line
from nextstep.ops import actions
from nextstep.ops.sources import drop_lines, read_sources
from nextstep.ops.stages import choose, line_stages
from nextstep.ops.supervisor import LineHealth, told
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add the verbs."""
    run = verbs.add_parser("run", help="run the processors until SIGTERM")
    run.add_argument("--stages", help="comma-separated; default: all")
    run.add_argument("--once", action="store_true", help="drain to the head, then exit")
    run.set_defaults(run=_run)

    status = verbs.add_parser("status", help="offsets, lag and health of every stage")
    status.add_argument("--watch", action="store_true", help="show it anew every second")
    status.add_argument("--fields", action="store_true", help="with the fill rate of every field")
    add_json(status)
    status.set_defaults(run=_status)

    pause = verbs.add_parser("pause", help="stop a stage until it is resumed; survives restarts")
    pause.add_argument("stage")
    pause.add_argument("--why", default="")
    pause.set_defaults(run=with_session("worker", _pause))

    resume = verbs.add_parser("resume", help="let a paused or halted stage go on")
    resume.add_argument("stage")
    resume.set_defaults(run=with_session("worker", _resume))

    reset = verbs.add_parser("reset", help="rewind a stage and all that read from it")
    reset.add_argument("stage")
    reset.add_argument("--to", type=int, required=True, metavar="N", help="0 makes all anew")
    reset.add_argument("--yes", action="store_true")
    add_json(reset)
    reset.set_defaults(run=_reset)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    stages = choose(line_stages(settings), args.stages)

    async def main() -> int:
        with embedded.running(settings) as url:
            migrate.require_migrated(url)
            stop, ready = anyio.Event(), anyio.Event()
            health = LineHealth(url, settings, [stage.name for stage in stages])
            async with anyio.create_task_group() as group:
                group.start_soon(stop_on_signals, stop)
                async with told(ready, stop, health.look):
                    await run_line(
                        url, settings, stages, stop=stop, once=args.once, on_ready=ready.set
                    )
                await health.close()
                group.cancel_scope.cancel()
        return 0

    return run_async(main)


def _status(args: argparse.Namespace, settings: Settings) -> int:
    async def main() -> int:
        async with session(settings, "api") as connection:
            stages = line_stages(settings)
            while True:
                found = await offsets.status(connection, settings, stages)
                found["sources"] = await read_sources(connection)
                if args.json:
                    print_json(found)
                else:
                    if args.watch:
                        Console().clear()
                    print_status(found)
                    print_sources(found["sources"], all_fields=args.fields)
                if not args.watch:
                    return 0
                await anyio.sleep(1.0)

    return run_async(main)


def print_status(found: dict[str, Any]) -> None:
    """Write the status document as a table to stdout."""
    table = Table(title=f"head {found['head']}, wake-up by {found['wakeup']}", title_justify="left")
    for name in ("stage", "offset", "lag", "age s", "per s", "eta s", "status", "dead", "holder"):
        table.add_column(name, justify="left" if name in ("stage", "status", "holder") else "right")
    for stage in found["stages"]:
        state = stage["status"] + (" (stale)" if stage["stale"] else "")
        numbers = (stage[key] for key in ("offset", "lag", "oldest_age_s", "rate_per_s", "eta_s"))
        table.add_row(
            stage["stage"],
            *("-" if number is None else f"{number:g}" for number in numbers),
            state,
            str(stage["dead_letters"]),
            stage["holder"] or "-",
        )
    Console().print(table)
    for stage in found["stages"]:
        if stage["stale"]:
            print(f"{stage['stage']} is stale: made by {stage['version']}; cure: {stage['cure']}")
        elif stage["last_error"]:
            print(f"{stage['stage']}: {stage['last_error']}")


def print_sources(sources: list[dict[str, Any]], *, all_fields: bool) -> None:
    """Write one line per field that dropped; with `all_fields` also the rates of every source."""
    if all_fields and sources:
        table = Table(title="filled, % of posts: all (latest window)", title_justify="left")
        table.add_column("field")
        for entry in sources:
            table.add_column(f"{entry['source']}\n{entry['posts']}", justify="right")
        for row in zip(*(entry["fields"] for entry in sources), strict=True):
            table.add_row(row[0]["field"], *map(_fill_cell, row))
        Console().print(table)
    for line in drop_lines(sources):
        print(f"ALARM {line}")


def _fill_cell(field: dict[str, Any]) -> str:
    return f"{field['rate']:.0%} ({field['recent_rate']:.0%})" + ("!" if field["dropped"] else "")


async def _pause(connection: Any, args: argparse.Namespace, settings: Settings) -> int:
    name = _one(settings, args.stage)
    await actions.set_status(connection, name, "paused", operator(args.why))
    print(f"{name} is paused; it goes on with: nextstep resume {name}")
    return 0


async def _resume(connection: Any, args: argparse.Namespace, settings: Settings) -> int:
    name = _one(settings, args.stage)
    await actions.set_status(connection, name, "running", operator())
    print(f"{name} may go on")
    return 0


def _one(settings: Settings, name: str) -> str:
    return choose(line_stages(settings), name)[0].name


def _reset(args: argparse.Namespace, settings: Settings) -> int:
    async def main() -> int:
        stages = line_stages(settings)
        name = choose(stages, args.stage)[0].name
        async with session(settings, "worker") as connection:
            now = {
                s["stage"]: s
                for s in (await offsets.status(connection, settings, stages))["stages"]
            }
            if args.to < 0:
                raise UsageError("--to takes a position from 0 on")
            for each in offsets.downstream(stages, name):
                print(
                    f"{each.name}: {now[each.name]['offset']} -> "
                    f"{min(args.to, now[each.name]['offset'])}",
                    file=sys.stderr,
                )
            if not confirmed(f"reset {name} to {args.to}, with all that read from it?", args.yes):
                print("nothing was changed", file=sys.stderr)
                return 2
            started = clock.monotonic_s()
            moved = await actions.reset(connection, stages, name, args.to, operator())
        if args.json:
            print_json({stage: {"before": b, "after": a} for stage, (b, a) in moved.items()})
        else:
            print(
                f"reset {len(moved)} stage(s) in {clock.monotonic_s() - started:.1f} s; "
                "nextstep run replays"
            )
        return 0

    return run_async(main)
