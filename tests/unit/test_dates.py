"""Posting dates in every form that the sources use."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.processors.shared.dates import Dated, parse_date

SEEN = date(2024, 3, 31)


@pytest.mark.parametrize(
    ("raw", "on", "precision"),
    [
        ("2026-04-05", "2026-04-05", "day"),
        ("2026-4-5", "2026-04-05", "day"),
        ("2026/04/05", "2026-04-05", "day"),
        ("20260405", "2026-04-05", "day"),
        ("2026-04-05T10:00:00+0000", "2026-04-05", "day"),
        ("2026-04-05T23:30:00-05:00", "2026-04-05", "day"),
        ("2026-04-05T10:00:00.123Z", "2026-04-05", "day"),
        ("2026-04-05 10:00", "2026-04-05", "day"),
        ("5 Apr 2026", "2026-04-05", "day"),
        ("29 Jan 2019", "2019-01-29", "day"),
        ("05-Apr-2026", "2026-04-05", "day"),
        ("April 5, 2026", "2026-04-05", "day"),
        ("Apr. 5th, 2026", "2026-04-05", "day"),
        ("Sun, 05 Apr 2026 10:00:00 GMT", "2026-04-05", "day"),
        ("04/05/2026", "2026-04-05", "day"),  # month first
        ("13/05/2026", "2026-05-13", "day"),  # cannot be a month
        ("04-05-2026", "2026-04-05", "day"),
        ("4/5/26", "2026-04-05", "day"),
        ("05.04.2026", "2026-04-05", "day"),  # dots: day first
        ("5. April 2026", "2026-04-05", "day"),
        ("12. März 2024", "2024-03-12", "day"),
        ("1er avril 2024", "2024-04-01", "day"),
        ("15 août 2023", "2023-08-15", "day"),
        ("le 3 déc. 2023", "2023-12-03", "day"),
        ("5 de abril de 2024", "2024-04-05", "day"),
        ("31 ene 2024", "2024-01-31", "day"),
        ("2013-08", "2013-08-01", "month"),
        ("08/2013", "2013-08-01", "month"),
        ("August 2013", "2013-08-01", "month"),
        ("Dezember 2013", "2013-12-01", "month"),
        ("2013", "2013-01-01", "year"),
        ("1700000000", "2023-11-14", "day"),
        ("1700000000000", "2023-11-14", "day"),
        ("3 days ago", "2024-03-28", "day"),
        ("Posted 1 day ago", "2024-03-30", "day"),
        ("a week ago", "2024-03-24", "day"),
        ("5 hours ago", "2024-03-31", "day"),
        ("2d", "2024-03-29", "day"),
        ("yesterday", "2024-03-30", "day"),
        ("Today", "2024-03-31", "day"),
        ("Just posted", "2024-03-31", "day"),
        ("gestern", "2024-03-30", "day"),
        ("vor 3 Tagen", "2024-03-28", "day"),
        ("il y a 2 semaines", "2024-03-17", "day"),
        ("hace 3 días", "2024-03-28", "day"),
        ("30+ days ago", "2024-03-01", "month"),
        ("2 months ago", "2024-01-01", "month"),
        ("1 year ago", "2023-01-01", "year"),
    ],
)
def test_a_date_is_read_with_its_precision(raw: str, on: str, precision: str) -> None:
    seen = SEEN if "2026" not in raw and "/26" not in raw else date(2026, 5, 1)
    assert parse_date(raw, seen) == Dated(date.fromisoformat(on), precision)
    assert parse_date(f"  {raw.upper()} ", seen) == Dated(date.fromisoformat(on), precision)


@pytest.mark.parametrize(
    "raw",
    [
        "", "soon", "n/a", "0000-00-00", "2026-13-05", "2026-02-30", "31/31/2024", "1066-10-14",
        "0001-01-01", "9999-12-31", "1970-01-01", "0", "99999999999999", "12", "2024-00",
        "3 kittens",
        "Infinity", "2 days in March", "full time 3 days", "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_date_or_an_absurd_one_gives_none(raw: str) -> None:
    assert parse_date(raw, SEEN) == Dated(None, "none")


def test_a_relative_date_needs_the_day_on_which_the_post_was_seen() -> None:
    assert parse_date("3 days ago") == Dated()
    assert parse_date("9999 years ago", SEEN) == Dated()


def test_a_date_long_after_the_post_was_seen_is_no_date() -> None:
    assert parse_date("2024-06-30", SEEN).precision == "day"
    assert parse_date("2031-06-30", SEEN) == Dated()
    assert parse_date("2031-06-30").precision == "day"


@given(st.text(max_size=40), st.dates())
def test_no_text_raises(raw: str, seen: date) -> None:
    assert parse_date(raw, seen).precision in ("day", "month", "year", "none")


@given(st.dates(min_value=date(1995, 1, 1), max_value=date(2090, 1, 1)))
def test_every_day_is_read_back_in_every_form(day: date) -> None:
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
    forms = (
        day.isoformat(),
        f"{day.day} {months[day.month - 1]} {day.year}",
        f"{day.isoformat()}T00:00:00+0000",
        f"{day.month:02}/{day.day:02}/{day.year}",
        f"{day.day:02}.{day.month:02}.{day.year}",
    )
    assert {parse_date(form) for form in forms} == {Dated(day, "day")}
    assert parse_date(f"{day.year}-{day.month:02}") == Dated(day.replace(day=1), "month")
