"""
Words that one text has where another, otherwise like it, has different ones.

An advertisement reworded changes a phrase here and there. A template filled in for another job
changes the same words throughout: "adults" into "children", "hardware" into "software".

Source: decisions.md 19, issue 4 item 2 (the subject of the title, for texts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache

import msgspec
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from nextstep.processors.shared.dedupe_rules import Rules

#: Words on each side of one change; a longer one is another sentence.
_LONGEST = 4
#: Letters; shorter words say nothing of a job.
_SHORTEST = 3
#: Times that one phrase stands for the other. Once is a rewording.
_TIMES = 2
#: Letters from which two spellings can be told apart from two words: "icu" and "nicu" are two.
_SPELLED = 6
#: Another link is no other job.
_ADDRESS = frozenset({"http", "https", "www", "com", "org", "net", "io"})

Change = tuple[str, str]


class TwoTexts(msgspec.Struct, frozen=True):
    """The words of two folded texts, in the order of the texts, and those that one has alone."""

    one: list[str]
    other: list[str]
    only_one: frozenset[str]
    only_other: frozenset[str]

    def said(self, words: frozenset[str]) -> list[str]:
        """Return which of `words` either text says alone, a phrase per text; [] unless both do."""
        return _phrases(self.only_one & words, self.only_other & words)

    def named(self, names: Mapping[str, Sequence[str]]) -> list[str]:
        """Return likewise of names in several words; `names` has them by each of their words."""
        left = {name for word in self.only_one & names.keys() for name in names[word]}
        right = {name for word in self.only_other & names.keys() for name in names[word]}
        if not left or not right:
            return []
        return _phrases(_standing(left, self.one), _standing(right, self.other))


def two_texts(a: str, b: str) -> TwoTexts:
    """Return the words of two folded texts; the same in either order of the texts."""
    (one, known), (other, seen) = map(_split, sorted((a, b)))
    return TwoTexts(one, other, known - seen, seen - known)


@lru_cache(maxsize=128)
def _split(text: str) -> tuple[list[str], frozenset[str]]:
    # Kept for a while: the same text is compared with all others of its bucket.
    words = text.split()
    return words, frozenset(words)


def _standing(names: set[str], words: list[str]) -> set[str]:
    text = f" {' '.join(words)} "
    return {name for name in names if f" {name} " in text}


def _phrases(left: Set[str], right: Set[str]) -> list[str]:
    return sorted(" ".join(sorted(words)) for words in (left, right)) if left and right else []


def substituted(two: TwoTexts, rules: Rules) -> list[str]:
    """
    Return what stands throughout one text where the other has something else; [] if nothing.

    Two phrases in order, the same for either order of the texts; of several the most frequent.
    """
    if not _repeated(two.one, two.only_one) or not _repeated(two.other, two.only_other):
        return []
    found: Counter[Change] = Counter()
    for was, becomes in _changes(two.one, two.other):
        if max(len(was), len(becomes)) > _LONGEST or _alike(was, becomes, rules):
            continue
        if not _ADDRESS.isdisjoint((*was, *becomes)):
            continue
        change = _content(was, two.only_one), _content(becomes, two.only_other)
        if all(change):
            found[change] += 1
    often = [(-times, change) for change, times in found.items() if times >= _TIMES]
    return sorted(min(often)[1]) if often else []


def _changes(one: list[str], other: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield what stands between the runs of words that both texts have."""
    at = there = 0
    for run in Levenshtein.opcodes(one, other):
        if run.tag == "equal":
            yield one[at : run.src_start], other[there : run.dest_start]
            at, there = run.src_end, run.dest_end
    yield one[at:], other[there:]


def _repeated(words: list[str], only: Set[str]) -> bool:
    # Most texts that are compared have no such word: the walk through both is for the others.
    met: set[str] = set()
    for word in words:
        if word in only and len(word) >= _SHORTEST and word.isalpha():
            if word in met:
                return True
            met.add(word)
    return False


def _content(words: list[str], only: Set[str]) -> str:
    return " ".join(w for w in words if w in only and len(w) >= _SHORTEST and w.isalpha())


def _alike(was: list[str], becomes: list[str], rules: Rules) -> bool:
    short, long = sorted(("".join(was), "".join(becomes)), key=len)
    if long.startswith(short):
        return True  # words glued or parted, a plural
    return len(short) >= _SPELLED and fuzz.ratio(short, long) >= rules.title_word
