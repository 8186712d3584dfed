"""
Taxonomy files from the rows of ESCO and O*NET: which concepts, which written forms, which rules.

Labels of these sources are written for people who browse, not for finding names in texts: a form
that is short, that two concepts have, or that another file of the folder has would be found
everywhere, or be refused by `taxonomy check`. Such forms get rules or are left out, and counted.

Source: issue 5 item 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nextstep.processors.shared.concepts import Concept, Surface
from nextstep.processors.shared.folding import fold
from nextstep.processors.shared.taxonomy import variants

#: Letters up to which a form is taken only in its own capitals, beside a word of the trade.
SHORT_LETTERS = 4
#: Letters below which a form is left out: nothing in a text tells it from an abbreviation.
LEAST_LETTERS = 3
#: Longer labels are sentences; no ad has them word for word.
LONGEST_FORM = 60

#: What must stand near a short name that is no acronym.
CONTEXTS = {
    "imported": [
        "software", "tool*", "program*", "develop*", "framework*", "database*", "system*",
        "platform*", "language*", "microsoft", "experience with", "experience in",
    ]
}  # fmt: skip

_BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")


class Label(msgspec.Struct, frozen=True):
    """One concept of a source: `id` is its URI or code there, `kind` a kind or a cluster here."""

    id: str
    name: str
    kind: str
    aliases: tuple[str, ...] = ()


class Imported(msgspec.Struct, frozen=True):
    """
    The content of one taxonomy file.

    Attributes:
        concepts: plain mappings of the schema, by name.
        ids: the source's id of each concept, in the same order.
        left_out: how many forms or concepts were left out, by reason.
        ruled: how many forms were given rules of their own.
    """

    concepts: list[dict[str, Any]]
    ids: list[str]
    left_out: dict[str, int]
    ruled: int = 0


def import_concepts(
    labels: Iterable[Label], known: Iterable[Concept] = (), others: Iterable[Concept] = ()
) -> Imported:
    """
    Return the concepts of a skills or tools file.

    Args:
        labels: in any order; the result does not depend on it.
        known: concepts whose rules for a written form are taken over.
        others: concepts of the other file, whose forms must stay theirs.
    """
    rules = _known_rules(known)
    taken = {v for c in others for s in c.surfaces for v in _keys(s.text)}
    left_out: Counter[str] = Counter()
    unique = _unique(labels, left_out)
    owners: dict[str, str] = {}
    # Preferred labels first: an alias never takes the name of another concept.
    for label in unique:
        for key in _keys(_BRACKETS.sub("", label.name)):
            owners.setdefault(key, label.id)
    concepts: list[dict[str, Any]] = []
    ids: list[str] = []
    ruled = 0
    for label in unique:
        forms: list[Any] = []
        seen: set[str] = set()
        for text in (_BRACKETS.sub("", label.name), *sorted(set(label.aliases))):
            keys = _keys(text)
            if not keys or seen & keys:
                continue
            reason = _refusal(text, keys, label, owners, taken)
            if reason:
                left_out[reason] += 1
                continue
            seen |= keys
            owners.update(dict.fromkeys(keys, label.id))
            form = _form(text, rules)
            ruled += isinstance(form, dict)
            forms.append(form)
        if not forms:
            left_out["concepts without a form"] += 1
            continue
        concept: dict[str, Any] = {"name": label.name, "kind": label.kind}
        if forms[0] == label.name:
            forms = forms[1:]
        else:
            concept["match_name"] = False
        if forms:
            concept["aliases"] = forms
        concepts.append(concept)
        ids.append(label.id)
    return Imported(concepts, ids, dict(sorted(left_out.items())), ruled)


def import_titles(labels: Iterable[Label]) -> Imported:
    """Return the concepts of a titles file; a name that two occupations have stays the first's."""
    left_out: Counter[str] = Counter()
    unique = _unique(labels, left_out)
    owners: dict[str, str] = {}
    for label in unique:
        owners.setdefault(label.name.casefold(), label.id)
    concepts: list[dict[str, Any]] = []
    for label in unique:
        aliases: dict[str, str] = {}
        for text in sorted(set(label.aliases)):
            key = text.casefold()
            if sum(map(str.isalpha, text)) < LEAST_LETTERS:
                left_out["forms of fewer than 3 letters"] += 1
            elif len(text) > LONGEST_FORM:
                left_out["forms of more than 60 characters"] += 1
            elif owners.setdefault(key, label.id) != label.id:
                left_out["forms that another concept has"] += 1
            elif key != label.name.casefold():
                aliases.setdefault(key, text)
        concept: dict[str, Any] = {"name": label.name, "cluster": label.kind}
        if aliases:
            concept["aliases"] = list(aliases.values())
        concepts.append(concept)
    return Imported(concepts, [label.id for label in unique], dict(sorted(left_out.items())))


def _unique(labels: Iterable[Label], left_out: Counter[str]) -> list[Label]:
    """Return one label per name, by name; the one of the lowest id keeps it."""
    found: dict[str, Label] = {}
    for label in sorted(labels, key=lambda one: (one.name.casefold(), one.name, one.id)):
        other = found.setdefault(label.name.casefold(), label)
        if other is not label:
            left_out["concepts of a name that another has"] += 1
    return list(found.values())


def _keys(text: str) -> set[str]:
    folded = fold(text).text.strip()
    return set(variants(folded)) if folded else set()


def _refusal(
    text: str, keys: set[str], label: Label, owners: Mapping[str, str], taken: set[str]
) -> str:
    if sum(map(str.isalpha, text)) < LEAST_LETTERS and not any(c in "+#" for c in text):
        return "forms of fewer than 3 letters"
    if len(text) > LONGEST_FORM:
        return "forms of more than 60 characters"
    if keys & taken:
        return "forms that the other file has"
    if any(owners.get(key, label.id) != label.id for key in keys):
        return "forms that another concept has"
    return ""


def _known_rules(known: Iterable[Concept]) -> dict[str, Surface]:
    """Return the strictest rule of each folded form that has one."""
    found: dict[str, Surface] = {}
    for concept in known:
        for surface in concept.surfaces:
            key = fold(surface.text).text
            if surface.context and (key not in found or surface.case == "exact"):
                found[key] = surface
    return found


def _form(text: str, rules: Mapping[str, Surface]) -> str | dict[str, Any]:
    """Return a form as it stands in the file, with the rules that an ambiguous one needs."""
    rule = rules.get(fold(text).text)
    if rule is not None:
        ruled: dict[str, Any] = {"text": text, "case": rule.case, "context": list(rule.context)}
        if rule.blockers:
            ruled["blockers"] = list(rule.blockers)
        return ruled
    letters = sum(map(str.isalpha, text))
    if letters <= SHORT_LETTERS and not text.isupper() and text.isalpha():
        return {"text": text, "case": "exact", "context": ["@imported"]}
    return text
