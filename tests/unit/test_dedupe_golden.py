"""The labelled pairs: what dedupe merges, links and misses, gated at what it reached."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from nextstep.errors import FileError
from nextstep.ops.evaluate import (
    GOLDEN,
    Judged,
    LabelledPair,
    Side,
    judge_pairs,
    read_pairs,
    scores,
    wrong,
)


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return judge_pairs(read_pairs(GOLDEN))


def test_the_set_is_large_hard_and_short_of_text() -> None:
    pairs = read_pairs(GOLDEN)
    assert len(pairs) >= 500
    assert len({pair.id for pair in pairs}) == len(pairs)
    assert {pair.label for pair in pairs} == {"duplicate", "variant", "apart"}
    assert all(pair.reason and re.fullmatch(r"\d{4}-\d\d-\d\d", pair.date) for pair in pairs)
    kinds = Counter(pair.kind for pair in pairs)
    assert all(kinds[kind] >= 20 for kind in ("town", "level", "subject"))
    # Labelled before they were scored; the rules that followed from them: see dedupe_rules.py.
    assert Counter(pair.split for pair in pairs)["held_out"] >= 100
    sides = [side for pair in pairs for side in (pair.a, pair.b)]
    assert max(len(side.text) for side in sides) <= 320
    assert not any(re.search(r"[\w.+-]@[\w-]+\.\w", side.text) for side in sides)


@pytest.mark.req("N-34")
def test_hard_negatives_stay_apart(judged: list[Judged]) -> None:
    by_kind = {score.kind: score for score in scores(judged)}
    for kind in ("town", "level", "subject", "reference", "contract", "company"):
        assert by_kind[kind].false_merges == 0, kind


@pytest.mark.req("N-34")
def test_precision_and_recall_do_not_fall(judged: list[Judged]) -> None:
    by_kind = {score.kind: score for score in scores(judged)}
    whole = by_kind["all"]
    # Reached: 0.920 and 0.867; of the held-out pairs 0.857 and 0.857.
    assert whole.precision is not None and whole.precision >= 0.92
    assert whole.recall is not None and whole.recall >= 0.86
    held_out = by_kind["held out"]
    assert held_out.precision is not None and held_out.precision >= 0.85
    assert held_out.recall is not None and held_out.recall >= 0.85
    assert whole.linked >= 230
    cross = by_kind["cross"]
    assert (cross.precision, cross.recall) == (1.0, 0.941)


def test_the_counts_of_a_score_add_up(judged: list[Judged]) -> None:
    made = scores(judged)
    kinds, whole = made[:-2], made[-2]
    for name in ("pairs", "duplicates", "merged", "right", "variants", "linked"):
        assert sum(getattr(score, name) for score in kinds) == getattr(whole, name)
    assert whole.false_merges + whole.missed == len(wrong(judged))


def test_whole_texts_are_compared_where_no_figures_are_given() -> None:
    body = " ".join(f"duty{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]} care" for i in range(60))
    side = Side(title="Data Analyst", company="Acme", location="Leeds, UK", text=body)
    elsewhere = msgspec.structs.replace(side, location="York, UK")
    other = msgspec.structs.replace(side, text=" ".join(reversed(body.split())) + " and more")
    pairs = [
        LabelledPair(number, "made", "duplicate", "made", "2026-11-21", side, second)
        for number, second in enumerate((side, elsewhere, other))
    ]
    assert [one.relation for one in judge_pairs(pairs)] == ["duplicate", "variant", "apart"]


@pytest.mark.parametrize("content", ["", "{}", '{"id": 1}', "no json"])
def test_a_file_that_is_no_labelled_set_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(content)
    with pytest.raises(FileError):
        read_pairs(path)
    with pytest.raises(FileError):
        read_pairs(tmp_path / "none.jsonl")
