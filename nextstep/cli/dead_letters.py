"""`dead-letters list|show|retry|discard`: what the stages could not handle."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from nextstep import clock
from nextstep.cli.common import (
    add_json,
    confirmed,
    job_id,
    operator,
    print_json,
    with_session,
)
from nextstep.errors import UsageError
from nextstep.events.io import dead_letters
from nextstep.ops import actions
from nextstep.settings import Settings

#: Jobs of one action where more letters match than it may take; a job has a letter per stage.
_JOBS_AT_ONCE = 1000


def register(groups: Any) -> None:
    """Add the verb."""
    group = groups.add_parser("dead-letters", help="posts that a stage could not handle")
    verbs = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = verbs.add_parser("list", help="parked letters")
    listing.add_argument("--stage")
    listing.add_argument(
        "--status", choices=("parked", "resolved", "discarded", "all"), default="parked"
    )
    listing.add_argument("--limit", type=int, default=100)
    add_json(listing)
    listing.set_defaults(run=with_session("api", _list))

    show = verbs.add_parser("show", help="one job's letters, with the place of the fault")
    show.add_argument("job")
    add_json(show)
    show.set_defaults(run=with_session("api", _show))

    for name, text in (
        ("retry", "let the whole line see the jobs again"),
        ("discard", "give the letters up; rebuilds skip them, counted"),
    ):
        action = verbs.add_parser(name, help=text)
        action.add_argument("job", nargs="*", help="job ids")
        action.add_argument("--stage", help="only letters of this stage")
        action.add_argument("--all", action="store_true", help="every parked letter that matches")
        action.add_argument("--why", default="", help="kept in the log and the action log")
        action.add_argument("--yes", action="store_true")
        add_json(action)
        action.set_defaults(run=with_session("worker", _settle))


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
    wanted: list[UUID | None] = list(dict.fromkeys(job_id(text) for text in args.job))
    for job in wanted or [None]:
        part = await dead_letters.letters(connection, stage=args.stage, job_id=job, limit=1_000_000)
        if job is not None and not part:
            raise UsageError(f"no parked letter of job {job}", hint="nextstep dead-letters list")
        found += part
    if found and not confirmed(f"{args.action} {len(found)} letter(s)?", args.yes or not args.all):
        return []
    return found


async def _settle(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    """Act as the console does: event, letters and action log in one transaction."""
    chosen = await _chosen(connection, args)
    count = 0
    for choice, expected in _parts(args, chosen):
        count += await actions.settle_letters(
            connection, args.action, choice, operator(args.why), clock.now(), expected=expected
        )
    return _report(args, "requeued" if args.action == "retry" else "discarded", count)


def _parts(
    args: argparse.Namespace, chosen: list[dict[str, Any]]
) -> Iterator[tuple[actions.Choice, int]]:
    """
    Yield what to act on and how many letters that is: one choice that says what was asked for, or,
    where that is more than one action may take, one per so many jobs.
    """
    jobs = list(dict.fromkeys(letter["job_id"] for letter in chosen))
    if args.all and len(chosen) <= actions.MOST_LETTERS:
        if chosen:
            yield actions.Choice(stage=args.stage), len(chosen)
        return
    for start in range(0, len(jobs), _JOBS_AT_ONCE):
        part = set(jobs[start : start + _JOBS_AT_ONCE])
        choice = actions.Choice(stage=args.stage, job_ids=tuple(sorted(part)))
        yield choice, sum(letter["job_id"] in part for letter in chosen)


def _report(args: argparse.Namespace, what: str, count: int) -> int:
    if args.json:
        print_json({what: count})
    else:
        print(f"{what} {count} job(s)" if what == "requeued" else f"{what} {count} letter(s)")
    return 0
