"""
Read a job title: which known role it names, and at what level.

Source: issue 5 items 1 and 3, N-38.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from nextstep.processors.shared.concepts import TitleConcept
from nextstep.processors.shared.folding import fold_char
from nextstep.processors.shared.level import level_spans, title_level
from nextstep.processors.shared.near_names import Name, NearNames
from nextstep.processors.shared.place import parse_place
from nextstep.processors.shared.spans import confidence
from nextstep.processors.shared.title_words import (
    FILLER,
    GENDER_ENDING,
    GENERAL,
    KEEP_S,
    LEVEL_WORDS,
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_EDITS,
    NOISE,
    ROLE,
    ROLE_ENDINGS,
    SEGMENT,
    SHORTEST_MISSPELLED,
    TAGS,
    WORD,
)


class Title(msgspec.Struct, frozen=True):
    """
    What a title says.

    Attributes:
        title_norm: the concept's name, or the cleaned lower-case title when none fits.
        cluster: the concept's cluster, or empty.
        seniority: one of interface.md's levels, or empty.
        confidence: of `title_norm`.
        span: start and end, in the title, of the words that name the role; (0, 0) without.
        level_confidence, level_span: the same for the seniority.
    """

    title_norm: str = ""
    cluster: str = ""
    seniority: str = ""
    confidence: float = 0.0
    span: tuple[int, int] = (0, 0)
    level_confidence: float = 0.0
    level_span: tuple[int, int] = (0, 0)


class _Token(msgspec.Struct, frozen=True):
    key: str
    start: int
    end: int


class _Index(msgspec.Struct, frozen=True):
    """
    The written names of all concepts.

    `exact` maps a name to its concept; `roles` are the names that end in a word for a person who
    works ("analyst"), not in a subject ("data science"); `near` finds the misspelled ones.
    """

    titles: tuple[TitleConcept, ...]
    exact: dict[str, int]
    heads: frozenset[str]
    roles: frozenset[str]
    near: NearNames


def normalize_title(title: str, titles: tuple[TitleConcept, ...]) -> Title:
    """
    Return role, cluster and seniority of a title.

    Markers of gender, urgency, work mode and requisition, places and level words do not count.
    A known name is found exactly, else with gaps ("Data Quality Analyst" is a data analyst), else
    misspelled.
    """
    return _normalize(title[:LONGEST_TITLE], _Ref(titles))


def forget() -> None:
    """Empty the memo of titles; benches do, so that each round works like the first."""
    _normalize.cache_clear()


class _Ref:
    """A key for the memo that compares taxonomies by identity: hashing them costs too much."""

    __slots__ = ("titles",)

    def __init__(self, titles: tuple[TitleConcept, ...]) -> None:
        self.titles = titles

    def __hash__(self) -> int:
        return id(self.titles)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ref) and self.titles is other.titles


@lru_cache(maxsize=32_768)
def _normalize(title: str, ref: _Ref) -> Title:
    index = _index(ref)
    masked = TAGS.sub(_spaces, title)
    masked = NOISE.sub(_spaces, masked)
    masked = GENDER_ENDING.sub(_spaces_glued, masked)
    level = title_level(TAGS.sub(_spaces, title))
    segments = _segments(masked)
    found = _turned(segments, index) or _known(segments, index) or _fuzzy(segments, index)
    level_span = (level.spans[0].start, level.spans[0].end) if level.spans else (0, 0)
    if found is not None:
        owner, start, end, sure = found
        concept = index.titles[owner]
        return Title(concept.name, concept.cluster, level.level, sure, (start, end),
                     level.confidence, level_span)  # fmt: skip
    text, start, end = _fallback(masked, segments)
    return Title(text, "", level.level, 0.4 if text else 0.0, (start, end),
                 level.confidence, level_span)  # fmt: skip


@lru_cache(maxsize=4)
def _index(ref: _Ref) -> _Index:
    exact: dict[str, int] = {}
    for number, concept in enumerate(ref.titles):
        exact.setdefault(_name_key(concept.name), number)
    for number, concept in enumerate(ref.titles):
        for alias in concept.aliases:
            exact.setdefault(_name_key(alias), number)
    exact.pop("", None)
    near = NearNames(
        Name(" ".join(sorted(name.split(" "))), rank, exact[name])
        for rank, name in enumerate(sorted(exact))
        if len(name) >= SHORTEST_MISSPELLED
    )
    return _Index(
        ref.titles,
        exact,
        frozenset(name.split(" ")[-1] for name in exact),
        frozenset(name for name in exact if _is_role(name)),
        near,
    )


def _is_role(name: str) -> bool:
    words = name.split(" ")
    return any(ROLE.fullmatch(word) or word.endswith(ROLE_ENDINGS) for word in words)


def _name_key(name: str) -> str:
    return " ".join(token.key for token in _tokens(name, 0))


def _tokens(text: str, offset: int) -> list[_Token]:
    return [
        _Token(_stem(_fold(match.group())), offset + match.start(), offset + match.end())
        for match in WORD.finditer(text)
    ]


def _fold(word: str) -> str:
    if word.isascii():
        return word.lower()
    return "".join(char.lower() if char.isascii() else fold_char(char) for char in word)


def _stem(word: str) -> str:
    """Take a plural's s away; "sales", "business" and "analytics" keep it."""
    if len(word) > 4 and word[-1] == "s" and word[-2] not in "siuc" and word not in KEEP_S:
        return word[:-1]
    return word


