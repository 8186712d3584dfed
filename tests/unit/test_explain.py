"""Explanations: matched skills with true evidence, missing ones, facets."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from nextstep.match.answer import count_facets
from nextstep.match.explain import (
    Evidence,
    field_evidence,
    find_literally,
    match_skills,
    read_evidence,
)
from nextstep.match.ranking import Candidate

TEXT = "We need Python 3 and SQL; C++ and Zemax help."
STORED = {
    "skills": [
        {"name": "SQL", "start": 21, "end": 24, "snippet": "SQL", "spans": [{"start": 21}]},
        {"name": "Teamwork", "start": 0, "end": 2, "snippet": "We", "preferred": True},
    ],
    "tools": [{"name": "Python", "start": 8, "end": 16, "snippet": "Python 3"}],
    "salary": [{"field": "salary", "start": 0, "end": 3, "snippet": "60k"}],
    "location": [],
}
EVIDENCE = read_evidence(msgspec.json.encode(STORED).decode())


@pytest.mark.req("N-51")
def test_matched_skills_carry_what_stands_in_the_text() -> None:
    found = match_skills(["Python", "SQL", "Go"], ["Teamwork", "SQL", "Python"], EVIDENCE, {})
    assert [skill.name for skill in found.matched] == ["Python", "SQL"]
    for skill in found.matched:
        assert TEXT[skill.start : skill.end] == skill.snippet
        assert skill.field == "description_clean"
        assert skill.spans == []
    assert found.missing == ["Teamwork"]


def test_what_is_welcome_only_stands_last_among_the_missing() -> None:
    found = match_skills([], ["Teamwork", "SQL", "Python"], EVIDENCE, {})
    assert found.missing == ["SQL", "Python", "Teamwork"]


def test_a_full_explanation_gives_every_place() -> None:
    found = match_skills(["SQL"], ["SQL"], EVIDENCE, {}, full=True)
    assert found.matched[0].spans == [{"start": 21}]
    assert field_evidence(EVIDENCE) == {"salary": STORED["salary"]}


def test_a_job_without_evidence_has_none() -> None:
    assert read_evidence(None) == Evidence()
    assert match_skills(["SQL"], ["SQL"], read_evidence("{}"), {}).matched == []


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("zemax", (34, 39, "Zemax")),
        ("c++", (26, 29, "C++")),
        ("C", None),
        ("Pyth", None),
        ("python  3", (8, 16, "Python 3")),
        ("(", None),
    ],
)
def test_unknown_names_are_found_as_whole_words(
    name: str, place: tuple[int, int, str] | None
) -> None:
    assert find_literally([name], TEXT).get(name) == place


def test_a_literal_find_is_evidence_too() -> None:
    literal = find_literally(["Zemax"], TEXT)
    found = match_skills(["Zemax"], ["SQL", "Zemax"], EVIDENCE, literal)
    assert found.matched[0].snippet == TEXT[found.matched[0].start : found.matched[0].end]
    assert found.missing == ["SQL"]


def test_facets_count_what_jobs_say_most_first() -> None:
    def job(number: int, **fields: str) -> Candidate:
        return Candidate(canonical_job_id=UUID(int=number), job_id=UUID(int=number), **fields)

    facets = count_facets(
        [
            job(1, country="DE", employment_type="full_time,permanent"),
            job(2, country="FR", employment_type="full_time"),
            job(3, country="FR"),
            job(4),
        ]
    )
    assert list(facets["country"].items()) == [("FR", 2), ("DE", 1)]
    assert facets["employment_type"] == {"full_time": 2, "permanent": 1}
    assert facets["work_mode"] == {}
