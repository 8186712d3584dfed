"""
What a result must be, as one mask over the board: exact, and its size is known at once.

A filter that is not given lets everything pass. A job that does not say a value does not pass its
filter: nobody wants to find out by telephone.

Source: interface.md "match in", X-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

import numpy as np

from nextstep.match.board import Board, Mask, level_number
from nextstep.match.profile import Filters, SalaryFloor, split_exclusions
from nextstep.match.ranking import yearly


def passing(board: Board, filters: Filters, excluded: Iterable[UUID] = ()) -> Mask:
    """
    Return which slots pass.

    Args:
        filters: with countries and employment types as stored (`read_filters`).
        excluded: clusters of the job ids that are not wanted.
    """
    mask = board.column("alive").copy()
    for name in ("country", "city", "work_mode", "source"):
        values: list[str] | None = getattr(filters, name)
        if values:
            codes = {board.code(name, value.strip().casefold()) for value in values}
            mask &= _is_one_of(board, name, codes - {-1, 0})
    if filters.seniority:
        mask &= _is_one_of(board, "level", {level_number(name) for name in filters.seniority})
    if filters.employment_type:
        kinds = (board.code("employment_type", name) for name in filters.employment_type)
        wanted = sum({1 << min(code, 62) for code in kinds if code > 0})
        mask &= (board.column("employment_type") & wanted) != 0
    if filters.posted_since:
        mask &= board.column("posted") >= filters.posted_since.toordinal()
    if filters.salary_min:
        mask &= _pays(board, filters.salary_min)
    _, companies = split_exclusions(filters.exclude)
    for name in companies:
        for column in ("company", "employer"):
            code = board.code(column, name)
            if code > 0:
                mask &= board.column(column) != code
    for canonical in excluded:
        slot = board.slot(canonical)
        if slot is not None:
            mask[slot] = False
    return mask


def is_open(filters: Filters) -> bool:
    """Whether the filters let every open cluster pass."""
    read: Callable[[str], object] = lambda name: getattr(filters, name)  # noqa: E731
    return not any(read(name) for name in Filters.__struct_fields__)


def _is_one_of(board: Board, name: str, codes: Iterable[int]) -> Mask:
    # One comparison per value: they are few, and `isin` sorts for them.
    column = board.column(name)
    found: Mask = np.zeros(board.size, dtype=np.bool_)
    for code in codes:
        found |= column == code
    return found


def _pays(board: Board, floor: SalaryFloor) -> Mask:
    # Nothing is converted between currencies: a rate would be a guess about another day.
    least = yearly(floor.amount, floor.period)
    assert least is not None, "the profile's own periods are all known"
    code = board.code("currency", floor.currency.upper())
    enough = board.column("salary") >= least
    same: Mask = board.column("currency") == code
    return enough & same if code > 0 else np.zeros(board.size, dtype=np.bool_)
