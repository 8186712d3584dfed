"""
Compare two advertisements: how alike their texts are, and which stated fields speak against it.

A pair is a duplicate (one vacancy), a variant (one advertisement for another town, level, subject,
contract, requisition or employer) or apart. A field speaks only when both sides state it. Every
function is symmetric, so that a pair reads the same whichever of the two came first.

Source: decisions.md 19, N-34.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from rapidfuzz import fuzz, process

from nextstep.processors.shared.dedupe_fields import Fields
from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.dedupe_titles import (
    extra_words,
    level_conflict,
    level_doubt,
    read_title,
    shared_words,
    title_score,
)

_LEGAL_FORMS = """
    inc incorporated ltd limited llc llp lp plc gmbh ag kg se sa sas sarl bv nv ab as oy spa srl
    pte pty co corp corporation company the and
"""
_LEGAL = frozenset(_LEGAL_FORMS.split())
#: Letters; shorter names ("bip", "data") stand in texts that are not theirs.
_NAME_LENGTH = 6
#: Words of the runs by which a part of a text is found in another.
_RUN = 4
#: What both must state alike before a part of a text counts as a copy of it.
_PART_NEEDS = frozenset({"title", "company", "city"})
#: Kinds of employment that exclude each other, one set per question.
_HOURS = frozenset({"full_time", "part_time"})
_TENURE = frozenset(
    {"permanent", "contract", "temporary", "internship", "freelance", "apprenticeship", "volunteer"}
)


class Document(msgspec.Struct, frozen=True):
    """What is compared of one advertisement: its folded text and its fields."""

    body: str
    fields: Fields


class Texts(msgspec.Struct, frozen=True):
    """
    How like two texts are, 0..1 with 3 decimals.

    Attributes:
        whole: of the whole texts.
        head: of the shorter to the other's beginning, where it is that text cut short; else 0.
        part: as `contained` says; None where it was not asked for.
    """

    whole: float
    head: float = 0.0
    part: float | None = None


class Decision(msgspec.Struct, frozen=True):
    """
    What texts and fields say, before any verdict.

    Attributes:
        rule: text, cut or part (duplicate), veto (variant), unlike (apart).
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
    agreeing, vetoing = compare_fields(a.fields, b.fields, _likeness(similarity, rules), rules)
    copied = similarity >= rules.same_text and "company" in vetoing
    if copied and _employer_named(a, b):
        agreeing = sorted([*agreeing, "employer_named"])
        vetoing = {name: values for name, values in vetoing.items() if name != "company"}
    if similarity >= rules.duplicate:
        if vetoing:
            return Decision("variant", "veto", similarity, agreeing, vetoing)
        rule = "cut" if texts.head > texts.whole else "text"
        return Decision("duplicate", rule, similarity, agreeing, vetoing)
    if not vetoing and _PART_NEEDS.issubset(agreeing):
        part = texts.part if texts.part is not None else contained(a.body, b.body, rules)
        if part >= rules.part:
            return Decision("duplicate", "part", part, agreeing, vetoing)
    return Decision("apart", "unlike", similarity, agreeing, vetoing)


def _likeness(similarity: float, rules: Rules) -> str:
    return "equal" if similarity >= 1.0 else "same" if similarity >= rules.same_text else "alike"


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


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.split(" ")
    return set(zip(*(words[at:] for at in range(_RUN)), strict=False))


def _may_be_cut(short: str, long: str, rules: Rules) -> bool:
    return len(short) >= rules.prefix_chars and len(short) >= rules.prefix_share * len(long)


@lru_cache(maxsize=8192)
def compare_fields(
    a: Fields, b: Fields, texts: str, rules: Rules
) -> tuple[list[str], dict[str, list[str]]]:
    """
    Return the fields that both state alike, and those that speak against a merge with values.

    Args:
        texts: "equal", "same" but for tiny edits, or "alike". Where they are only alike, a title
            that says more than the other speaks against a merge too, and unless they are equal a
            level that only one states; where they are equal, one word of a long title does not.

    Copies of one ad have one set of fields, so answers are kept; callers do not change them.
    """
    found = {
        "city": _differ(a.city, b.city),
        "region": _regions_differ(a, b),
        "country": _differ(a.country, b.country),
        "company": _companies_differ(a.company, b.company, rules),
        "employment_type": _employment_differs(a.employment, b.employment),
        "postcode": _differ(a.postcode, b.postcode),
        "reference": _references_differ(a.reference, b.reference),
        **_titles_differ(a, b, texts, rules),
    }
    values = {
        "city": (a.city, b.city),
        "region": (a.region, b.region),
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


def _titles_differ(a: Fields, b: Fields, texts: str, rules: Rules) -> dict[str, bool | None]:
    if not a.title or not b.title:
        return {}
    places = " ".join((a.city, a.region, a.country, b.city, b.region, b.country))
    left, right = read_title(a.title, places), read_title(b.title, places)
    only_left, only_right = extra_words(left, right, rules)
    differ = bool(only_left and only_right)
    if texts == "equal":
        differ = differ and shared_words(left, right) < rules.title_shared
    doubt = texts == "alike"
    return {
        "title": differ or (doubt and bool(only_left or only_right)),
        "level": level_conflict(left, right)
        or (texts != "equal" and level_doubt(left, right))
        or None,
    }


def _differ(a: str, b: str) -> bool | None:
    return a != b if a and b else None


def _regions_differ(a: Fields, b: Fields) -> bool | None:
    # Where both name a town, the towns decide: sources cut regions differently.
    if (a.city and b.city) or not (a.region and b.region):
        return None
    # "Ohio, United States" is a stated place too: who reads one ad for two states takes them for
    # two places of work, though a board may show one vacancy in many.
    return a.region != b.region


def _references_differ(a: str, b: str) -> bool | None:
    return set(a.split()).isdisjoint(b.split()) if a and b else None


def _employer_named(a: Document, b: Document) -> bool:
    """Whether both texts name the employer of one side: a board's or an agency's copy of its ad."""
    names = (_core(a.fields.company), _core(b.fields.company))
    # Spaces aside: "VORTEX-CoLab" is two words in one field and three in a text.
    bodies = [side.body.replace(" ", "") for side in (a, b)]
    return any(len(name) >= _NAME_LENGTH and all(name in body for body in bodies) for name in names)


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
