"""
Decide which names in a text are mentions of a skill or tool.

A name that can only mean one thing is believed. An ambiguous one ("R", "Go", "Spring") needs
evidence: a neighbour in a list that is believed, a context word near it, or its unambiguous form
elsewhere in the text. Doubt lowers the confidence; below the threshold a mention is left out.

Source: N-37, issue 5 items 2 and 4, decisions.md 18 and 22.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from nextstep.processors.shared.calibration import calibrated
from nextstep.processors.shared.candidates import Candidate, Hits, collect
from nextstep.processors.shared.concepts import Concept
from nextstep.processors.shared.firms import firm_key, firm_spans, is_inside
from nextstep.processors.shared.folding import Folded, fold
from nextstep.processors.shared.scopes import find_scopes
from nextstep.processors.shared.taxonomy import Cue, Group, Matcher

#: A mention below it is left out.
THRESHOLD = 0.5
#: Folded characters to either side in which a context term counts.
_CONTEXT_REACH = 80
#: Longest text between two neighbours of a list.
_GAP_LENGTH = 20
#: Most spans kept per concept: evidence for a reader, not an index of a hostile text.
MAX_SPANS = 50

#: Confidence of a name that is believed alone, by group and kind.
_BELIEVED = {"domain": 0.85, "soft": 0.8, "certification": 0.95}
_BELIEVED_ELSE = 0.95
_BY_LIST = 0.85
_BY_CONTEXT = 0.8
_BY_OTHER_MENTION = 0.75
_BY_LEAD = 0.7

#: Sections that speak of the employer or the law, not of the work; names there say less.
_ASIDE = frozenset({"about", "benefits", "boilerplate", "company", "eeo", "legal", "apply"})
_ASIDE_FACTOR = 0.8
_ASIDE_KINDS = frozenset({"soft", "domain"})
_PREFERRED_SECTIONS = frozenset({"preferred", "nice_to_have", "optional"})

_BETWEEN_NEIGHBOURS = re.compile(
    r"[\s,;/|&+*()\[\]:\"'-]*"
    r"(?:(?:and/or|and|or|und|oder|et|ou|y|e|o|en|of|plus|sowie|as well as|also)\b[\s(\"'-]*)?"
)


#: What may follow a name that only "experience with" speaks for: nothing that it leads in.
_CLOSED = re.compile(
    r"\s*(?:$|[\n.,;:!?)(/]|(?:and|or|und|oder|et|y|o|e|is|are|preferred|required|experience|"
    r"a plus|"
    r"programming|skills)\b)"
)


class Mention(msgspec.Struct, frozen=True, gc=False):
    """
    One place where a text names a concept: `text[start:end] == snippet`, in code points.

    `confidence` is 0..1, rounded to 3 decimals. `preferred`: welcome, but not required.
    """

    concept: str
    kind: str
    group: Group
    start: int
    end: int
    snippet: str
    confidence: float
    preferred: bool = False


class MentionSpan(msgspec.Struct, frozen=True, gc=False):
    """One of a value's places in description_clean."""

    start: int
    end: int
    snippet: str


class Value(msgspec.Struct, frozen=True):
    """
    A skill or tool of one post, with every place that names it (50 at most), in text order.

    `start`, `end` and `snippet` are those of the first span; `confidence` is the best of them;
    `preferred` is true when no span says it is required.
    """

    name: str
    kind: str
    start: int
    end: int
    snippet: str
    confidence: float
    preferred: bool
    spans: list[MentionSpan]


#: A section of the text: `kind`, `start`, `end`, as in jobs_normalized.sections.
Section = Mapping[str, Any]


