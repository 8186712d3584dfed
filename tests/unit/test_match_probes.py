"""The labelled probes: what must come first does, with an encoder that knows words only."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nextstep.errors import FileError
from nextstep.match.reading import Lexicon, make_lexicon
from nextstep.ops.evaluate_match import (
    GOLDEN,
    Post,
    displacement,
    judge_probes,
    read_probes,
    scores,
)
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.extraction import Kit, build_kit
from nextstep.settings import Weights
from tests.encoder import BagOfWords

KINDS = {"location", "partial", "recency", "seniority", "skills"}


@pytest.fixture(scope="module")
def tools() -> tuple[Lexicon, Kit]:
    taxonomies = load_taxonomies()
    return make_lexicon(taxonomies), build_kit(taxonomies)


@pytest.mark.req("N-49")
def test_of_each_kind_of_probe_95_of_100_come_out_right(tools: tuple[Lexicon, Kit]) -> None:
    lexicon, kit = tools
    probes = read_probes(GOLDEN)
    counts = Counter(probe.kind for probe in probes)
    assert set(counts) == KINDS and min(counts.values()) >= 20
    judged = judge_probes(probes, BagOfWords().passages, lexicon, kit, Weights())
    made = {score.kind: score for score in scores(judged)}
    wrong = [(one.probe.id, one.probe.reason, one.parts) for one in judged if not one.is_right]
    assert all(score.share >= 0.95 for score in made.values()), wrong


@pytest.mark.req("N-49")
def test_without_weight_on_them_probes_come_out_wrong(tools: tuple[Lexicon, Kit]) -> None:
    # The measure can fail: with similarity alone a date or a town decides nothing.
    lexicon, kit = tools
    probes = [probe for probe in read_probes(GOLDEN) if probe.kind in ("recency", "location")]
    only = Weights(1, 0, 0, 0, 0, 0, 0)
    made = scores(judge_probes(probes, BagOfWords().passages, lexicon, kit, only))
    assert all(score.share < 0.7 for score in made)


def test_an_irrelevant_sentence_moves_little(tools: tuple[Lexicon, Kit]) -> None:
    lexicon, kit = tools
    probes = [probe for probe in read_probes(GOLDEN) if probe.kind == "skills"]
    posts = [Post(one.title, one.text, one.location) for p in probes for one in (p.better, p.worse)]
    moved = displacement(
        [probes[0].profile, probes[5].profile], posts, BagOfWords().passages, lexicon, kit
    )
    assert moved <= 10


def test_a_line_that_is_no_probe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_text('{"id": 1}\n')
    with pytest.raises(FileError, match="line 1"):
        read_probes(path)
    with pytest.raises(FileError, match="cannot read"):
        read_probes(tmp_path / "none.jsonl")
