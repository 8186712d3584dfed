"""
Seniority: what the title states, else what the text says of this very job.

Level words mean a level only in their place: "Account Executive", "Staff Nurse", "lead
generation" and "Assistant to the Director" state none.

Source: issue 5 item 3, interface.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import ahocorasick_rs
import msgspec

from nextstep.processors.shared.level_words import (
    LEVEL_STEMS,
    LONGEST_TITLE,
    NO_LEVEL,
    NUMBERED,
    OF_THIS_JOB,
    ROLE_MANAGER,
    STATED,
    TITLE_RULES,
    WORD_LEVELS,
)
from nextstep.processors.shared.spans import DESCRIPTION, TITLE, Span, confidence, span
from nextstep.processors.shared.spotting import BIT, Spot, lower, spot, windows


class Level(msgspec.Struct, frozen=True):
    """`level` is one of interface.md's, or empty."""

    level: str = ""
    confidence: float = 0.0
    spans: tuple[Span, ...] = ()


@lru_cache(maxsize=1)
def _stems() -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(LEVEL_STEMS)


def may_have_level(title: str) -> bool:
    """Whether a title holds any piece of a level word; the rules need not be tried without."""
    found = _stems().find_matches_as_indexes(lower(title))
    return bool(found) or NUMBERED.search(title) is not None


@lru_cache(maxsize=16_384)
def title_level(title: str) -> Level:
    """Return the level that a title states, in its first LONGEST_TITLE characters."""
    if not may_have_level(title[:LONGEST_TITLE]):
        return Level()
    masked = NO_LEVEL.sub(lambda match: " " * len(match.group()), title[:LONGEST_TITLE])
    for level, pattern, sure in TITLE_RULES:
        hit = pattern.search(masked)
        if hit is None:
            continue
        if level == "manager" and (role := ROLE_MANAGER.search(masked)):
            beside = _level_beside(masked, role)
            if beside is not None:
                return beside
            return Level(level, 0.6, (span(TITLE, title, hit.start(), hit.end()),))
        return Level(level, confidence(sure), (span(TITLE, title, hit.start(), hit.end()),))
    return Level()


def _level_beside(masked: str, role: re.Match[str]) -> Level | None:
    """Return senior or lead for "Senior Product Manager": the manager is the role's name."""
    before = masked[: role.start()]
    for level, pattern, _ in TITLE_RULES:
        if level in ("senior", "lead", "mid") and (hit := pattern.search(before)):
            return Level(level, 0.85, (span(TITLE, masked, hit.start(), hit.end()),))
    return None


def text_level(text: str, spots: Sequence[Spot] | None = None, limit: int = 6000) -> Level:
    """Return the level that a description states of this job, in its first `limit` characters."""
    near = spot(text[:limit]) if spots is None else [s for s in spots if s.start < limit]
    pieces = windows(text, near, BIT["level"], 110, 40)
    for pattern, sure in ((STATED, 0.75), (OF_THIS_JOB, 0.65)):
        for piece in pieces:
            for hit in pattern.finditer(text, piece.start, piece.end):
                group = next(name for name, value in hit.groupdict().items() if value)
                level = _word_level(hit[group].lower())
                if level:
                    found = span(DESCRIPTION, text, hit.start(group), hit.end(group))
                    return Level(level, confidence(sure), (found,))
    return Level()


def _word_level(word: str) -> str:
    for level, starts in WORD_LEVELS:
        if word.startswith(tuple(starts)):
            return level
    return ""


def seniority_of(title: str, text: str, spots: Sequence[Spot] | None = None) -> Level:
    """Return the seniority of an ad: its title first, then its description."""
    found = title_level(title)
    return found if found.level else text_level(text, spots)


def level_spans(title: str) -> Sequence[tuple[int, int]]:
    """Return where level words stand in a title, so that the role can be read without them."""
    if not may_have_level(title):
        return []
    masked = NO_LEVEL.sub(lambda match: " " * len(match.group()), title)
    return [
        (hit.start(), hit.end())
        for level, pattern, _ in TITLE_RULES
        if level not in ("manager", "director", "executive", "vp", "head")
        for hit in pattern.finditer(masked)
    ]
