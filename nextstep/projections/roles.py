"""
What a role asks for, month by month: its leading skills with share and change.

The change is against the calendar month before, and None where the role has no jobs in it: a month
without postings is no demand of zero. Whether a change means anything is another question, which
`significance.py` answers over longer spans.

Source: N-68, issue 7 item 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from nextstep.projections.months import shifted
from nextstep.projections.trend_books import ROLES, Key, Sums, is_empty

TOP = 20
COLUMNS = (*ROLES.columns, "top_skills")


def neighbours(keys: list[Key]) -> list[Key]:
    """Return the rows that the rows of these keys and of the months after them depend on."""
    return sorted(
        {(title, shifted(month, step)) for title, month in keys for step in (-1, 0, 1)},
    )


def rows(stored: Mapping[Key, Sums], after: Mapping[Key, Sums]) -> list[tuple[Any, ...]]:
    """
    Return the rows to write: those that changed, and those of the months behind them.

    `stored` holds what was there under `neighbours`, `after` what a batch made of it.
    """
    now = {**stored, **after}
    wanted = {key for title, month in after for key in ((title, month), (title, shifted(month, 1)))}
    return [
        (*ROLES.row(key, now[key]), top_skills(now[key], now.get(_before(key))))
        for key in sorted(wanted)
        if key in now and not is_empty(ROLES, now[key])
    ]


def _before(key: Key) -> Key:
    title: str = key[0]
    month: date = key[1]
    return title, shifted(month, -1)


def top_skills(sums: Sums, before: Sums | None) -> list[dict[str, Any]]:
    """Return the skills that most jobs name, at most 20, ties by name."""
    jobs = sums.numbers["jobs"]
    jobs_before = before.numbers["jobs"] if before is not None else 0
    ordered = sorted(sums.bags["skills"].items(), key=lambda item: (-item[1], item[0]))
    found = []
    for skill, count in ordered[:TOP]:
        share = count / jobs
        change = None
        if before is not None and jobs_before:
            change = round(share - before.bags["skills"][skill] / jobs_before, 4)
        found.append({"skill": skill, "count": count, "share": round(share, 4), "change": change})
    return found
