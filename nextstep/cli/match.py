"""`nextstep match` and `nextstep similar`: the same answers as over HTTP, without a server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from nextstep.cli.match_text import render_answer, render_similar
from nextstep.db import embedded
from nextstep.db.migrate import require_migrated
from nextstep.db.pools import connect
from nextstep.errors import FileError, UsageError
from nextstep.http.encoding import QueryEncoder
from nextstep.match.answer import Answer, SimilarAnswer
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.fitting import require_fitting
from nextstep.match.io.service import find_similar, match
from nextstep.match.profile import Profile, ProfileRefused, convert_profile, decode_profile
from nextstep.match.reading import make_lexicon, read_profile
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings

_PERIODS = ("hour", "day", "week", "month", "year")


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `match` and `similar`."""
    about = "jobs for a profile, ranked and explained"
    parser = verbs.add_parser("match", help=about, description=about)
    parser.add_argument("--profile", metavar="FILE", help="a profile as JSON; - reads stdin")
    parser.add_argument("--text", help="free text: a CV, or what you look for")
    parser.add_argument("--skill", action="append", metavar="NAME", help="a skill; repeatable")
    parser.add_argument("--title", action="append", metavar="NAME", help="a title; repeatable")
    parser.add_argument("--city")
    parser.add_argument("--country", help="code or name")
    parser.add_argument("--work-mode", choices=("remote", "hybrid", "onsite"))
    parser.add_argument("--seniority", help="intern, junior, mid, senior, lead, ...")
    parser.add_argument("--salary-min", metavar="'60000 EUR [year]'", help="the least you accept")
    add_filters(parser)
    parser.add_argument("--exact", action="store_true", help="compare every vector")
    parser.add_argument("--explain", choices=("short", "full"))
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.set_defaults(run=_match)

    about = "open jobs nearest to a job"
    near = verbs.add_parser("similar", help=about, description=about)
    near.add_argument("job", metavar="JOB", help="a job id")
    near.add_argument("--k", type=int, default=10, help="how many (default 10, at most 100)")
    near.add_argument("--json", action="store_true", help="one JSON document instead of text")
    near.set_defaults(run=_similar)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the flags that narrow an answer down, and those that page through it."""
    only = parser.add_argument_group("only jobs that say so; each flag may be repeated")
    for name, about in _FILTERS.items():
        flag = f"--only-{name.replace('_', '-')}"
        only.add_argument(flag, action="append", metavar="VALUE", help=about)
    only.add_argument("--posted-since", metavar="DATE", help="posted on that day or later")
    only.add_argument("--pays", metavar="'60000 EUR [year]'", help="pay that reaches this")
    only.add_argument("--exclude", action="append", metavar="JOB|COMPANY", help="leave these out")
    parser.add_argument("--limit", type=int, help="results, 1 to 100 (default 20)")
    parser.add_argument("--cursor", help="of the last answer, for the next page")


def filters_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the filters that the flags of `add_filters` ask for, as a profile has them."""
    asked: dict[str, Any] = {name: getattr(args, f"only_{name}") for name in _FILTERS}
    asked |= {"posted_since": args.posted_since, "exclude": args.exclude}
    asked["salary_min"] = read_salary("--pays", args.pays) if args.pays else None
    return {name: value for name, value in asked.items() if value is not None}


_FILTERS = {
    "country": "code or name",
    "city": "as in the post",
    "work_mode": "remote, hybrid, onsite",
    "seniority": "intern, junior, mid, senior, lead, ...",
    "employment_type": "full_time, contract, internship, ...",
    "source": "where the post was found",
}

Answering = Callable[..., Awaitable[tuple[Answer, Any]]]


