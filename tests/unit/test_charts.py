"""Charts as places: ticks, unbroken parts, bands, gaps, and what hovering says."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.http.web.charts import MOST_BARS, draw, ticks, write
from nextstep.projections.coverage import Span
from nextstep.projections.months import months_between, shifted
from nextstep.projections.trend_charts import Chart, Line, as_years

FIRST = date(2020, 1, 1)


def linked(label: str, month: date | None) -> str:
    return f"/{label}/{month}"


@given(st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_reach_the_highest_value(high: float) -> None:
    found = ticks(high)
    assert found[0] == 0 and 2 <= len(found) <= 7
    assert found[-1] >= high * (1 - 1e-9) and found[-2] < high


def test_nothing_but_zeros_still_has_an_axis() -> None:
    assert ticks(0) == [0.0, 1.0]
    assert ticks(0.31) == [0.0, 0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("value", "is_share", "text"),
    [(0.125, True, "12.5 %"), (0.5, True, "50 %"), (1234.0, False, "1,234"), (2.5, False, "2.50")],
)
def test_values_are_written_as_people_write_them(value: float, is_share: bool, text: str) -> None:
    assert write(value, is_share) == text


def test_a_gap_breaks_the_line_and_its_band_and_is_grey() -> None:
    months = months_between(FIRST, shifted(FIRST, 5))
    line = Line(
        "Python", months, [0.1, 0.2, None, None, 0.4, 0.3],
        [0.05, 0.1, None, None, 0.2, 0.2], [0.2, 0.4, None, None, 0.9, 0.4],
        [100, 100, None, None, 4, 100],
    )  # fmt: skip
    chart = Chart("t", "u", [line], [Span(months[2], months[3])], is_share=True)
    drawn = draw(chart, linked)
    assert drawn is not None
    (stroke,), (grey,) = drawn.strokes, drawn.greys
    assert len(stroke.paths) == len(stroke.bands) == 2
    assert grey.said == "not crawled: 2020-03 to 2020-04"
    xs = [mark.x for mark in stroke.marks]
    assert xs == sorted(xs) and len(xs) == 4
    # The grey lies between the points beside it, and no point in it.
    assert xs[1] < grey.x < grey.x + grey.width < xs[2]
    assert stroke.marks[2].said == "Python, 2020-05: 40 % [20 % to 90 %] of 4 jobs"
    assert stroke.marks[2].href == "/Python/2020-05-01"
    assert [mark.is_thin for mark in stroke.marks] == [False, False, True, False]
    assert drawn.has_thin
    # A higher share stands higher; what a band says above the axis is cut, not drawn outside.
    assert stroke.marks[2].y < stroke.marks[3].y < stroke.marks[0].y
    places = [float(n) for path in stroke.bands for n in re.findall(r"[\d.]+", path)]
    assert min(places) >= 0 and max(places) <= drawn.width


def test_a_lone_point_is_a_point_without_a_line() -> None:
    line = Line("SQL", months_between(FIRST, shifted(FIRST, 2)), [None, 0.2, None])
    drawn = draw(Chart("t", "u", [line], is_share=True), linked)
    assert drawn is not None
    assert drawn.strokes[0].paths == [] and len(drawn.strokes[0].marks) == 1
    empty = Line("SQL", [FIRST], [None])
    assert draw(Chart("t", "u", [empty]), linked) is None
    assert draw(Chart("t", "u"), linked) is None


@given(st.integers(1, 400), st.integers(1, 9))
def test_any_length_fits_the_canvas_and_names_few_months(count: int, lines: int) -> None:
    months = months_between(FIRST, shifted(FIRST, count - 1))
    chart = Chart(
        "t", "u", [Line(str(n), months, [float(n)] * count) for n in range(lines)], is_share=False
    )
    drawn = draw(chart, linked)
    assert drawn is not None
    assert 0 < len(drawn.across) <= 17
    for stroke in drawn.strokes:
        assert all(drawn.left <= mark.x <= drawn.right for mark in stroke.marks)
        assert all(0 <= mark.y <= drawn.bottom for mark in stroke.marks)
    assert len({(stroke.colour, stroke.is_dashed) for stroke in drawn.strokes}) == lines


def test_bars_of_one_name_share_a_row_and_years_are_an_axis() -> None:
    months = [date(2019, 11, 1), date(2019, 12, 1), date(2021, 2, 1)]
    bars = [("hn", as_years(m), as_years(shifted(m, 1))) for m in months]
    drawn = draw(Chart("Months crawled", "year", bars=bars), linked)
    assert drawn is not None
    assert [tick.label for tick in drawn.across] == ["2020", "2021"]
    assert [bar.href for bar in drawn.bars] == [f"/hn/{month}" for month in months]
    assert len({bar.y for bar in drawn.bars}) == 1 and len(drawn.up) == 1
    assert drawn.bars[0].said == "hn: 2019-11"


def test_intervals_do_not_begin_at_zero_and_long_names_are_cut() -> None:
    bars = [("x" * 60, 0.2, 0.4), ("Python", 0.0, 0.1)]
    drawn = draw(Chart("t", "u", bars=bars, is_share=True), linked)
    assert drawn is not None
    assert drawn.bars[0].x > drawn.bars[1].x == drawn.left
    assert drawn.bars[0].said.endswith("20 % to 40 %")
    assert drawn.up[0].label.endswith("…") and len(drawn.up[0].label) < 40
    many = [(str(n), 0.0, 5.0) for n in range(MOST_BARS + 5)]
    cut = draw(Chart("t", "postings", bars=many), linked)
    assert cut is not None
    assert len(cut.bars) == MOST_BARS and "first 60" in cut.unit
