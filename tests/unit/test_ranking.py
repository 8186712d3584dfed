"""Ranking: parts, sums, order, and what never counts."""

from __future__ import annotations

import random
from datetime import date, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.match.ranking import (
    LADDER,
    PARTS,
    UNIT,
    Candidate,
    Wanted,
    features_of,
    rank,
    recency,
    seniority_match,
    skill_overlap,
    title_match,
    unit_weights,
)
from nextstep.settings import Weights

AS_OF = date(2026, 1, 31)
SKILLS = ["Python", "SQL", "Spark", "Kafka", "Airflow", "dbt", "Docker", "Go"]
WANTED = Wanted(
    skills=("Python", "SQL", "Spark"),
    titles=(("Data Engineer", "data engineering"),),
    city="Berlin",
    country="DE",
    seniority="senior",
    salary=(60_000.0, "EUR", "year"),
)


def candidate(number: int = 1, **fields: object) -> Candidate:
    return Candidate(canonical_job_id=UUID(int=number), job_id=UUID(int=number), **fields)


candidates = st.builds(
    candidate,
    st.integers(1, 10_000),
    similarity=st.none() | st.floats(-1, 1),
    skills=st.lists(st.sampled_from(SKILLS), unique=True).map(tuple),
    title_norm=st.sampled_from(["", "Data Engineer", "Data Scientist", "Nurse"]),
    title_cluster=st.sampled_from(["", "data engineering", "health"]),
    city=st.sampled_from(["", "Berlin", "Paris"]),
    country=st.sampled_from(["", "DE", "FR"]),
    work_mode=st.sampled_from(["", "remote", "onsite"]),
    seniority=st.sampled_from(["", *LADDER]),
    salary_max=st.none() | st.floats(0, 1e6),
    salary_currency=st.sampled_from(["", "EUR", "USD"]),
    salary_period=st.sampled_from(["", "hour", "month", "year"]),
    posted_on=st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    date_precision=st.sampled_from(["day", "month", "year", "none"]),
)
weights = st.builds(Weights, **{part: st.floats(0, 5) for part in PARTS})


@pytest.mark.req("N-51")
@given(candidates, weights)
def test_a_score_is_the_sum_of_its_parts_and_lies_in_0_to_1(
    one: Candidate, chosen: Weights
) -> None:
    (ranked,) = rank(WANTED, [one], chosen, AS_OF)
    assert ranked.score == sum(ranked.parts.values())
    assert set(ranked.parts) == set(PARTS)
    assert 0 <= ranked.score <= UNIT
    shares = unit_weights(chosen)
    for part in PARTS:
        assert 0 <= ranked.features[part] <= 1
        assert ranked.parts[part] == int(shares[part] * ranked.features[part] + 0.5)


@pytest.mark.req("J-13")
@given(st.dictionaries(st.integers(1, 99), candidates, max_size=8), st.integers(0, 2**32))
def test_the_order_does_not_depend_on_the_order_of_the_rows(
    drawn: dict[int, Candidate], seed: int
) -> None:
    found = [msgspec.structs.replace(one, job_id=UUID(int=number)) for number, one in drawn.items()]
    shuffled = random.Random(seed).sample(found, len(found))
    assert rank(WANTED, found, Weights(), AS_OF) == rank(WANTED, shuffled, Weights(), AS_OF)


@pytest.mark.req("J-13")
def test_equal_scores_are_in_order_of_the_job_id() -> None:
    found = [candidate(number, similarity=0.5) for number in (7, 3, 9, 1)]
    ids = [ranked.candidate.job_id.int for ranked in rank(WANTED, found, Weights(), AS_OF)]
    assert ids == [1, 3, 7, 9]


@pytest.mark.req("N-49")
@given(candidates, st.sampled_from(WANTED.skills))
def test_one_more_common_skill_never_lowers_a_score(one: Candidate, skill: str) -> None:
    more = msgspec.structs.replace(one, skills=tuple(dict.fromkeys((*one.skills, skill))))
    assert _score(more) >= _score(one)


@pytest.mark.req("N-49")
@given(candidates, st.floats(-1, 1))
def test_a_nearer_vector_never_lowers_a_score(one: Candidate, similarity: float) -> None:
    nearer = msgspec.structs.replace(one, similarity=max(similarity, one.similarity or 0.0))
    assert _score(nearer) >= _score(one)


@pytest.mark.req("N-49")
@given(candidates, st.integers(0, 2000))
def test_a_more_recent_post_never_has_a_lower_score(one: Candidate, days: int) -> None:
    if one.posted_on is None:
        return
    later = msgspec.structs.replace(one, posted_on=one.posted_on + timedelta(days))
    assert _score(later) >= _score(one)


@pytest.mark.req("N-49")
@given(candidates)
def test_the_wanted_place_never_lowers_a_score(one: Candidate) -> None:
    there = msgspec.structs.replace(one, city="Berlin", country="DE")
    assert _score(there) >= _score(one)


def test_a_job_that_says_nothing_has_no_part() -> None:
    (ranked,) = rank(WANTED, [candidate()], Weights(), AS_OF)
    assert ranked.parts == dict.fromkeys(PARTS, 0)


