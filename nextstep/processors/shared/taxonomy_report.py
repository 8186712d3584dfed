"""
What a taxonomy holds, what changed between two, and which of its forms no text ever uses.

Source: issue 5 item 1, decisions.md 31.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from nextstep.processors.shared.candidates import collect
from nextstep.processors.shared.concepts import Concept, Taxonomies
from nextstep.processors.shared.folding import fold
from nextstep.processors.shared.taxonomy import build_matcher

#: A plural needs so many letters; "gas" and "go" are none.
_PLURAL_LETTERS = 4


class Stats(msgspec.Struct, frozen=True):
    """
    Counts of a taxonomy.

    Attributes:
        concepts: by group and kind, "skill technical"; titles by cluster, "title nursing".
        forms: written forms by group; forms that differ by case, plural, hyphen, dot or space
            count once.
        ruled: forms that ask for exact capitals, a context or have blockers.
    """

    versions: dict[str, str]
    digest: str
    concepts: dict[str, int]
    forms: dict[str, int]
    ruled: int


def form_key(text: str) -> str:
    """Return what forms that count once have in common."""
    letters = "".join(char for char in fold(text).text if char.isalnum() or char in "+#")
    is_plural = len(letters) >= _PLURAL_LETTERS and letters.endswith("s")
    return letters[:-1] if is_plural else letters


def describe(taxonomies: Taxonomies) -> Stats:
    """Return the counts."""
    concepts = (*taxonomies.skills, *taxonomies.tools)
    kinds = Counter(f"{concept.group} {concept.kind}" for concept in concepts)
    kinds.update(f"title {title.cluster}" for title in taxonomies.titles)
    forms = {
        "skills": len({form_key(s.text) for c in taxonomies.skills for s in c.surfaces}),
        "tools": len({form_key(s.text) for c in taxonomies.tools for s in c.surfaces}),
        "skills and tools": len({form_key(s.text) for c in concepts for s in c.surfaces}),
        "titles": len({form_key(n) for t in taxonomies.titles for n in (t.name, *t.aliases)}),
    }
    ruled = sum(
        bool(s.case == "exact" or s.context or s.blockers) for c in concepts for s in c.surfaces
    )
    return Stats(taxonomies.versions, taxonomies.digest, dict(sorted(kinds.items())), forms, ruled)


def never_hit(taxonomies: Taxonomies, texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return (concept, form) of every skill's and tool's form that none of the texts holds."""
    matcher = build_matcher(taxonomies)
    met: set[tuple[str, str]] = set()
    for text in texts:
        folded = fold(text)
        for candidate in collect(folded, matcher).candidates:
            name = matcher.concepts[candidate.form.concept].name
            met.add((name, form_key(folded.text[candidate.start : candidate.end])))
    forms = {
        (concept.name, surface.text.rstrip("*"))
        for concept in matcher.concepts
        for surface in concept.surfaces
    }
    return sorted(pair for pair in forms if (pair[0], form_key(pair[1])) not in met)


def compare(old: Taxonomies, new: Taxonomies) -> list[str]:
    """Return one line per concept that was added, removed or changed, by group and name."""
    lines: list[str] = []
    for group, before, after in (
        ("skill", _forms(old.skills), _forms(new.skills)),
        ("tool", _forms(old.tools), _forms(new.tools)),
        ("title", _titles(old), _titles(new)),
    ):
        lines += _differences(group, before, after)
    return lines


def _forms(concepts: Iterable[Concept]) -> dict[str, set[str]]:
    return {concept.name: {f"kind {concept.kind}", *(_written(concept))} for concept in concepts}


def _written(concept: Concept) -> Iterator[str]:
    for surface in concept.surfaces:
        rules: list[str] = ["exact"] if surface.case == "exact" else []
        rules += [f"near {', '.join(sorted(surface.context))}"] if surface.context else []
        rules += [f"not in {', '.join(sorted(surface.blockers))}"] if surface.blockers else []
        yield f"{surface.text} ({'; '.join(rules)})" if rules else surface.text


def _titles(taxonomies: Taxonomies) -> dict[str, set[str]]:
    return {title.name: {f"cluster {title.cluster}", *title.aliases} for title in taxonomies.titles}


def _differences(
    group: str, before: dict[str, set[str]], after: dict[str, set[str]]
) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield f"+ {group} {name}"
        elif new is None:
            yield f"- {group} {name}"
        elif old != new:
            parts = [f"+{form}" for form in sorted(new - old)]
            parts += [f"-{form}" for form in sorted(old - new)]
            yield f"~ {group} {name}: {' '.join(parts)}"
