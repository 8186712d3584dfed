"""`dedupe explain|verdict`: why posts are one vacancy or not, and the word that overrules it."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from nextstep import clock
from nextstep.cli.common import add_json, job_id, print_json, with_session
from nextstep.ops import pairs
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add the verb."""
    group = verbs.add_parser("dedupe", help="why posts are one vacancy, and verdicts on them")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    explain = actions.add_parser("explain", help="a job's cluster and every pair compared for it")
    explain.add_argument("job")
    add_json(explain)
    explain.set_defaults(run=with_session("api", _explain))

    verdict = actions.add_parser("verdict", help="say whether two posts are one vacancy")
    verdict.add_argument("first", metavar="A")
    verdict.add_argument("second", metavar="B")
    verdict.add_argument("verdict", choices=tuple(pairs.VERDICTS))
    verdict.add_argument("--why", required=True, help="kept in the log")
    add_json(verdict)
    verdict.set_defaults(run=with_session("worker", _verdict))


async def _explain(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    found = await pairs.explain(connection, job_id(args.job))
    if args.json:
        print_json(msgspec.structs.asdict(found))
        return 0
    print(f"{found.job_id}  {found.title}")
    print(f"  {_place(found)}")
    for member in found.members:
        print(
            f"  member    {member['job_id']}  {member['rule']:9} {member['similarity']:.3f}  "
            f"{member['status']:6} {member['first_seen_at']:%Y-%m-%d}  {member['title']}"
        )
    for side in found.pairs:
        print(
            f"  {side.relation:9} {side.job_id}  {side.rule:9} {side.similarity:.3f}  {_why(side)}"
        )
        print(f"            {side.title} | {side.company} | {side.location}")
    for word in found.verdicts:
        print(f"  verdict   {word['job_id']}  {word['verdict']}: {word['why']}")
    return 0


def _place(found: pairs.Explained) -> str:
    if found.canonical_job_id is None:
        return "takes no part: parked or erased"
    count = found.cluster["members"] if found.cluster else 1
    place = "is the canonical" if found.canonical_job_id == found.job_id else "belongs to"
    text = f"{place} {found.canonical_job_id} ({found.rule} {found.similarity:.3f}), {count} job(s)"
    if found.compared_as not in (None, found.job_id):
        text += f"; compared as {found.compared_as}, which has the same text and fields"
    return text


def _why(side: pairs.Side) -> str:
    parts = [f"agree: {', '.join(side.agree)}"] if side.agree else []
    parts += [f"{name}: {' / '.join(values)}" for name, values in side.veto.items()]
    return "; ".join(parts)


async def _verdict(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    two = (job_id(args.first), job_id(args.second))
    outcome, position = await pairs.judge(connection, two, args.verdict, args.why, clock.now())
    if args.json:
        print_json({"outcome": outcome, "position": position, "verdict": args.verdict})
    elif outcome == "unchanged":
        print(f"already said: {args.verdict}")
    else:
        print(f"{args.verdict} at position {position}; nextstep run brings the tables up to it")
    return 0
