"""Months as the first of them."""

from __future__ import annotations

from datetime import date


def shifted(month: date, by: int) -> date:
    """Return the first of the month that lies `by` months later."""
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """Return every month from the first to the last, both included; none if they are turned."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [shifted(first, step) for step in range(count)]


def parse_month(text: str) -> date | None:
    """Return the month of `2023-05` or `2023-05-17`, None for anything else."""
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{text}-01").replace(day=1)
    except ValueError:
        return None
