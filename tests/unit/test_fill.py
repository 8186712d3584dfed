"""Fill rates: what a source's fields hold, and when one dropped."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.processors.shared.fill import (
    FIELDS,
    LEAST_POSTS,
    fill_rates,
    filled_mask,
    has_dropped,
)
from nextstep.processors.shared.normal import NormalPost

DAY = date(2026, 3, 2)
SALARY = FIELDS.index("salary_raw")
ALL = (1 << len(FIELDS)) - 1


def test_every_field_is_a_column_of_a_normalized_post() -> None:
    assert set(FIELDS) <= set(NormalPost.__struct_fields__)
    assert len(set(FIELDS)) == len(FIELDS) <= 31


def test_a_mask_has_a_bit_for_each_field_that_says_something() -> None:
    empty = dict.fromkeys(FIELDS, "")
    assert filled_mask(empty) == 0
    assert filled_mask(empty | {"title": "Nurse", "salary_raw": "30k"}) == 1 | 1 << SALARY
    assert filled_mask(empty | {"sections": [], "date_posted": DAY}) == (
        1 << FIELDS.index("date_posted")
    )


def test_the_latest_window_is_the_last_days_that_hold_enough_posts() -> None:
    half = LEAST_POSTS // 2
    groups = [(DAY + timedelta(days=n), ALL if n < 8 else ALL & ~(1 << SALARY)) for n in range(10)]
    fills = fill_rates([("board", day, mask, half) for day, mask in groups])
    salary = fills[SALARY]
    assert (salary.source, salary.field) == ("board", "salary_raw")
    assert salary.recent_since == DAY + timedelta(days=8)
    assert (salary.recent_filled, salary.recent_total, salary.recent_rate) == (0, 2 * half, 0.0)
    assert (salary.earlier_filled, salary.earlier_rate) == (8 * half, 1.0)
    assert (salary.filled, salary.total, salary.rate) == (8 * half, 10 * half, 0.8)
    assert [fill.field for fill in fills if fill.dropped] == ["salary_raw"]


def test_a_source_seen_once_has_nothing_to_fall_from() -> None:
    fills = fill_rates([("board", DAY, 1, 4_000)])
    assert {fill.earlier_rate for fill in fills} == {None}
    assert not any(fill.dropped for fill in fills)


@pytest.mark.parametrize(
    ("now", "before", "alarm"),
    [
        ((30, 60), (54, 60), True),
        ((0, 50), (50, 50), True),
        ((0, 49), (50, 50), False),  # too few to say
        ((0, 50), (49, 49), False),
        ((800, 1000), (999, 1000), False),  # certain, but less than 20 points
        ((799, 1000), (999, 1000), True),
        ((20, 50), (30, 50), False),  # 20 points, but as likely chance
        ((60, 60), (30, 60), False),  # a rise
        ((0, 60), (0, 60), False),
    ],
)
def test_an_alarm_needs_posts_a_large_fall_and_intervals_apart(
    now: tuple[int, int], before: tuple[int, int], alarm: bool
) -> None:
    assert has_dropped(*now, *before) is alarm


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.dates(DAY, DAY + timedelta(days=9)),
            st.integers(0, ALL),
            st.integers(1, 90),
        ),
        max_size=25,
    ),
    st.integers(0, 2**32),
)
def test_order_does_not_count_and_windows_share_all_posts(
    groups: list[tuple[str, date, int, int]], seed: int
) -> None:
    fills = fill_rates(groups)
    shuffled = groups[:]
    random.Random(seed).shuffle(shuffled)
    assert fill_rates(shuffled) == fills
    for fill in fills:
        assert fill.recent_total + fill.earlier_total == fill.total
        assert fill.recent_filled + fill.earlier_filled == fill.filled <= fill.total
        assert fill.total == sum(posts for source, _, _, posts in groups if source == fill.source)