def test_a_profile_that_states_nothing_takes_similarity_and_recency_only() -> None:
    one = candidate(
        similarity=0.5, skills=("Python",), title_norm="Nurse", city="Berlin", country="DE",
        seniority="senior", salary_max=1e5, salary_currency="EUR", salary_period="year",
        posted_on=AS_OF, date_precision="day",
    )  # fmt: skip
    (ranked,) = rank(Wanted(), [one], Weights(), AS_OF)
    named = {part for part, value in ranked.parts.items() if value}
    assert named == {"similarity", "recency"}


@pytest.mark.req("N-49")
def test_weights_change_the_order() -> None:
    near = candidate(1, similarity=0.9)
    skilled = candidate(2, similarity=0.1, skills=("Python", "SQL", "Spark"))
    only_similarity = Weights(1, 0, 0, 0, 0, 0, 0)
    only_skills = Weights(0, 1, 0, 0, 0, 0, 0)
    first = [rank(WANTED, [near, skilled], w, AS_OF)[0] for w in (only_similarity, only_skills)]
    assert [ranked.candidate.job_id.int for ranked in first] == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "named", "overlap"),
    [
        ([], ["Python"], 0.0),
        (["Python"], [], 0.0),
        (["Python", "SQL", "Go"], ["Python", "SQL", "Go", "dbt", "Kafka", "Spark"], 1.0),
        (["Python", "SQL", "Go", "dbt"], ["Python", "SQL"], 0.5),
        (["Python"], ["Python", "SQL"], 1 / 3),  # one skill is no full agreement
        (SKILLS, ["Python"], 0.2),  # a job naming one skill is not fully known
        (SKILLS, SKILLS[:6], 1.0),
    ],
)
def test_skills_are_measured_against_the_shorter_list(
    wanted: list[str], named: list[str], overlap: float
) -> None:
    assert skill_overlap(wanted, named) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("title", "cluster", "least", "most"),
    [
        ("Data Engineer", "data engineering", 1.0, 1.0),
        ("ETL Developer", "data engineering", 0.8, 0.8),
        ("Data Engineer II", "", 0.85, 0.99),
        ("Nurse", "health", 0.0, 0.0),
        ("", "", 0.0, 0.0),
    ],
)
def test_titles_match_by_name_then_cluster_then_words(
    title: str, cluster: str, least: float, most: float
) -> None:
    assert least <= title_match(WANTED.titles, title, cluster) <= most


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"city": "Berlin", "country": "DE"}, 1.0),
        ({"city": "berlin"}, 1.0),
        ({"city": "Berlin", "country": "US"}, 0.0),  # Berlin, Connecticut
        ({"city": "Munich", "country": "DE"}, 0.4),
        ({"city": "", "country": "DE", "work_mode": "remote"}, 1.0),
        ({"work_mode": "remote"}, 0.0),  # remote from where is not said
        ({"city": "Paris", "country": "FR"}, 0.0),
    ],
)
def test_places_agree_only_where_both_sides_say_them(
    fields: dict[str, str], expected: float
) -> None:
    assert features_of(WANTED, candidate(**fields), AS_OF)["location"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("amount", "currency", "period", "expected"),
    [
        (60_000, "EUR", "year", 1.0),
        (5_000, "EUR", "month", 1.0),
        (54_000, "EUR", "year", 0.6),
        (40_000, "EUR", "year", 0.0),
        (90_000, "USD", "year", 0.0),  # no exchange rates here
        (90_000, "EUR", "", 0.0),
        (None, "EUR", "year", 0.0),
    ],
)
def test_a_salary_counts_in_its_own_currency_and_period(
    amount: float | None, currency: str, period: str, expected: float
) -> None:
    one = candidate(salary_max=amount, salary_currency=currency, salary_period=period)
    assert features_of(WANTED, one, AS_OF)["salary"] == pytest.approx(expected)


def test_seniority_falls_by_a_third_per_step() -> None:
    steps = [seniority_match("senior", level) for level in ("senior", "mid", "junior", "intern")]
    assert steps == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert seniority_match("senior", "") == seniority_match("", "senior") == 0


def test_recency_halves_in_30_days_and_needs_a_dated_post() -> None:
    assert recency(AS_OF, "day", AS_OF) == 1
    assert recency(AS_OF - timedelta(30), "day", AS_OF) == pytest.approx(0.5)
    assert recency(AS_OF + timedelta(30), "day", AS_OF) == 1
    assert recency(AS_OF, "year", AS_OF) == recency(None, "none", AS_OF) == 0
    assert recency(AS_OF, "day", None) == 0


def test_weights_of_another_sum_keep_their_proportions() -> None:
    doubled = Weights(*(2 * getattr(Weights(), part) for part in PARTS))
    assert unit_weights(doubled) == unit_weights(Weights())
    assert sum(unit_weights(Weights()).values()) == UNIT


def _score(one: Candidate) -> int:
    return rank(WANTED, [one], Weights(), AS_OF)[0].score
