"""The board: what it says of a job is what the ranking says, whatever order the jobs came in."""

from __future__ import annotations

import random
from datetime import date
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.match import facts
from nextstep.match.board import Board, split_words
from nextstep.match.facts import Facts
from nextstep.match.filters import is_open, passing
from nextstep.match.ordering import order
from nextstep.match.postings import Postings
from nextstep.match.profile import Filters, SalaryFloor
from nextstep.match.ranking import (
    LADDER,
    Candidate,
    Wanted,
    features_of,
    rank,
    unit_weights,
    yearly,
)
from nextstep.settings import Weights

AS_OF = date(2026, 1, 31)
SKILLS = ["Python", "SQL", "Spark", "Kafka", "Airflow", "dbt", "Docker", "Communication"]
SOFT = frozenset({"Communication"})
TITLES = ["", "Data Engineer", "Data Engineer II", "Engineer Data", "Data Scientist", "Nurse"]
CLUSTERS = ["", "data engineering", "health"]


def spread(number: int) -> UUID:
    return uuid5(NAMESPACE_URL, str(number))


def names(most: int = 6) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(SKILLS), unique=True, max_size=most).map(tuple)


entries = st.builds(
    lambda number, **fields: Candidate(
        canonical_job_id=spread(number), job_id=spread(-number), **fields
    ),
    st.integers(1, 2**63),
    skills=names(),
    title_norm=st.sampled_from(TITLES),
    title_cluster=st.sampled_from(CLUSTERS),
    company=st.sampled_from(["", "Acme GmbH", "Other"]),
    employer=st.sampled_from(["", "acme", "other"]),
    source=st.sampled_from(["board", "other"]),
    city=st.sampled_from(["", "Berlin", "berlin", "Zürich"]),
    country=st.sampled_from(["", "DE", "FR", "CH"]),
    work_mode=st.sampled_from(["", "remote", "onsite", "hybrid"]),
    seniority=st.sampled_from(["", *LADDER]),
    employment_type=st.sampled_from(["", "full_time", "full_time,permanent", "contract"]),
    salary_min=st.none() | st.floats(0, 1e6),
    salary_max=st.none() | st.floats(0, 1e6),
    salary_currency=st.sampled_from(["", "EUR", "USD"]),
    salary_period=st.sampled_from(["", "hour", "month", "year"]),
    posted_on=st.none() | st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    date_precision=st.sampled_from(["day", "month", "year", "none"]),
)
markets = st.lists(entries, max_size=12, unique_by=lambda one: one.canonical_job_id)
wishes = st.builds(
    Wanted,
    skills=names(8),
    titles=st.lists(st.tuples(st.sampled_from(TITLES), st.sampled_from(CLUSTERS)), max_size=3).map(
        tuple
    ),
    city=st.sampled_from(["", "Berlin", "Zürich", "Nowhere"]),
    country=st.sampled_from(["", "DE", "FR", "JP"]),
    work_mode=st.sampled_from(["", "remote", "hybrid"]),
    seniority=st.sampled_from(["", "senior", "intern"]),
    salary=st.none()
    | st.tuples(st.floats(1, 1e6), st.sampled_from(["EUR", "GBP"]), st.just("month")),
)


def board_of(market: list[Candidate]) -> Board:
    board = Board(SOFT)
    for entry in market:
        board.put(entry)
    return board


def compared(entry: Candidate, wanted: Wanted) -> Candidate:
    """What the ranking sees of a job: soft skills only where the profile states them."""
    kept = tuple(n for n in entry.skills if n not in SOFT or n in wanted.skills)
    return msgspec.structs.replace(entry, skills=kept)


