"""The vector index is chosen by the version of pgvector, sized by the rows, and always partial."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.db.vector_plan import (
    build_memory_bytes,
    distance_operand,
    index_names,
    nearest_query,
    plan,
    predicate,
)
from nextstep.share import share

MODEL, RECIPE = "all-MiniLM-L6-v2", "title-1000"


@pytest.mark.req("N-75")
@pytest.mark.parametrize(
    ("version", "method"),
    [("0.4.4", "ivfflat"), ("0.5.0", "hnsw"), ("0.8.6", "hnsw"), ("0.10.1", "hnsw")],
)
def test_hnsw_from_pgvector_0_5_0_on_else_ivfflat(version: str, method: str) -> None:
    index = plan(version, 40_000, MODEL, 384, RECIPE)
    assert index.method == method
    assert index.name in index_names(MODEL, RECIPE, 384)
    assert index_names(MODEL, RECIPE, 384)[index.name] == (method, index.is_half)
    assert version in index.reason


@pytest.mark.parametrize(
    ("version", "is_half"), [("0.4.4", False), ("0.6.2", False), ("0.7.0", True), ("0.8.6", True)]
)
def test_from_pgvector_0_7_0_on_the_index_is_in_half_precision(version: str, is_half: bool) -> None:
    index = plan(version, 40_000, MODEL, 384, RECIPE)
    operators = "halfvec_cosine_ops" if is_half else "vector_cosine_ops"
    assert index.is_half == is_half and operators in index.statement()
    query = nearest_query(MODEL, RECIPE, 384, is_half=is_half)
    assert distance_operand(384, is_half=is_half).strip("()") in query.split("ORDER BY")[1]


@pytest.mark.req("N-78")
@pytest.mark.parametrize(
    ("rows", "lists", "probes"),
    [(0, 1, 1), (1, 1, 1), (40_000, 200, 14), (1_000_000, 1000, 32), (10**12, 32768, 181)],
)
def test_lists_are_about_the_root_of_the_rows(rows: int, lists: int, probes: int) -> None:
    index = plan("0.4.4", rows, MODEL, 384, RECIPE)
    assert index.parameters == {"lists": lists}
    assert index.search == {"ivfflat.probes": probes}


@pytest.mark.req("N-78")
def test_hnsw_has_the_stated_parameters() -> None:
    assert plan("0.8.6", 7, MODEL, 384, RECIPE).parameters == {"m": 16, "ef_construction": 64}


def test_more_dimensions_than_pgvector_indexes_mean_an_exact_scan() -> None:
    assert plan("0.6.2", 10**6, "large", 3072, RECIPE).method == "none"
    assert plan("0.8.6", 10**6, "large", 3072, RECIPE).is_half
    assert plan("0.8.6", 10**6, "large", 4001, RECIPE).method == "none"


@pytest.mark.req("N-76", "S-12")
def test_the_committed_sql_is_what_is_run() -> None:
    committed = (share("sql") / "ops" / "vector_index.sql").read_text()
    for version in ("0.8.6", "0.6.2", "0.4.4"):
        assert plan(version, 40_000, MODEL, 384, RECIPE).statement() + ";" in committed


def test_a_search_holds_the_indexs_condition_and_expression_word_for_word() -> None:
    index = plan("0.8.6", 40_000, MODEL, 384, RECIPE)
    query = nearest_query(MODEL, RECIPE, 384, is_half=index.is_half)
    assert predicate(MODEL, RECIPE) in query and predicate(MODEL, RECIPE) in index.statement()
    assert distance_operand(384, is_half=index.is_half).strip("()") in query


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_models_name_never_ends_its_literal(name: str) -> None:
    statement = plan("0.8.6", 1, name, 8, "r").statement()
    literal = re.search(r"model_name = '((?:[^']|'')*)' AND recipe = 'r'$", statement)
    assert literal is not None and literal[1].replace("''", "'") == name
    assert len(plan("0.8.6", 1, name, 8, "r").name) <= 63


@given(st.integers(0, 10**8), st.integers(1, 2000), st.integers(2**26, 2**34))
def test_the_memory_of_a_build_stays_within_its_budget(rows: int, dim: int, budget: int) -> None:
    memory = build_memory_bytes(plan("0.8.6", rows, MODEL, dim, RECIPE), budget)
    assert 2**26 <= memory <= budget
