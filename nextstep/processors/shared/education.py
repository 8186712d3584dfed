"""
Education that an ad asks for: levels, and whether they are required or only preferred.

Source: issue 5 item 3, interface.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

import msgspec

from nextstep.processors.shared.education_words import (
    ANY_HEADING,
    CASED_NO_LEVEL,
    EDGE_AFTER,
    EDGE_BEFORE,
    FIELDS,
    LEVELS,
    MOST_PIECES,
    MOST_TRIED,
    NEXT_LEVEL,
    NO_LEVEL,
    PREFERRED,
    PREFERRED_HEADING,
    PREFERS_THIS,
    REQUIRED,
    TRIED,
)
from nextstep.processors.shared.spans import DESCRIPTION, Span, confidence, span
from nextstep.processors.shared.spotting import Spot, lower, spot, windows


class Education(msgspec.Struct, frozen=True):
    """
    Levels in the order of LEVELS.

    `required` is None when no level is named, else whether at least one is asked for outright.
    """

    levels: tuple[str, ...] = ()
    required: bool | None = None
    confidence: float = 0.0
    spans: tuple[Span, ...] = ()


def education_of(text: str, spots: Sequence[Spot] | None = None) -> Education:
    """Return the levels of education that an ad names, each with its first mention."""
    found: dict[str, tuple[float, Span]] = {}
    required: set[str] = set()
    pieces = windows(text, spot(text) if spots is None else spots, FIELDS, 34, 46)
    for piece in pieces[:MOST_PIECES]:
        raw = text[piece.start : piece.end]
        low = lower(raw)
        # Half of the pieces name no degree; they are passed by before the slow masking.
        tried = [
            item
            for item in TRIED
            if piece.fields & item[1] and item[2].search(raw if item[4] else low)
        ]
        if not tried:
            continue
        raw, low = _masked(raw, low)
        taken = bytearray(len(raw))
        for level, _, pattern, sure, cased in tried:
            for match in islice(pattern.finditer(raw if cased else low), MOST_TRIED):
                start, end = match.span()
                if any(taken[start:end]):
                    continue
                taken[start:end] = b"\1" * (end - start)
                at = piece.start + start
                if level not in required and not _is_preferred(text, at, piece.start + end):
                    required.add(level)
                if level not in found or found[level][0] < sure:
                    found[level] = (sure, span(DESCRIPTION, text, at, piece.start + end))
    if not found:
        return Education()
    if len(found) > 1 and found.get("bachelor", (1.0,))[0] < 0.8 and _is_generic(found, required):
        del found["bachelor"]
    ordered = [level for level in LEVELS if level in found]
    return Education(
        tuple(ordered),
        any(level in required for level in ordered),
        confidence(sum(found[level][0] for level in ordered) / len(ordered)),
        tuple(found[level][1] for level in ordered),
    )


def _masked(raw: str, low: str) -> tuple[str, str]:
    """Return both with blanks for what only looks like a level."""
    for match in [*NO_LEVEL.finditer(low), *CASED_NO_LEVEL.finditer(raw)]:
        start, end = match.span()
        blank = " " * (end - start)
        raw, low = raw[:start] + blank + raw[end:], low[:start] + blank + low[end:]
    return raw, low


def _is_generic(found: dict[str, tuple[float, Span]], required: set[str]) -> bool:
    """ "A degree in ..." beside a higher degree that is asked for adds no level of its own."""
    return any(level in found and level in required for level in ("master", "phd"))


def _is_preferred(text: str, start: int, end: int) -> bool:
    before = EDGE_BEFORE.split(text[max(0, start - 120) : start])[-1]
    after = EDGE_AFTER.split(text[end : end + 160])[0]
    after = NEXT_LEVEL.split(after)[0]
    if "(" in after:
        after = re.sub(r"^\s*\([^()]*\)", " ", after)  # "Bachelor's (Master's preferred)"
    if PREFERS_THIS.search(before):
        return True
    if REQUIRED.search(before) and not PREFERRED.search(after[:60]):
        return False
    near = re.split(r",\s|\bor\b|\band\b", after)[0] if REQUIRED.search(after) else after
    if PREFERRED.search(near) or PREFERRED.search(before[-60:]):
        return True
    back = text[max(0, start - 900) : start]
    headings = list(PREFERRED_HEADING.finditer(back))
    heading = headings[-1] if headings else None
    if heading is None:
        return False
    return not any(h.start() > heading.start() for h in ANY_HEADING.finditer(back, heading.end()))
