"""
What a question about trends may say, checked: shared by the command line and HTTP.

Source: issue 7 item 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from nextstep.errors import UsageError
from nextstep.projections.months import parse_month
from nextstep.projections.trend_answers import Asked, Cell

VERDICTS = ("rising", "falling", "steady", "too few", "not comparable")
MOST_SPAN = 60
MOST_LIMIT = 500
FIRST_YEAR, LAST_YEAR = 1970, 2100
#: Series in one answer; a chart with more lines cannot be read.
MOST_SKILLS = 12


def asked_of(values: Mapping[str, str], skills: tuple[str, ...] = ()) -> Asked:
    """
    Return the question.

    Args:
        values: texts by the names of `Asked`, `from` and `to` for its months; empty ones for
            cluster and country mean "not known".

    Raises:
        UsageError: a value is not what it should be.
    """
    if len(skills) > MOST_SKILLS:
        raise UsageError(f"{len(skills)} skills are more than {MOST_SKILLS}")
    country = values.get("country", "*")
    asked = Asked(
        skills=skills,
        title=values.get("title", ""),
        cluster=values.get("cluster", "*"),
        country=country.upper(),
        first=_month(values, "from"),
        last=_month(values, "to"),
        span=_whole(values, "span", 12, MOST_SPAN),
        limit=_whole(values, "limit", 20, MOST_LIMIT),
        verdict=values.get("verdict", "").replace("-", " "),
        currency=values.get("currency", "").upper(),
        period=values.get("period", ""),
        employer=values.get("employer", ""),
        source=values.get("source", ""),
    )
    if asked.verdict and asked.verdict not in VERDICTS:
        raise UsageError(f"verdict is not one of {', '.join(VERDICTS)}")
    if asked.first and asked.last and asked.last < asked.first:
        raise UsageError("to lies before from", hint="--from 2016-01 --to 2018-04")
    return asked


def cell_of(kind: str, values: Mapping[str, str], skills: tuple[str, ...] = ()) -> Cell:
    """
    Return the cell whose postings are asked for: of skills, roles, adjacent, salaries, employers
    or coverage, with the filters that its table is cut by.

    Raises:
        UsageError: a value is not what it should be, or the cell is not a single one.
    """
    if len(skills) > 1:
        raise UsageError("a cell is of one skill", hint="name one skill")
    month = month_of(values["month"], "month") if values.get("month") else None
    first, last = _month(values, "from"), _month(values, "to")
    cluster, country = (_one(values.get(name, "*")) for name in ("cluster", "country"))
    if kind == "coverage":
        return Cell(month=month, source=values.get("source") or None, first=first, last=last)
    if kind == "employers":
        return Cell(employer=_one(values.get("employer") or "*"), posted_cluster=cluster)
    skill = skills[0] if skills else None
    if kind in ("roles", "adjacent"):
        return Cell(
            month=month, title=values.get("title", ""), skill=skill, is_counted=True,
            first=first, last=last,
        )  # fmt: skip
    return Cell(
        month=month,
        cluster=cluster,
        country=country.upper() if country else country,
        skill=skill,
        currency=(values.get("currency") or "").upper() or None,
        period=values.get("period") or None,
        is_counted=True,
        has_pay=True if kind == "salaries" else None,
        first=first,
        last=last,
    )


def _one(value: str) -> str | None:
    return None if value == "*" else value


def month_of(text: str, name: str) -> date:
    """
    Return a month given as text.

    Raises:
        UsageError: it is none.
    """
    month = parse_month(text)
    # A series has a point for every month of its window, whether there are posts or not.
    if month is None or not FIRST_YEAR <= month.year <= LAST_YEAR:
        raise UsageError(
            f"{name} is not a month",
            hint=f"write {name} as 2016-04, from {FIRST_YEAR} to {LAST_YEAR}",
        )
    return month


def _month(values: Mapping[str, str], name: str) -> date | None:
    text = values.get(name, "")
    return month_of(text, name) if text else None


def _whole(values: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = values.get(name, "") or str(default)
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most:
        return int(text)
    raise UsageError(f"{name} is not a whole number from 1 to {most}")
