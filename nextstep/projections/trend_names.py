"""Names of skills as people write them, to the names that the tables hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rapidfuzz import process

from nextstep.errors import UsageError
from nextstep.processors.shared.concepts import Taxonomies


def known_names(taxonomies: Taxonomies) -> dict[str, str]:
    """Return written form in small letters -> name; a concept's own name wins over an alias."""
    concepts = (*taxonomies.skills, *taxonomies.tools)
    names = {surface.text.casefold(): c.name for c in reversed(concepts) for surface in c.surfaces}
    return names | {concept.name.casefold(): concept.name for concept in concepts}


def resolve(texts: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return the canonical names, each once.

    Raises:
        UsageError: no taxonomy has such a skill or tool; names the nearest ones.
    """
    found: dict[str, None] = {}
    for text in texts:
        name = names.get(text.strip().casefold())
        if name is None:
            near = [
                names[key] for key, _, _ in process.extract(text.casefold(), names.keys(), limit=3)
            ]
            raise UsageError(
                f"no skill or tool is called {text[:60]!r}",
                hint=f"perhaps {', '.join(dict.fromkeys(near))}; nextstep trends skills lists them",
            )
        found[name] = None
    return tuple(found)
