"""
Charts as places on a canvas, for a template to write as SVG: no script, no drawing library. Pure.

Lengths are units of the viewBox; every point carries the words that hovering shows and the address
of the postings behind it. The canvas has one width: a narrow screen scrolls it sideways, because
letters that shrink with it could not be read.

Source: issue 8 item 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date

import msgspec

from nextstep.projections.coverage import said
from nextstep.projections.months import shifted
from nextstep.projections.trend_charts import Chart, Line

WIDTH = 960
_HEIGHT = 280
#: Room for labels at the left (values, names of bars), at the right, above, and below (months).
_LEFT, _NAMES, _RIGHT, _TOP, _BOTTOM = 52, 270, 14, 10, 24
_BAR_STEP = 22
#: Labels along an axis at most; characters of a bar's name.
_MOST_LABELS = 12
#: Rows of bars that are drawn; the table below has them all.
MOST_BARS = 60
_NAME_CHARS = 38
#: Times the highest point that a band may widen the axis.
_ROOM = 1.5
#: Jobs of a month below which its share jumps by chance; its point is drawn hollow.
THIN = 10
#: Colours of the sheet; further lines begin again, with dashes.
_COLOURS = 7

#: (label of the line or bar, month or None) -> address of the postings behind it.
Linked = Callable[[str, date | None], str]


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis, and what is written there."""

    at: float
    label: str


class Mark(msgspec.Struct, frozen=True):
    """A point of a line, or a bar: its place, what hovering says, where its postings are."""

    x: float
    y: float
    said: str
    href: str
    width: float = 0.0
    is_thin: bool = False


class Stroke(msgspec.Struct, frozen=True):
    """A line: its unbroken parts and their bands as paths, and its points."""

    label: str
    colour: int
    is_dashed: bool
    paths: list[str]
    bands: list[str]
    marks: list[Mark]


