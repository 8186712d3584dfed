"""
The taxonomies as one automaton that finds every name, context word, blocker and cue in a text.

`mentions.py` decides which of its hits are mentions. One pass over a text costs the same for ten
names and for ten thousand; a pass per name, or one large regular expression, does not.

Source: issue 5 item 2, measured.md 3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import IntEnum

import ahocorasick_rs
import msgspec

from nextstep.errors import TaxonomyError
from nextstep.processors.shared.concepts import (
    KINDS,
    Case,
    Concept,
    Group,
    Surface,
    Taxonomies,
    TitleConcept,
    digest_of,
)
from nextstep.processors.shared.cues import (
    FIRMS,
    NEEDED,
    NEGATED_AFTER,
    NEGATED_BEFORE,
    NEGATED_IF_NEEDED,
    USED_BEFORE,
    WELCOME,
    WELCOME_AFTER,
    WELCOME_BEFORE,
)
from nextstep.processors.shared.folding import fold

__all__ = [
    "KINDS", "Case", "Concept", "Cue", "Form", "Group", "Matcher",
    "Pattern", "Surface", "Taxonomies", "TitleConcept", "build_matcher", "digest_of",
]  # fmt: skip

#: What may stand round a one-letter name. Such a pattern without its neighbours would hit every
#: such letter of a text; `-`, `&`, `.` and `'` are left out: R&D, C-level, J. Smith, D'Arcy.
_LEFT_OF_LETTER = ' \n\t(/,;:["|>*=+'
_RIGHT_OF_LETTER = ' \n\t)/,;:]"|<*.!?('

#: Letters that a form needs to have a plural in -s: "APIs", never "Rs".
_PLURAL_LETTERS = 3
#: Letters that a name needs to take a version without a space: "Python3", not "S3" from "S".
_VERSIONED_LETTERS = 4
#: Letters that a hyphenated or slashed form needs to be known without the sign as well.
_JOINED_LETTERS = 7


class Cue(IntEnum):
    """What a phrase says of the mentions near it."""

    NONE = 0
    WELCOME = 1
    WELCOME_BEFORE = 2
    WELCOME_AFTER = 3
    NEGATED_BEFORE = 4
    NEGATED_AFTER = 5
    NEGATED_IF_NEEDED = 6
    NEEDED = 7
    #: A list of firms follows.
    FIRMS = 8
    #: A name of something used or known follows: it need not be a word of the language.
    LEAD = 9


class Form(msgspec.Struct, frozen=True, gc=False):
    """
    One way to write a concept.

    Attributes:
        concept: index into `Matcher.concepts`.
        exact: the capitals that the original must have; empty when they do not matter.
        context: ids of the context terms of which one must be near; empty: believed alone.
        plural: whether an added -s is the same name.
        versions: whether a number may follow without a space: "Python3".
        open_end: whether any ending may follow.
    """

    concept: int
    exact: str
    context: frozenset[int]
    plural: bool
    versions: bool
    open_end: bool


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """
    What one pattern of the automaton stands for; a text may play several roles at once.

    Attributes:
        forms: names written this way.
        blocks: concepts whose mentions inside this hit are none.
        term: id of a context term, or -1.
        cue: what the text says of mentions near it.
        pad: neighbours that the pattern itself holds, on either side.
        open_end: whether any ending may follow (a context term with `*`).
    """

    forms: tuple[Form, ...] = ()
    blocks: frozenset[int] = frozenset()
    term: int = -1
    cue: Cue = Cue.NONE
    pad: int = 0
    open_end: bool = False


class Matcher:
    """
    The automaton with what its patterns mean. Build it once per process with `build_matcher`.

    `concepts` are the skills and then the tools, each by name.
    """

    def __init__(self, concepts: tuple[Concept, ...], patterns: dict[str, Pattern]) -> None:
        self.concepts = concepts
        self.patterns = tuple(patterns.values())
        self.texts = tuple(patterns)
        #: The same as plain tuples: forms, blocks, term, cue, open_end.
        self.meanings = tuple((p.forms, p.blocks, p.term, p.cue, p.open_end) for p in self.patterns)
        #: Numbers of the patterns that hold their own neighbours.
        self.padded = frozenset(n for n, pattern in enumerate(self.patterns) if pattern.pad)
        # Measured on 30,829 patterns: half the scan time of a DFA, a tenth of its start-up, and
        # none of its 120 MB: the DFA's table does not fit the processor's cache.
        self._automaton = ahocorasick_rs.AhoCorasick(
            list(patterns),
            store_patterns=False,
            implementation=ahocorasick_rs.Implementation.ContiguousNFA,
        )

    def scan(self, folded: str) -> list[tuple[int, int, int]]:
        """Return every (pattern, start, end) in a folded text, overlapping ones too, by end."""
        hits: list[tuple[int, int, int]] = self._automaton.find_matches_as_indexes(
            folded, overlapping=True
        )
        return hits


class _Draft:
    """A pattern while it is put together."""

    def __init__(self) -> None:
        self.forms: dict[tuple[int, str], Form] = {}
        self.blocks: set[int] = set()
        self.term = -1
        self.cue = Cue.NONE
        self.pad = 0
        self.open_end = False

    def frozen(self) -> Pattern:
        return Pattern(
            tuple(self.forms.values()),
            frozenset(self.blocks),
            self.term,
            self.cue,
            self.pad,
            self.open_end,
        )


def build_matcher(taxonomies: Taxonomies) -> Matcher:
    """
    Return the matcher of the skills and tools.

    Raises:
        TaxonomyError: two concepts claim the same written form with nothing to tell them apart.
    """
    concepts = (*taxonomies.skills, *taxonomies.tools)
    drafts: defaultdict[str, _Draft] = defaultdict(_Draft)
    terms = _add_terms(concepts, drafts)
    for index, concept in enumerate(concepts):
        for surface in concept.surfaces:
            _add_surface(index, surface, terms, drafts, concepts)
            for blocker in surface.blockers:
                text, open_end = _term(blocker)
                drafts[text].blocks.add(index)
                drafts[text].open_end |= open_end
    _add_cues(drafts)
    return Matcher(concepts, {text: draft.frozen() for text, draft in sorted(drafts.items())})


def _add_terms(
    concepts: Iterable[Concept], drafts: defaultdict[str, _Draft]
) -> dict[str, frozenset[int]]:
    """Give every context term an id; returns the ids that a term as written stands for."""
    written = {t for c in concepts for s in c.surfaces for t in s.context}
    ids: dict[str, frozenset[int]] = {}
    for number, term in enumerate(sorted(written)):
        text, open_end = _term(term)
        draft = drafts[text]
        draft.term = draft.term if draft.term >= 0 else number
        draft.open_end |= open_end
        ids[term] = frozenset((draft.term,))
    return ids


def _term(written: str) -> tuple[str, bool]:
    return fold(written.rstrip("*")).text, written.endswith("*")


def _add_surface(
    index: int,
    surface: Surface,
    terms: dict[str, frozenset[int]],
    drafts: defaultdict[str, _Draft],
    concepts: tuple[Concept, ...],
) -> None:
    exact = surface.text.rstrip("*") if surface.case == "exact" else ""
    context = frozenset[int]().union(*(terms[term] for term in surface.context))
    letters = sum(char.isalpha() for char in surface.text)
    text, open_end = _term(surface.text)
    form = Form(
        index,
        exact,
        context,
        plural=letters >= _PLURAL_LETTERS and surface.text[-1].isalpha(),
        versions=letters >= _VERSIONED_LETTERS and concepts[index].group == "tool",
        open_end=open_end,
    )
    for variant in sorted(set(variants(text))):
        for pattern, pad in _padded(variant):
            draft = drafts[pattern]
            draft.pad = pad
            for other in draft.forms.values():
                _refuse_clash(form, other, concepts, surface.text)
            draft.forms[(index, exact)] = form


def _refuse_clash(one: Form, other: Form, concepts: tuple[Concept, ...], text: str) -> None:
    by_case = one.exact and other.exact and one.exact != other.exact
    by_context = one.context and other.context
    if one.concept == other.concept or by_case or by_context:
        return
    names = concepts[other.concept], concepts[one.concept]
    raise TaxonomyError(
        f"'{text}' is claimed by two concepts: "
        + " and ".join(f"'{concept.name}' ({concept.group})" for concept in names),
        hint="take it from one of them, or give both exact case or both a context",
    )


def variants(text: str) -> Iterator[str]:
    """Yield the folded text with hyphens, slashes and `and` written the other usual ways."""
    yield text
    if " " in text:
        yield text.replace(" ", "-")
    if "-" in text.strip("-"):
        yield text.replace("-", " ")
        if len(text) >= _JOINED_LETTERS:
            yield text.replace("-", "")
    if "/" in text:
        for sign in (" / ", "-", " ", "/ "):
            yield text.replace("/", sign)
    if " and " in text:
        yield text.replace(" and ", " & ")
    if " & " in text:
        yield text.replace(" & ", " and ")
    if text.endswith(".js"):
        yield text[:-3] + "js"
        yield text[:-3] + " js"


def _padded(text: str) -> Iterator[tuple[str, int]]:
    if len(text) > 1:
        yield text, 0
        return
    for left in _LEFT_OF_LETTER:
        for right in _RIGHT_OF_LETTER:
            yield f"{left}{text}{right}", 1


def _add_cues(drafts: defaultdict[str, _Draft]) -> None:
    groups = (
        (WELCOME, Cue.WELCOME),
        (WELCOME_BEFORE, Cue.WELCOME_BEFORE),
        (WELCOME_AFTER, Cue.WELCOME_AFTER),
        (NEGATED_BEFORE, Cue.NEGATED_BEFORE),
        (NEGATED_AFTER, Cue.NEGATED_AFTER),
        (NEGATED_IF_NEEDED, Cue.NEGATED_IF_NEEDED),
        (NEEDED, Cue.NEEDED),
        (FIRMS, Cue.FIRMS),
        (USED_BEFORE, Cue.LEAD),
    )
    for phrases, cue in groups:
        for phrase in phrases:
            drafts[fold(phrase).text].cue = cue
