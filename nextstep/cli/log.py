"""`log head|show|verify`: the facts themselves."""

from __future__ import annotations

import argparse
from typing import Any

from nextstep.cli.common import add_json, job_id, print_json, with_session
from nextstep.events.io import log
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add the verb."""
    group = verbs.add_parser("log", help="the immutable log of events")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    head = actions.add_parser("head", help="the highest position")
    add_json(head)
    head.set_defaults(run=with_session("api", _head))

    show = actions.add_parser("show", help="events, oldest first, one JSON object a line")
    show.add_argument("--after", type=int, default=0, metavar="POSITION")
    show.add_argument("--limit", type=int, default=20)
    show.add_argument("--job", help="only this job's stream")
    add_json(show)
    show.set_defaults(run=with_session("api", _show))

    verify = actions.add_parser("verify", help="recompute the chain; compare heads and offsets")
    add_json(verify)
    verify.set_defaults(run=with_session("api", _verify))


async def _head(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    head = await log.head(connection)
    if args.json:
        print_json({"head": head})
    else:
        print(head)
    return 0


async def _show(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    job = job_id(args.job) if args.job else None
    for event in await log.show(connection, after=args.after, limit=args.limit, job_id=job):
        print_json(event)
    return 0


async def _verify(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    report = await log.verify(connection)
    if args.json:
        print_json(report)
        return 3 if report.faults else 0
    for fault in report.faults:
        print(f"fault: {fault}")
    log.require_sound(report)
    print(f"{report.events} events verified, {report.erased} erased, head hash {report.chain}")
    return 0
