"""A search is read strictly, weighs rare words more, and forgives a slip of the finger."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from nextstep.match.board import Board
from nextstep.match.filters import passing
from nextstep.match.profile import Filters, ProfileRefused, SalaryFloor
from nextstep.match.ranking import UNIT, Candidate
from nextstep.match.search import (
    WEIGHTS,
    best_by_words,
    rank_search,
    read_search,
    word_weights,
)


def job(number: int, title: str, **fields: Any) -> Candidate:
    return Candidate(
        canonical_job_id=UUID(int=number), job_id=UUID(int=number), title=title, **fields
    )


def board_of(*jobs: Candidate) -> Board:
    board = Board()
    for one in jobs:
        board.put(one)
    return board


MARKET = board_of(
    job(1, "Data Engineer", city="Berlin", skills=("Python", "Kafka")),
    job(2, "Software Engineer", city="Zürich", skills=("Python",)),
    job(3, "Nurse", company="Spital Zürich"),
    job(4, "Site Engineer", posted_on=date(2026, 1, 1)),
    job(5, "Site Engineer", posted_on=date(2026, 1, 9)),
)


def found(text: str, most: int = 9) -> list[int]:
    slots, _ = best_by_words(MARKET, word_weights(MARKET, text), passing(MARKET, Filters()), most)
    return [MARKET.entry(slot).job_id.int for slot in slots]


def test_a_search_is_a_profile_of_words_and_filters() -> None:
    profile = read_search(
        {
            "q": ["  data   engineer "], "country": ["DE,FR", "CH"], "posted_since": ["2026-01-05"],
            "salary_min": ["60,000 EUR/year"], "limit": ["5"],
        }
    )  # fmt: skip
    assert profile.text == "data engineer"
    assert profile.filters == Filters(
        country=["DE", "FR", "CH"],
        posted_since=date(2026, 1, 5),
        salary_min=SalaryFloor(60_000, "EUR", "year"),
    )
    assert profile.limit == 5


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"q": [""]},
        {"q": ["   "]},
        {"q": ["x" * 201]},
        {"q": ["x"], "surprise": ["1"]},
        {"q": ["x"], "limit": ["0"]},
        {"q": ["x"], "limit": ["many"]},
        {"q": ["x"], "limit": ["²"]},
        {"q": ["x"], "posted_since": ["yesterday"]},
        {"q": ["x"], "work_mode": ["moon"]},
        {"q": ["x"], "salary_min": ["much"]},
        {"q": ["x"], "salary_min": ["nan EUR"]},
        {"q": ["x"], "salary_min": ["-5 EUR"]},
        {"q": ["x"], "salary_min": ["60000 euros"]},
    ],
)
def test_what_is_no_search_is_refused(values: dict[str, list[str]]) -> None:
    with pytest.raises(ProfileRefused):
        read_search(values)


def test_rare_words_weigh_more_and_all_of_them_one() -> None:
    weights = word_weights(MARKET, "engineer kafka for the job")
    assert set(weights) == {"engineer", "kafka"}
    assert weights["kafka"] > weights["engineer"]
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka", [1]),
        ("zurich engineer", [2, 3, 5, 4, 1]),  # the town says more than the title
        ("site engineer", [5, 4, 1, 2]),  # the newer one first, then by id
        ("enginer", [5, 4, 1, 2]),
        ("xylophone", []),
        ("the and for", []),
        ("c", []),
    ],
)
def test_words_find_titles_skills_employers_and_towns(text: str, expected: list[int]) -> None:
    assert found(text) == expected
    assert found(text, most=1) == expected[:1]


def test_a_search_is_ranked_by_named_parts() -> None:
    near = job(1, "a", similarity=0.9)
    said = job(2, "b", similarity=0.1, posted_on=date(2026, 1, 31), date_precision="day")
    ranked = rank_search([near, said], {UUID(int=2): 1.0}, date(2026, 1, 31))
    assert [one.candidate.job_id.int for one in ranked] == [2, 1]
    for one in ranked:
        assert set(one.parts) == set(WEIGHTS)
        assert one.score == sum(one.parts.values()) <= UNIT
        for part, value in one.parts.items():
            assert value == int(WEIGHTS[part] * UNIT * one.features[part] + 0.5)
