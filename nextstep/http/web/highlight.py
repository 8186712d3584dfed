"""
Where evidence stands in a text, as pieces that a template can mark. Pure.

Source: decisions.md 18, issue 8 items 2 and 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_FIELD = "description_clean"


class Piece(msgspec.Struct, frozen=True):
    """A run of text; `names` say what it is evidence of, '' for nothing."""

    text: str
    names: str = ""


class Excerpt(msgspec.Struct, frozen=True):
    """Evidence with what stands around it."""

    before: str
    hit: str
    after: str
    name: str


def pieces(text: str, spans: Iterable[tuple[int, int, str]]) -> list[Piece]:
    """
    Cut a text where its evidence begins and ends; the pieces put together are the text.

    Args:
        spans: (start, end, name) in code points; they may overlap, and those outside are left out.
    """
    kept = [(start, end, name) for start, end, name in spans if 0 <= start < end <= len(text)]
    edges = sorted({0, len(text), *(s for s, _, _ in kept), *(e for _, e, _ in kept)})
    starts: dict[int, list[str]] = {}
    ends: dict[int, list[str]] = {}
    for start, end, name in kept:
        starts.setdefault(start, []).append(name)
        ends.setdefault(end, []).append(name)
    found = []
    open_names: list[str] = []
    for low, high in itertools.pairwise(edges):
        for name in ends.get(low, ()):
            open_names.remove(name)
        open_names += starts.get(low, ())
        found.append(Piece(text[low:high], ", ".join(dict.fromkeys(open_names))))
    return found


def evidence_spans(evidence: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    """Return (start, end, name) of everything that was read off the description."""
    spans = []
    for group, entries in evidence.items():
        if not isinstance(entries, list):
            continue
        for entry in entries:
            if not isinstance(entry, dict):
                continue
            name = str(entry.get("name") or group)
            for span in entry.get("spans") or [entry]:
                field = span.get("field") or entry.get("field") or _FIELD
                if field == _FIELD and isinstance(span.get("start"), int):
                    spans.append((span["start"], int(span["end"]), name))
    return sorted(set(spans))


def excerpt(text: str, start: int, end: int, name: str, reach: int = 70) -> Excerpt:
    """Return evidence with about `reach` characters on each side, cut at words."""
    before, after = text[max(0, start - reach) : start], text[end : end + reach]
    if start > reach:
        before = "…" + before.partition(" ")[2]
    if end + reach < len(text):
        after = after.rpartition(" ")[0] + "…"
    return Excerpt(" ".join(before.split("\n")), text[start:end], " ".join(after.split("\n")), name)
