"""`trends skills|roles|adjacent|salaries|employers|coverage`: the market by month, traceable."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from nextstep.cli import trends_plot
from nextstep.cli.common import add_json, job_id, print_json, with_session
from nextstep.errors import UsageError
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.projections.change_points import change_points
from nextstep.projections.io import trend_reads
from nextstep.projections.trend_answers import Answer, Asked
from nextstep.projections.trend_names import known_names, resolve
from nextstep.projections.trend_questions import asked_of, cell_of
from nextstep.projections.trend_tables import Shown, csv_text, show
from nextstep.settings import Settings

_READS: dict[str, Callable[[Any, Asked], Awaitable[Answer]]] = {
    "skills": trend_reads.skills,
    "roles": trend_reads.roles,
    "adjacent": trend_reads.adjacent,
    "salaries": trend_reads.salaries,
    "employers": trend_reads.employers,
    "coverage": trend_reads.covered_months,
}


def register(verbs: Any) -> None:
    """Add the verb."""
    group = verbs.add_parser("trends", help="what the market asks for, month by month")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    skills = actions.add_parser("skills", help="leading skills, or the series of those named")
    skills.add_argument("skills", nargs="*", metavar="SKILL")
    skills.add_argument("--change-points", action="store_true", help="needs ruptures")

    roles = actions.add_parser("roles", help="what a title asks for, month by month")
    roles.add_argument("title", help='such as "Data Engineer"')
    roles.add_argument("--skill", dest="skills", action="append", default=[], metavar="SKILL")

    adjacent = actions.add_parser("adjacent", help="titles that ask for the same skills")
    adjacent.add_argument("title", nargs="?", default="", help="default: the nearest pairs of all")

    salaries = actions.add_parser("salaries", help="quantiles of stated pay")
    salaries.add_argument("--currency", default="")
    salaries.add_argument("--period", default="", choices=("hour", "day", "week", "month", "year"))

    employers = actions.add_parser("employers", help="postings, repeats and days to close")
    employers.add_argument("employer", nargs="?", default="")

    coverage = actions.add_parser("coverage", help="which source was crawled when, and how fully")
    coverage.add_argument("--source", default="")

    for name, action in actions.choices.items():
        _add_filters(action, name)
        action.set_defaults(run=with_session("api", _run))


def _add_filters(action: argparse.ArgumentParser, name: str) -> None:
    if name in ("skills", "salaries", "employers"):
        action.add_argument("--cluster", default="*", help='field of work; "" is unknown')
    if name in ("skills", "salaries"):
        action.add_argument("--country", default="*", help='two letters; "" is unknown')
    if name not in ("adjacent", "employers"):
        action.add_argument("--from", default="", metavar="YYYY-MM")
        action.add_argument("--to", default="", metavar="YYYY-MM")
        action.add_argument("--month", default="", metavar="YYYY-MM", help="of --jobs")
    if name in ("skills", "roles"):
        action.add_argument("--span", default="12", metavar="MONTHS", help="compared (default 12)")
        action.add_argument(
            "--verdict", default="", help="only rising, falling, steady or too-few ones"
        )
    action.add_argument("--limit", default="20")
    action.add_argument("--csv", action="store_true", help="the rows as CSV on stdout")
    action.add_argument("--plot", type=Path, metavar="FILE", help="a chart, .svg or .png")
    action.add_argument(
        "--jobs", action="store_true", help="ids of the postings behind a cell, at most 1,000"
    )
    action.add_argument("--after", help="the id to go on behind, with --jobs")
    add_json(action)


async def _run(connection: Any, args: argparse.Namespace, settings: Settings) -> int:
    values = {name: value for name, value in vars(args).items() if isinstance(value, str)}
    skills = tuple(getattr(args, "skills", ()))
    if skills:
        skills = resolve(skills, known_names(load_taxonomies(settings.taxonomies)))
    if args.plot is not None:
        trends_plot.check_path(args.plot)
    if args.jobs:
        return await _jobs(connection, args, values, skills)
    answer = await _READS[args.action](connection, asked_of(values, skills))
    points = _change_points(args, answer)
    shown = show(args.action, answer, points)
    if args.plot is not None:
        trends_plot.draw(shown.chart, args.plot)
        print(f"wrote {args.plot}", file=sys.stderr)
    if args.json:
        print_json({"answer": answer, "change_points": points} if points else answer)
    elif args.csv:
        print(csv_text(shown.columns, shown.rows), end="")
    else:
        _print(shown, answer)
    return 0


def _change_points(args: argparse.Namespace, answer: Answer) -> dict[str, Any]:
    if not getattr(args, "change_points", False):
        return {}
    if not answer.asked.skills:
        raise UsageError(
            "change points are those of named skills",
            hint="nextstep trends skills React --change-points",
        )
    return {one.skill: change_points(one.points) for one in answer.data}


async def _jobs(
    connection: Any, args: argparse.Namespace, values: dict[str, str], skills: tuple[str, ...]
) -> int:
    cell = cell_of(args.action, values, skills)
    found = await trend_reads.jobs(connection, cell, job_id(args.after) if args.after else None)
    if args.json:
        print_json(found)
        return 0
    for one in found["job_ids"]:
        print(one)
    print(f"{len(found['job_ids']):,} of {found['total']:,} postings", file=sys.stderr)
    if found["after"] is not None:
        print(f"go on with --after {found['after']}", file=sys.stderr)
    return 0


def _print(shown: Shown, answer: Answer) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    table = Table(title=shown.title, title_justify="left", box=None, header_style="bold")
    for column, is_number in zip(shown.columns, shown.numbers, strict=True):
        table.add_column(column, justify="right" if is_number else "left")
    for row in shown.lines:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    if not shown.rows:
        console.print("nothing is known of that", markup=False)
    for note in shown.notes:
        console.print(note, markup=False, highlight=False)
    console.print(
        f"trends at position {answer.head:,} of {answer.log_head:,}",
        markup=False,
        highlight=False,
        style="dim",
    )