@pytest.mark.req("N-51")
@given(markets, wishes, st.none() | st.just(AS_OF))
def test_the_features_of_the_board_are_those_of_the_ranking(
    market: list[Candidate], wanted: Wanted, as_of: date | None
) -> None:
    board = board_of(market)
    slots = np.arange(board.size)
    columns = Facts(board, wanted, as_of).features(slots)
    assert set(columns) == set(facts.FACTS)
    for slot, entry in enumerate(market):
        expected = features_of(wanted, compared(entry, wanted), as_of)
        for part, values in columns.items():
            assert values[slot] == pytest.approx(expected[part], abs=2e-6), part


@pytest.mark.req("N-51")
@given(markets, wishes, st.lists(st.floats(-1, 1), min_size=12, max_size=12))
def test_the_order_of_the_columns_is_that_of_the_ranking(
    market: list[Candidate], wanted: Wanted, cosines: list[float]
) -> None:
    board = board_of(market)
    near = {slot: cosines[slot] for slot in range(len(market)) if cosines[slot] > -0.5}
    ordering = order(
        Facts(board, wanted, AS_OF), dict(enumerate(market)), near, unit_weights(Weights())
    )
    sides = [
        msgspec.structs.replace(compared(entry, wanted), similarity=near.get(slot))
        for slot, entry in enumerate(market)
    ]
    ranked = rank(wanted, sides, Weights(), AS_OF)
    # Rounding to 1e-6 by columns may move a part by a unit: no more.
    scores = {one.candidate.job_id: one.score for one in ranked}
    found = [ordering.at(index) for index in range(len(ordering))]
    assert len(found) == len(market)
    for one in found:
        assert one.score == sum(one.parts.values())
        assert abs(one.score - scores[one.candidate.job_id]) <= 1
    by_score = [(-one.score, one.candidate.job_id.bytes) for one in found]
    assert by_score == sorted(by_score)


def test_what_only_a_text_names_counts_as_a_skill() -> None:
    one = Candidate(canonical_job_id=UUID(int=1), job_id=UUID(int=2), skills=("SQL",))
    wanted = Wanted(skills=("SQL", "Zylgrav", "Kafka"))
    common = Facts(board_of([one]), wanted, AS_OF)
    slots = np.array([0])
    said = msgspec.structs.replace(one, skills=("SQL", "Zylgrav"))
    assert common.features(slots)["skills"][0] == features_of(wanted, one, AS_OF)["skills"]
    counted = common.features(slots, np.ones(1))["skills"][0]
    assert counted == features_of(wanted, said, AS_OF)["skills"] > 0.6


@pytest.mark.req("X-12")
@given(
    markets,
    st.builds(
        Filters,
        country=st.none() | st.just(["DE", "FR"]),
        city=st.none() | st.just(["Berlin", "Zürich"]),
        work_mode=st.none() | st.just(["remote"]),
        seniority=st.none() | st.just(["senior", "lead"]),
        employment_type=st.none() | st.just(["permanent", "contract"]),
        posted_since=st.none() | st.just(date(2010, 1, 1)),
        source=st.none() | st.just(["board"]),
        exclude=st.none() | st.just(["acme gmbh", "other"]),
        salary_min=st.none() | st.just(SalaryFloor(4000, "eur", "month")),
    ),
)
def test_a_filter_lets_pass_what_says_so(market: list[Candidate], filters: Filters) -> None:
    mask = passing(board_of(market), filters)
    assert mask.tolist() == [_passes(entry, filters) for entry in market]
    if is_open(filters):
        assert mask.all()


def _passes(one: Candidate, filters: Filters) -> bool:
    offered = one.salary_max if one.salary_max is not None else one.salary_min
    pay = None if offered is None else yearly(offered, one.salary_period)
    floor = filters.salary_min
    said = {one.company.casefold(), one.employer}
    return all((
        not filters.country or one.country in filters.country,
        not filters.city or one.city.casefold() in ("berlin", "zürich"),
        not filters.work_mode or one.work_mode in filters.work_mode,
        not filters.seniority or one.seniority in filters.seniority,
        not filters.employment_type
        or bool(set(one.employment_type.split(",")) & set(filters.employment_type)),
        not filters.posted_since
        or (one.posted_on is not None and one.posted_on >= filters.posted_since),
        not filters.source or one.source in filters.source,
        not filters.exclude or not said & set(filters.exclude),
        not floor or (pay is not None and pay >= 48_000 and one.salary_currency == "EUR"),
    ))  # fmt: skip


