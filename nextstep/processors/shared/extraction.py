"""
Everything an ad says, in one value: title, level, pay, place, years, education, skills and tools.

Its JSON is interface.md's "extract out". Every value has a confidence and true spans.

Source: issue 5, interface.md, decisions.md 18 and 22.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nextstep.processors.shared.calibration import calibrated
from nextstep.processors.shared.concepts import Taxonomies, TitleConcept
from nextstep.processors.shared.education import education_of
from nextstep.processors.shared.employment import employment_of
from nextstep.processors.shared.level import seniority_of
from nextstep.processors.shared.mentions import Value, extract_skills_tools
from nextstep.processors.shared.place import Place, parse_place
from nextstep.processors.shared.place_names import Site
from nextstep.processors.shared.salary import salary_of
from nextstep.processors.shared.spans import (
    DESCRIPTION,
    LOCATION,
    TITLE,
    Span,
    confidence,
    span,
)
from nextstep.processors.shared.spotting import spot
from nextstep.processors.shared.taxonomy import Matcher, build_matcher
from nextstep.processors.shared.titles import normalize_title
from nextstep.processors.shared.workmode import WorkMode, work_mode_of
from nextstep.processors.shared.years import experience_of

#: The part of a description in which it may name its place in a line of its own.
_PLACE_REACH = 4_000
_PLACE_LINE = re.compile(
    r"^[^\w\n]{0,6}(?:job\s+|work\s+|office\s+)?(?:locations?|standort|einsatzort|arbeitsort|"
    r"lieu|localisation|ubicaci[óo]n|"
    r"localizaci[óo]n|sede(?:\s+di\s+lavoro)?|locatie|standplaats|local(?:idade)?|ort|"
    r"based\s+in|where)\s*[:\-–]\s*"
    r"(?P<place>[^\n]{2,80})",
    re.IGNORECASE | re.MULTILINE,
)


class Kit(msgspec.Struct, frozen=True):
    """What extraction needs besides the ad; made once per process."""

    titles: tuple[TitleConcept, ...]
    matcher: Matcher


class ExtractIn(msgspec.Struct, frozen=True):
    """A cleaned ad, in the words of `jobs_normalized`."""

    id: str | int
    title: str = ""
    location: str = ""
    salary: str = ""
    employment_type: str = ""
    description_clean: str = ""
    sections: Sequence[Mapping[str, Any]] = ()
    language: str = ""
    company: str = ""


class SalaryOut(msgspec.Struct, frozen=True):
    min: float | None = None
    max: float | None = None
    currency: str | None = None
    period: str | None = None
    text: str | None = None
    source: str | None = None


class ExperienceOut(msgspec.Struct, frozen=True):
    min_years: float | None = None
    max_years: float | None = None


class EducationOut(msgspec.Struct, frozen=True):
    levels: list[str] = []
    required: bool | None = None


class LocationOut(msgspec.Struct, frozen=True):
    city: str | None = None
    region: str | None = None
    country: str | None = None
    places: list[Site] = []


class Extraction(msgspec.Struct, frozen=True):
    """
    What an ad says, in the shape of interface.md; None or an empty list where it says nothing.

    `evidence` and `confidence` have a key per field that has a value.
    """

    id: str | int
    title_norm: str | None
    title_cluster: str | None
    seniority: str | None
    employment_type: str | None
    work_mode: str | None
    description_clean: str
    skills: list[Value]
    tools: list[Value]
    salary: SalaryOut
    experience: ExperienceOut
    education: EducationOut
    location: LocationOut
    language: str | None
    evidence: dict[str, list[Span]]
    confidence: dict[str, float]


class Placed(msgspec.Struct, frozen=True):
    """The place of an ad and where it was read."""

    place: Place
    spans: tuple[Span, ...] = ()
    confidence: float = 0.0


def build_kit(taxonomies: Taxonomies) -> Kit:
    """Return what `extract` needs of the taxonomies; raises TaxonomyError as `build_matcher`."""
    return Kit(taxonomies.titles, build_matcher(taxonomies))


def extract(job: ExtractIn, kit: Kit) -> Extraction:
    """Return what an ad says. It never raises on any text, and takes time linear in its length."""
    return extract_all([job], kit)[0]


def extract_all(jobs: Sequence[ExtractIn], kit: Kit) -> list[Extraction]:
    """
    Return what each ad says, in order.

    First the mentions of all of them, then the other fields: the automaton and the fields' patterns
    each fill the processor's cache, and taking turns costs a tenth of the time.
    """
    mentions = [
        extract_skills_tools(job.description_clean, job.sections, kit.matcher, job.company)
        for job in jobs
    ]
    return [_fields(job, kit, *found) for job, found in zip(jobs, mentions, strict=True)]


def _fields(job: ExtractIn, kit: Kit, skills: list[Value], tools: list[Value]) -> Extraction:
    text = job.description_clean
    title = normalize_title(job.title, kit.titles)
    spots = spot(text)
    level = seniority_of(job.title, text, spots)
    placed = place_of(job.location, job.title, text)
    mode = work_mode_of(job.location, job.title, text, spots)
    country = placed.place.country or _dollar_country(job.company, text)
    salary = salary_of(job.salary, text, country, job.title, spots)
    experience = experience_of(text, spots)
    education = education_of(text, spots)
    employment = employment_of(job.employment_type, job.title, text, spots)
    title_spans = (span(TITLE, job.title, *title.span),) if title.span[1] else ()
    found: dict[str, tuple[Sequence[Span], float]] = {
        "title": (title_spans, title.confidence),
        "seniority": (level.spans, level.confidence),
        "location": (placed.spans, placed.confidence),
        "work_mode": (mode.spans, mode.confidence),
        "salary": (salary.spans, salary.confidence),
        "experience": (experience.spans, experience.confidence),
        "education": (education.spans, education.confidence),
        "employment_type": (employment.spans, employment.confidence),
    }
    return Extraction(
        id=job.id,
        title_norm=title.title_norm or None,
        title_cluster=title.cluster or None,
        seniority=level.level or None,
        employment_type=employment.kind or None,
        work_mode=mode.mode or None,
        description_clean=text,
        skills=skills,
        tools=tools,
        salary=SalaryOut(
            salary.min,
            salary.max,
            salary.currency or None,
            salary.period or None,
            salary.text or None,
            salary.source or None,
        ),
        experience=ExperienceOut(experience.min_years, experience.max_years),
        education=EducationOut(list(education.levels), education.required),
        location=LocationOut(
            placed.place.city or None,
            placed.place.region or None,
            placed.place.country or None,
            list(placed.place.places),
        ),
        language=job.language or None,
        evidence={name: list(spans) for name, (spans, _) in found.items() if spans},
        confidence={name: calibrated(name, sure) for name, (spans, sure) in found.items() if spans},
    )


def _dollar_country(company: str, text: str) -> str:
    """The country whose dollar an ad without a place means, by the company's legal form."""
    if _PTE.search(company) or "Singapore" in text[:_PLACE_REACH]:
        return "SG"
    return "AU" if _PTY.search(company) else ""


