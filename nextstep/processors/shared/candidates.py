"""
From the automaton's hits to candidates: word boundaries, capitals, addresses and blockers.

Source: issue 5 item 2.
"""

from __future__ import annotations

import re
from bisect import bisect_left

import msgspec

from nextstep.processors.shared.folding import Folded
from nextstep.processors.shared.taxonomy import Cue, Form, Matcher

_AT, _LOCAL = re.compile("@"), re.compile(r"[\w.+-]{1,64}")
_HOST = re.compile(r"[\w-]{1,64}(?:\.\w{2,12})+")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,500}")
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_WORD_BYTES = bytes(chr(byte).isalnum() or chr(byte) == "_" for byte in range(128)) + bytes(128)
_DOMAIN_AFTER = re.compile(r"\.(?:com|org|net|io|ai|co|de|uk|eu|nl|fr|es|sg|ca|us|edu|gov)\b")
_VERSION_AFTER = re.compile(r"\d{1,2}(?:\.[\dx]{1,3}){0,3}(?!\w)")

#: Longest ending of a name with `*`; German compounds are long.
_ENDING_LENGTH = 20
#: Longest blocker reaches this far behind a name.
_BLOCKER_REACH = 60

Span = tuple[int, int]


class Candidate(msgspec.Struct, frozen=True, gc=False):
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
    inside = word_mask(text)
    padded, meanings = matcher.padded, matcher.meanings
    found: list[Candidate] = []
    hits = Hits([], [], [])
    terms = hits.terms
    blocked: dict[int, list[Span]] = {}
    # Most hits lie inside longer words ("it" in "with"): they are dropped in the tightest loop.
    for number, start, end in [
        hit for hit in matcher.scan(text) if not inside[hit[1] - 1] or hit[0] in padded
    ]:
        forms, blocks, term, cue, open_end = meanings[number]
        if not forms and not blocks and not cue:
            # By far the most: a word that only stands beside names.
            if not inside[end] or open_end:
                terms.append((end - 1, start - 1, term))
            continue
        if number in padded:
            found += _letters(folded, forms, start, end)
            continue
        is_closed = not inside[end]
        if forms:
            _add_names(found, folded, text, forms, start, end, is_closed)
        if is_closed or open_end:
            if term >= 0:
                terms.append((end - 1, start - 1, term))
            for concept in blocks:
                blocked.setdefault(concept, []).append((end - 1, start - 1))
        if cue and is_closed:
            hits.cues.append((start - 1, end - 1, cue))
    if blocked:
        found = [c for c in found if not _is_blocked(c, blocked)]
    if addresses := _addresses(folded.text):
        found = [c for c in found if not _is_inside(c, addresses)]
    hits.candidates.extend(found)
    return hits


def word_mask(text: str) -> bytes:
    """Return one byte per character: 1 for a letter, a digit or an underscore, else 0."""
    if not text.isascii():
        text = _NON_ASCII.sub(lambda match: "a" if match.group().isalnum() else " ", text)
    return text.encode("ascii").translate(_WORD_BYTES)


def _letters(folded: Folded, forms: tuple[Form, ...], start: int, end: int) -> list[Candidate]:
    """Return the candidates of a one-letter pattern, which holds both neighbours itself."""
    letter = folded.original[folded.origin(start)]
    return [
        Candidate(start, end - 2, form) for form in forms if not form.exact or letter == form.exact
    ]


def _add_names(  # noqa: PLR0917 - the innermost loop: no object is made for its arguments
    found: list[Candidate],
    folded: Folded,
    text: str,
    forms: tuple[Form, ...],
    start: int,
    end: int,
    is_closed: bool,
) -> None:
    """Add the candidates of one hit; `start` and `end` count in the padded text."""
    if is_closed and text[end] in "#@+." and not _ends_well(text, end):
        return
    for form in forms:
        tail = 0 if is_closed else _tail(text, end, form)
        if tail < 0:
            continue
        if form.exact:
            first, last = folded.span(start - 1, end - 1)
            if not _has_capitals(folded.original[first:last], form.exact):
                continue
        found.append(Candidate(start - 1, end - 1 + tail, form))


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
    """Return end and start of every link and mail address, in order, none inside another."""
    found: list[Span] = []
    if "://" in text or "www." in text:
        found += [match.span() for match in _LINK.finditer(text)]
    if "@" in text:
        found += _mails(text)
    spans: list[Span] = []
    for start, end in sorted(found):
        if not spans or end > spans[-1][0]:
            spans.append((end, start))
    return spans


def _mails(text: str) -> list[Span]:
    # From each "@" outwards: a pattern that begins with the name is tried at every word.
    found = []
    for sign in _AT.finditer(text):
        at = sign.start()
        # Read backwards: a name is as long as it is, whatever stands before it.
        name = _LOCAL.match(text[max(0, at - 64) : at][::-1])
        host = _HOST.match(text, at + 1) if name else None
        if name and host:
            found.append((at - len(name.group()), host.end()))
    return found


def _is_inside(candidate: Candidate, spans: list[Span]) -> bool:
    index = bisect_left(spans, (candidate.end, -1))
    return index < len(spans) and spans[index][1] <= candidate.start
