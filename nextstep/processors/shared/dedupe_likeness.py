"""
How like two folded texts are: as wholes, one cut short, one within the other, by their cores.

Source: decisions.md 19, issue 4 item 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rapidfuzz import fuzz, process

from nextstep.processors.shared.dedupe_rules import Rules

#: Words of the runs by which a part of a text is found in another.
_RUN = 4


class Texts(msgspec.Struct, frozen=True):
    """
    How like two texts are, 0..1 with 3 decimals.

    Attributes:
        whole: of the whole texts.
        head: of the shorter to the other's beginning, where it is that text cut short; else 0.
        part: as `contained` says; None where it was not asked for.
        core: of duties and requirements; None where it was not asked for.
        words: what `substituted` says; None where it was not asked for.
    """

    whole: float
    head: float = 0.0
    part: float | None = None
    core: float | None = None
    words: list[str] | None = None


def likenesses(pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Return the likeness of each pair of folded texts, 0..1, on all cores and without the GIL."""
    if not pairs:
        return []
    ordered = [sorted(pair, key=_by_length) for pair in pairs]
    found = process.cpdist(
        [short for short, _ in ordered],
        [long for _, long in ordered],
        scorer=fuzz.ratio,
        dtype="float64",
        workers=-1,
    )
    return [score / 100 for score in found.tolist()]


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text


def text_similarity(a: str, b: str, rules: Rules, whole: float | None = None) -> Texts:
    """Return how like two folded texts are; `whole` is their likeness where it is known."""
    if not a or not b:
        return Texts(0.0)
    if a == b:
        return Texts(1.0)
    short, long = sorted((a, b), key=_by_length)
    if whole is None:
        whole = fuzz.ratio(short, long) / 100
    if whole >= rules.duplicate or not _may_be_cut(short, long, rules):
        return Texts(_rounded(whole))
    # Only a clean cut counts: two ads that merely begin alike are two ads.
    least = rules.prefix_match * 100
    head = fuzz.ratio(short, long[: len(short)], score_cutoff=least) / 100
    return Texts(_rounded(whole), _rounded(head) if head else 0.0)


def _rounded(share: float) -> float:
    """Three decimals, and 1.0 for equal texts only: some fields are judged by that."""
    return min(round(share, 3), 0.999)


def contained(a: str, b: str, rules: Rules) -> float:
    """
    Return the share of the shorter text that stands somewhere in the longer one, in 0..1.

    Blocks may have moved; 0 where the shorter is too short a part to tell.
    """
    short, long = sorted((a, b), key=_by_length)
    if not _may_be_cut(short, long, rules):
        return 0.0
    parts = _runs(short)
    return round(len(parts & _runs(long)) / len(parts), 3) if parts else 0.0


def core_likeness(a: str, b: str, rules: Rules) -> float:
    """Return how like the cores of two ads are, 0..1; 0 for short ones."""
    short, long = sorted((a, b), key=_by_length)
    if len(short) < rules.core_chars:
        return 0.0
    return round(fuzz.ratio(short, long, score_cutoff=rules.core * 100) / 100, 3)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.split(" ")
    return set(zip(*(words[at:] for at in range(_RUN)), strict=False))


def _may_be_cut(short: str, long: str, rules: Rules) -> bool:
    return len(short) >= rules.prefix_chars and len(short) >= rules.prefix_share * len(long)
