"""`dead-letters list|show|retry|discard`: what the stages could not handle."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from nextstep import clock
from nextstep.cli.common import add_json, confirmed, job_id, print_json, with_session
from nextstep.errors import UsageError
from nextstep.events.io import dead_letters
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add the verb."""
    group = verbs.add_parser("dead-letters", help="posts that a stage could not handle")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="parked letters")
    listing.add_argument("--stage")
    listing.add_argument(
        "--status", choices=("parked", "resolved", "discarded", "all"), default="parked"
    )
    listing.add_argument("--limit", type=int, default=100)
    add_json(listing)
    listing.set_defaults(run=with_session("api", _list))

    show = actions.add_parser("show", help="one job's letters, with the place of the fault")
    show.add_argument("job")
    add_json(show)
    show.set_defaults(run=with_session("api", _show))

    for name, work, text in (
        ("retry", _retry, "let the whole line see the jobs again"),
        ("discard", _discard, "give the letters up; rebuilds skip them, counted"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("job", nargs="*", help="job ids")
        action.add_argument("--stage", help="only letters of this stage")
        action.add_argument("--all", action="store_true", help="every parked letter that matches")
        action.add_argument("--why", default="", help="kept in the log")
        action.add_argument("--yes", action="store_true")
        add_json(action)
        action.set_defaults(run=with_session("worker", work))


async def _list(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    status = None if args.status == "all" else args.status
    found = await dead_letters.letters(
        connection, stage=args.stage, status=status, limit=args.limit
    )
    if args.json:
        print_json(found)
        return 0
    for letter in found:
        print(f"{letter['stage']}\t{letter['job_id']}\t{letter['position']}\t{letter['error']}")
    print(f"{len(found)} letter(s)")
    return 0


async def _show(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    found = await dead_letters.letters(connection, job_id=job_id(args.job), status=None)
    if not found:
        raise UsageError(f"no letter of job {args.job}", hint="nextstep dead-letters list")
    if args.json:
        print_json(found)
        return 0
    for letter in found:
        for key, value in letter.items():
            print(f"{key:9} {value}")
        print(f"the post: nextstep log show --job {letter['job_id']}")
    return 0


async def _chosen(connection: Any, args: argparse.Namespace) -> list[dict[str, Any]]:
    if bool(args.job) == args.all:
        raise UsageError("name jobs, or use --all", hint="nextstep dead-letters list")
    found: list[dict[str, Any]] = []
    wanted: list[UUID | None] = [job_id(text) for text in args.job]
    for job in wanted or [None]:
        part = await dead_letters.letters(connection, stage=args.stage, job_id=job, limit=1_000_000)
        if job is not None and not part:
            raise UsageError(f"no parked letter of job {job}", hint="nextstep dead-letters list")
        found += part
    if found and not confirmed(f"{args.action} {len(found)} letter(s)?", args.yes or not args.all):
        return []
    return found


async def _retry(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    chosen = await _chosen(connection, args)
    count = await dead_letters.retry(connection, chosen, clock.now(), args.why)
    return _report(args, "requeued", count)


async def _discard(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    chosen = await _chosen(connection, args)
    count = await dead_letters.discard(connection, chosen, clock.now(), args.why)
    return _report(args, "discarded", count)


def _report(args: argparse.Namespace, what: str, count: int) -> int:
    if args.json:
        print_json({what: count})
    else:
        print(f"{what} {count} job(s)" if what == "requeued" else f"{what} {count} letter(s)")
    return 0
