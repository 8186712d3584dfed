"""
How plain YAML content becomes a taxonomy, and what is said when it does not fit.

The schema is documented in docs/taxonomies.md; reading files is `processors/io/taxonomy_files.py`.

Source: N-38, issue 5 item 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from nextstep.errors import TaxonomyError
from nextstep.processors.shared.concepts import (
    KINDS,
    Case,
    Concept,
    Group,
    Surface,
    TitleConcept,
)

#: Letters up to which a surface written in capitals is an acronym that means its exact case.
ACRONYM_LETTERS = 5

#: Gives the line of concept `index` (and its field) in a file; 0 when it is not known.
LineOf = Callable[[int, str], int]


class Place(msgspec.Struct, frozen=True):
    """Where in which file the parser stands, for its messages."""

    file: str
    line_of: LineOf | None = None
    index: int = -1
    concept: str = ""

    def at(self, index: int, concept: str) -> Place:
        return Place(self.file, self.line_of, index, concept)

    def fault(self, field: str, what: str, hint: str = "") -> TaxonomyError:
        line = self.line_of(self.index, field) if self.line_of else 0
        where = f"{self.file} line {line}" if line else self.file
        concept = f"concept '{self.concept}'" if self.concept else f"entry {self.index + 1}"
        subject = where if self.index < 0 else f"{where}: {concept}"
        return TaxonomyError(
            f"{subject}: {field}: {what}",
            hint=hint or "docs/taxonomies.md has the schema, with an example of every field",
        )


_CONCEPT_FIELDS = (
    "name", "kind", "aliases", "strict_aliases", "case", "context", "blockers", "match_name",
)  # fmt: skip
_ALIAS_FIELDS = ("text", "case", "context", "blockers")
_TITLE_FIELDS = ("name", "cluster", "aliases")


def parse_concepts(
    content: object, group: Group, *, file: str, line_of: LineOf | None = None
) -> tuple[Concept, ...]:
    """
    Return the concepts of a skills or tools file, by name.

    Raises:
        TaxonomyError: names the file, the line where known, the concept and the field.
    """
    place = Place(file, line_of)
    top = _mapping(content, place, ("version", "contexts", "concepts"))
    contexts = _contexts(top.get("contexts", {}), place)
    concepts = [
        _concept(raw, group, contexts, place.at(index, _label(raw)))
        for index, raw in enumerate(_list(top.get("concepts"), "concepts", place))
    ]
    _refuse_repeats([concept.name for concept in concepts], place)
    return tuple(sorted(concepts, key=lambda concept: concept.name))


def parse_titles(
    content: object, *, file: str, line_of: LineOf | None = None
) -> tuple[TitleConcept, ...]:
    """
    Return the title concepts by name.

    Raises:
        TaxonomyError: as `parse_concepts`.
    """
    place = Place(file, line_of)
    top = _mapping(content, place, ("version", "concepts"))
    titles = [
        _title(raw, place.at(index, _label(raw)))
        for index, raw in enumerate(_list(top.get("concepts"), "concepts", place))
    ]
    _refuse_repeats([title.name for title in titles], place)
    _refuse_shared_names(titles, place)
    return tuple(sorted(titles, key=lambda title: title.name))


def parse_version(content: object, *, file: str) -> str:
    """Return the file's version text; TaxonomyError when it has none."""
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, (str, int, float)) or isinstance(version, bool):
        raise Place(file).fault("version", "must be a text or a number")
    return str(version)


def _concept(
    raw: object, group: Group, contexts: Mapping[str, tuple[str, ...]], place: Place
) -> Concept:
    fields = _mapping(raw, place, _CONCEPT_FIELDS)
    name = _text(fields.get("name"), "name", place)
    kind = fields.get("kind")
    if kind not in KINDS[group]:
        raise place.fault("kind", f"'{kind}' is not one of {', '.join(KINDS[group])}")
    strict = _rules(fields, contexts, place)
    surfaces = [strict(name)] if fields.get("match_name", True) else []
    surfaces += [strict(t) for t in _texts(fields.get("strict_aliases"), "strict_aliases", place)]
    # A blocker speaks of the concept whichever form it holds, so each form carries them all.
    blockers = _texts(fields.get("blockers"), "blockers", place)
    for alias in _list(fields.get("aliases", []), "aliases", place):
        surface = _alias(alias, contexts, place)
        if blockers:
            both = tuple(dict.fromkeys((*surface.blockers, *blockers)))
            surface = msgspec.structs.replace(surface, blockers=both)
        surfaces.append(surface)
    if not surfaces:
        raise place.fault("aliases", "nothing to match: no alias, and match_name is false")
    return Concept(name, group, str(kind), _unique(surfaces))


