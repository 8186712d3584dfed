"""
Which postings stand behind a cell or a point of a trends page, as addresses. Pure.

Every number of a table that counts postings leads to them; a share leads there, too. Names lead to
the page about them.

Source: issue 8 item 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import msgspec

from nextstep.http.web.charts import Linked, write
from nextstep.projections.coverage import said
from nextstep.projections.trend_answers import Answer, Asked, Point
from nextstep.projections.trend_tables import Shown


class Cell(msgspec.Struct, frozen=True):
    """A cell of a table; `href` is "" where there is nothing to follow."""

    text: str
    href: str = ""
    is_number: bool = False


class Table(msgspec.Struct, frozen=True):
    """A table of a page; the first cell of a row names it."""

    columns: list[tuple[str, bool]]
    rows: list[list[Cell]]


def address(path: str, values: Mapping[str, Any]) -> str:
    """Return a path with its query; what is None or "*" is left out, "" is said."""
    pairs = [
        (name, f"{value:%Y-%m}" if isinstance(value, date) else value)
        for name, value in values.items()
        if value is not None and value != "*"
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def jobs_of(kind: str, values: Mapping[str, Any]) -> str:
    """Return the address of the page that lists a cell's postings."""
    return address(f"/trends/{kind}/jobs", values)


def group_of(kind: str, asked: Asked) -> dict[str, Any]:
    """Return the part of a cell that the question says, by the names of a query."""
    if kind in ("skills", "salaries"):
        return {"cluster": asked.cluster, "country": asked.country}
    return {"title": asked.title} if kind == "roles" else {}


def point_links(kind: str, answer: Answer, shown: Shown) -> Linked:
    """Return the function that a chart asks for the address of a point."""
    asked, group = answer.asked, group_of(kind, answer.asked)
    late = answer.compared.late if answer.compared is not None else None
    currency, _, period = shown.chart.unit.partition(" per ")

    def linked(label: str, month: date | None) -> str:
        match kind:
            case "skills" | "roles":
                months = {"from": late and late.first, "to": late and late.last}
                values = {"skill": label, **group, **({"month": month} if month else months)}
            case "salaries":
                values = {"month": month, **group, "currency": currency, "period": period}
            case "adjacent":
                values = {"title": label.rpartition(" - ")[2]}
            case "employers":
                known = {"employer": label, "cluster": asked.cluster}
                of_one = {"employer": asked.employer, "cluster": label}
                values = of_one if asked.employer else known
            case _:
                values = {"source": label, "month": month}
        return jobs_of(kind, {name: "" if v == "unknown" else v for name, v in values.items()})

    return linked


def table_of(kind: str, answer: Answer, shown: Shown) -> Table:
    """Return the answer's table with its links; a series has a row per month."""
    asked, group = answer.asked, group_of(kind, answer.asked)
    if asked.skills and kind in ("skills", "roles"):
        return _months_of_skills(kind, answer)
    rows = []
    for plain, written in zip(shown.rows, shown.lines, strict=True):
        named = dict(zip(shown.columns, plain, strict=True))
        match kind:
            case "skills" | "roles":
                links = _of_skill(kind, answer, named["skill"], group)
            case "adjacent":
                links = {
                    "title": address("/trends/roles", {"title": named["title"]}),
                    "neighbour": address("/trends/roles", {"title": named["neighbour"]}),
                    "jobs": jobs_of(kind, {"title": named["title"]}),
                    "its jobs": jobs_of(kind, {"title": named["neighbour"]}),
                }
            case "salaries":
                values = {name: named[name] for name in ("month", "currency", "period")}
                links = {"jobs": jobs_of(kind, {**values, **group})}
            case "employers":
                values = {"employer": named["employer"], "cluster": named["title cluster"]}
                links = {
                    "employer": address("/trends/employers", {"employer": named["employer"]}),
                    "postings": jobs_of(kind, values),
                }
            case _:
                links = {
                    "source": address("/trends/coverage", {"source": named["source"]}),
                    "postings": jobs_of(kind, {"source": named["source"]}),
                }
        rows.append(_row(shown, written, links))
    return Table(list(zip(shown.columns, shown.numbers, strict=True)), rows)