_PTE = re.compile(r"\bpte\b", re.IGNORECASE)
_PTY = re.compile(r"\bpty\b", re.IGNORECASE)


def place_of(location: str, title: str, text: str) -> Placed:
    """
    Return the place of an ad: of its location field, else of a part of its title between bars,
    else of a line "Location: ..." in its description.
    """
    if location.strip():
        place = parse_place(location)
        return _placed(place, LOCATION, location, 0, 1.0)
    for start, end in _title_parts(title):
        place = parse_place(title[start:end])
        if place.city and place.confidence >= 0.85:
            return _placed(place, TITLE, title, start, 0.9)
    for match in list(_PLACE_LINE.finditer(text, 0, _PLACE_REACH))[:3]:
        place = parse_place(match["place"].strip())
        if place.country and place.confidence >= 0.7:
            return _placed(
                place,
                DESCRIPTION,
                text,
                text.index(match["place"].strip(), match.start("place")),
                0.9,
            )
    return Placed(Place())


def _title_parts(title: str) -> list[tuple[int, int]]:
    """Return the parts of "Company | Berlin, Germany | Engineer"; none without bars or dashes."""
    cuts = [m.span() for m in re.finditer(r"\s*(?:\||\s[-–—]{1,2}\s|;|\n|\(|\))\s*", title[:300])]
    if not cuts:
        return []
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), min(len(title), 300)]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if 2 < b - a <= 60]


def _placed(place: Place, field: str, text: str, offset: int, factor: float) -> Placed:
    spans = tuple(span(field, text, offset + start, offset + end) for start, end in place.spans)
    return Placed(place, spans, confidence(place.confidence * factor) if spans else 0.0)


__all__ = ["ExtractIn", "Extraction", "Kit", "WorkMode", "build_kit", "extract", "place_of"]
