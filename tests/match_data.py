"""Jobs for match tests, written straight into the tables that the stages fill."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from nextstep.events.io.log import append
from nextstep.events.kinds import OBSERVED
from nextstep.events.model import Draft
from tests.encoder import bag

MODEL = "all-MiniLM-L6-v2"
RECIPE = "title-skills-role@128"
STAGES = ("clean", "dedupe", "extract", f"embed:{MODEL}")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One posting; `cluster` names the canonical it belongs to (itself by default)."""

    name: str
    title: str = "Data Engineer"
    title_norm: str = "Data Engineer"
    company: str = "Acme"
    text: str = "We use Python and SQL."
    skills: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("Python", "SQL")
    city: str = "Berlin"
    country: str = "DE"
    work_mode: str = ""
    seniority: str = ""
    employment_type: str = ""
    salary: tuple[float, float, str, str] | None = None
    posted_on: date | None = date(2026, 1, 10)
    source: str = "board"
    status: str = "open"
    cluster: str = ""
    vector: bool = True

    @property
    def id(self) -> UUID:
        return job_id(self.name)


def job_id(name: str) -> UUID:
    """Return the id of the job of that name."""
    return uuid5(NAMESPACE_URL, f"test:{name}")


async def fill(connection: Any, jobs: list[Job]) -> int:
    """Write the jobs as the stages would have, the line at the head; return the head."""
    await append(connection, [_draft(job) for job in jobs])
    head: int = await connection.fetchval("SELECT max(position) FROM job_events")
    await _write(connection, jobs)
    await _write_clusters(connection, jobs)
    await connection.executemany(
        "INSERT INTO stage_offsets (stage, position, version) VALUES ($1, $2, '1')"
        " ON CONFLICT (stage) DO UPDATE SET position = excluded.position",
        [(stage, head) for stage in STAGES],
    )
    return head


def _draft(job: Job) -> Draft:
    payload = {"source": job.source, "identity_rule": "source_job_id", "source_job_id": job.name}
    return Draft(
        job_id=job.id,
        kind=OBSERVED,
        source=job.source,
        schema_version=1,
        payload=msgspec.json.encode(payload),
        content_hash=hashlib.sha256(job.name.encode()).digest(),
        occurred_at=datetime(2026, 1, 31, tzinfo=UTC),
    )


_NORMALIZED = """
INSERT INTO jobs_normalized (job_id, source, source_job_id, url, title, title_norm, company,
  company_norm, location_raw, city, country, date_posted, date_precision, description_clean,
  content_hash, first_seen_at, last_seen_at, status, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, lower($7), $8, $9, $10, $11, $12, $13, '\\x00', $14, $14, $15,
  $16)
"""
_MAPPED = """
INSERT INTO job_dedupe_map (job_id, canonical_job_id, rule, position) VALUES ($1, $2, 'test', $3)
"""
_ENTITIES = """
INSERT INTO job_entities (job_id, skills, tools, salary_min, salary_max, salary_currency,
  salary_period, seniority, employment_type, title_norm, city, country, work_mode, evidence,
  position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_VECTORS = """
INSERT INTO job_embeddings (job_id, model_name, recipe, dim, text_hash, embedding)
VALUES ($1, $2, $3, 384, '\\x00', $4)
"""


async def _write(connection: Any, jobs: list[Job]) -> None:
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    places = list(enumerate(jobs, 1))
    canonical = [(place, job) for place, job in places if not job.cluster]
    await connection.executemany(
        _NORMALIZED,
        [
            (job.id, job.source, job.name, f"https://jobs.example/{job.name}", job.title,
             job.title_norm, job.company, f"{job.city}, {job.country}", job.city, job.country,
             job.posted_on, "day" if job.posted_on else "none", job.text, seen, job.status, place)
            for place, job in places
        ],
    )  # fmt: skip
    await connection.executemany(
        _MAPPED, [(job.id, job_id(job.cluster or job.name), place) for place, job in places]
    )
    await connection.executemany(
        _ENTITIES,
        [
            (job.id, list(job.skills), list(job.tools), *(job.salary or (None, None, "", "")),
             job.seniority, job.employment_type, job.title_norm, job.city, job.country,
             job.work_mode, _evidence(job), place)
            for place, job in canonical
        ],
    )  # fmt: skip
    await connection.executemany(
        _VECTORS,
        [
            (job.id, MODEL, RECIPE, bag(f"{job.title}. {job.text}"))
            for _, job in canonical
            if job.vector
        ],
    )


def _evidence(job: Job) -> dict[str, Any]:
    groups: dict[str, Any] = {"skills": [], "tools": []}
    for group, names in (("skills", job.skills), ("tools", job.tools)):
        for name in names:
            start = job.text.find(name)
            if start >= 0:
                place = {"start": start, "end": start + len(name), "snippet": name}
                groups[group].append({"name": name, "kind": "technical", **place, "spans": [place]})
    return groups


async def _write_clusters(connection: Any, jobs: list[Job]) -> None:
    members: dict[str, list[Job]] = {}
    for job in jobs:
        members.setdefault(job.cluster or job.name, []).append(job)
    rows = []
    for name, group in members.items():
        shown = [job for job in group if job.status == "open"]
        latest = max(shown, key=lambda job: (job.posted_on or date.min, job.name), default=None)
        status = "open" if latest else "closed"
        rows.append((job_id(name), status, latest.id if latest else None, len(group)))
    await connection.executemany(
        "INSERT INTO job_clusters (canonical_job_id, status, latest_open_job_id, members)"
        " VALUES ($1, $2, $3, $4)",
        rows,
    )
