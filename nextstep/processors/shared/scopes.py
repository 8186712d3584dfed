"""
Which parts of a text speak of welcome or unneeded skills.

Source: issue 5 item 2.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec

from nextstep.processors.shared.taxonomy import Cue

#: Folded characters between a word of negation and the name it speaks of.
_NEGATION_REACH = 50
#: Folded characters that a sentence is followed to either side of a cue.
_SENTENCE_REACH = 300
_HEADING_LENGTH = 70

_BREAK = re.compile(r"\n|[;!?]|\.(?=\s)|\bbut\b|\baber\b|\bmais\b|\bmaar\b")
_NEGATION_BREAK = re.compile(r"\n|[;!?,:]|\.(?=\s)|\bbut\b|\baber\b|\bmais\b|\bmaar\b")
_BULLET = re.compile(r"\s*[-*+o>]\s")
_WELCOME_CUES = (Cue.WELCOME, Cue.WELCOME_BEFORE, Cue.WELCOME_AFTER)

CueHit = tuple[int, int, Cue]
Span = tuple[int, int]


class Scopes(msgspec.Struct, frozen=True):
    """Where skills are only welcome (disjoint, rising spans), and the cues of negation."""

    text: str
    welcome: list[Span]
    before: list[CueHit]
    after: list[CueHit]
    weak: list[CueHit]
    needed: list[CueHit]

    @property
    def may_negate(self) -> bool:
        """Whether the text has any cue of negation; without one nothing need be asked."""
        return bool(self.before or self.after or self.weak)

    def is_preferred(self, start: int, end: int) -> bool:
        """Return whether the name at folded `start`..`end` is welcome, not required."""
        index = bisect_right(self.welcome, (start, len(self.text) + 1)) - 1
        return index >= 0 and self.welcome[index][1] >= end

    def is_negated(self, start: int, end: int) -> bool:
        """Return whether the name at folded `start`..`end` is said not to be needed."""
        if self._leads(self.before, start) or self._follows(self.after, end):
            return not self.is_preferred(start, end)
        return self._leads(self.weak, start) and self._follows(self.needed, end)

    def _leads(self, cues: list[CueHit], start: int) -> bool:
        index = bisect_right(cues, (start, 0, Cue.NONE)) - 1
        if index < 0 or not 0 <= start - cues[index][1] <= _NEGATION_REACH:
            return False
        return _NEGATION_BREAK.search(self.text, cues[index][1], start) is None

    def _follows(self, cues: list[CueHit], end: int) -> bool:
        index = bisect_left(cues, (end, 0, Cue.NONE))
        if index >= len(cues) or cues[index][0] - end > _NEGATION_REACH:
            return False
        return _NEGATION_BREAK.search(self.text, end, cues[index][0]) is None


def find_scopes(text: str, cues: Sequence[CueHit], preferred: Sequence[Span] = ()) -> Scopes:
    """
    Return the scopes of a folded text.

    Args:
        cues: hits by rising end.
        preferred: spans that are known to list welcome skills (a section of that kind).
    """
    ordered = sorted(cues)
    needed = [cue for cue in ordered if cue[2] is Cue.NEEDED]
    welcome = [cue for cue in ordered if cue[2] in _WELCOME_CUES]
    spans = list(preferred)
    if welcome:
        spans += _below_headings(text, welcome)
        spans += [_in_sentence(text, cue, needed) for cue in welcome]
    return Scopes(
        text,
        _joined(spans),
        [cue for cue in ordered if cue[2] is Cue.NEGATED_BEFORE],
        [cue for cue in ordered if cue[2] is Cue.NEGATED_AFTER],
        [cue for cue in ordered if cue[2] is Cue.NEGATED_IF_NEEDED],
        needed,
    )


def _in_sentence(text: str, cue: CueHit, needed: list[CueHit]) -> Span:
    """Return the part of the cue's sentence that it speaks of."""
    start, end, kind = cue
    left = _left_border(text, start, needed)
    right = _right_border(text, end, needed)
    if kind is Cue.WELCOME_BEFORE:
        return end, right
    if kind is Cue.WELCOME_AFTER and text[left:start].strip(" -*,"):
        return left, start
    return left, right


def _left_border(text: str, start: int, needed: list[CueHit]) -> int:
    border = max(0, start - _SENTENCE_REACH)
    border = max(border, text.rfind("\n", border, start) + 1)
    for match in _BREAK.finditer(text, border, start):
        border = match.end()
    index = bisect_left(needed, (start, 0, Cue.NONE)) - 1
    return max(border, needed[index][1]) if index >= 0 else border


def _right_border(text: str, end: int, needed: list[CueHit]) -> int:
    match = _BREAK.search(text, end, end + _SENTENCE_REACH)
    border = match.start() if match else min(len(text), end + _SENTENCE_REACH)
    index = bisect_left(needed, (end, 0, Cue.NONE))
    return min(border, needed[index][0]) if index < len(needed) else border


def _below_headings(text: str, welcome: list[CueHit]) -> list[Span]:
    """Return the lines below each heading that holds a word of welcome, to the next heading."""
    spans: list[Span] = []
    inside = False
    position = 0
    for line in text.split("\n"):
        end = position + len(line)
        if _is_heading(line):
            index = bisect_left(welcome, (position, 0, Cue.NONE))
            inside = index < len(welcome) and welcome[index][0] < end
        elif inside:
            spans.append((position, end))
        position = end + 1
    return spans


def _is_heading(line: str) -> bool:
    stripped = line.strip()
    if not stripped or len(stripped) > _HEADING_LENGTH or _BULLET.match(line):
        return False
    return stripped[-1] in ":?" or (stripped[-1] not in ".,;!)" and "," not in stripped)


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined
