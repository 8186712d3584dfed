"""
Compare two advertisements: how alike their texts are, and which stated fields speak against it.

A pair is a duplicate (one vacancy), a variant (one advertisement for another town, level, subject,
contract or employer) or apart. A field speaks only when both sides state it. Every function is
symmetric, so that a pair reads the same whichever of the two came first.

Source: decisions.md 19, N-34.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from rapidfuzz import fuzz

from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.dedupe_titles import (
    extra_words,
    level_conflict,
    level_doubt,
    read_title,
    title_score,
)

_LEGAL_FORMS = """
    inc incorporated ltd limited llc llp lp plc gmbh ag kg se sa sas sarl bv nv ab as oy spa srl
    pte pty co corp corporation company the and
"""
_LEGAL = frozenset(_LEGAL_FORMS.split())
#: Kinds of employment that exclude each other, one set per question.
_HOURS = frozenset({"full_time", "part_time"})
_TENURE = frozenset(
    {"permanent", "contract", "temporary", "internship", "freelance", "apprenticeship", "volunteer"}
)


class Fields(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stated fields that may speak against a merge, folded; "" is not stated."""

    title: str = ""
    company: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    employment: str = ""  # canonical kinds joined by ","


class Document(msgspec.Struct, frozen=True):
    """What is compared of one advertisement: its folded text and its fields."""

    body: str
    fields: Fields


class Comparison(msgspec.Struct, frozen=True):
    """The outcome for one pair; `reasons` is what people are shown, in either order the same."""

    relation: str  # duplicate | variant | apart
    similarity: float  # of the texts, 0..1, 3 decimals
    reasons: dict[str, Any]


def compare(
    a: Document, b: Document, estimate: float, verdict: str | None, rules: Rules
) -> Comparison:
    """
    Return how two advertisements relate.

    Args:
        estimate: share of equal signature values.
        verdict: an operator's "same" or "not_same"; it always wins.
    """
    similarity, cut = text_similarity(a.body, b.body, rules)
    agreeing, vetoing = compare_fields(a.fields, b.fields, similarity >= rules.same_text, rules)
    relation = "apart"
    if similarity >= rules.duplicate:
        relation = "variant" if vetoing else "duplicate"
    if verdict is not None:
        relation = "duplicate" if verdict == "same" else "apart"
    reasons: dict[str, Any] = {
        "rule": "text" if verdict is None else "verdict",
        "estimate": round(estimate, 3),
        "text": similarity,
        "title": title_score(a.fields.title, b.fields.title),
        "agree": agreeing,
        "veto": vetoing,
    }
    if cut:
        reasons["cut"] = True
    return Comparison(relation, similarity, reasons)


def text_similarity(a: str, b: str, rules: Rules) -> tuple[float, bool]:
    """
    Return the likeness of two folded texts in 0..1, and whether one is the other cut short.
    """
    if not a or not b:
        return 0.0, False
    short, long = sorted((a, b), key=lambda text: (len(text), text))
    whole = fuzz.ratio(short, long) / 100
    if whole >= rules.duplicate or not _may_be_cut(short, long, rules):
        return round(whole, 3), False
    head = fuzz.ratio(short, long[: len(short)]) / 100
    # Only a clean cut counts: two ads that merely begin alike are two ads.
    if head >= rules.prefix_match:
        return round(head, 3), True
    return round(whole, 3), False


def _may_be_cut(short: str, long: str, rules: Rules) -> bool:
    return len(short) >= rules.prefix_chars and len(short) >= rules.prefix_share * len(long)


@lru_cache(maxsize=8192)
def compare_fields(
    a: Fields, b: Fields, same_text: bool, rules: Rules
) -> tuple[list[str], dict[str, list[str]]]:
    """
    Return the fields that both state alike, and those that speak against a merge with values.

    Args:
        same_text: the texts are one but for tiny edits; else a title that says more than the other
            speaks against a merge too.

    Copies of one ad have one set of fields, so answers are kept; callers do not change them.
    """
    found = {
        "city": _differ(a.city, b.city),
        # Where both name a town, the towns decide: sources cut regions differently.
        "region": None if a.city and b.city else _differ(a.region, b.region),
        "country": _differ(a.country, b.country),
        "company": _companies_differ(a.company, b.company, rules),
        "employment_type": _employment_differs(a.employment, b.employment),
        **_titles_differ(a, b, same_text, rules),
    }
    values = {
        "city": (a.city, b.city),
        "region": (a.region, b.region),
        "country": (a.country, b.country),
        "company": (a.company, b.company),
        "employment_type": (a.employment, b.employment),
        "title": (a.title, b.title),
        "level": (a.title, b.title),
    }
    agreeing = sorted(name for name, differs in found.items() if differs is False)
    vetoing = {name: sorted(values[name]) for name in sorted(found) if found[name]}
    return agreeing, vetoing


def _titles_differ(a: Fields, b: Fields, same_text: bool, rules: Rules) -> dict[str, bool | None]:
    if not a.title or not b.title:
        return {}
    places = " ".join((a.city, a.region, a.country, b.city, b.region, b.country))
    left, right = read_title(a.title, places), read_title(b.title, places)
    only_left, only_right = extra_words(left, right, rules)
    differ = bool(only_left and only_right)
    doubt = not same_text
    return {
        "title": differ or (doubt and bool(only_left or only_right)),
        "level": level_conflict(left, right) or (doubt and level_doubt(left, right)) or None,
    }


def _differ(a: str, b: str) -> bool | None:
    return a != b if a and b else None


def _companies_differ(a: str, b: str, rules: Rules) -> bool | None:
    # One text under two employers' names is a board's or an agency's copy, or a template that many
    # employers use. Nothing tells which, so they are linked as variants and never merged.
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
