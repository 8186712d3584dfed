"""
How well extraction reads a labelled set: rows judged one by one, figures per field and part.

A set is a list of rows of one kind (the stem of its file); `tests/golden/extraction/README.md` has
their shapes and the rules of labelling. A third of the rows, by hash of their id, is held out:
its figures count, its errors are never shown.

Source: issue 5 item 5, decisions.md 31.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from nextstep.processors.shared.calibration import calibrated
from nextstep.processors.shared.education import education_of
from nextstep.processors.shared.extraction import Kit, place_of
from nextstep.processors.shared.geo import place_key
from nextstep.processors.shared.mentions import Mention, find_mentions, rule_of
from nextstep.processors.shared.salary import salary_of
from nextstep.processors.shared.titles import normalize_title
from nextstep.processors.shared.workmode import work_mode_of
from nextstep.processors.shared.years import experience_of

Row = Mapping[str, Any]

DEV, HELD_OUT = "dev", "held-out"

#: One row in so many is held out.
_PARTS = 3

#: All fields together in a reliability table.
OVERALL = "overall"

#: Borders of its bins; few values are less sure than a half, they are left out by the rules.
EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)

#: Kinds of skills that the labels of `mentions` leave out: they are no tools and no knowledge.
_UNLABELLED = frozenset({"soft", "language"})


#: "Skåne" and "Skåne County" are the same region.
_KIND_OF_REGION = re.compile(r"^(?:region|province|state) (?:of )?| (?:county|region|province)$")


class Said(msgspec.Struct, frozen=True, gc=False):
    """A value that was read: the rule it came by, how sure it says to be, whether it is right."""

    rule: str
    confidence: float
    right: bool


class Mark(msgspec.Struct, frozen=True):
    """
    What one row adds to one measure.

    A share (accuracy) counts `right` of `found`; precision and recall also count how many of the
    `wanted` were `reached`. `shown` says what was read instead, for the person who tunes.
    """

    measure: str
    right: int
    found: int
    reached: int = 0
    wanted: int = 0
    shown: str = ""
    #: Confidence of each value said, with whether it is right.
    said: tuple[Said, ...] = ()


class Figure(msgspec.Struct, frozen=True):
    """
    One measure over one part of a set.

    `value` is the share, or F1 where precision and recall are given; each is rounded to 4
    decimals, and 1.0 over nothing. `of` counts what was asked: rows, or labels.
    """

    field: str
    measure: str
    part: str
    of: int
    value: float
    precision: float | None = None
    recall: float | None = None


class Bin(msgspec.Struct, frozen=True):
    """
    Values of a field (or of all, "overall") whose confidence lies in `low` < c <= `high`.

    `confidence` is their mean, `precision` the share that is right; each rounded to 4 decimals.
    """

    field: str
    part: str
    low: float
    high: float
    of: int
    confidence: float
    precision: float


class Fault(msgspec.Struct, frozen=True):
    """A dev row that was read wrongly."""

    field: str
    measure: str
    id: str
    text: str
    shown: str


class Report(msgspec.Struct, frozen=True):
    """The figures by field, measure and part, and the faults of the dev part."""

    figures: list[Figure]
    faults: list[Fault]
    reliability: list[Bin] = []


def part_of(row_id: str) -> str:
    """Return whether a row is for tuning or held out."""
    number = int(hashlib.sha256(row_id.encode()).hexdigest()[:8], 16)
    return DEV if number % _PARTS else HELD_OUT


def evaluate(sets: Mapping[str, Sequence[Row]], kit: Kit) -> Report:
    """
    Judge every row of every set.

    Args:
        sets: rows by kind, one of JUDGES.

    Raises:
        KeyError: a kind or a label is not known.
    """
    figures: list[Figure] = []
    faults: list[Fault] = []
    said: dict[tuple[str, str], list[Said]] = {}
    for field, rows in sets.items():
        marks: dict[tuple[str, str], list[Mark]] = {}
        for row in rows:
            part = part_of(str(row["id"]))
            for mark in JUDGES[field](row, kit):
                marks.setdefault((mark.measure, part), []).append(mark)
                for name in (field, OVERALL) if mark.said else ():
                    said.setdefault((name, part), []).extend(mark.said)
                if part == DEV and (mark.right < mark.found or mark.reached < mark.wanted):
                    shown = f"{mark.shown} instead of {_labels(row)}"
                    faults.append(
                        Fault(field, mark.measure, str(row["id"]), str(row["text"]), shown)
                    )
        figures += [
            _figure(field, measure, part, found) for (measure, part), found in marks.items()
        ]
    reliability = [
        one for (name, part), values in sorted(said.items()) for one in _bins(name, part, values)
    ]
    return Report(figures, faults, reliability)


def _bins(field: str, part: str, said: Sequence[Said]) -> Iterator[Bin]:
    for low, high in pairwise(EDGES):
        inside = [one for one in said if low < one.confidence <= high]
        if inside:
            mean = sum(one.confidence for one in inside) / len(inside)
            share = sum(one.right for one in inside) / len(inside)
            yield Bin(field, part, low, high, len(inside), round(mean, 4), round(share, 4))


def _labels(row: Row) -> str:
    left = ("id", "source", "text", "field", "country", "reason")
    if "spans" in row:
        return str([row["text"][start:end] for start, end in row["spans"]])
    return str({name: value for name, value in row.items() if name not in left})


def _figure(field: str, measure: str, part: str, marks: Iterable[Mark]) -> Figure:
    marks = list(marks)
    right, found = sum(m.right for m in marks), sum(m.found for m in marks)
    reached, wanted = sum(m.reached for m in marks), sum(m.wanted for m in marks)
    share = right / found if found else 1.0
    if not any(m.wanted or m.reached for m in marks):
        return Figure(field, measure, part, found, round(share, 4))
    recall = reached / wanted
    both = 2 * share * recall / (share + recall) if share + recall else 0.0
    return Figure(field, measure, part, wanted, round(both, 4), round(share, 4), round(recall, 4))


def _mentions(row: Row, kit: Kit) -> Iterator[Mark]:
    found = [m for m in find_mentions(row["text"], kit.matcher) if m.kind not in _UNLABELLED
             or m.group == "tool"]  # fmt: skip
    spans = row["spans"]
    right = [any(_meet(m.start, m.end, *span) for span in spans) for m in found]
    reached = sum(any(_meet(m.start, m.end, *span) for m in found) for span in spans)
    wrong = [_named(m) for m, is_right in zip(found, right, strict=True) if not is_right]
    missed = [
        row["text"][a:b] for a, b in spans if not any(_meet(m.start, m.end, a, b) for m in found)
    ]
    shown = f"wrong {wrong}, missed {missed}"
    said = tuple(
        Said(rule_of(m.group, m.kind), m.confidence, is_right)
        for m, is_right in zip(found, right, strict=True)
    )
    yield Mark("overlap", sum(right), len(found), reached, len(spans), shown, said)


def _named(mention: Mention) -> str:
    return f"{mention.snippet} ({mention.concept})"


def _meet(start: int, end: int, first: int, last: int) -> bool:
    return start < last and first < end


def _ambiguous(row: Row, kit: Kit) -> Iterator[Mark]:
    start, end = row["start"], row["start"] + len(row["name"])
    hit = any(
        m.start <= start and end <= m.end
        # "Front End" and "Edge Computing" are names of their own: no trap is fallen into.
        and (m.group == "tool" or m.snippet == row["name"]
             or (row["is_tool"] and m.snippet.startswith(row["name"])))
        for m in find_mentions(row["text"], kit.matcher)
    )  # fmt: skip
    shown = "read" if hit else "left out"
    yield Mark("accuracy", int(hit == row["is_tool"]), 1, shown=shown)
    if not row["is_tool"]:
        yield Mark("traps left out", int(not hit), 1, shown=shown)


def _salary(row: Row, kit: Kit) -> Iterator[Mark]:
    field, text = row["field"], row["text"]
    raw, described = (text, "") if field == "salary" else ("", text)
    found = salary_of(raw, described, row["country"])
    ends = found.min == row["min"] and found.max == row["max"]
    unit = (found.currency, found.period) == (row["currency"], row["period"])
    shown = f"{found.min} to {found.max} {found.currency} a {found.period or '?'}"
    said = _said("salary", found.confidence, ends and unit) if found.source else ()
    yield Mark("rows right", int(ends and unit), 1, shown=shown, said=said)
    if row["min"] is None and row["max"] is None:
        yield Mark("empty left empty", int(not found.source), 1, shown=shown)
        return
    yield Mark("currency and period", int(unit), 1, shown=shown)
    if None not in (row["min"], row["max"]) and row["min"] != row["max"]:
        yield Mark("ranges", int(ends), 1, shown=shown)


def _location(row: Row, kit: Kit) -> Iterator[Mark]:
    placed = place_of(row["text"], "", "")
    place = placed.place
    same = all(
        _KIND_OF_REGION.sub("", place_key(getattr(place, name)))
        == _KIND_OF_REGION.sub("", place_key(row[name]))
        for name in ("city", "region", "country")
    )
    shown = f"{place.city} | {place.region} | {place.country}"
    said = _said("location", placed.confidence, same) if placed.spans else ()
    yield Mark("rows right", int(same), 1, shown=shown, said=said)
    if not row["city"]:
        yield Mark("no city invented", int(not place.city), 1, shown=shown)


def _work_mode(row: Row, kit: Kit) -> Iterator[Mark]:
    found = work_mode_of("", "", row["text"])
    right = found.mode == row["mode"]
    said = _said("work_mode", found.confidence, right) if found.mode else ()
    yield Mark("accuracy", int(right), 1, shown=found.mode or "nothing", said=said)


def _years(row: Row, kit: Kit) -> Iterator[Mark]:
    found = experience_of(row["text"])
    is_found = (found.min_years, found.max_years) != (None, None)
    is_wanted = (row["min"], row["max"]) != (None, None)
    right = int(is_wanted and (found.min_years, found.max_years) == (row["min"], row["max"]))
    shown = f"{found.min_years} to {found.max_years}"
    said = _said("experience", found.confidence, bool(right)) if is_found else ()
    yield Mark("years", right, int(is_found), right, int(is_wanted), shown, said)
    if not is_wanted:
        yield Mark("empty left empty", int(not is_found), 1, shown=shown)


def _education(row: Row, kit: Kit) -> Iterator[Mark]:
    found = education_of(row["text"])
    shown = f"{list(found.levels)}, required {found.required}"
    right = list(found.levels) == row["levels"]
    said = _said("education", found.confidence, right) if found.levels else ()
    yield Mark("levels", int(right), 1, shown=shown, said=said)
    if row["levels"]:
        yield Mark("required", int(found.required == row["required"]), 1, shown=shown)


def _titles(row: Row, kit: Kit) -> Iterator[Mark]:
    found = normalize_title(row["text"], kit.titles)
    shown = f"{found.title_norm} [{found.cluster}] {found.seniority}"
    if "levels" in row:
        yield Mark("seniority", int(found.seniority in row["levels"]), 1, shown=shown)
    if "concepts" not in row:
        return
    name = found.title_norm if found.cluster else ""
    said = _said("title", found.confidence, name in row["concepts"]) if name else ()
    if row["concepts"]:
        yield Mark("concept", int(name in row["concepts"]), 1, shown=shown, said=said)
    else:
        yield Mark("no role left open", int(not name), 1, shown=shown, said=said)


def _said(field: str, raw: float, right: bool) -> tuple[Said, ...]:
    return (Said(field, calibrated(field, raw), right),)


#: How the rows of each kind are judged.
JUDGES: dict[str, Callable[[Row, Kit], Iterator[Mark]]] = {
    "mentions": _mentions,
    "ambiguous": _ambiguous,
    "salary": _salary,
    "location": _location,
    "work_mode": _work_mode,
    "years": _years,
    "education": _education,
    "titles": _titles,
}
