"""
Which titles ask for the same skills: cosine of their profiles, with the skills that speak for it.

A profile is, per skill, how many of a thousand jobs of the title name it; soft skills and spoken
languages, which every title asks for, are left out, and so are titles with few jobs. All is whole
numbers until the last division, so that every machine finds the same.

A title's pairs depend on two profiles only, so a batch works out the pairs of the titles whose
profile changed. While a stage catches up they only get dirty; the batch that reaches the end of
what there is to read does the work, once.

Source: N-69, issue 7 item 1. Vectors take no part: docs/why.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from nextstep.projections.trend_books import TITLES, Sums

#: A title with fewer jobs has no profile: a skill of one job would weigh over 50 per mille.
LEAST_JOBS = 20
#: Per mille of the title's jobs; what fewer of them name says little of the title.
LEAST_WEIGHT = 50
#: Pairs below are not kept: the list of neighbours would be the list of titles.
LEAST_SIMILARITY = 0.5
#: Skills shown for a pair.
EVIDENCE = 5

Profile = dict[str, int]
#: (similarity, evidence) by the two titles; both directions.
Pairs = dict[tuple[str, str], tuple[float, list[str]]]

COLUMNS = (*TITLES.columns, "profile")
PAIR_COLUMNS = ("title_a", "title_b", "similarity", "evidence")


def profile_of(sums: Sums, generic: frozenset[str]) -> Profile:
    """Return the skills of a title in per mille of its jobs, empty for a title with few jobs."""
    jobs = sums.numbers["jobs"]
    if jobs < LEAST_JOBS:
        return {}
    weights = {
        skill: (2000 * count + jobs) // (2 * jobs)
        for skill, count in sorted(sums.bags["skills"].items())
        if skill not in generic
    }
    return {skill: weight for skill, weight in weights.items() if weight >= LEAST_WEIGHT}


def pairs_of(dirty: Iterable[str], profiles: Mapping[str, Profile]) -> Pairs:
    """Return the pairs of the dirty titles with any other; `profiles` holds all that are."""
    by_skill: dict[str, list[tuple[str, int]]] = {}
    for title in sorted(profiles):
        for skill, weight in profiles[title].items():
            by_skill.setdefault(skill, []).append((title, weight))
    norms = {title: sum(w * w for w in profile.values()) for title, profile in profiles.items()}
    found: Pairs = {}
    for title in sorted(set(dirty) & profiles.keys()):
        products: Counter[str] = Counter()
        for skill, weight in profiles[title].items():
            for other, its_weight in by_skill[skill]:
                products[other] += weight * its_weight
        for other in sorted(products.keys() - {title}):
            similarity = round(products[other] / math.sqrt(norms[title] * norms[other]), 3)
            if similarity >= LEAST_SIMILARITY:
                value = (similarity, _evidence(profiles[title], profiles[other]))
                found[title, other] = found[other, title] = value
    return found


def _evidence(one: Profile, other: Profile) -> list[str]:
    shared = sorted(
        one.keys() & other.keys(), key=lambda skill: (-one[skill] * other[skill], skill)
    )
    return shared[:EVIDENCE]


def changed_pairs(
    stored: Mapping[tuple[str, str], tuple[float, list[str]]], found: Pairs
) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
    """Return the pairs that go and the rows to write, both directions, in order."""
    both = {(b, a): value for (a, b), value in stored.items()} | dict(stored)
    gone = sorted(both.keys() - found.keys())
    rows = [(*pair, *value) for pair, value in sorted(found.items()) if both.get(pair) != value]
    return gone, rows
