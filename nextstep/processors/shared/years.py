"""
Years of experience that an ad asks for.

A number of years counts only beside a word of experience or a demand; the age of the company, of
people, of contracts and degrees does not.

Source: issue 5 item 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from nextstep.processors.shared.spans import DESCRIPTION, Span, confidence, span
from nextstep.processors.shared.spotting import BIT, Spot, lower, spot, windows
from nextstep.processors.shared.years_words import (
    ASKED_AFTER,
    CANDIDATE,
    COMPANY,
    DEMAND,
    EDGE_AFTER,
    EDGE_BEFORE,
    EXPERIENCE,
    EXPERIENCE_BEFORE,
    HAS_NUMBER,
    LABELLED,
    MOST_TRIED,
    MOST_YEARS,
    NOT_WORK_AFTER,
    NOT_WORK_BEFORE,
    PREFERRED,
    PREPOSITION,
    THEIRS_AFTER,
    THEIRS_BEFORE,
    UP_TO,
    WORDS,
    WORKING,
    YEARS,
)


class Experience(msgspec.Struct, frozen=True):
    """Years asked for; `max_years` is None for "5+ years", `min_years` for "up to 3 years"."""

    min_years: float | None = None
    max_years: float | None = None
    preferred: bool = False
    confidence: float = 0.0
    spans: tuple[Span, ...] = ()


def experience_of(text: str, spots: Sequence[Spot] | None = None) -> Experience:
    """Return the first demand for years of experience; one that is only preferred comes last."""
    pieces = windows(text, spot(text) if spots is None else spots, BIT["years"], 42, 44)
    wished: Experience | None = None
    low = lower(text) if pieces else ""
    for start, end in ((piece.start, piece.end) for piece in pieces):
        if not HAS_NUMBER.search(low, start, end):
            continue
        for read in _reads(text, low, start, end):
            if not read.preferred:
                return read
            wished = wished or read
    return wished or Experience()


def _reads(text: str, low: str, start: int, end: int) -> Iterator[Experience]:
    """Yield what is read in a piece; `low` is the text in lower case."""
    if (labelled := LABELLED.search(low, start, end)) is not None:
        least, most = float(labelled["a"]), float(labelled["b"]) if labelled["b"] else None
        if most is None or most >= least:
            found = span(DESCRIPTION, text, labelled.start(), labelled.end())
            yield Experience(least, most, False, 0.93, (found,))
    company_until = -1
    for match in islice(YEARS.finditer(low, start, end), MOST_TRIED):
        if _number(match["a"]) > MOST_YEARS and match["unit"][0] in "yYjJaA":
            # "80 years in data and 30 in software": a history, and so is the rest of it.
            company_until = _sentence_end(text, match.end())
        read = _read(match, text) if match.start() >= company_until else None
        if read is not None:
            yield read


def _sentence_end(text: str, start: int) -> int:
    edge = EDGE_AFTER.search(text, start, start + 200)
    return edge.start() if edge else start + 200


def _read(match: re.Match[str], text: str) -> Experience | None:
    before = EDGE_BEFORE.split(text[max(0, match.start() - 100) : match.start()])[-1]
    after = EDGE_AFTER.split(text[match.end() : match.end() + 110])[0]
    sure = _sureness(match, before, after)
    if not sure:
        return None
    unit = match["unit"].lower()
    scale = 1 / 12 if unit.startswith(("month", "monat", "mois", "meses", "mesi", "maand")) else 1.0
    low = _number(match["a"]) * scale
    high = _number(match["b"]) * scale if match["b"] else None
    if high is not None and (high < low or high > MOST_YEARS):
        return None
    if low > MOST_YEARS or (scale < 1 and low > 4):
        return None
    start = match.start()
    if high is None and (cap := UP_TO.search(before)):
        start -= len(before) - cap.start()
        found = Experience(None, round(low, 1))
    else:
        found = Experience(round(low, 1), None if high is None else round(high, 1))
    preferred = bool(PREFERRED.search(after) or PREFERRED.search(before))
    return Experience(
        found.min_years,
        found.max_years,
        preferred,
        confidence(sure - 0.15 * preferred),
        (span(DESCRIPTION, text, start, match.end()),),
    )


def _sureness(match: re.Match[str], before: str, after: str) -> float:
    """Return how sure it is that the years are asked of the reader; 0 when they are not."""
    named_after = EXPERIENCE.search(after[:90])
    demanded = bool(DEMAND.search(before))
    if _is_article(match, after) or _is_other_time(before, after, bool(named_after and demanded)):
        return 0.0
    if not match["b"] and not CANDIDATE.search(before) and _is_theirs(match, before, after):
        return 0.0
    if named_after and named_after.start() < 60:
        return 0.95
    if EXPERIENCE_BEFORE.search(before):
        return 0.92
    if named_after or (demanded and WORKING.match(after)):
        return 0.85
    return _unnamed(match, before, after, demanded)


def _is_article(match: re.Match[str], after: str) -> bool:
    """Whether "un", "ein" only leads in the next word: "une année de plus"."""
    if match["a"].lower() not in ("un", "une", "ein", "eine") or match["b"]:
        return False
    low = after.lower()
    return "erfahr" not in low and "exp" not in low


def _is_other_time(before: str, after: str, asked: bool) -> bool:
    if NOT_WORK_AFTER.match(after) and not EXPERIENCE.match(after.lstrip(" )'’of")):
        return True
    return bool(NOT_WORK_BEFORE.search(before)) and not asked


def _is_theirs(match: re.Match[str], before: str, after: str) -> bool:
    """Whether the experience is that of the company."""
    if THEIRS_BEFORE.search(before) or THEIRS_AFTER.match(after):
        return True
    return bool(COMPANY.search(before)) and not match["plus"]


def _unnamed(match: re.Match[str], before: str, after: str, demanded: bool) -> float:
    """Rate years beside which no word of experience stands: "5+ years in sales"."""
    if match["unit"][0] in "mM" and match["unit"][1:3].lower() in ("on", "oi", "es", "aa"):
        return 0.0  # months are a contract's, a visa's or a notice's unless experience is named
    if ASKED_AFTER.match(after):
        return 0.8
    starts_line = not before.strip(" \t-–*•·+>:()")
    open_or_range = match["plus"] or match["b"]
    if (open_or_range or starts_line) and WORKING.match(after):
        return 0.75
    plain = PREPOSITION.match(after)
    if plain is None:
        return 0.0
    led = starts_line and plain["of"].lower() != "of"
    return 0.7 if open_or_range or demanded or led else 0.0


def _number(text: str) -> float:
    low = text.lower()
    return float(WORDS[low]) if low in WORDS else float(low.replace(",", "."))
