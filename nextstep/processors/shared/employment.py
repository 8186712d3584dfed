"""Employment type: from the field that states it, else from plain statements in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from nextstep.processors.shared.employment_words import (
    FIELD,
    IN_TEXT,
    IN_TITLE,
    KINDS,
    MOST_PIECES,
    STEMS,
)
from nextstep.processors.shared.spans import DESCRIPTION, EMPLOYMENT, TITLE, Span, match_span, span
from nextstep.processors.shared.spotting import BIT, Spot, spot, windows


class Employment(msgspec.Struct, frozen=True):
    """`kind` is one of KINDS or several joined by a comma, or empty."""

    kind: str = ""
    confidence: float = 0.0
    spans: tuple[Span, ...] = ()


def parse_employment(raw: str) -> str:
    """
    Return the canonical form of an employment field.

    One of KINDS; several are joined by "," in the order of KINDS ("Permanent, Full Time" gives
    "full_time,permanent"); what is not understood gives "".
    """
    return ",".join(kind for kind in KINDS if _field_hit(kind, raw) is not None)


def _field_hit(kind: str, raw: str) -> re.Match[str] | None:
    hit = FIELD[kind].search(raw)
    # "unbefristet" holds "befristet", "internship contract" is not a contractor's job.
    if hit and kind == "contract" and raw[max(0, hit.start() - 2) : hit.start()].lower() == "un":
        return None
    return hit


def employment_of(
    raw: str, title: str, text: str, spots: Sequence[Spot] | None = None
) -> Employment:
    """Return the employment type of an ad: the structured field first, then title, then text."""
    kinds = parse_employment(raw)
    if kinds:
        hits = [_field_hit(kind, raw) for kind in kinds.split(",")]
        return Employment(kinds, 0.97, tuple(match_span(EMPLOYMENT, raw, h) for h in hits if h))
    titled = {kind: hit for kind in KINDS if (hit := IN_TITLE[kind].search(title)) is not None}
    if titled:
        spans = tuple(match_span(TITLE, title, hit) for hit in titled.values())
        return Employment(",".join(titled), 0.9, spans)
    said = _said_in(text, spot(text) if spots is None else spots)
    if "internship" in said and len(said) > 1:
        del said["internship"]
    kinds = ",".join(kind for kind in KINDS if kind in said)
    return Employment(kinds, 0.8 if kinds else 0.0, tuple(said[k] for k in KINDS if k in said))


def _said_in(text: str, spots: Sequence[Spot]) -> dict[str, Span]:
    found: dict[str, Span] = {}
    for piece in windows(text, spots, BIT["employment"], 55, 40)[:MOST_PIECES]:
        part = text[piece.start : piece.end]
        low = part.lower()
        for kind in KINDS:
            if kind not in found and any(stem in low for stem in STEMS[kind]):
                hit = IN_TEXT[kind].search(part)
                if hit is not None:
                    at = piece.start
                    found[kind] = span(DESCRIPTION, text, at + hit.start(), at + hit.end())
    return found
