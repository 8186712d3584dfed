"""
Score candidates: named features in 0..1, weighted, rounded, summed. Pure, and the same everywhere.

A part is weight x feature rounded to 1e-4, and a score is the sum of its parts. Weights are fixed:
what a profile does not state, or a job does not say, gives 0 in that part and is never counted as
agreement, so a score compares answers to one profile and not answers to two.

Source: decisions.md 24, N-49, N-51, J-13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

import msgspec
from rapidfuzz import fuzz

from nextstep.settings import Weights

#: Raised whenever the same candidates would be scored otherwise; it is in every answer.
RANKING_VERSION = 1

PARTS = ("similarity", "skills", "title", "location", "seniority", "salary", "recency")

#: Parts and scores are whole numbers of this unit, so that sums are exact.
UNIT = 10_000

#: A job naming fewer skills than this is not taken as fully known, nor is a profile: one common
#: skill of one ("Excel") is no full agreement.
LEAST_JOB_SKILLS = 5
LEAST_PROFILE_SKILLS = 3

#: A post loses half its recency in so many days.
HALF_LIFE_DAYS = 30

#: Working periods in a year, the usual full-time figures.
_PER_YEAR = {"hour": 2080.0, "day": 260.0, "week": 52.0, "month": 12.0, "year": 1.0}

#: Steps on the ladder; neighbours are one apart. Titles of one step differ between companies.
LADDER = {
    "intern": 0, "entry": 1, "junior": 1, "mid": 2, "senior": 3, "lead": 4, "staff": 4,
    "principal": 5, "manager": 4, "head": 5, "director": 6, "vp": 7, "executive": 8,
}  # fmt: skip


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """
    A profile as the ranking reads it: canonical names, ISO codes, '' where nothing is stated.

    `titles` are (normalized title, cluster); `salary` is (amount, currency, period).
    """

    skills: tuple[str, ...] = ()
    titles: tuple[tuple[str, str], ...] = ()
    city: str = ""
    country: str = ""
    work_mode: str = ""
    seniority: str = ""
    salary: tuple[float, str, str] | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    One open cluster with the posting shown for it (`job_id`) and its canonical's entities.

    `similarity` is the cosine to the profile, None where the job has no vector. `employer` is the
    normalized company. Title, company, location and url are shown only, and read for a page.
    """

    canonical_job_id: UUID
    job_id: UUID
    title: str = ""
    company: str = ""
    employer: str = ""
    location: str = ""
    url: str = ""
    source: str = ""
    posted_on: date | None = None
    date_precision: str = "none"
    title_norm: str = ""
    title_cluster: str = ""
    city: str = ""
    country: str = ""
    work_mode: str = ""
    seniority: str = ""
    employment_type: str = ""
    salary_min: float | None = None
    salary_max: float | None = None
    salary_currency: str = ""
    salary_period: str = ""
    skills: tuple[str, ...] = ()
    duplicates: int = 0
    similarity: float | None = None


class Ranked(msgspec.Struct, frozen=True):
    """A candidate with its features (0..1) and parts in units of 1/UNIT; `score` is their sum."""

    candidate: Candidate
    features: dict[str, float]
    parts: dict[str, int]
    score: int


def rank(
    wanted: Wanted, candidates: Iterable[Candidate], weights: Weights, as_of: date | None
) -> list[Ranked]:
    """Return the candidates by falling score, ties by the id of the posting shown."""
    shares = unit_weights(weights)
    ranked = [_score(wanted, candidate, shares, as_of) for candidate in candidates]
    return sorted(ranked, key=lambda r: (-r.score, r.candidate.job_id.bytes))


def unit_weights(weights: Weights) -> dict[str, int]:
    """
    Return the weights as whole numbers of 1/UNIT that sum to UNIT at most.

    Weights that sum to another number than 1 keep their proportions, so that scores stay in 0..1.
    """
    given = {part: max(0.0, float(getattr(weights, part))) for part in PARTS}
    total = sum(given.values()) or 1.0
    scale = 1.0 if abs(total - 1) < 1e-9 else 1 / total
    # Rounding down by at most one unit a part keeps the sum below UNIT.
    return {part: int(value * scale * UNIT + 1e-6) for part, value in given.items()}


