"""
Measure dedupe's decisions on labelled pairs: what it merges, what it links, what it misses.

A file has one JSON object per line: `label` (duplicate, variant, apart), `kind`, `reason`, `date`,
`split` (seen or held_out), and the sides `a` and `b` with title, company, location,
employment_type and text. Where the texts are excerpts, `similarity`, `head`, `part`, `core`,
`estimate` and `meets` carry what was measured on the whole ones; else everything is computed from
the texts.

Source: issue 4 item 4, decisions.md 31.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from nextstep.errors import FileError
from nextstep.processors.shared.company import normalize_company, strip_rating
from nextstep.processors.shared.dedupe_body import read_body
from nextstep.processors.shared.dedupe_compare import (
    Document,
    compare_documents,
)
from nextstep.processors.shared.dedupe_fields import make_fields
from nextstep.processors.shared.dedupe_likeness import Texts, text_similarity
from nextstep.processors.shared.dedupe_rules import RULES, Rules
from nextstep.processors.shared.employment import parse_employment
from nextstep.processors.shared.minhash import Sketcher, agreement, band_hashes, make_sketcher, sign
from nextstep.processors.shared.place import parse_place
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_line, clean_text

#: The labelled set of a checkout; it is test material and in no package.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "dedupe_pairs.jsonl"


class Side(msgspec.Struct, frozen=True):
    """
    One ad of a pair, as its source had it.

    `named`: of the words of both titles and towns, those that stand in its whole text, where
    `text` is an excerpt.
    """

    title: str = ""
    company: str = ""
    location: str = ""
    employment_type: str = ""
    text: str = ""
    source: str = ""
    named: str = ""


class LabelledPair(msgspec.Struct, frozen=True):
    """A pair that a person has read; `similarity` and its like are of the whole texts."""

    id: int
    kind: str
    label: str
    reason: str
    date: str
    a: Side
    b: Side
    split: str = "seen"
    similarity: float | None = None
    head: float = 0.0
    part: float = 0.0
    core: float = 0.0
    words: list[str] = []
    estimate: float = 1.0
    meets: bool = True


class Judged(msgspec.Struct, frozen=True):
    """A labelled pair with what dedupe says of it."""

    pair: LabelledPair
    relation: str
    rule: str
    veto: dict[str, list[str]]


class Score(msgspec.Struct, frozen=True):
    """
    Counts of one kind; a pair counts as merged when dedupe calls it a duplicate.

    `precision` and `recall` are None where nothing was merged or nothing was to be merged.
    """

    kind: str
    pairs: int
    duplicates: int
    merged: int
    right: int
    false_merges: int
    missed: int
    variants: int
    linked: int
    precision: float | None
    recall: float | None


def read_pairs(path: Path) -> list[LabelledPair]:
    """
    Return the pairs of a file.

    Raises:
        FileError: the file cannot be read, or a line of it is no labelled pair.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {path}", hint="nextstep eval dedupe FILE") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            pairs.append(msgspec.json.decode(line, type=LabelledPair))
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise FileError(f"{path} line {number} is no labelled pair: {error}") from error
    if not pairs:
        raise FileError(f"{path} holds no pair", hint="one JSON object per line")
    return pairs


def judge_pairs(pairs: list[LabelledPair], rules: Rules = RULES) -> list[Judged]:
    """Return what dedupe says of each pair."""
    sketcher = make_sketcher(rules)
    return [_judge(pair, sketcher, rules) for pair in pairs]


def _judge(pair: LabelledPair, sketcher: Sketcher, rules: Rules) -> Judged:
    left, right = document(pair.a, rules), document(pair.b, rules)
    estimate, meets = pair.estimate, pair.meets
    if pair.similarity is not None:
        texts = Texts(pair.similarity, pair.head, pair.part, pair.core, pair.words)
    else:
        signatures = [sign(sketcher, document.body.split()) for document in (left, right)]
        estimate = agreement([(signatures[0], signatures[1])])[0]
        bands = [set(band_hashes(signature, rules.bands)) for signature in signatures]
        meets = bool(bands[0] & bands[1])
        texts = text_similarity(left.body, right.body, rules)
    if not meets or estimate < rules.gate:  # such a pair is never compared
        return Judged(pair, "apart", "unmet", {})
    made = compare_documents(left, right, texts, rules)
    return Judged(pair, made.relation, made.rule, made.veto)


def document(side: Side, rules: Rules = RULES) -> Document:
    """Return one side as the stage compares it."""
    text = clean_text("", side.text).text
    sections = [msgspec.to_builtins(section) for section in find_sections(text)]
    company, location = clean_line(strip_rating(side.company)), clean_line(side.location)
    place = parse_place(location)
    fields = make_fields(
        title=clean_line(side.title),
        company=normalize_company(company),
        location=location,
        place=(place.city, place.region, place.country),
        employment=parse_employment(clean_line(side.employment_type)),
        text=text,
    )
    body = read_body(text, sections, rules)
    return Document(f"{body.text} {side.named}".strip(), fields, body.core)


def scores(judged: list[Judged]) -> list[Score]:
    """Return the score of each kind by name, then of all, then of the held-out part."""
    kinds = sorted({one.pair.kind for one in judged})
    made = [_score(kind, [one for one in judged if one.pair.kind == kind]) for kind in kinds]
    made.append(_score("all", judged))
    held_out = [one for one in judged if one.pair.split == "held_out"]
    return [*made, _score("held out", held_out)] if held_out else made


def _score(kind: str, judged: list[Judged]) -> Score:
    wanted = [one for one in judged if one.pair.label == "duplicate"]
    merged = [one for one in judged if one.relation == "duplicate"]
    right = [one for one in merged if one.pair.label == "duplicate"]
    variants = [one for one in judged if one.pair.label == "variant"]
    return Score(
        kind=kind,
        pairs=len(judged),
        duplicates=len(wanted),
        merged=len(merged),
        right=len(right),
        false_merges=len(merged) - len(right),
        missed=len(wanted) - len(right),
        variants=len(variants),
        linked=sum(one.relation == "variant" for one in variants),
        precision=_share(len(right), len(merged)),
        recall=_share(len(right), len(wanted)),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def wrong(judged: list[Judged]) -> list[dict[str, Any]]:
    """Return the pairs that are merged and should not be, or should be and are not."""
    return [
        {
            "id": one.pair.id,
            "kind": one.pair.kind,
            "split": one.pair.split,
            "label": one.pair.label,
            "said": one.relation,
            "rule": one.rule,
            "veto": one.veto,
            "similarity": one.pair.similarity,
            "reason": one.pair.reason,
        }
        for one in judged
        if (one.pair.label == "duplicate") != (one.relation == "duplicate")
    ]
