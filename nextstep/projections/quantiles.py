"""Quantiles that are values of the sample: nearest rank, exact and the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def nearest_rank(counts: Mapping[Any, int], percents: Sequence[int]) -> tuple[Any, ...]:
    """
    Return, per percent, the least value that at least so many percent of the sample do not exceed.

    Args:
        counts: value -> how often it occurs; not empty.
        percents: whole numbers from 1 to 100, rising.
    """
    ordered = sorted(counts.items())
    total = sum(counts.values())
    found: list[Any] = []
    seen = 0
    at = iter(ordered)
    value: Any = None
    for percent in percents:
        rank = -(-percent * total // 100)
        while seen < rank:
            value, count = next(at)
            seen += count
        found.append(value)
    return tuple(found)
