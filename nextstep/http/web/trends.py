"""
The trends pages: the answers of /v1/trends as charts and tables, each number with its postings.

Questions, answers, tables and traces are those of the command line and of the API; only what is
drawn is made here. A blank field of a form is not asked, but for a field of work and a country,
where "" means "not known".

Source: issue 8 item 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep.errors import UsageError
from nextstep.http.routes import SERVICES
from nextstep.http.trends import JOB_NAMES, KEPT, NAMES, READS
from nextstep.http.web.charts import draw
from nextstep.http.web.render import page
from nextstep.http.web.trend_links import (
    Table,
    address,
    jobs_of,
    months_of_role,
    months_of_source,
    point_links,
    table_of,
)
from nextstep.projections.io import trend_reads
from nextstep.projections.io.trend_reads import Choices
from nextstep.projections.trend_answers import Answer, Asked, Cell
from nextstep.projections.trend_names import resolve
from nextstep.projections.trend_questions import VERDICTS, asked_of, cell_of
from nextstep.projections.trend_tables import Shown, csv_text, show

#: Kind -> what its page is called; "roles" and the like stand in the address.
KINDS = {
    "skills": "Skills",
    "roles": "Roles",
    "adjacent": "Near titles",
    "salaries": "Pay",
    "employers": "Employers",
    "coverage": "Coverage",
}
#: Postings on one page of a trace, and titles that are offered.
_LISTED = 50
_TITLES = 60
_PERIODS = ("hour", "day", "week", "month", "year")
#: "" is a value of these.
_SAYS_UNKNOWN = frozenset({"cluster", "country"})
_POSTINGS = """
SELECT job_id, title, company, location_raw, date_posted, source, status
  FROM jobs_normalized
 WHERE job_id = ANY ($1::uuid[])
 ORDER BY job_id
"""

Options = list[tuple[str, str]]


class Field(msgspec.Struct, frozen=True):
    """A field of the filter; with `options` (value, text) it is a choice."""

    name: str
    label: str
    value: str
    kind: str = "text"
    options: Options = []


class ChoicesCache:
    """What may be chosen, read again when trends have moved."""

    def __init__(self) -> None:
        self._kept: tuple[str, Choices] | None = None

    async def read(self, connection: Any) -> Choices:
        """Return the choices of the state at hand."""
        _, _, state = await trend_reads.state(connection)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, await trend_reads.choices(connection, _TITLES))
        return self._kept[1]


CHOICES = web.AppKey("trend_choices", ChoicesCache)


def add_trend_pages(app: web.Application) -> None:
    """Add the pages."""
    app[CHOICES] = ChoicesCache()
    kinds = "|".join(KINDS)
    app.router.add_get("/trends", get_trends)
    app.router.add_get(f"/trends/{{kind:{kinds}}}", get_trends)
    app.router.add_get(f"/trends/{{kind:{kinds}}}.csv", get_csv)
    app.router.add_get(f"/trends/{{kind:{kinds}}}/jobs", get_jobs)


async def get_trends(request: web.Request) -> web.Response:
    """A question's form, and its answer as a chart, a table and notes."""
    kind = request.match_info.get("kind", "skills")
    async with request.app[SERVICES].connection() as connection:
        choices = await request.app[CHOICES].read(connection)
        values: dict[str, Any] = {
            "kind": kind,
            "kinds": KINDS,
            "titles": choices.titles if kind == "roles" else [],
            "fault": "", "hint": "", "answer": None, "chips": [], "query": request.query_string,
        }  # fmt: skip
        said = dict(request.query)
        try:
            said, skills = _said(request, NAMES[kind])
            asked = asked_of(said, skills)
            if kind != "roles" or asked.title:
                answer = await READS[kind](connection, asked)
                values |= _answered(kind, answer, said)
        except UsageError as error:
            values |= {"fault": error.message, "hint": error.hint}
    fields = _fields(kind, said, choices)
    status = 422 if values["fault"] else 200
    return page(request, "trends.html", status, **values, fields=fields)


async def get_csv(request: web.Request) -> web.Response:
    """The rows of an answer as a file."""
    kind = request.match_info["kind"]
    said, skills = _said(request, NAMES[kind])
    asked = asked_of(said, skills)
    if kind == "roles" and not asked.title:
        raise UsageError("title is missing", hint="/trends/roles.csv?title=Data%20Engineer")
    async with request.app[SERVICES].connection() as connection:
        shown = show(kind, await READS[kind](connection, asked))
    rows = [[_harmless(value) for value in row] for row in shown.rows]
    return web.Response(
        text=csv_text(shown.columns, rows),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="trends-{kind}.csv"'},
    )


