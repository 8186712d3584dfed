"""Pages on which no employer stands too often, and the choice of how vectors are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.match.pages import page_of, sequence
from nextstep.match.strategy import MOST_EF, Index, choose, ef_search, in_memory, widened

HALF = Index("hnsw", True, (0, 8, 6))
OLD = Index("hnsw", False, (0, 5, 1))
LISTS = Index("ivfflat", False, (0, 4, 4))


employers_of_results = st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=40)


@given(employers_of_results, st.integers(1, 12), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_every_result_is_on_one_page_and_pages_are_in_order_of_the_scores(
    employers: list[str], size: int, share: float
) -> None:
    shown: list[int] = []
    while len(shown) < len(employers):
        page = page_of(employers, len(shown), size, size, share)
        assert page and page == sorted(page)
        shown += page
    assert sorted(shown) == list(range(len(employers)))
    assert page_of(employers, len(employers), size, size, share) == []


@given(employers_of_results, st.integers(1, 12), st.integers(0, 40))
def test_a_better_job_never_comes_later_than_a_worse_one_of_its_employer(
    employers: list[str], size: int, upto: int
) -> None:
    order = sequence(employers, size, 0.25)
    assert sequence(employers, size, 0.25, upto)[:upto] == order[:upto]
    for employer in ("a", "b", "c"):
        own = [index for index in order if employers[index] == employer]
        assert own == sorted(own)
    unnamed = [index for index in order if not employers[index]]
    assert unnamed == sorted(unnamed)


def test_one_employer_gets_a_quarter_of_a_page_while_others_are_there() -> None:
    employers = ["a"] * 12 + ["b"] * 2 + ["c"] * 2 + ["d"] * 2 + ["e"] * 9
    first = [employers[index] for index in page_of(employers, 0, 12, 12, 0.25)]
    assert first == ["a"] * 3 + ["b"] * 2 + ["c"] * 2 + ["d"] * 2 + ["e"] * 3
    second = [employers[index] for index in page_of(employers, 12, 12, 12, 0.25)]
    assert second == ["a"] * 9 + ["e"] * 3  # no others are left: the page is filled by rank
    assert page_of(employers, 0, 12, 12, 1.0) == list(range(12))


def test_a_short_page_of_one_employer_is_filled() -> None:
    assert len(page_of(["a"] * 5, 0, 5, 5, 0.25)) == 5


@pytest.mark.req("X-12")
@given(
    st.integers(1, 10**6), st.integers(0, 10**6), st.sampled_from([HALF, OLD, LISTS, Index()]),
    st.booleans(),
)  # fmt: skip
def test_whatever_is_chosen_can_give_all_that_is_wanted(
    total: int, passing: int, index: Index, exact: bool
) -> None:
    passing = min(total, passing)
    strategy = choose(total, passing, index, nearest=200, exact=exact)
    assert strategy.wanted == min(200, passing)
    assert strategy.limit >= strategy.wanted
    if exact or not index.method:
        assert strategy.method != "index"
    if strategy.method == "index":
        assert 100 <= ef_search(strategy) <= MOST_EF
        if not index.walks_on:
            assert strategy.limit <= MOST_EF
        for _ in range(20):
            strategy = widened(strategy, total, index)
            if strategy.method == "subset":
                break
        assert strategy.method == "subset"


@pytest.mark.req("X-12", "S-14")
@pytest.mark.parametrize(
    ("passing", "index", "method"),
    [
        (100_000, HALF, "index"),
        (30_000, HALF, "index"),
        (500, HALF, "subset"),
        (5_000, HALF, "subset"),
        (100_000, OLD, "index"),
        (1_000, OLD, "subset"),
        (100_000, Index(), "all"),
        (500, Index(), "subset"),
    ],
)
def test_a_narrow_filter_is_compared_and_a_wide_one_walks_the_index(
    passing: int, index: Index, method: str
) -> None:
    strategy = choose(100_000, passing, index, nearest=200, exact=False)
    assert strategy.method == method, strategy.why
    assert f"{passing} of 100000" in strategy.why


def test_an_old_pgvector_that_cannot_walk_far_enough_compares_and_says_why() -> None:
    strategy = choose(100_000, 16_000, OLD, nearest=200, exact=False)
    assert strategy.method != "index"
    assert "pgvector 0.5.1 gives at most 1000" in strategy.why


def test_memory_is_left_where_a_walk_of_the_index_is_cheaper() -> None:
    few = in_memory(100_000, 100_000, nearest=200)
    assert few is not None and (few.method, few.wanted) == ("memory", 200)
    assert in_memory(10**6, 10**6, nearest=200) is None
    subset = in_memory(10**6, 5000, nearest=200)
    assert subset is not None and subset.wanted == 200
    none = in_memory(10**6, 0, nearest=200)
    assert none is not None and none.wanted == 0
