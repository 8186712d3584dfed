"""
A post as its source had it, to the normalized post: text, sections, date, names, place, language.

Everything here is a function of the post, the taxonomies and the language model.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from nextstep.events.model import JobPost
from nextstep.processors.shared.company import normalize_company, strip_rating
from nextstep.processors.shared.concepts import Taxonomies
from nextstep.processors.shared.dates import Dated, parse_date
from nextstep.processors.shared.employment import parse_employment
from nextstep.processors.shared.language import LanguageModel, detect_language
from nextstep.processors.shared.place import parse_place
from nextstep.processors.shared.sections import body_text, find_sections
from nextstep.processors.shared.text import clean_line, clean_text
from nextstep.processors.shared.titles import normalize_title


class Context(msgspec.Struct, frozen=True):
    """What cleaning needs besides the post; made once per process."""

    taxonomies: Taxonomies
    language_model: LanguageModel


class NormalPost(msgspec.Struct, frozen=True):
    """The content columns of `jobs_normalized`, in the table's words."""

    source: str
    source_job_id: str
    url: str
    title: str
    title_norm: str
    title_cluster: str
    company: str
    company_norm: str
    location_raw: str
    city: str
    region: str
    country: str
    work_mode: str
    date_posted: date | None
    date_precision: str
    employment_type: str
    employment_type_raw: str
    salary_raw: str
    description_clean: str
    sections: list[dict[str, Any]]
    language: str
    changes: dict[str, Any]


def normalize_post(post: JobPost, context: Context, observed_at: datetime) -> NormalPost:
    """
    Return the normalized post.

    Args:
        observed_at: when the post was seen, where its own `scraped_at` does not say.
    """
    text = clean_text(post.html, post.text)
    sections = [msgspec.to_builtins(section) for section in find_sections(text.text)]
    title = clean_line(post.title)
    company = clean_line(strip_rating(post.company))
    location = clean_line(post.location)
    employment = clean_line(post.employment_type)
    named = normalize_title(title, context.taxonomies.titles)
    place = parse_place(location)
    dated = _date_posted(post, observed_at)
    return NormalPost(
        source=post.source,
        source_job_id=post.source_job_id,
        url=post.url,
        title=title,
        title_norm=named.title_norm,
        title_cluster=named.cluster,
        company=company,
        company_norm=normalize_company(company),
        location_raw=location,
        city=place.city,
        region=place.region,
        country=place.country,
        work_mode=place.work_mode,
        date_posted=dated.on,
        date_precision=dated.precision,
        employment_type=parse_employment(employment),
        employment_type_raw=employment,
        salary_raw=clean_line(post.salary),
        description_clean=text.text,
        sections=sections,
        language=detect_language(body_text(text.text, sections) or title, context.language_model),
        changes=_changes(
            text.changes,
            dated if post.date_posted else None,
            {
                "title": (post.title, title),
                "company": (post.company, company),
                "location": (post.location, location),
            },
        ),
    )


def _date_posted(post: JobPost, observed_at: datetime) -> Dated:
    seen = parse_date(post.scraped_at)
    return parse_date(post.date_posted, seen.on or observed_at.date())


def _changes(
    text: dict[str, int | bool], dated: Dated | None, fields: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    """What was changed, for the operator who wonders why a value differs from the source's."""
    changes: dict[str, Any] = dict(text)
    if dated is not None and dated.precision != "day":
        changes["date"] = dated.precision
    changed = [name for name, (raw, clean) in fields.items() if raw.strip() != clean]
    if changed:
        changes["fields"] = changed
    return changes