def find_mentions(
    text: str, matcher: Matcher, sections: Sequence[Section] = (), company: str = ""
) -> list[Mention]:
    """
    Return the mentions in a text, by start; no two overlap, negated ones are left out.

    Tools that only name a firm are left out too: a customer, or the employer `company` itself.
    The time is linear in the text's length, whatever it holds.
    """
    folded = fold(text)
    hits = collect(folded, matcher)
    if not hits.candidates:
        return []
    rated = _longest(_rated(folded, hits, matcher))
    scopes = find_scopes(folded.text, hits.cues, _spans(folded, sections, _PREFERRED_SECTIONS))
    asides = _spans(folded, sections, _ASIDE)
    firms, employer = firm_spans(folded, hits.cues), firm_key(company)
    may_negate, may_prefer = scopes.may_negate, bool(scopes.welcome)
    mentions = []
    for candidate, believed in rated:
        start, end = candidate.start, candidate.end
        if may_negate and scopes.is_negated(start, end):
            continue
        concept = matcher.concepts[candidate.form.concept]
        if concept.group == "tool" and (
            (firms and is_inside(start, end, firms)) or folded.text[start:end] == employer
        ):
            continue
        confidence = round(believed, 3)
        if asides and _stands_in(start, asides):
            confidence = 0.0 if concept.kind in _ASIDE_KINDS else round(believed * _ASIDE_FACTOR, 3)
        if confidence >= THRESHOLD:
            preferred = may_prefer and scopes.is_preferred(start, end)
            sure = calibrated(rule_of(concept.group, concept.kind), confidence)
            mentions.append(_mention(folded, (start, end), concept, sure, preferred))
    return mentions


def _stands_in(start: int, spans: list[tuple[int, int]]) -> bool:
    # A generator would cost more than the few spans.
    for first, last in spans:  # noqa: SIM110
        if first <= start < last:
            return True
    return False


def rule_of(group: Group, kind: str) -> str:
    """Return the name under which mentions of a kind are calibrated."""
    if group == "tool":
        return "tool"
    # Each alone has too few labels for a share of its own.
    return "knowledge" if kind in ("domain", "technical") else f"skill {kind}"


def extract_skills_tools(
    text: str, sections: Sequence[Section], matcher: Matcher, company: str = ""
) -> tuple[list[Value], list[Value]]:
    """
    Return the skills and the tools that a description names, each by first start, then name.

    Args:
        text: description_clean.
        sections: `[{kind, start, end}]` of that text; may be empty.
        company: the employer; its own name is no tool.
    """
    groups: dict[str, dict[str, list[Mention]]] = {"skill": {}, "tool": {}}
    for mention in find_mentions(text, matcher, sections, company):
        groups[mention.group].setdefault(mention.concept, []).append(mention)
    skills, tools = (_values(groups[group].values()) for group in ("skill", "tool"))
    return skills, tools


def _values(by_concept: Iterable[list[Mention]]) -> list[Value]:
    values = [_value(mentions) for mentions in by_concept]
    return sorted(values, key=lambda value: (value.start, value.name))


def _value(mentions: list[Mention]) -> Value:
    first = mentions[0]
    if len(mentions) == 1:  # most of them
        name, kind, _, start, end, snippet, sure, preferred = msgspec.structs.astuple(first)
        own = [MentionSpan(start, end, snippet)]
        return Value(name, kind, start, end, snippet, sure, preferred, own)
    return Value(
        first.concept,
        first.kind,
        first.start,
        first.end,
        first.snippet,
        max([mention.confidence for mention in mentions]),
        False not in [mention.preferred for mention in mentions],
        [MentionSpan(m.start, m.end, m.snippet) for m in mentions[:MAX_SPANS]],
    )


Rated = tuple[Candidate, float]


def _rated(folded: Folded, hits: Hits, matcher: Matcher) -> list[Rated]:
    """Return the believed candidates with their confidence, by start."""
    sure = _longest([(c, _believed(c, matcher)) for c in hits.candidates if not c.form.context])
    doubtful = _outside([c for c in hits.candidates if c.form.context], sure)
    if not doubtful:
        return sure
    listed = _listed(folded.text, sure, doubtful, matcher)
    named = {candidate.form.concept for candidate, _ in sure}
    leads = {end for _, end, cue in hits.cues if cue is Cue.LEAD}
    rated = list(sure)
    for candidate in doubtful:
        confidence = 0.0
        if (candidate.start, candidate.end) in listed:
            confidence = _BY_LIST
        elif _has_context(candidate, hits.terms):
            confidence = _BY_CONTEXT
        elif candidate.form.concept in named:
            confidence = _BY_OTHER_MENTION
        elif leads and _is_led(folded.text, candidate, leads):
            confidence = _BY_LEAD
        if confidence:
            rated.append((candidate, confidence))
    return rated