def _alias(raw: object, contexts: Mapping[str, tuple[str, ...]], place: Place) -> Surface:
    if isinstance(raw, dict):
        fields = _mapping(raw, place, _ALIAS_FIELDS)
        return _rules(fields, contexts, place)(_text(fields.get("text"), "aliases", place))
    text = _text(raw, "aliases", place)
    return Surface(text, _default_case(text))


def _rules(
    fields: Mapping[str, Any], contexts: Mapping[str, tuple[str, ...]], place: Place
) -> Callable[[str], Surface]:
    case = fields.get("case")
    if case not in (None, "exact", "fold"):
        raise place.fault("case", f"'{case}' is not exact or fold")
    context = _resolve(_texts(fields.get("context"), "context", place), contexts, place)
    for term in context:
        if len(term.rstrip("*")) < 2:  # a pattern of one letter hits half of all words
            raise place.fault("context", f"'{term}' is too short; two letters at least")
    blockers = _texts(fields.get("blockers"), "blockers", place)

    def surface(text: str) -> Surface:
        return Surface(text, case or _default_case(text), context, blockers)

    return surface


def _default_case(text: str) -> Case:
    """Short forms in capitals are acronyms: their lower case is another word, or not a word."""
    is_acronym = text.isupper() and sum(map(str.isalpha, text)) <= ACRONYM_LETTERS
    return "exact" if is_acronym else "fold"


def _resolve(
    context: tuple[str, ...], contexts: Mapping[str, tuple[str, ...]], place: Place
) -> tuple[str, ...]:
    terms: list[str] = []
    for term in context:
        if not term.startswith("@"):
            terms.append(term)
        elif term[1:] in contexts:
            terms.extend(contexts[term[1:]])
        else:
            raise place.fault("context", f"'{term}' is not among the file's contexts")
    return tuple(dict.fromkeys(terms))


def _contexts(raw: object, place: Place) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, dict):
        raise place.fault("contexts", "must map a name to a list of words")
    return {str(name): _texts(words, "contexts", place) for name, words in raw.items()}


def _title(raw: object, place: Place) -> TitleConcept:
    fields = _mapping(raw, place, _TITLE_FIELDS)
    return TitleConcept(
        _text(fields.get("name"), "name", place),
        _text(fields.get("cluster"), "cluster", place),
        _texts(fields.get("aliases"), "aliases", place),
    )


def _unique(surfaces: Iterable[Surface]) -> tuple[Surface, ...]:
    return tuple({(surface.text, surface.case): surface for surface in surfaces}.values())


def _refuse_repeats(names: list[str], place: Place) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise place.at(index, name).fault("name", "stands twice in the file")
        seen.add(name)


def _refuse_shared_names(titles: list[TitleConcept], place: Place) -> None:
    owners: dict[str, str] = {}
    for index, title in enumerate(titles):
        for text in dict.fromkeys((title.name.casefold(), *map(str.casefold, title.aliases))):
            owner = owners.setdefault(text, title.name)
            if owner != title.name:
                what = f"'{text}' is a name of '{owner}' too"
                raise place.at(index, title.name).fault("aliases", what)


def _label(raw: object) -> str:
    name = raw.get("name") if isinstance(raw, dict) else None
    return name if isinstance(name, str) else ""


def _mapping(raw: object, place: Place, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise place.fault("entry", f"must be a mapping, is {type(raw).__name__}")
    for key in raw:
        if key not in allowed:
            raise place.fault(str(key), f"unknown field; known are {', '.join(allowed)}")
    return raw


def _list(raw: object, field: str, place: Place) -> list[object]:
    if not isinstance(raw, list):
        raise place.fault(field, f"must be a list, is {type(raw).__name__}")
    return raw


def _texts(raw: object, field: str, place: Place) -> tuple[str, ...]:
    if raw is None:
        return ()
    return tuple(_text(item, field, place) for item in _list(raw, field, place))


def _text(raw: object, field: str, place: Place) -> str:
    if not isinstance(raw, str) or not raw.strip():
        hint = "quote words that YAML reads as something else: yes, no, on, off, null, 1.0"
        raise place.fault(field, f"must be a text, is {raw!r}"[:200], hint)
    return raw.strip()
