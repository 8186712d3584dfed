"""
Compare two advertisements: how alike their texts are, and which stated fields speak against it.

A pair is a duplicate (one vacancy), a variant (one advertisement for another town, level, subject,
contract, requisition or employer) or apart. A field speaks only when both sides state it. Every
function is symmetric, so that a pair reads the same whichever of the two came first.

Source: decisions.md 19, N-34.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from rapidfuzz import fuzz

from nextstep.processors.shared.dedupe_body import core_text
from nextstep.processors.shared.dedupe_fields import Fields
from nextstep.processors.shared.dedupe_likeness import (
    Texts,
    contained,
    core_likeness,
    text_similarity,
)
from nextstep.processors.shared.dedupe_places import region_words, regions_differ
from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.dedupe_titles import (
    extra_words,
    level_conflict,
    level_doubt,
    read_title,
    title_score,
)
from nextstep.processors.shared.dedupe_words import substituted, two_texts

_LEGAL_FORMS = """
    inc incorporated ltd limited llc llp lp plc gmbh ag kg se sa sas sarl bv nv ab as oy spa srl
    pte pty co corp corporation company the and
"""
_LEGAL = frozenset(_LEGAL_FORMS.split())
#: Letters; shorter names ("bip", "data") stand in texts that are not theirs.
_NAME_LENGTH = 6
_SHORTEST_BEGINNING = 4
#: Letters of a title's word; shorter ones say nothing of its subject.
_SHORTEST = 2
#: What both must state alike before a part of a text counts as a copy of it; and the employer,
#: unless neither states one.
_PART_NEEDS = frozenset({"title", "city"})
_EMPLOYERS = frozenset({"company", "employer_named"})
#: Parts of a town or country: where one text has one and the other another, they are two places.
_DIRECTIONS = frozenset({"north", "south", "east", "west", "central"})
#: Who is cared for or taught: likewise.
_CLIENTS = frozenset({"gentleman", "lady", "male", "female", "adults", "children"})
#: Kinds of employment that exclude each other, one set per question.
_HOURS = frozenset({"full_time", "part_time"})
_TENURE = frozenset(
    {"permanent", "contract", "temporary", "internship", "freelance", "apprenticeship", "volunteer"}
)


class Document(msgspec.Struct, frozen=True):
    """What is compared of one advertisement: its folded text, its fields, where its core is."""

    body: str
    fields: Fields
    core: list[int] = []


class Decision(msgspec.Struct, frozen=True):
    """
    What texts and fields say, before any verdict.

    Attributes:
        rule: text, cut, part or core (duplicate), veto (variant), unlike (apart).
        agree: fields that both state alike, by name.
        veto: fields that speak against a merge, with their values.
    """

    relation: str
    rule: str
    similarity: float
    agree: list[str]
    veto: dict[str, list[str]]


class Comparison(msgspec.Struct, frozen=True):
    """The outcome for one pair; `reasons` is what people are shown, in either order the same."""

    relation: str  # duplicate | variant | apart
    similarity: float  # of the texts, 0..1, 3 decimals
    reasons: dict[str, Any]


def compare(  # noqa: PLR0917 - the innermost loop of a batch
    a: Document,
    b: Document,
    estimate: float,
    verdict: str | None,
    rules: Rules,
    whole: float | None = None,
) -> Comparison:
    """
    Return how two advertisements relate.

    Args:
        estimate: share of equal signature values.
        verdict: an operator's "same" or "not_same"; it always wins.
        whole: what `likenesses` says of the texts; None: it is asked here.
    """
    texts = text_similarity(a.body, b.body, rules, whole)
    made = compare_documents(a, b, texts, rules)
    relation, rule, similarity = made.relation, made.rule, made.similarity
    if verdict is not None:
        relation, rule = ("duplicate" if verdict == "same" else "apart"), "verdict"
    reasons: dict[str, Any] = {
        "rule": rule,
        "estimate": round(estimate, 3),
        "text": texts.whole,
        "title": title_score(a.fields.title, b.fields.title),
        "agree": made.agree,
        "veto": made.veto,
    }
    return Comparison(relation, similarity, reasons)


def compare_documents(a: Document, b: Document, texts: Texts, rules: Rules) -> Decision:
    """
    Return what texts and fields say of two ads.

    Args:
        texts: what `text_similarity` found.
    """
    similarity = max(texts.whole, texts.head)
    agreeing, vetoing = compare_fields(a.fields, b.fields, similarity >= 1.0, rules)
    if "title" in vetoing and rules.same_words <= similarity < 1.0 and _both_say_title(a, b, rules):
        agreeing = sorted([*agreeing, "title"])
        vetoing = {name: values for name, values in vetoing.items() if name != "title"}
    alike = _PART_NEEDS.issubset(agreeing)
    if "company" in vetoing and (
        similarity >= rules.same_text
        or (alike and len(vetoing) == 1 and _cores(a, b, texts, rules) >= rules.core)
    ):
        agreeing, vetoing = _without_agency(a, b, alike, agreeing, vetoing)
    if similarity < rules.duplicate and (vetoing or not alike):
        return Decision("apart", "unlike", similarity, agreeing, vetoing)
    vetoing = vetoing or _texts_say(a, b, texts, rules)
    if similarity >= rules.duplicate:
        if vetoing:
            return Decision("variant", "veto", similarity, agreeing, vetoing)
        rule = "cut" if texts.head > texts.whole else "text"
        return Decision("duplicate", rule, similarity, agreeing, vetoing)
    unknown = not (a.fields.company or b.fields.company)
    if not vetoing and (unknown or not _EMPLOYERS.isdisjoint(agreeing)):
        part = texts.part if texts.part is not None else contained(a.body, b.body, rules)
        if part >= rules.part:
            return Decision("duplicate", "part", part, agreeing, vetoing)
        core = _cores(a, b, texts, rules)
        if core >= rules.core:
            return Decision("duplicate", "core", core, agreeing, vetoing)
    return Decision("apart", "unlike", similarity, agreeing, vetoing)


def _cores(a: Document, b: Document, texts: Texts, rules: Rules) -> float:
    if texts.core is not None:
        return texts.core
    return core_likeness(core_text(a.body, a.core), core_text(b.body, b.core), rules)


def _both_say_title(a: Document, b: Document, rules: Rules) -> bool:
    """Whether one title only goes on where the other ends, with words that both texts have."""
    places = _places(a.fields, b.fields)
    left, right = (read_title(one.fields.title, places) for one in (a, b))
    only_left, only_right = extra_words(left, right, rules)
    if only_left and only_right:
        return False
    bodies = [f" {one.body} " for one in (a, b)]
    return all(f" {word} " in body for word in (*only_left, *only_right) for body in bodies)


def _without_agency(
    a: Document, b: Document, alike: bool, agreeing: list[str], vetoing: dict[str, list[str]]
) -> tuple[list[str], dict[str, list[str]]]:
    begins = alike and len(vetoing) == 1 and _begins(a.fields.company, b.fields.company)
    if not begins and not _employer_named(a, b):
        return agreeing, vetoing
    kept = {name: values for name, values in vetoing.items() if name != "company"}
    return sorted([*agreeing, "employer_named"]), kept


def _texts_say(a: Document, b: Document, texts: Texts, rules: Rules) -> dict[str, list[str]]:
    """
    Return what only one text says where the other says something else, by name of a field.

    Its ad's town, another region where not both towns are stated, another direction or kind of
    client, or other words throughout.
    """
    if a.body == b.body:
        return {}
    if town := _town_in_one(a, b):
        return {"city": town}
    two = two_texts(a.body, b.body)
    if not two.only_one or not two.only_other:
        return {}  # one is a part of the other
    found: dict[str, list[str]] = {}
    if not (a.fields.city and b.fields.city):
        country = _one_of(a.fields.country, b.fields.country)
        found["region"] = two.named(region_words(country))
    found["city"] = two.said(_DIRECTIONS)
    found["words"] = two.said(_CLIENTS)
    if not found["words"] and max(texts.whole, texts.head) >= rules.duplicate:
        found["words"] = texts.words if texts.words is not None else substituted(two, rules)
    return {name: said for name, said in found.items() if said}


def _town_in_one(a: Document, b: Document) -> list[str]:
    """
    Return the town that one ad and its text name, and the other ad's region or country.

    "Care Assistant, Ilfracombe, Devon" and "Care Assistant, Devon" are two jobs where the texts
    name the town and the county.
    """
    for own, other in ((a, b), (b, a)):
        town = own.fields.city
        elsewhere = other.fields.region or other.fields.country
        if not town or other.fields.city or not elsewhere:
            continue
        if _has(own.body, town) and not _has(other.body, town):
            return sorted((town, elsewhere))
    return []


def _one_of(a: str, b: str) -> str:
    return (a or b) if not a or not b or a == b else ""


def _has(body: str, word: str) -> bool:
    # At a word's beginning only: "nurses" names the nurse.
    return body.startswith(word) or f" {word}" in body


@lru_cache(maxsize=8192)
def compare_fields(
    a: Fields,
    b: Fields,
    equal: bool,
    rules: Rules,
) -> tuple[list[str], dict[str, list[str]]]:
    """
    Return the fields that both state alike, and those that speak against a merge with values.

    Args:
        equal: whether their texts are the same word for word. Where they are not, a word that only
            one title has, or a level that only one states, speaks against a merge too.

    Copies of one ad have one set of fields, so answers are kept; callers do not change them.
    """
    found = {
        "city": _towns_differ(a, b),
        "region": regions_differ(_place(a), _place(b), equal=equal),
        "country": _differ(a.country, b.country),
        "company": _companies_differ(a.company, b.company, rules),
        "employment_type": _employment_differs(a.employment, b.employment),
        "postcode": _differ(a.postcode, b.postcode),
        "reference": _references_differ(a.reference, b.reference),
        **_titles_differ(a, b, equal=equal, rules=rules),
    }
    values = {
        "city": (f"{a.part} {a.city}".strip(), f"{b.part} {b.city}".strip()),
        "region": (a.region or a.city, b.region or b.city),
        "country": (a.country, b.country),
        "company": (a.company, b.company),
        "employment_type": (a.employment, b.employment),
        "postcode": (a.postcode, b.postcode),
        "reference": (a.reference, b.reference),
        "title": (a.title, b.title),
        "level": (a.title, b.title),
    }
    agreeing = sorted(name for name, differs in found.items() if differs is False)
    vetoing = {name: sorted(values[name]) for name in sorted(found) if found[name]}
    return agreeing, vetoing


def _titles_differ(a: Fields, b: Fields, *, equal: bool, rules: Rules) -> dict[str, bool | None]:
    if not a.title or not b.title:
        return {}
    places = _places(a, b)
    left, right = read_title(a.title, places), read_title(b.title, places)
    only_left, only_right = extra_words(left, right, rules)
    if equal:
        return {
            "title": bool(only_left and only_right),
            "level": level_conflict(left, right) or None,
        }
    return {
        # A number or a state's two letters are no subject.
        "title": bool(only_left and only_right)
        or any(word.isalpha() and len(word) > _SHORTEST for word in (*only_left, *only_right)),
        "level": level_conflict(left, right) or level_doubt(left, right) or None,
    }


def _places(a: Fields, b: Fields) -> str:
    return " ".join((a.city, a.region, a.country, b.city, b.region, b.country))


def _differ(a: str, b: str) -> bool | None:
    return a != b if a and b else None


def _towns_differ(a: Fields, b: Fields) -> bool | None:
    if a.city and a.city == b.city and a.part and b.part:
        return a.part != b.part
    return _differ(a.city, b.city)


def _place(one: Fields) -> tuple[str, str, str, str]:
    return one.city, one.region, one.country, one.state


def _references_differ(a: str, b: str) -> bool | None:
    return set(a.split()).isdisjoint(b.split()) if a and b else None


def _employer_named(a: Document, b: Document) -> bool:
    """Whether both texts name the employer of one side: a board's or an agency's copy of its ad."""
    names = (_core(a.fields.company), _core(b.fields.company))
    # Spaces aside: "VORTEX-CoLab" is two words in one field and three in a text.
    bodies = [side.body.replace(" ", "") for side in (a, b)]
    return any(len(name) >= _NAME_LENGTH and all(name in body for body in bodies) for name in names)


def _begins(a: str, b: str) -> bool:
    """Whether one name begins the other, or both begin alike: "Citi", "Citibank"; "AIA Group"."""
    short, long = sorted((_core(a), _core(b)), key=len)
    if len(short) >= _SHORTEST_BEGINNING and long.startswith(short):
        return True
    first, other = (next(iter(company.split()), "") for company in (a, b))
    return first == other and len(first) > _SHORTEST and first not in _LEGAL


def _core(company: str) -> str:
    return "".join(word for word in company.split() if word not in _LEGAL)


def _companies_differ(a: str, b: str, rules: Rules) -> bool | None:
    # One text under two employers' names is a board's or an agency's copy, or a template that many
    # employers use. Unless both texts name one of the two (`_employer_named`), nothing tells which,
    # so they are linked as variants and never merged.
    left = [word for word in a.split() if word not in _LEGAL]
    right = [word for word in b.split() if word not in _LEGAL]
    if not left or not right:
        return None
    if "".join(left) == "".join(right):
        return False
    return fuzz.token_set_ratio(" ".join(left), " ".join(right)) < rules.company


def _employment_differs(a: str, b: str) -> bool | None:
    left, right = set(a.split(",")) - {""}, set(b.split(",")) - {""}
    if not left or not right:
        return None
    return any(
        left & question and right & question and not left & right & question
        for question in (_HOURS, _TENURE)
    )
