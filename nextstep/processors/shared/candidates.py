"""
From the automaton's hits to candidates: word boundaries, capitals, addresses and blockers.

Source: issue 5 item 2.
"""

from __future__ import annotations

import re
from bisect import bisect_left

import msgspec

from nextstep.processors.shared.folding import Folded
from nextstep.processors.shared.taxonomy import Cue, Form, Matcher, Pattern

_ADDRESS = re.compile(r"(?:https?://|www\.)\S{1,500}|[\w.+-]{1,64}@[\w-]{1,64}(?:\.\w{2,12})+")
_DOMAIN_AFTER = re.compile(r"\.(?:com|org|net|io|ai|co|de|uk|eu|nl|fr|es|sg|ca|us|edu|gov)\b")
_VERSION_AFTER = re.compile(r"\d{1,2}(?:\.[\dx]{1,3}){0,3}(?!\w)")

#: Longest ending of a name with `*`; German compounds are long.
_ENDING_LENGTH = 20
#: Longest blocker reaches this far behind a name.
_BLOCKER_REACH = 60

Span = tuple[int, int]


class Candidate(msgspec.Struct, frozen=True):
    """A hit on a name that stands as a word; positions are folded ones."""

    start: int
    end: int
    form: Form


class Hits(msgspec.Struct, frozen=True):
    """
    What one scan of a text found, each list by rising end.

    Attributes:
        candidates: names.
        terms: (end, start, term id) of context terms.
        cues: (start, end, cue).
    """

    candidates: list[Candidate]
    terms: list[tuple[int, int, int]]
    cues: list[tuple[int, int, Cue]]


def collect(folded: Folded, matcher: Matcher) -> Hits:
    """Scan a text once; return its names, context terms and cues."""
    # The padding stands for the text's borders: no neighbour is ever out of range.
    text = f" {folded.text}  "
    patterns = matcher.patterns
    found: list[Candidate] = []
    hits = Hits([], [], [])
    blocked: dict[int, list[Span]] = {}
    for number, start, end in matcher.scan(text):
        pattern = patterns[number]
        if pattern.pad:
            found += _letters(folded, pattern, start, end)
            continue
        before = text[start - 1]
        if before.isalnum() or before == "_":
            continue
        after = text[end]
        is_closed = not (after.isalnum() or after == "_")
        if pattern.forms:
            found += _names(folded, text, pattern, (start, end))
        if is_closed or pattern.open_end:
            if pattern.term >= 0:
                hits.terms.append((end - 1, start - 1, pattern.term))
            for concept in pattern.blocks:
                blocked.setdefault(concept, []).append((end - 1, start - 1))
        if pattern.cue and is_closed:
            hits.cues.append((start - 1, end - 1, pattern.cue))
    addresses = _addresses(folded.text)
    hits.candidates.extend(
        c for c in found if not _is_blocked(c, blocked) and not _is_inside(c, addresses)
    )
    return hits


def _letters(folded: Folded, pattern: Pattern, start: int, end: int) -> list[Candidate]:
    """Return the candidates of a one-letter pattern, which holds both neighbours itself."""
    letter = folded.original[folded.origin(start)]
    return [
        Candidate(start, end - 2, form)
        for form in pattern.forms
        if not form.exact or letter == form.exact
    ]


def _names(folded: Folded, text: str, pattern: Pattern, span: Span) -> list[Candidate]:
    """Return the candidates of one hit; `span` counts in the padded text."""
    start, end = span
    is_closed = not (text[end].isalnum() or text[end] == "_")
    if is_closed and not _ends_well(text, end):
        return []
    kept = []
    for form in pattern.forms:
        tail = 0 if is_closed else _tail(text, end, form)
        if tail < 0:
            continue
        if form.exact:
            first, last = folded.span(start - 1, end - 1)
            if not _has_capitals(folded.original[first:last], form.exact):
                continue
        kept.append(Candidate(start - 1, end - 1 + tail, form))
    return kept


def _ends_well(text: str, end: int) -> bool:
    after = text[end]
    if after in "#@":
        return False
    if after == "+":
        return text[end + 1].isalpha()
    return not (after == "." and _DOMAIN_AFTER.match(text, end))


def _tail(text: str, end: int, form: Form) -> int:
    """Return how many letters of an ending belong to the name, or -1 where a word goes on."""
    after = text[end]
    if form.open_end:
        return _ending_length(text, end)
    if after == "s" and form.plural:
        following = text[end + 1]
        return -1 if following.isalnum() or following == "_" else 1
    if form.versions and after.isdigit() and _VERSION_AFTER.match(text, end):
        return 0
    return -1


def _ending_length(text: str, end: int) -> int:
    last = end
    while last - end <= _ENDING_LENGTH and text[last].isalpha():
        last += 1
    return last - end if last - end <= _ENDING_LENGTH else -1


def _has_capitals(written: str, exact: str) -> bool:
    if written == exact:
        return True
    if written.isupper() and exact[0].isupper() and not exact.isupper():
        return True
    return [c for c in written if c.isalnum()] == [c for c in exact if c.isalnum()]


def _is_blocked(candidate: Candidate, blocked: dict[int, list[Span]]) -> bool:
    spans = blocked.get(candidate.form.concept)
    if spans is None:
        return False
    index = bisect_left(spans, (candidate.end, -1))
    while index < len(spans) and spans[index][0] <= candidate.end + _BLOCKER_REACH:
        if spans[index][1] <= candidate.start:
            return True
        index += 1
    return False


def _addresses(text: str) -> list[Span]:
    if "@" not in text and "://" not in text and "www." not in text:
        return []
    return [(match.end(), match.start()) for match in _ADDRESS.finditer(text)]


def _is_inside(candidate: Candidate, spans: list[Span]) -> bool:
    index = bisect_left(spans, (candidate.end, -1))
    return index < len(spans) and spans[index][1] <= candidate.start