def features_of(wanted: Wanted, candidate: Candidate, as_of: date | None) -> dict[str, float]:
    """Return every named feature of a candidate, each in 0..1 and rounded to 1e-6."""
    values = {
        "similarity": _clamp(candidate.similarity or 0.0),
        "skills": skill_overlap(wanted.skills, candidate.skills),
        "title": title_match(wanted.titles, candidate.title_norm, candidate.title_cluster),
        "location": _location(wanted, candidate),
        "seniority": seniority_match(wanted.seniority, candidate.seniority),
        "salary": _salary(wanted.salary, candidate),
        "recency": recency(candidate.posted_on, candidate.date_precision, as_of),
    }
    return {part: round(values[part], 6) for part in PARTS}


def skill_overlap(wanted: Iterable[str], named: Iterable[str]) -> float:
    """
    Return the share of skills in common, 0..1.

    Measured against the shorter list, and no less than three: neither a long CV nor a long advert
    is a fault. One more common skill never lowers it.
    """
    mine, theirs = set(wanted), set(named)
    common = len(mine & theirs)
    shorter = min(max(len(mine), LEAST_PROFILE_SKILLS), max(len(theirs), LEAST_JOB_SKILLS))
    return common / shorter


def title_match(titles: Iterable[tuple[str, str]], title_norm: str, cluster: str) -> float:
    """Return how near the nearest wanted title is: 1 the same, 0.8 its cluster, else by words."""
    best = 0.0
    for wanted, wanted_cluster in titles:
        if not wanted or not title_norm:
            continue
        if wanted == title_norm:
            return 1.0
        ratio = fuzz.token_sort_ratio(wanted, title_norm, score_cutoff=60) / 100
        same_cluster = 0.8 if cluster and wanted_cluster == cluster else 0.0
        best = max(best, min(ratio, 0.99), same_cluster)
    return best


def seniority_match(wanted: str, named: str) -> float:
    """Return 1 on the same step of the ladder, less by a third per step."""
    if wanted not in LADDER or named not in LADDER:
        return 0.0
    return max(0.0, 1 - abs(LADDER[wanted] - LADDER[named]) / 3)


def recency(posted_on: date | None, precision: str, as_of: date | None) -> float:
    """Return 1 for a post of the day `as_of`, half of it 30 days before; 0 where undated."""
    if posted_on is None or as_of is None or precision not in ("day", "month"):
        return 0.0
    age_days = max(0, (as_of - posted_on).days)
    return float(0.5 ** (age_days / HALF_LIFE_DAYS))


def yearly(amount: float, period: str) -> float | None:
    """Return an amount per year of full-time work, None for an unknown period."""
    factor = _PER_YEAR.get(period)
    return None if factor is None else amount * factor


def _score(
    wanted: Wanted, candidate: Candidate, shares: Mapping[str, int], as_of: date | None
) -> Ranked:
    features = features_of(wanted, candidate, as_of)
    parts = {part: int(shares[part] * features[part] + 0.5) for part in PARTS}
    return Ranked(candidate, features, parts, sum(parts.values()))


def _location(wanted: Wanted, candidate: Candidate) -> float:
    scores = []
    if wanted.city or wanted.country:
        scores.append(_place(wanted, candidate))
    if wanted.work_mode:
        scores.append(1.0 if wanted.work_mode == candidate.work_mode else 0.0)
    return sum(scores) / len(scores) if scores else 0.0


def _place(wanted: Wanted, candidate: Candidate) -> float:
    same_country = bool(wanted.country) and wanted.country == candidate.country
    other_country = bool(wanted.country and candidate.country) and not same_country
    if not wanted.city:
        return 1.0 if same_country else 0.0
    same_city = bool(candidate.city) and wanted.city.casefold() == candidate.city.casefold()
    if same_city and not other_country:
        return 1.0
    if same_country:
        # Remote work is done from the wanted city; another city of the country is half of it.
        return 1.0 if candidate.work_mode == "remote" else 0.4
    return 0.0


def _salary(floor: tuple[float, str, str] | None, candidate: Candidate) -> float:
    offered = candidate.salary_max if candidate.salary_max is not None else candidate.salary_min
    if floor is None or offered is None or floor[1] != candidate.salary_currency:
        return 0.0
    least, most = yearly(floor[0], floor[2]), yearly(float(offered), candidate.salary_period)
    if least is None or most is None or least <= 0:
        return 0.0
    # A quarter below the floor counts nothing, in between it falls in a straight line.
    return _clamp(1 - 4 * max(0.0, 1 - most / least))


def _clamp(value: float) -> float:
    return min(1.0, max(0.0, value))
