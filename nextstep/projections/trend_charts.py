"""Charts of trends as values: whoever draws them, on a page or into a file, draws the same."""

from __future__ import annotations

from datetime import date

import msgspec

from nextstep.projections.coverage import Span


class Line(msgspec.Struct, frozen=True):
    """
    A line over months; None breaks it. `low` and `high` are its band, `jobs` what a point is of.
    """

    label: str
    months: list[date]
    values: list[float | None]
    low: list[float | None] = []
    high: list[float | None] = []
    jobs: list[int | None] = []


class Chart(msgspec.Struct, frozen=True):
    """Lines over months, or bars from a first to a last month or value."""

    title: str
    unit: str
    lines: list[Line] = []
    gaps: list[Span] = []
    bars: list[tuple[str, float, float]] = []
    marks: list[date] = []
    is_share: bool = False


def as_years(month: date) -> float:
    """Return a month as a number on an axis of years."""
    return month.year + (month.month - 1) / 12
