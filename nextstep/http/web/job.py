"""
One job as a page: its text with the evidence marked, what was read, its history, its likes.

Source: issue 8 item 3.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep.http.jobs import read_duplicates, read_job
from nextstep.http.openapi import document
from nextstep.http.routes import SERVICES
from nextstep.http.web.highlight import evidence_spans, pieces
from nextstep.http.web.render import page
from nextstep.match.io.service import JobUnknown

#: Characters of a text that a page shows; one in a thousand posts is longer.
_MOST_CHARS = 60_000
_GROUPS = ("skills", "tools")
_FIELDS = (
    "title_norm", "title_cluster", "seniority", "work_mode", "employment_type", "city", "region",
    "country", "language",
)  # fmt: skip


class Entity(msgspec.Struct, frozen=True):
    """Something that was read off the post; `confidence` is None where the stage gives none."""

    field: str
    value: str
    confidence: float | None


async def get_job_page(request: web.Request) -> web.Response:
    """A posting."""
    job_id = _job_id(request.match_info["job_id"])
    async with request.app[SERVICES].connection() as connection:
        found = await read_job(connection, job_id)
        variants = []
        if found.canonical_job_id is not None:
            variants = (await read_duplicates(connection, job_id)).variants
        text_of = found.canonical_job_id
        # Evidence is true against the canonical's text, which may not be this posting's.
        is_canonical = text_of in (None, job_id)
    job = found.job or {}
    entities = found.entities or {}
    text = str(job.get("description_clean", ""))
    spans = evidence_spans(entities.get("evidence") or {}) if is_canonical else []
    shown = text[:_MOST_CHARS]
    return page(
        request,
        "job.html",
        job=job,
        found=found,
        pieces=pieces(shown, [span for span in spans if span[1] <= len(shown)]),
        cut=len(text) - len(shown),
        is_canonical=is_canonical,
        entities=_entities(entities),
        mentions=_mentions(entities),
        variants=variants,
    )


async def get_api(request: web.Request) -> web.Response:
    """The API's description, to read."""
    return page(request, "api.html", api=document())


def _entities(entities: dict[str, Any]) -> list[Entity]:
    confidence = entities.get("confidence") or {}
    found = [
        Entity(name, str(entities[name]), _number(confidence.get(name)))
        for name in _FIELDS
        if entities.get(name)
    ]
    low, high = entities.get("salary_min"), entities.get("salary_max")
    if low is not None:
        pay = f"{low:,.0f}" if high in (None, low) else f"{low:,.0f} to {high:,.0f}"
        unit = f"{entities.get('salary_currency', '')} a {entities.get('salary_period', '')}"
        found.append(Entity("salary", f"{pay} {unit}", _number(confidence.get("salary"))))
    if entities.get("experience_min") is not None:
        most = entities.get("experience_max")
        years = f"{entities['experience_min']:g}{f' to {most:g}' if most is not None else '+'}"
        found.append(Entity("experience", f"{years} years", _number(confidence.get("experience"))))
    levels = (entities.get("education") or {}).get("levels") or []
    if levels:
        found.append(
            Entity("education", ", ".join(map(str, levels)), _number(confidence.get("education")))
        )
    return found


def _mentions(entities: dict[str, Any]) -> dict[str, list[Entity]]:
    """Skills and tools with their confidence, where the evidence has it."""
    evidence = entities.get("evidence") or {}
    found = {}
    for group in _GROUPS:
        known = {
            entry["name"]: _number(entry.get("confidence"))
            for entry in evidence.get(group) or []
            if isinstance(entry, dict) and "name" in entry
        }
        found[group] = [Entity(group, name, known.get(name)) for name in entities.get(group) or []]
    return found


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _job_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise JobUnknown("the path holds no job id", hint="a job id is a UUID") from error
