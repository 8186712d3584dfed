"""The labelled set: figures reached may not fall, and the set itself is sound."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from nextstep.cli.evaluate_extraction import ASKED, SHIPPED, held_out, read_sets
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.evaluation import DEV, HELD_OUT, JUDGES, Report, evaluate, part_of
from nextstep.processors.shared.extraction import build_kit

#: Figures reached on the whole set, less a point. The issue's bars in the comments.
GATES = {
    ("mentions", "overlap"): 0.82,  # 0.55
    ("ambiguous", "accuracy"): 0.975,  # 0.93
    ("ambiguous", "traps left out"): 0.975,  # 0.96
    ("salary", "rows right"): 0.97,  # 0.95
    ("salary", "ranges"): 0.97,  # 0.97
    ("salary", "currency and period"): 0.967,  # 0.97
    ("salary", "empty left empty"): 0.99,  # 0.97
    ("location", "rows right"): 0.966,  # 0.92
    ("location", "no city invented"): 0.99,
    ("work_mode", "accuracy"): 0.970,  # 0.92
    ("years", "years"): 0.963,  # 0.95
    ("years", "empty left empty"): 0.99,  # 0.93
    ("education", "levels"): 0.95,  # 0.88
    ("education", "required"): 0.947,
    ("titles", "seniority"): 0.973,  # 0.95
    ("titles", "no role left open"): 0.949,
    ("titles", "concept"): 0.892,  # 0.65
}

#: Precision of mentions, less a point; the issue asks for 0.70.
PRECISION = 0.79


@lru_cache(maxsize=1)
def sets() -> dict[str, list[dict[str, Any]]]:
    return read_sets(sorted(SHIPPED.glob("*.jsonl")))


@lru_cache(maxsize=1)
def report() -> Report:
    return evaluate(sets(), build_kit(load_taxonomies()))


@lru_cache(maxsize=1)
def reached() -> dict[tuple[str, str], tuple[float, int]]:
    """Return value and count of each measure over both parts, weighted by their counts."""
    found: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for figure in report().figures:
        found.setdefault((figure.field, figure.measure), []).append((figure.value, figure.of))
    return {
        key: (sum(v * n for v, n in parts) / sum(n for _, n in parts), sum(n for _, n in parts))
        for key, parts in found.items()
    }


@pytest.mark.req("N-37")
@pytest.mark.parametrize("measure", GATES, ids=" ".join)
def test_no_figure_falls_below_the_one_reached(measure: tuple[str, str]) -> None:
    value, _ = reached()[measure]

    assert value >= GATES[measure]


def test_every_measure_has_a_gate() -> None:
    assert set(reached()) == set(GATES)


@pytest.mark.req("N-37")
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: " ".join(asked[:3]))
def test_the_held_out_third_shows_what_is_asked(asked: tuple[str, str, str, float]) -> None:
    field, measure, name, least = asked

    found = held_out(report(), field, measure, name)

    assert found is not None
    assert found[0] >= least


@pytest.mark.req("N-37")
def test_a_confidence_is_the_share_that_is_right() -> None:
    bins = [one for one in report().reliability if one.part == HELD_OUT and one.of >= 15]

    assert len(bins) >= len(JUDGES)
    assert [one for one in bins if abs(one.confidence - one.precision) > 0.10] == []


@pytest.mark.req("N-37")
def test_mentions_are_precise() -> None:
    figures = evaluate({"mentions": sets()["mentions"]}, build_kit(load_taxonomies())).figures

    assert {figure.part for figure in figures} == {DEV, HELD_OUT}
    assert all((figure.precision or 0.0) >= PRECISION for figure in figures)


def test_a_set_that_reads_everything_wrongly_fails() -> None:
    rows = [{**row, "mode": "elsewhere"} for row in sets()["work_mode"]]

    report = evaluate({"work_mode": rows}, build_kit(load_taxonomies()))

    assert [figure.value for figure in report.figures] == [0.0, 0.0]
    assert len(report.faults) == sum(part_of(row["id"]) == DEV for row in rows)


def test_the_set_is_large_enough_and_a_third_is_held_out() -> None:
    rows = {kind: len(found) for kind, found in sets().items()}
    ids = [row["id"] for found in sets().values() for row in found]
    fields = sum(row["field"] == "salary" for row in sets()["salary"])

    assert set(rows) == set(JUDGES)
    assert sum(rows.values()) - rows["location"] - rows["titles"] - fields >= 400
    assert rows["location"] + rows["titles"] + fields >= 200
    assert min(sum(part_of(row["id"]) == HELD_OUT for row in of) for of in sets().values()) >= 70
    assert 0.24 < sum(part_of(one) == HELD_OUT for one in ids) / len(ids) < 0.39
    assert len({(kind, row["id"]) for kind, found in sets().items() for row in found}) == len(ids)