async def ask(
    url: str, settings: Settings, profiles: Sequence[Profile], answering: Answering = match
) -> list[Answer]:
    """
    Return an answer per profile, with an encoder loaded for these questions alone.

    Args:
        answering: `match` or `search`.

    Raises:
        NextStepError: no database, no model, or a profile that is refused.
    """
    encoder = QueryEncoder(settings)
    warming = asyncio.create_task(encoder.start())
    try:
        taxonomies = await asyncio.to_thread(load_taxonomies, settings.taxonomies)
        lexicon = await asyncio.to_thread(make_lexicon, taxonomies)
        readings = [read_profile(profile, lexicon) for profile in profiles]
        connection = await connect(url, "api", settings)
        try:
            await warming
            vectors = await encoder.encode([reading.query_text for reading in readings])
            await require_fitting(connection, settings, vectors.shape[1])
            answers, board = [], LiveBoard(lexicon.soft)
            for reading, vector in zip(readings, vectors, strict=True):
                found = await answering(
                    connection, reading, vector, lexicon=lexicon, settings=settings, board=board
                )
                answers.append(found[0])
            return answers
        finally:
            await connection.close()
    finally:
        await asyncio.gather(warming, return_exceptions=True)
        await encoder.close()


async def neighbours(url: str, settings: Settings, job_id: UUID, k: int) -> SimilarAnswer:
    """Return the k open jobs nearest to a job; needs no encoder."""
    connection = await connect(url, "api", settings)
    try:
        return (await find_similar(connection, job_id, k, settings))[0]
    finally:
        await connection.close()


def _match(args: argparse.Namespace, settings: Settings) -> int:
    profile = _profile(args)
    with embedded.running(settings) as url:
        require_migrated(url)
        [answer] = asyncio.run(ask(url, settings, [profile]))
    print(msgspec.json.encode(answer).decode() if args.json else render_answer(answer))
    return 0


def _similar(args: argparse.Namespace, settings: Settings) -> int:
    try:
        job_id = UUID(args.job)
    except ValueError as error:
        raise UsageError(
            f"{args.job!r} is no job id", hint="nextstep match --json shows ids of jobs"
        ) from error
    if not 1 <= args.k <= 100:
        raise UsageError(f"--k is {args.k}, not a number from 1 to 100")
    with embedded.running(settings) as url:
        require_migrated(url)
        answer = asyncio.run(neighbours(url, settings, job_id, args.k))
    print(msgspec.json.encode(answer).decode() if args.json else render_similar(answer))
    return 0


def _profile(args: argparse.Namespace) -> Profile:
    flags = _from_flags(args)
    source = args.profile or ("-" if not flags and not sys.stdin.isatty() else None)
    if source is None:
        return convert_profile(flags)
    try:
        return convert_profile({**_read(source), **flags})
    except msgspec.DecodeError as error:
        raise ProfileRefused(
            f"the profile is not JSON: {error}",
            hint='write an object such as {"skills": ["Python"], "titles": ["Data Engineer"]}',
        ) from error


def _read(source: str) -> dict[str, Any]:
    try:
        body = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise FileError(
            f"cannot read the profile {source}: {error.strerror}",
            hint="name a file with a profile as JSON, or - for stdin",
        ) from error
    value = msgspec.json.decode(body)
    if not isinstance(value, dict):
        decode_profile(body)  # names what is there instead of an object
        raise AssertionError("unreachable")
    return value


def _from_flags(args: argparse.Namespace) -> dict[str, Any]:
    place = {"city": args.city, "country": args.country}
    flags: dict[str, Any] = {
        "text": args.text,
        "skills": args.skill,
        "titles": args.title,
        "location": {k: v for k, v in place.items() if v} or None,
        "work_mode": args.work_mode,
        "seniority": args.seniority,
        "salary_min": read_salary("--salary-min", args.salary_min) if args.salary_min else None,
        "filters": filters_of(args) or None,
        "limit": args.limit,
        "cursor": args.cursor,
        "exact": args.exact or None,
        "explain": args.explain,
    }
    return {name: value for name, value in flags.items() if value is not None}


def read_salary(flag: str, text: str) -> dict[str, Any]:
    """Return "60000 EUR year" as a profile has it; raises UsageError with the flag's name."""
    words = text.replace("/", " ").replace(",", "").split()
    try:
        amount, currency, period = float(words[0]), words[1].upper(), (words[2:] or ["year"])[0]
    except (ValueError, IndexError):
        amount, currency, period = 0.0, "", ""
    if amount <= 0 or period not in _PERIODS:
        raise UsageError(
            f"{flag} {text!r} is not understood",
            hint=f"write it as '60000 EUR year'; periods: {', '.join(_PERIODS)}",
        )
    return {"amount": amount, "currency": currency, "period": period}
