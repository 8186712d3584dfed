"""Average precision of like titles, on numbers worked out by hand, and the shipped set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nextstep.errors import FileError
from nextstep.ops.evaluate_titles import GOLDEN, average_precision, judge_titles, read_titles
from tests.encoder import bag


def test_precision_is_taken_at_each_title_that_is_like() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert average_precision(scores, [0, 2]) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(scores, [3]) == pytest.approx(1 / 4)


def test_titles_of_one_score_share_the_precision_at_their_end() -> None:
    scores = np.array([0.9, 0.9, 0.9, 0.1])
    for like in ([0], [1], [2]):
        assert average_precision(scores, like) == pytest.approx(1 / 3)
    assert average_precision(scores, [0, 3]) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_a_norm_that_names_the_role_beats_the_words(tmp_path: Path) -> None:
    file = tmp_path / "titles.jsonl"
    file.write_text(
        '{"query": "Cook", "like": ["Chef de Partie", "Commis"]}\n{"title": "Cook Islands guide"}\n'
    )
    norms = {"Chef de Partie": "Chef", "Commis": "Chef", "Cook": "Chef"}
    made = judge_titles(
        read_titles(file),
        lambda title: norms.get(title, title),
        lambda texts: np.stack([bag(text) for text in texts]),
    )
    by_way = {one.way: one.mean for one in made}
    assert by_way["title_norm"] == 1.0
    assert by_way["as written"] < 0.8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"query": "Cook"}', "line 1: neither"),
        ('{"title": "Cook", "like": ["Chef"]}', "line 1: neither"),
        ('{"tilte": "Cook"}', "line 1: Object contains unknown field"),
        ('{"title": "Cook"}', "no line has a query"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "titles.jsonl"
    file.write_text(text)
    with pytest.raises(FileError, match=says):
        read_titles(file)


def test_the_shipped_set_is_whole() -> None:
    labelled = read_titles(GOLDEN)
    assert len(labelled.queries) == 38
    assert sum(len(like) for like in labelled.queries.values()) > 1000
    assert len(labelled.titles) > 2000