def _believed(candidate: Candidate, matcher: Matcher) -> float:
    return _BELIEVED.get(matcher.concepts[candidate.form.concept].kind, _BELIEVED_ELSE)


def _longest(rated: list[Rated]) -> list[Rated]:
    """Keep the longest of overlapping candidates, the first and surest of equal ones."""

    def order(item: Rated) -> tuple[int, int, float, int]:
        candidate, confidence = item
        return candidate.start, -candidate.end, -confidence, candidate.form.concept

    kept: list[Rated] = []
    first = last = -1
    for item in sorted(rated, key=order):
        start, end = item[0].start, item[0].end
        if start >= last:
            kept.append(item)
        elif end - start > last - first:
            kept[-1] = item
        else:
            continue
        first, last = start, end
    return kept


def _outside(doubtful: list[Candidate], sure: list[Rated]) -> list[Candidate]:
    """Return the doubtful candidates that are no part of a sure one."""
    ends = [candidate.end for candidate, _ in sure]
    kept = []
    for candidate in doubtful:
        index = bisect_left(ends, candidate.end)
        if index == len(ends) or sure[index][0].start > candidate.start:
            kept.append(candidate)
    return kept


def _listed(
    text: str, sure: list[Rated], doubtful: list[Candidate], matcher: Matcher
) -> set[tuple[int, int]]:
    """Return the spans of candidates whose list has a sure technical neighbour."""
    nodes = sorted(
        [(c.start, c.end, _is_technical(c, matcher)) for c, _ in sure]
        + [(c.start, c.end, False) for c in doubtful]
    )
    listed: set[tuple[int, int]] = set()
    chain: list[tuple[int, int, bool]] = []
    for node in [*nodes, (len(text) + _GAP_LENGTH + 1, 0, False)]:
        if chain and not _is_neighbour(text, chain[-1][1], node[0]):
            if any(is_sure for _, _, is_sure in chain):
                listed.update((start, end) for start, end, _ in chain)
            chain = []
        chain.append(node)
    return listed


def _is_neighbour(text: str, end: int, start: int) -> bool:
    if start <= end:
        return True
    return start - end <= _GAP_LENGTH and _joins(text[end:start])


@lru_cache(maxsize=65_536)
def _joins(gap: str) -> bool:
    """Whether a text between two names makes them neighbours of a list; most are ", "."""
    return _BETWEEN_NEIGHBOURS.fullmatch(gap) is not None


def _is_technical(candidate: Candidate, matcher: Matcher) -> bool:
    concept = matcher.concepts[candidate.form.concept]
    return concept.group == "tool" or concept.kind == "technical"


def _is_led(text: str, candidate: Candidate, leads: set[int]) -> bool:
    """Whether the name, in its own capitals, is all that "experience with" is said of."""
    return (
        bool(candidate.form.exact)
        and candidate.start - 1 in leads
        and _CLOSED.match(text, candidate.end) is not None
    )


def _has_context(candidate: Candidate, terms: list[tuple[int, int, int]]) -> bool:
    index = bisect_left(terms, (candidate.start - _CONTEXT_REACH, 0, 0))
    limit = candidate.end + _CONTEXT_REACH
    while index < len(terms) and terms[index][0] <= limit:
        end, start, term = terms[index]
        is_itself = candidate.start <= start and end <= candidate.end
        if term in candidate.form.context and not is_itself:
            return True
        index += 1
    return False


def _mention(
    folded: Folded, place: tuple[int, int], concept: Concept, confidence: float, preferred: bool
) -> Mention:
    start, end = folded.span(*place)
    return Mention(
        concept.name,
        concept.kind,
        concept.group,
        start,
        end,
        folded.original[start:end],
        confidence,
        preferred,
    )


def _spans(
    folded: Folded, sections: Sequence[Section], kinds: frozenset[str]
) -> list[tuple[int, int]]:
    """Return the folded spans of the sections of these kinds."""
    return [
        (folded.position(int(section["start"])), folded.position(int(section["end"])))
        for section in sections
        if section["kind"] in kinds
    ]