def _row(shown: Shown, written: list[str], links: Mapping[str, str]) -> list[Cell]:
    return [
        Cell("all" if text == "*" else text, links.get(name, ""), is_number)
        for name, text, is_number in zip(shown.columns, written, shown.numbers, strict=True)
    ]


def _of_skill(kind: str, answer: Answer, skill: str, group: Mapping[str, Any]) -> dict[str, str]:
    links = {"skill": address(f"/trends/{kind}", {"skill": skill, **group})}
    if answer.compared is not None:
        early, late = (
            jobs_of(kind, {"skill": skill, **group, "from": span.first, "to": span.last})
            for span in (answer.compared.early, answer.compared.late)
        )
        links |= {"count": late, "share": late, "before": early}
    return links


def _months_of_skills(kind: str, answer: Answer) -> Table:
    """A row per month with a column per skill, and one row for each gap."""
    group = group_of(kind, answer.asked)
    data = answer.data["skills"] if kind == "roles" else answer.data
    columns = [("month", False), ("jobs", True), *((one.skill, True) for one in data)]
    gaps = {gap.first: gap for gap in answer.gaps}
    rows = []
    for points in zip(*(one.points for one in data), strict=True):
        month = points[0].month
        if points[0].state == "gap":
            if month in gaps:
                rows.append([Cell(f"{said(gaps[month])}: not crawled")])
            continue
        at = {**group, "month": month}
        row = [
            Cell(f"{month:%Y-%m}"),
            Cell(f"{points[0].jobs or 0:,}", jobs_of(kind, at), is_number=True),
        ]
        for one, point in zip(data, points, strict=True):
            row.append(Cell(_share(point), jobs_of(kind, {"skill": one.skill, **at}), True))
        rows.append(row)
    return Table(columns, rows)


def _share(point: Point) -> str:
    return "–" if point.share is None else f"{point.count:,} ({write(point.share, True)})"


def months_of_role(answer: Answer) -> Table:
    """Return a title's months with the skills that lead each of them."""
    title = answer.asked.title
    rows = []
    for month in answer.data["months"]:
        at = {"title": title, "month": month["month"]}
        top = [
            Cell(
                f"{one['skill']} {write(one['share'], True)}",
                jobs_of("roles", {"skill": one["skill"], **at}),
            )
            for one in month["top_skills"][:5]
        ]
        rows.append(
            [
                Cell(f"{month['month']:%Y-%m}"),
                Cell(f"{month['jobs']:,}", jobs_of("roles", at), is_number=True),
                *top,
                *(Cell("") for _ in range(5 - len(top))),
            ]
        )
    names = ["first", "second", "third", "fourth", "fifth"]
    return Table([("month", False), ("jobs", True), *((name, False) for name in names)], rows)


def months_of_source(answer: Answer) -> Table:
    """Return the months of one source: what was dated in them, and how full they are."""
    rows = []
    for one in answer.coverage:
        for month in one.months:
            at = {"source": one.source, "month": month.month}
            rows.append(
                [
                    Cell(f"{month.month:%Y-%m}"),
                    Cell(f"{month.postings:,}", jobs_of("coverage", at), is_number=True),
                    Cell(f"{month.jobs:,}", is_number=True),
                    Cell("–" if month.fullness is None else write(month.fullness, True), "", True),
                    Cell(f"{month.complete_scans:,} of {month.scans:,}", "", True),
                    Cell("yes" if month.crawled else "no"),
                ]
            )
    names = ["postings", "distinct jobs", "days with a posting", "complete scans"]
    return Table([("month", False), *((name, True) for name in names), ("crawled", False)], rows)
