"""Evidence: where a value was read, as code point offsets into a stored field."""

from __future__ import annotations

import re

import msgspec

DESCRIPTION = "description_clean"
TITLE = "title"
LOCATION = "location"
SALARY = "salary"
EMPLOYMENT = "employment_type"


class Span(msgspec.Struct, frozen=True, gc=False):
    """`text_of(field)[start:end] == snippet` holds for the stored field. Source: decisions.md "
    "18."""

    field: str
    start: int
    end: int
    snippet: str


def span(field: str, text: str, start: int, end: int) -> Span:
    """Return the span of `text[start:end]`, without white space at its rims."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(field, start, end, text[start:end])


def match_span(field: str, text: str, match: re.Match[str], group: int | str = 0) -> Span:
    """Return the span of one group of a match."""
    return span(field, text, match.start(group), match.end(group))


def confidence(value: float) -> float:
    """Round as stored and compared: 3 decimals, within 0..1. Source: decisions.md 22."""
    return round(min(1.0, max(0.0, value)), 3)
