"""Answers about trends as rows for a table or CSV, as notes in words, and as a chart."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec

from nextstep.projections.coverage import said
from nextstep.projections.months import shifted
from nextstep.projections.significance import Share
from nextstep.projections.trend_answers import Answer, Series, SkillChange
from nextstep.projections.trend_charts import Chart, Line, as_years

#: Lines in a chart of several currencies or skills.
_MOST_LINES = 6


class Shown(msgspec.Struct, frozen=True):
    """`rows` hold plain values; `lines` the same cells as a person reads them."""

    title: str
    columns: list[str]
    numbers: list[bool]
    rows: list[list[Any]]
    lines: list[list[str]]
    notes: list[str]
    chart: Chart


def show(kind: str, answer: Answer, points: dict[str, Any] | None = None) -> Shown:
    """Return an answer of a kind (skills, roles …); `points` are change points by skill."""
    if kind == "skills":
        shown = (
            _series(answer, points or {}) if answer.asked.skills else _changes(answer, answer.data)
        )
    elif kind == "roles":
        shown = _role(answer)
    else:
        shown = {
            "adjacent": _adjacent,
            "salaries": _salaries,
            "employers": _employers,
            "coverage": _coverage,
        }[kind](answer)
    return msgspec.structs.replace(shown, notes=[*shown.notes, *_notes(answer)])


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows of plain values as CSV; None is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return out.getvalue()


def _notes(answer: Answer) -> list[str]:
    notes = []
    if answer.compared is not None:
        early, late = answer.compared.early, answer.compared.late
        notes.append(f"compared: {said(early)} with {said(late)}; intervals are Wilson's at 95 %")
    notes += [f"warning: {warning}" for warning in answer.warnings]
    if answer.gaps:
        notes.append(f"not crawled: {', '.join(said(gap) for gap in answer.gaps)}")
    undated = sum(one.undated for one in answer.coverage)
    if undated:
        total = sum(one.postings for one in answer.coverage)
        notes.append(f"{undated:,} of {total:,} postings have no month and are in no month's count")
    return notes


def _made(
    title: str,
    columns: list[tuple[str, Callable[[Any], str] | None]],
    rows: list[list[Any]],
    notes: list[str],
    chart: Chart,
) -> Shown:
    """`columns` are (name, how a number is written); None for texts."""
    lines = [
        [_cell(value, write) for value, (_, write) in zip(row, columns, strict=True)]
        for row in rows
    ]
    names = [name for name, _ in columns]
    return Shown(title, names, [w is not None for _, w in columns], rows, lines, notes, chart)


def _cell(value: Any, write: Callable[[Any], str] | None) -> str:
    if value is None:
        return "-"
    return write(value) if write is not None else str(value)


def _whole(value: int) -> str:
    return f"{value:,}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _month(value: date) -> str:
    return f"{value:%Y-%m}"


def _plain(value: float) -> str:
    return f"{value:,.2f}"


def _where(answer: Answer) -> str:
    asked = answer.asked
    parts = [
        f"{name} {value or 'unknown'}"
        for name, value in (("cluster", asked.cluster), ("country", asked.country))
        if value != "*"
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _series(answer: Answer, points: dict[str, Any]) -> Shown:
    series: list[Series] = answer.data
    rows: list[list[Any]] = [
        [one.skill, p.month, p.count, p.jobs, p.share, p.low, p.high, p.state]
        for one in series
        for p in one.points
    ]
    columns: list[tuple[str, Any]] = [
        ("skill", None), ("month", _month), ("count", _whole), ("jobs", _whole),
        ("share", _percent), ("low", _percent), ("high", _percent), ("state", None),
    ]  # fmt: skip
    notes = [f"{one.skill}: {_said_change(one)}" for one in series]
    for skill, found in points.items():
        for point in found:
            gap = ", across a gap" if point.across_gap else ""
            notes.append(
                f"{skill}: another level from {point.month:%Y-%m}, "
                f"{_percent(point.before)} to {_percent(point.after)}{gap}"
            )
    lines = [
        Line(
            one.skill,
            [p.month for p in one.points],
            [p.share for p in one.points],
            [p.low for p in one.points],
            [p.high for p in one.points],
            [p.jobs for p in one.points],
        )
        for one in series
    ]
    title = f"Share of postings that name {', '.join(one.skill for one in series)}{_where(answer)}"
    marks = [point.month for found in points.values() for point in found]
    chart = Chart(title, "share of postings", lines, answer.gaps, marks=marks, is_share=True)
    return _made(title, columns, rows, notes, chart)


def _said_change(one: Series) -> str:
    if one.change is None:
        return "the window is too short for two spans"
    early, late = one.change.early, one.change.late
    return f"{_said_share(early)} to {_said_share(late)}: {one.change.verdict}"


def _said_share(share: Share) -> str:
    if share.share is None:
        return f"no jobs ({share.count} of {share.jobs})"
    low, high = share.low or 0.0, share.high or 0.0
    return f"{_percent(share.share)} [{100 * low:.1f}-{100 * high:.1f}] of {share.jobs:,}"


def _changes(answer: Answer, found: list[SkillChange]) -> Shown:
    rows: list[list[Any]] = [
        [
            one.skill, c.late.count, c.late.jobs, c.late.share, c.late.low, c.late.high,
            c.early.share, c.difference, c.verdict,
        ]
        for one in found
        for c in (one.change,)
    ]  # fmt: skip
    columns: list[tuple[str, Any]] = [
        ("skill", None), ("count", _whole), ("jobs", _whole), ("share", _percent),
        ("low", _percent), ("high", _percent), ("before", _percent), ("change", _points),
        ("verdict", None),
    ]  # fmt: skip
    title = f"Skills by share of postings{_where(answer)}"
    bars = [(one.skill, one.change.late.low or 0.0, one.change.late.high or 0.0) for one in found]
    chart = Chart(title, "share of postings, 95 % interval", bars=bars, is_share=True)
    return _made(title, columns, rows, [], chart)


def _role(answer: Answer) -> Shown:
    title = f"What {answer.asked.title} asks for"
    months: list[dict[str, Any]] = answer.data["months"]
    found = answer.data["skills"]
    lines = _role_lines(months)
    chart = Chart(title, "share of postings", lines, answer.gaps, is_share=True)
    if answer.asked.skills:
        return msgspec.structs.replace(
            _series(msgspec.structs.replace(answer, data=found), {}), title=title
        )
    table = _changes(answer, found)
    last = months[-1] if months else None
    notes = []
    if last is not None:
        top = ", ".join(f"{s['skill']} {_percent(s['share'])}" for s in last["top_skills"][:5])
        notes.append(f"{len(months)} months; {last['month']:%Y-%m} ({last['jobs']} jobs): {top}")
    return msgspec.structs.replace(table, title=title, notes=notes, chart=chart)


def _role_lines(months: list[dict[str, Any]]) -> list[Line]:
    """The five skills that lead most months; a month whose list lacks one breaks its line."""
    led: dict[str, int] = {}
    for month in months:
        for one in month["top_skills"][:5]:
            led[one["skill"]] = led.get(one["skill"], 0) + one["count"]
    names = sorted(led, key=lambda name: (-led[name], name))[:5]
    lines = []
    for name in names:
        at: list[date] = []
        shares: list[float | None] = []
        jobs: list[int | None] = []
        for month in months:
            while at and shifted(at[-1], 1) < month["month"]:
                at.append(shifted(at[-1], 1))
                shares.append(None)
                jobs.append(None)
            at.append(month["month"])
            jobs.append(month["jobs"])
            shares.append(
                next((s["share"] for s in month["top_skills"] if s["skill"] == name), None)
            )
        lines.append(Line(name, at, shares, jobs=jobs))
    return lines


def _adjacent(answer: Answer) -> Shown:
    rows = [
        [
            one["title_a"], one["title_b"], one["similarity"], one["jobs_a"], one["jobs_b"],
            ", ".join(one["evidence"]),
        ]
        for one in answer.data
    ]  # fmt: skip
    columns: list[tuple[str, Any]] = [
        ("title", None), ("neighbour", None), ("similarity", lambda v: f"{v:.3f}"),
        ("jobs", _whole), ("its jobs", _whole), ("because of", None),
    ]  # fmt: skip
    title = f"Titles near {answer.asked.title}" if answer.asked.title else "Nearest titles"
    bars = [
        (one["title_b"] if answer.asked.title else f"{one['title_a']} - {one['title_b']}", 0.0,
         one["similarity"])
        for one in answer.data
    ]  # fmt: skip
    return _made(title, columns, rows, [], Chart(title, "cosine of skill profiles", bars=bars))


def _salaries(answer: Answer) -> Shown:
    names = ("month", "currency", "period", "jobs", "p10", "p25", "p50", "p75", "p90")
    rows = [[one[name] for name in names] for one in answer.data]
    columns: list[tuple[str, Any]] = [
        ("month", _month), ("currency", None), ("period", None), ("jobs", _whole),
        *((name, _plain) for name in names[4:]),
    ]  # fmt: skip
    title = f"Stated pay, middle of the range{_where(answer)}"
    kinds: dict[str, list[dict[str, Any]]] = {}
    for one in answer.data:
        kinds.setdefault(f"{one['currency']} per {one['period']}", []).append(one)
    most = sorted(kinds, key=lambda kind: (-sum(o["jobs"] for o in kinds[kind]), kind))
    # Currencies and periods share no axis: the chart is of the commonest kind only.
    lines = [_pay_line(kind, kinds[kind]) for kind in most[:1]]
    chart = Chart(title, most[0] if most else "", lines, answer.gaps)
    notes = ["currencies and periods are not converted into each other"] if rows else []
    return _made(title, columns, rows, notes, chart)


def _pay_line(kind: str, rows: list[dict[str, Any]]) -> Line:
    at: list[date] = []
    values: list[list[float | None]] = [[], [], []]
    jobs: list[int | None] = []
    for one in rows:
        while at and shifted(at[-1], 1) < one["month"]:
            at.append(shifted(at[-1], 1))
            jobs.append(None)
            for part in values:
                part.append(None)
        at.append(one["month"])
        jobs.append(one["jobs"])
        for part, name in zip(values, ("p50", "p25", "p75"), strict=True):
            part.append(float(one[name]))
    middle, low, high = values
    return Line(f"median and middle half, {kind}", at, middle, low, high, jobs)


def _employers(answer: Answer) -> Shown:
    names = list(answer.data[0]) if answer.data else ["employer", "title_cluster", "postings"]
    rows = [list(one.values()) for one in answer.data]
    columns: list[tuple[str, Any]] = [
        (name.replace("_", " "), None if place < 2 else lambda value: f"{value:,}")
        for place, name in enumerate(names)
    ]
    title = f"Postings by employer{_where(answer)}"
    # Of one employer the rows are its fields of work.
    name = "title_cluster" if answer.asked.employer else "employer"
    bars = [(one[name] or "unknown", 0.0, float(one["postings"])) for one in answer.data]
    notes = ["re-post intensity: postings per distinct vacancy"] if rows else []
    return _made(title, columns, rows, notes, Chart(title, "postings", bars=bars))


def _coverage(answer: Answer) -> Shown:
    rows: list[list[Any]] = [
        [
            one.source, one.first, one.last, one.postings, one.undated,
            sum(m.crawled for m in one.months), ", ".join(said(gap) for gap in one.gaps),
            _mean([m.fullness for m in one.months if m.fullness is not None]),
        ]
        for one in answer.coverage
    ]  # fmt: skip
    columns: list[tuple[str, Any]] = [
        ("source", None), ("first", _month), ("last", _month), ("postings", _whole),
        ("undated", _whole), ("months crawled", _whole), ("gaps", None),
        ("days with a posting", _percent),
    ]  # fmt: skip
    bars = [
        (one.source, as_years(month.month), as_years(shifted(month.month, 1)))
        for one in answer.coverage
        for month in one.months
        if month.crawled
    ]
    return _made("Months crawled", columns, rows, [], Chart("Months crawled", "year", bars=bars))


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None