async def get_jobs(request: web.Request) -> web.Response:
    """The postings behind a number, by id."""
    kind = request.match_info["kind"]
    said, skills = _said(request, JOB_NAMES[kind])
    cell = cell_of(kind, said, skills)
    after = _uuid(said["after"]) if said.get("after") else None
    async with request.app[SERVICES].connection() as connection:
        found = await trend_reads.jobs(connection, cell, after, _LISTED)
        rows = await connection.fetch(_POSTINGS, found["job_ids"])
    asked = {**said, **({"skill": skills[0]} if skills else {})}
    # A posting that left the tables since is still named by its id.
    known = {row["job_id"]: dict(row) for row in rows}
    more = found["after"]
    return page(
        request,
        "trend_jobs.html",
        kind=kind,
        kinds=KINDS,
        total=found["total"],
        jobs=[known.get(job, {"job_id": job}) for job in found["job_ids"]],
        about=_about(cell),
        more=jobs_of(kind, {**asked, "after": more}) if more else "",
        as_json=address(f"/v1/trends/{kind}/jobs", asked),
    )


def _answered(kind: str, answer: Answer, said: Mapping[str, str]) -> dict[str, Any]:
    shown = show(kind, answer)
    chart = draw(shown.chart, point_links(kind, answer, shown))
    return {
        "answer": answer,
        "shown": shown,
        "chart": chart,
        "table": table_of(kind, answer, shown),
        "months": _months(kind, answer),
        "chips": [
            (skill, _without(kind, answer.asked, skill, said)) for skill in answer.asked.skills
        ],
        "is_empty": _is_empty(kind, answer, shown),
        "behind": max(0, answer.log_head - answer.head),
    }


def _months(kind: str, answer: Answer) -> Table | None:
    """The months of a role or a source, where they are not the table itself."""
    if kind == "coverage" and answer.asked.source:
        return months_of_source(answer)
    if kind != "roles" or answer.asked.skills or not answer.data["months"]:
        return None
    return months_of_role(answer)


def _is_empty(kind: str, answer: Answer, shown: Shown) -> bool:
    if kind == "roles" and not answer.asked.skills:
        return not answer.data["months"]
    return not shown.rows


def _without(kind: str, asked: Asked, skill: str, said: Mapping[str, str]) -> str:
    rest = [("skill", one) for one in asked.skills if one != skill]
    path = address(f"/trends/{kind}", said)
    return address_with(path, rest)


def address_with(path: str, pairs: list[tuple[str, str]]) -> str:
    """Return an address with further pairs."""
    for name, value in pairs:
        more = address("", {name: value})[1:]
        path += ("&" if "?" in path else "?") + more
    return path


def _said(request: web.Request, known: frozenset[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """
    Return what the address says, without what it leaves blank, and the skills by their names.

    Raises:
        UsageError: a parameter that is none, a value too long, a skill nobody knows.
    """
    unknown = sorted(set(request.query) - known)
    if unknown:
        raise UsageError(
            f"no parameter is called {unknown[0][:40]!r} here",
            hint=f"there are {', '.join(sorted(known))}",
        )
    texts = [text.strip() for text in request.query.getall("skill", [])]
    said = {name: value.strip() for name, value in request.query.items() if name != "skill"}
    if any(len(value) > 200 or "\x00" in value for value in (*said.values(), *texts)):
        raise UsageError("a value is longer than 200 characters, or holds NUL")
    kept = {name: value for name, value in said.items() if value or name in _SAYS_UNKNOWN}
    skills = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    return kept, resolve(skills, request.app[KEPT].names(request)) if skills else ()


def _fields(kind: str, said: Mapping[str, str], choices: Choices) -> list[Field]:
    """Return the filter's fields in the order in which they are read, with what they hold."""

    def one(name: str, label: str, how: str = "text", options: Options | None = None) -> Field:
        default = "*" if name in _SAYS_UNKNOWN else ""
        return Field(name, label, said.get(name, default), how, options or [])

    def listed(every: str, values: list[str]) -> Options:
        return [(every, "all"), *((value, value or "unknown") for value in values)]

    fields = {
        "title": one("title", "Title"),
        "skill": Field("skill", "Add skills", "", "skills"),
        "employer": one("employer", "Employer"),
        "source": one("source", "Source", "select", listed("", choices.sources)),
        "cluster": one("cluster", "Field", "select", listed("*", choices.clusters)),
        "country": one("country", "Country", "select", listed("*", choices.countries)),
        "currency": one("currency", "Currency", "short"),
        "period": one("period", "Per", "select", listed("", list(_PERIODS))),
        "from": one("from", "From", "month"),
        "to": one("to", "To", "month"),
        "span": one("span", "Months compared", "number"),
        "verdict": one("verdict", "Verdict", "select", listed("", list(VERDICTS))),
        "limit": one("limit", "Rows", "number"),
    }
    return [field for name, field in fields.items() if name in NAMES[kind]]


def _about(cell: Cell) -> list[tuple[str, str]]:
    """What a cell is of, in words."""
    labels = {
        "skill": "skill", "title": "title", "employer": "employer", "source": "source",
        "cluster": "field", "posted_cluster": "field", "country": "country", "month": "month",
        "first": "from", "last": "to", "currency": "currency", "period": "per",
    }  # fmt: skip
    found = []
    for name, label in labels.items():
        value = getattr(cell, name)
        if value is not None:
            text = f"{value:%Y-%m}" if name in ("month", "first", "last") else str(value)
            found.append((label, text or "unknown"))
    return found


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula is quoted: employers are hostile text."""
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if is_formula else value


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UsageError("after is not a job id", hint="follow the link of the page") from error
