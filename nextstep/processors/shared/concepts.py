"""
What the taxonomies hold: concepts with their written forms, and titles.

The schema of the files is in docs/taxonomies.md and `taxonomy_schema.py`.

Source: decisions.md 13, N-38, issue 5 items 1 and 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Group = Literal["skill", "tool"]
Case = Literal["exact", "fold"]

KINDS: Mapping[str, tuple[str, ...]] = {
    "skill": ("technical", "domain", "soft", "language", "certification"),
    "tool": ("language", "framework", "platform", "database", "application", "device", "other"),
}


class Surface(msgspec.Struct, frozen=True, gc=False):
    """
    One written form of a concept.

    Attributes:
        text: as written in the file.
        case: `exact` wants the text's own capitals (or all capitals, for a Capitalized word).
        context: words or phrases of which one must stand near; a trailing `*` means any ending.
            Empty: the surface is believed alone.
        blockers: phrases holding the surface that mean something else.
    """

    text: str
    case: Case = "fold"
    context: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()


class Concept(msgspec.Struct, frozen=True):
    """A skill or tool with all its written forms, the name's own first where it is one."""

    name: str
    group: Group
    kind: str
    surfaces: tuple[Surface, ...]


class TitleConcept(msgspec.Struct, frozen=True, gc=False):
    """A job title without level words, its cluster and its other names (in any language)."""

    name: str
    cluster: str
    aliases: tuple[str, ...]


class Taxonomies(msgspec.Struct, frozen=True):
    """
    Everything the taxonomy files say.

    `digest` is short hex over the parsed content: comments, spacing, order of keys, concepts and
    aliases do not change it. `versions` maps a file's name to its version.
    """

    skills: tuple[Concept, ...]
    tools: tuple[Concept, ...]
    titles: tuple[TitleConcept, ...]
    versions: dict[str, str]
    digest: str = ""


def digest_of(taxonomies: Taxonomies) -> str:
    """Return 16 hex digits over the parsed content, independent of any order in the files."""
    plain = (
        [_sorted_concept(concept) for concept in (*taxonomies.skills, *taxonomies.tools)],
        [(title.name, title.cluster, sorted(title.aliases)) for title in taxonomies.titles],
        sorted(taxonomies.versions.items()),
    )
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:16]


def _sorted_concept(concept: Concept) -> tuple[Any, ...]:
    surfaces = sorted(
        (surface.text, surface.case, sorted(surface.context), sorted(surface.blockers))
        for surface in concept.surfaces
    )
    return concept.name, concept.group, concept.kind, surfaces