@pytest.mark.req("J-13")
@settings(max_examples=50)
@given(markets, wishes, st.integers(0, 2**32), st.integers(1, 5))
def test_the_choice_does_not_depend_on_the_order_or_the_history_of_the_rows(
    market: list[Candidate], wanted: Wanted, seed: int, most: int
) -> None:
    draw = random.Random(seed)
    first, second = board_of(market), board_of(draw.sample(market, len(market)))
    for entry in draw.sample(market, len(market) // 2):
        second.drop(entry.canonical_job_id)
        second.put(msgspec.structs.replace(entry, skills=("Python",)))
        second.put(entry)
    shares = unit_weights(Weights())
    chosen = [
        [
            board.entry(slot).job_id
            for slot in Facts(board, wanted, AS_OF).best(
                shares, mask=passing(board, Filters()), most=most
            )
        ]
        for board in (first, second)
    ]
    assert chosen[0] == chosen[1]
    assert len(first) == len(second) == len(market)


def test_a_dropped_cluster_is_gone_and_a_put_one_replaces_the_old() -> None:
    one = Candidate(canonical_job_id=UUID(int=1), job_id=UUID(int=2), skills=("Python",))
    board = board_of([one])
    board.put(msgspec.structs.replace(one, job_id=UUID(int=3), skills=("SQL",)))
    assert len(board) == 1
    assert board.ids(passing(board, Filters())) == [UUID(int=1)]
    slot = board.slot(UUID(int=1))
    assert slot is not None
    assert board.count_skills(["SQL", "Python"])[slot] == 1
    assert board.shown_by([UUID(int=2), UUID(int=3)]) == {UUID(int=1)}
    board.drop(UUID(int=1))
    board.drop(UUID(int=9))
    assert len(board) == 0 and not passing(board, Filters()).any()
    assert board.shown_by([UUID(int=3)]) == set()


def test_a_board_grows() -> None:
    board = board_of(
        [
            Candidate(
                canonical_job_id=UUID(int=n), job_id=UUID(int=n), title_norm=f"Title {n % 70}",
                skills=("Python", SKILLS[n % 3]) if n % 3 else ("Python",),
            )
            for n in range(3000)
        ]
    )  # fmt: skip
    assert board.count_skills(["Python"]).sum() == 3000
    assert board.count_skills(["SQL"]).sum() == 1000
    likeness = board.title_likeness("Title 7")[board.column("title_norm")]
    assert (likeness == 1.0).sum() == 43
    board.put(Candidate(canonical_job_id=UUID(int=5000), job_id=UUID(int=1), title_norm="Title 7x"))
    assert len(board.title_likeness("Title 7")) == 72


@given(st.lists(st.sets(st.sampled_from("abcdef")), max_size=2000))
@settings(max_examples=20)
def test_postings_give_the_slots_of_a_word(rows: list[set[str]]) -> None:
    postings = Postings()
    for slot, words in enumerate(rows):
        postings.add(slot, sorted(words))
        if slot % 700 == 0:
            postings.slots("a")
    for word in "abcdefg":
        expected = [slot for slot, words in enumerate(rows) if word in words]
        assert sorted(postings.slots(word).tolist()) == expected
    weighed = postings.weigh({"a": 1.0, "b": 0.5}, len(rows))
    assert weighed.tolist() == [1.0 * ("a" in row) + 0.5 * ("b" in row) for row in rows]


def test_words_keep_their_signs_and_lose_case_and_accents() -> None:
    assert split_words("C++ / C# Entwickler Zürich, .NET") == [
        "c++", "c#", "entwickler", "zurich", "net",
    ]  # fmt: skip