def _segments(masked: str) -> list[list[_Token]]:
    segments = []
    start = 0
    for match in [*SEGMENT.finditer(masked), None]:
        end = match.start() if match else len(masked)
        if tokens := _tokens(masked[start:end], start):
            segments.append(tokens)
        start = match.end() if match else end
    return segments[:12]


_Found = tuple[int, int, int, float]


def _known(segments: Sequence[Sequence[_Token]], index: _Index) -> _Found | None:
    """Return the longest known role that stands in one segment, the first of equals."""
    best: tuple[int, _Found] | None = None
    for number, tokens in enumerate(segments):
        core = [token for token in tokens if token.key not in LEVEL_WORDS]
        for size in range(min(LONGEST_NAME, len(tokens)), 0, -1):
            if best is not None and size <= best[0]:
                break
            whole = size >= len(core)
            hit = _window(tokens, size, index, whole and number == 0)
            if hit is not None:
                sure = 0.97 if whole and number == 0 else 0.92 if size > 1 else 0.7
                best = (size, (hit[0], hit[1], hit[2], sure))
                break
    if best is not None and best[0] > 1:
        return best[1]
    return _gapped(segments, index) or (best[1] if best else None)


def _window(
    tokens: Sequence[_Token], size: int, index: _Index, whole: bool
) -> tuple[int, int, int] | None:
    """
    Return the first known name of `size` words, a role before a subject.

    Inside a longer title a subject ("digital transformation") is no role, unless a role word
    stands beside it, and one general word ("developer") is too little.
    """
    beside = whole or any(ROLE.fullmatch(token.key) for token in tokens)
    subject: tuple[int, int, int] | None = None
    for at in range(len(tokens) - size + 1):
        window = tokens[at : at + size]
        if window[-1].key not in index.heads:
            continue
        name = " ".join(token.key for token in window)
        owner = index.exact.get(name)
        if owner is None:
            continue
        hit = (owner, window[0].start, window[-1].end)
        if whole or (name in index.roles and (size > 1 or name not in GENERAL)):
            return hit
        if size > 1 and beside and subject is None:
            subject = hit
    return subject


def _gapped(segments: Sequence[Sequence[_Token]], index: _Index) -> _Found | None:
    """Return a two-word name whose words stand in order with others between them."""
    for tokens in segments:
        for last in range(len(tokens) - 1, 0, -1):
            if tokens[last].key not in index.heads:
                continue
            for first in range(max(0, last - 4), last - 1):
                name = f"{tokens[first].key} {tokens[last].key}"
                owner = index.exact.get(name)
                if owner is not None and name in index.roles:
                    return owner, tokens[first].start, tokens[last].end, 0.7
    return None


def _turned(segments: Sequence[Sequence[_Token]], index: _Index) -> _Found | None:
    """Read "Manager, Marketing" as marketing manager."""
    if len(segments) < 2:
        return None
    first = [token for token in segments[0] if token.key not in LEVEL_WORDS]
    if len(first) != 1 or first[0].key not in GENERAL:
        return None
    second = [token for token in segments[1] if token.key not in LEVEL_WORDS]
    if not second:
        return None
    owner = index.exact.get(" ".join(token.key for token in (*second, *first)))
    return (owner, first[0].start, second[-1].end, 0.85) if owner is not None else None


def _fuzzy(segments: Sequence[Sequence[_Token]], index: _Index) -> _Found | None:
    """Return the name that one of the first segments misspells; its words may be in any order."""
    for tokens in segments[:2]:
        words = sorted(token.key for token in tokens if token.key not in LEVEL_WORDS)
        text = " ".join(words)
        if len(text) < SHORTEST_MISSPELLED or len(words) > 6:
            continue
        if nearest := index.near.nearest(text, MOST_EDITS if len(text) >= 14 else 1):
            edits, owner = nearest
            sure = confidence(0.85 - 0.1 * edits)
            return owner, tokens[0].start, tokens[-1].end, sure
    return None


def _fallback(masked: str, segments: Sequence[Sequence[_Token]]) -> tuple[str, int, int]:
    """Return the cleaned title: the segment with a role word, else the first one."""
    named = next(
        (s for s in segments if ROLE.search(masked[s[0].start : s[-1].end])),
        None,
    )
    # Between bars the first part is the company: no role is better than its name.
    chosen = named
    if named is None and "|" not in masked:
        chosen = next((s for s in segments if not _is_place(masked, s)), None)
    if chosen is None:
        return "", 0, 0
    start, end = chosen[0].start, chosen[-1].end
    levels = level_spans(masked[start:end])
    kept = [
        token
        for token in chosen
        if token.key not in FILLER
        and not any(a < token.end - start and token.start - start < b for a, b in levels)
    ] or list(chosen)
    text = " ".join(masked[token.start : token.end].lower() for token in kept)
    return text[:120].strip(), start, end


def _is_place(masked: str, tokens: Sequence[_Token]) -> bool:
    """Whether a part of a title is a place: "Boston, MA - Acme" names no role."""
    text = masked[tokens[0].start : tokens[-1].end]
    return (text.isupper() and len(text) == 2) or parse_place(text).confidence >= 0.7


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _spaces_glued(match: re.Match[str]) -> str:
    return " " * len(match.group())
