"""
Put an answer together from ranked candidates: pure, in the shapes of interface.md.

Source: interface.md "match out", decisions.md 24.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from nextstep.match.explain import MatchedSkill, field_evidence, match_skills, read_evidence
from nextstep.match.ranking import UNIT, Candidate, Ranked, Wanted

_FACETS = ("country", "work_mode", "seniority", "employment_type", "source")

#: Name -> (start, end, snippet) of wanted skills that no taxonomy holds, as found in one text.
Literal = Mapping[str, tuple[int, int, str]]


class Retrieval(msgspec.Struct, frozen=True, kw_only=True):
    """
    How the candidates were found: of `open` clusters `passing` ones pass the filters.

    `method` says how vectors were compared ("index", "subset": each that passes, "all"), `index`
    with what, `why` in words. `by_vector` and `by_facts` count the candidates of each way.
    """

    open: int
    passing: int
    method: str
    index: str
    why: str
    by_vector: int
    by_facts: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """
    One open cluster: the posting shown, why it is here, and how many more postings it has.

    `score` is the sum of `parts`; a part is `features` x the answer's `weights`, to 1e-4.
    """

    job_id: UUID
    canonical_job_id: UUID
    title: str
    company: str
    location: str
    url: str
    posted_on: date | None
    score: float
    parts: dict[str, float]
    features: dict[str, float]
    matched_skills: list[MatchedSkill]
    missing_skills: list[str]
    duplicates: int
    source: str
    country: str
    city: str
    work_mode: str
    seniority: str
    employment_type: str
    evidence: dict[str, list[dict[str, Any]]] | msgspec.UnsetType = msgspec.UNSET


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a match gives. `profile` is how the request was read: its skills, titles, level, place.

    `facets` count the candidates, which are all that was retrieved and not this page only;
    `retrieval` says how they were found.
    """

    head: int
    as_of: datetime | None
    model: str
    recipe: str
    versions: dict[str, str]
    weights: dict[str, float]
    profile: Wanted
    candidates: int
    results: list[Result]
    facets: dict[str, dict[str, int]]
    cursor: str | None
    retrieval: Retrieval


class Similar(msgspec.Struct, frozen=True, kw_only=True):
    """One open cluster near a job; `similarity` is the cosine of the two vectors."""

    job_id: UUID
    canonical_job_id: UUID
    title: str
    company: str
    location: str
    url: str
    posted_on: date | None
    similarity: float
    duplicates: int


class SimilarAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest open clusters of a job, nearest first."""

    head: int
    as_of: datetime | None
    model: str
    recipe: str
    job_id: UUID
    canonical_job_id: UUID
    results: list[Similar]


def result(
    wanted: Wanted,
    ranked: Ranked,
    shown: Mapping[str, Any],
    literal: Literal,
    *,
    full: bool,
) -> Result:
    """
    Return one result with its parts and its explanation.

    Args:
        shown: title, company, location_raw, url, duplicates, and evidence as JSON.
        literal: skills that no taxonomy holds, where they stand in the post.
    """
    candidate = ranked.candidate
    evidence = read_evidence(shown["evidence"])
    skills = match_skills(wanted.skills, candidate.skills, evidence, literal, full=full)
    return Result(
        job_id=candidate.job_id,
        canonical_job_id=candidate.canonical_job_id,
        title=shown["title"],
        company=shown["company"],
        location=shown["location_raw"],
        url=shown["url"],
        posted_on=candidate.posted_on,
        score=ranked.score / UNIT,
        parts={part: value / UNIT for part, value in ranked.parts.items()},
        features=ranked.features,
        matched_skills=skills.matched,
        missing_skills=skills.missing,
        duplicates=shown["duplicates"],
        source=candidate.source,
        country=candidate.country,
        city=candidate.city,
        work_mode=candidate.work_mode,
        seniority=candidate.seniority,
        employment_type=candidate.employment_type,
        evidence=field_evidence(evidence) if full else msgspec.UNSET,
    )


def similar(candidate: Candidate, similarity: float, shown: Mapping[str, Any]) -> Similar:
    """Return a candidate as a neighbour; `shown` as in `result`."""
    return Similar(
        job_id=candidate.job_id,
        canonical_job_id=candidate.canonical_job_id,
        title=shown["title"],
        company=shown["company"],
        location=shown["location_raw"],
        url=shown["url"],
        posted_on=candidate.posted_on,
        similarity=round(similarity, 4),
        duplicates=shown["duplicates"],
    )


def count_facets(candidates: Sequence[Candidate]) -> dict[str, dict[str, int]]:
    """Return value -> candidates per facet, most first; what a job does not say is not counted."""
    facets = {}
    for name in _FACETS:
        counts: Counter[str] = Counter()
        for value, count in Counter(map(attrgetter(name), candidates)).items():
            # An employment type may be several: "full_time,permanent".
            counts.update(dict.fromkeys(filter(None, value.split(",")), count))
        facets[name] = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return facets