class Grey(msgspec.Struct, frozen=True):
    """Months in which nothing was crawled."""

    x: float
    width: float
    said: str


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A chart to be written; `strokes` of lines or `bars`, never both."""

    title: str
    unit: str
    height: float
    left: float
    right: float
    bottom: float
    width: float = WIDTH
    across: list[Tick] = []
    up: list[Tick] = []
    strokes: list[Stroke] = []
    bars: list[Mark] = []
    greys: list[Grey] = []

    @property
    def has_thin(self) -> bool:
        """Whether a point stands on few jobs."""
        return any(mark.is_thin for line in self.strokes for mark in line.marks)


def draw(chart: Chart, linked: Linked) -> Drawn | None:
    """Return the chart, None where it has nothing to show."""
    if chart.bars:
        return _bars(chart, linked)
    known = [line for line in chart.lines if any(value is not None for value in line.values)]
    return _lines(chart, known, linked) if known else None


def write(value: float, is_share: bool) -> str:
    """Return a value as an axis or a hover shows it."""
    if is_share:
        return f"{100 * value:.1f}".removesuffix(".0") + " %"
    return f"{value:,.2f}".removesuffix(".00")


def ticks(high: float, most: int = 5) -> list[float]:
    """Return 0 and round numbers after it, the last at or above `high`."""
    if high <= 0:
        return [0.0, 1.0]
    size = 10 ** math.floor(math.log10(high / most))
    step = next(s * size for s in (1, 2, 2.5, 5, 10) if s * size * most >= high * (1 - 1e-9))
    return [round(step * n, 10) for n in range(math.ceil(high / step - 1e-9) + 1)]


def _lines(chart: Chart, lines: Sequence[Line], linked: Linked) -> Drawn:
    first = min(line.months[0] for line in lines)
    last = max(line.months[-1] for line in lines)
    count = (last.year - first.year) * 12 + last.month - first.month
    right, bottom = WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def across(month: date) -> float:
        months = (month.year - first.year) * 12 + month.month - first.month
        return round(_LEFT + (right - _LEFT) * (months + 0.5) / (count + 1), 1)

    # By the points, with some room for their bands: that of one thin month would flatten all else.
    highest = max(value for line in lines for value in line.values if value is not None)
    bands = max((value for line in lines for value in line.high if value is not None), default=0.0)
    steps = ticks(max(highest, min(bands, _ROOM * highest) if highest else bands))

    def up(value: float) -> float:
        return round(bottom - (bottom - _TOP) * min(value / steps[-1], 1.0), 1)

    half = (right - _LEFT) / (count + 1) / 2
    greys = [
        Grey(
            round(across(max(gap.first, first)) - half, 1),
            round(across(min(gap.last, last)) - across(max(gap.first, first)) + 2 * half, 1),
            f"not crawled: {said(gap)}",
        )
        for gap in chart.gaps
        if gap.first <= last and gap.last >= first
    ]
    return Drawn(
        title=chart.title,
        unit=chart.unit,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        bottom=bottom,
        across=[Tick(across(month), label) for month, label in _months(first, count)],
        up=[Tick(up(value), write(value, chart.is_share)) for value in steps],
        strokes=[
            _stroke(number, line, (across, up), chart.is_share, linked)
            for number, line in enumerate(lines)
        ],
        greys=greys,
    )


def _stroke(
    number: int,
    line: Line,
    place: tuple[Callable[[date], float], Callable[[float], float]],
    is_share: bool,
    linked: Linked,
) -> Stroke:
    across, up = place
    bounds = list(zip(line.low, line.high, strict=True)) or [(None, None)] * len(line.months)
    jobs = line.jobs or [None] * len(line.months)
    paths, bands, marks = [], [], []
    run: list[tuple[float, float, float | None, float | None]] = []
    for month, value, (low, high), of in [
        *zip(line.months, line.values, bounds, jobs, strict=True), (None, None, (None, None), None)
    ]:  # fmt: skip
        if month is None or value is None:
            if len(run) > 1:
                paths.append(_path([(x, y) for x, y, _, _ in run]))
                if all(b is not None for _, _, b, _ in run):
                    ends = [(x, t) for x, _, _, t in run if t is not None]
                    back = [(x, b) for x, _, b, _ in reversed(run) if b is not None]
                    bands.append(_path([*ends, *back]) + "Z")
            run = []
            continue
        said_ = f"{line.label}, {month:%Y-%m}: {write(value, is_share)}"
        if low is not None and high is not None:
            said_ += f" [{write(low, is_share)} to {write(high, is_share)}]"
        if of is not None:
            said_ += f" of {of:,} jobs"
        x, y = across(month), up(value)
        is_thin = of is not None and of < THIN
        marks.append(Mark(x, y, said_, linked(line.label, month), is_thin=is_thin))
        run.append((x, y, None if low is None else up(low), None if high is None else up(high)))
    return Stroke(line.label, number % _COLOURS + 1, number >= _COLOURS, paths, bands, marks)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _months(first: date, count: int) -> list[tuple[date, str]]:
    """Months to be named: Januaries of a long series, every so many months of a short one."""
    months = [shifted(first, step) for step in range(count + 1)]
    if count < 2 * _MOST_LABELS:
        step = -(-len(months) // (_MOST_LABELS - 2))
        return [(month, f"{month:%Y-%m}") for month in months[::step]]
    years = [month for month in months if month.month == 1]
    return [(month, f"{month:%Y}") for month in years[:: -(-len(years) // (_MOST_LABELS + 4))]]


def _bars(chart: Chart, linked: Linked) -> Drawn:
    """Bars by name, one below the other; those of one name stand on one row."""
    every = list(dict.fromkeys(label for label, _, _ in chart.bars))
    names = every[:MOST_BARS]
    places = {name: _TOP + _BAR_STEP * row for row, name in enumerate(names)}
    bottom, right = _TOP + _BAR_STEP * len(names), WIDTH - _RIGHT
    shown_bars = [bar for bar in chart.bars if bar[0] in places]
    low = min(first for _, first, _ in shown_bars)
    high = max(last for _, _, last in shown_bars)
    if low <= 0 or chart.is_share or low < high / 2:
        steps = ticks(high)
        low, high = 0.0, steps[-1]
    else:  # years
        steps = [float(year) for year in range(math.ceil(low), math.floor(high) + 1)]
    span = (high - low) or 1.0

    def across(value: float) -> float:
        return round(_NAMES + (right - _NAMES) * (value - low) / span, 1)

    is_years = low > 0
    bars = []
    for label, first, last in shown_bars:
        month = None
        shown = f"{write(first, chart.is_share)} to {write(last, chart.is_share)}"
        if is_years:
            month = date(int(first), round(12 * (first - int(first))) + 1, 1)
            shown = f"{month:%Y-%m}"
        elif first == 0 and not chart.is_share:
            shown = write(last, chart.is_share)
        bars.append(
            Mark(
                across(first), places[label], f"{label}: {shown}", linked(label, month),
                max(1.0, round(across(last) - across(first), 1)),
            )
        )  # fmt: skip
    return Drawn(
        title=chart.title,
        unit=chart.unit + (f"; the first {MOST_BARS}" if len(every) > MOST_BARS else ""),
        height=bottom + _BOTTOM,
        left=_NAMES,
        right=right,
        bottom=bottom,
        across=[
            Tick(across(value), f"{value:g}" if is_years else write(value, chart.is_share))
            for value in steps
        ],
        up=[Tick(places[name] + _BAR_STEP / 2, _short(name)) for name in names],
        bars=bars,
    )


def _short(name: str) -> str:
    name = "all" if name == "*" else name
    return name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + "…"
