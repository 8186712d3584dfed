"""What is said about trends: intervals, verdicts, gaps, warnings, spans and change points."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.errors import UsageError
from nextstep.projections import coverage
from nextstep.projections.coverage import SourceMonth, Span
from nextstep.projections.months import months_between, parse_month, shifted
from nextstep.projections.significance import change_of, share_of, wilson
from nextstep.projections.trend_answers import (
    Asked,
    GroupMonth,
    Point,
    changes,
    leading,
    series,
    window_of,
)
from nextstep.projections.trend_names import resolve
from nextstep.projections.trend_questions import asked_of, cell_of

ONE: Any = ({"a": 1}, {"a": 1})


def month(text: str) -> date:
    found = parse_month(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("count", "jobs", "low", "high"),
    # Published values: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(
    count: int, jobs: int, low: float, high: float
) -> None:
    assert wilson(count, jobs) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_within_0_and_1(pair: tuple[int, int]) -> None:
    low, high = wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1


@pytest.mark.parametrize(
    ("early", "late", "verdict"),
    [
        ((10, 100), (40, 100), "rising"),
        ((40, 100), (10, 100), "falling"),
        ((10, 100), (15, 100), "steady"),
        ((0, 29), (29, 29), "too few"),
        ((0, 0), (40, 100), "too few"),
        ((0, 1000), (4, 30), "too few"),
        ((0, 1000), (5, 30), "rising"),
    ],
)
def test_a_share_rises_only_where_intervals_part_and_there_are_enough_jobs(
    early: tuple[int, int], late: tuple[int, int], verdict: str
) -> None:
    assert change_of(early, late, ONE).verdict == verdict


def test_spans_of_other_sources_are_not_comparable() -> None:
    found = change_of((10, 100), (90, 100), ({"a": 100}, {"b": 100}))
    assert found.verdict == "not comparable"
    assert found.difference == 0.8
    assert change_of((10, 100), (90, 100), ({"a": 9, "b": 91}, {"b": 100})).verdict == "rising"


def test_a_share_of_nothing_is_none() -> None:
    assert share_of(0, 0).share is None
    assert change_of((0, 0), (1, 40), ONE).difference is None


def test_months() -> None:
    assert shifted(date(2023, 11, 1), 3) == date(2024, 2, 1)
    assert shifted(date(2024, 1, 1), -1) == date(2023, 12, 1)
    assert len(months_between(date(2013, 8, 1), date(2018, 4, 1))) == 57
    assert months_between(date(2024, 2, 1), date(2024, 1, 1)) == []
    assert parse_month("2024-02-29") == date(2024, 2, 1)
    assert [parse_month(text) for text in ("2024-13", "2024", "x", "2023-02-29")] == [None] * 4


def crawl(source: str, *spans: tuple[str, str], jobs: int = 50) -> list[SourceMonth]:
    return [
        SourceMonth(source, at, jobs, jobs, 20, 0, 0, True)
        for first, last in spans
        for at in months_between(month(first), month(last))
    ]


LINKEDIN = crawl("linkedin", ("2022-12", "2023-04"), ("2024-07", "2024-12"))
BOARD = crawl("board", ("2020-01", "2022-11"))


def group(rows: list[SourceMonth], skill: str, counts: dict[str, int]) -> list[GroupMonth]:
    return [
        GroupMonth(r.month, r.jobs, {r.source: r.jobs}, {skill: counts[f"{r.month:%Y-%m}"]})
        for r in rows
        if f"{r.month:%Y-%m}" in counts
    ]


@pytest.mark.req("N-52")
def test_a_month_without_crawl_is_a_gap_and_a_crawled_month_without_jobs_is_none() -> None:
    empty = month("2023-02")
    rows = group(LINKEDIN, "llm", {f"{r.month:%Y-%m}": 5 for r in LINKEDIN if r.month != empty})
    window = window_of(
        Asked(span=5),
        {row.month: row.sources for row in rows},
        coverage.crawled_months(LINKEDIN),
    )
    assert window is not None
    found = series("llm", rows, window)
    states = {f"{point.month:%Y-%m}": point.state for point in found.points}
    gap = [f"{at:%Y-%m}" for at in months_between(month("2023-05"), month("2024-06"))]
    assert [at for at, state in states.items() if state == "gap"] == gap
    assert states["2023-02"] == "crawled"
    (zero,) = [point for point in found.points if point.month == empty]
    assert (zero.count, zero.jobs, zero.share) == (0, 0, None)
    assert all(p.share is None and p.jobs is None for p in found.points if p.state == "gap")
    assert coverage.spans(window.gaps) == [Span(month("2023-05"), month("2024-06"))]


def test_a_change_across_a_gap_or_between_sources_carries_a_warning() -> None:
    crawled = coverage.crawled_months([*BOARD, *LINKEDIN])
    months = {r.month: {r.source: r.jobs} for r in [*BOARD, *LINKEDIN]}
    across = window_of(Asked(first=month("2022-12"), span=5), months, crawled)
    assert across is not None and across.compared is not None
    assert across.compared.early == Span(month("2022-12"), month("2023-04"))
    assert across.compared.late == Span(month("2024-08"), month("2024-12"))
    assert [w.split(":")[0] for w in across.warnings] == ["no crawl in 2023-05 to 2024-06"]
    inside = window_of(Asked(last=month("2022-11"), span=5), months, crawled)
    assert inside is not None and inside.warnings == []
    other = window_of(Asked(last=month("2023-04"), span=5), months, crawled)
    assert other is not None
    assert "no source has jobs in both spans (board before, linkedin after)" in other.warnings[0]
    mixed = window_of(Asked(last=month("2023-02"), span=6), months, crawled)
    assert mixed is not None
    assert "the sources changed (board before, board, linkedin after)" in mixed.warnings[0]


def test_a_window_too_short_for_two_spans_compares_nothing() -> None:
    months = {r.month: {"board": 50} for r in BOARD}
    asked = Asked(first=month("2022-06"), last=month("2022-11"), span=12)
    window = window_of(asked, months, coverage.crawled_months(BOARD))
    assert window is not None
    assert window.compared is None
    assert series("sql", [], window).change is None
    assert window_of(Asked(first=month("2030-01")), months, {}) is None


def test_leading_skills_are_by_share_and_those_of_a_verdict_by_their_difference() -> None:
    rows = [
        GroupMonth(month("2024-01"), 200, {"a": 200}, {"sql": 100, "hadoop": 90, "dbt": 2}),
        GroupMonth(month("2024-02"), 200, {"a": 200}, {"sql": 104, "hadoop": 10, "dbt": 40}),
    ]
    crawled = {"a": {month("2024-01"), month("2024-02")}}
    window = window_of(Asked(span=1), {r.month: r.sources for r in rows}, crawled)
    assert window is not None and window.compared is not None
    found = changes(None, rows, window.compared)
    assert [one.skill for one in leading(found, "", 2)] == ["sql", "dbt"]
    assert [one.skill for one in leading(found, "falling", 9)] == ["hadoop"]
    assert [one.skill for one in leading(found, "rising", 9)] == ["dbt"]
    assert [one.skill for one in leading(found, "steady", 9)] == ["sql"]


def test_coverage_says_how_fully_a_month_was_crawled() -> None:
    rows = [
        SourceMonth("a", month("2024-02"), 40, 30, 29, 0, 0, True),
        SourceMonth("a", month("2024-04"), 4, 3, 3, 0, 0, True),
        SourceMonth("a", month("2024-06"), 0, 0, 0, 1, 0, False),
        SourceMonth("b", month("2024-06"), 0, 0, 0, 1, 1, True),
    ]
    one, other, never = coverage.summary([("a", 44, 7), ("b", 0, 0), ("c", 9, 9)], rows)
    assert (one.first, one.last, one.undated) == (month("2024-02"), month("2024-04"), 7)
    assert one.gaps == [Span(month("2024-03"), month("2024-03"))]
    assert [m.fullness for m in one.months] == [1.0, 0.1, None]
    # A complete scan that found nothing new still says that the source was looked at.
    assert (other.first, other.gaps) == (month("2024-06"), [])
    assert (never.first, never.last, never.gaps) == (None, None, [])


@pytest.mark.parametrize(
    "values",
    [
        {"from": "2016"},
        {"to": "soon"},
        {"from": "2018-01", "to": "2017-12"},
        {"span": "0"},
        {"span": "1e3"},
        {"limit": "99999"},
        {"verdict": "booming"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        asked_of(values)


def test_a_cell_is_cut_as_its_table_is() -> None:
    assert asked_of({"country": "de", "verdict": "too-few"}).country == "DE"
    cell = cell_of("skills", {"month": "2016-04", "cluster": "", "country": "gb"}, ("React",))
    assert (cell.month, cell.cluster, cell.country, cell.skill) == (
        month("2016-04"), "", "GB", "React",
    )  # fmt: skip
    assert cell.is_counted is True
    assert cell_of("coverage", {"source": "a"}).is_counted is None
    assert cell_of("salaries", {}).has_pay is True
    with pytest.raises(UsageError, match="one skill"):
        cell_of("skills", {}, ("React", "SQL"))


def test_names_are_read_as_people_write_them() -> None:
    names = {"react": "React", "reactjs": "React", "sql": "SQL"}
    assert resolve(["ReactJS", " sql ", "react"], names) == ("React", "SQL")
    with pytest.raises(UsageError, match="'Reakt'") as caught:
        resolve(["Reakt"], names)
    assert "React" in caught.value.hint


def stepped(*levels: tuple[int, float]) -> list[Point]:
    """Months of 100 jobs with a little noise around each level."""
    points: list[Point] = []
    at = date(2020, 1, 1)
    for months, share in levels:
        for number in range(months):
            value = share + (0.01, -0.01, 0.005)[number % 3]
            points.append(Point(at, "crawled", round(100 * value), 100, value, 0.0, 1.0, {}))
            at = shifted(at, 1)
    return points


@pytest.mark.req("N-53")
def test_change_points_stand_where_the_level_changes_and_say_when_a_gap_hides_the_month() -> None:
    pytest.importorskip("ruptures", reason="ruptures is not installed")
    from nextstep.projections.change_points import change_points

    (point,) = change_points(stepped((12, 0.1), (12, 0.4)))
    assert point.month == date(2021, 1, 1)
    assert (point.before, point.after) == pytest.approx((0.1, 0.4), abs=0.01)
    assert not point.across_gap
    assert change_points(stepped((24, 0.2))) == []
    assert change_points(stepped((4, 0.2))) == []
    points = stepped((12, 0.1), (12, 0.4))
    hidden = Point(date(2020, 12, 1), "gap", None, None, None, None, None, {})
    (across,) = change_points([*points[:11], hidden, *points[12:]])
    assert across.month == date(2021, 1, 1)
    assert across.across_gap
    thin = [Point(p.month, p.state, 1, 9, p.share, 0.0, 1.0, {}) for p in points]
    assert change_points(thin) == []
