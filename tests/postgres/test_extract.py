"""The extract stage on a server: a row per canonical job, true evidence, none for the others."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import pytest

from nextstep.db import pools
from nextstep.processors.extract import COLUMNS, EXTRACT, EntityRow
from nextstep.settings import Settings
from tests.whole_line import append_sample, drain, test_stages

FIELDS = {
    "title": "title",
    "location": "location_raw",
    "salary": "salary_raw",
    "employment_type": "employment_type_raw",
    "description_clean": "description_clean",
}
NAMESPACE = UUID("9a0c0000-0000-4000-8000-000000000001")
KIT = EXTRACT.setup(Settings()) if EXTRACT.setup else None


def row(name: str, canonical: str | None, **fields: Any) -> EntityRow:
    values: dict[str, Any] = {
        "position": 7, "job_id": uuid5(NAMESPACE, name),
        "canonical_job_id": uuid5(NAMESPACE, canonical) if canonical else None,
        "status": "open", "title": "Senior Data Analyst", "location_raw": "Berlin, Germany",
        "salary_raw": "", "employment_type_raw": "",
        "description_clean": "Python. 3+ years of experience.",
        "sections": [],
    }  # fmt: skip
    return EntityRow(**(values | fields))


def decided(rows: list[EntityRow]) -> Any:
    return EXTRACT.decide(KIT, rows, EXTRACT.prepare(KIT, rows), {})


@pytest.mark.req("N-40", "N-85")
def test_only_canonical_jobs_that_are_there_get_a_row() -> None:
    rows = [
        row("a", "a"),
        row("b", "a"),
        row("c", None),
        row("d", "d", status="erased"),
        row("e", "e", status=None, title=None, description_clean=None, sections=None),
        row("f", "f", status="closed"),
    ]
    writes = decided(rows)
    deleted, upserted = writes.ops
    assert [key for (key,) in deleted.rows] == [rows[n].job_id for n in (1, 2, 3, 4)]
    assert [values[0] for values in upserted.rows] == [rows[0].job_id, rows[5].job_id]
    assert writes.tallies == {"out": 2, "deleted": 4}


@pytest.mark.req("N-26", "N-65")
def test_a_row_holds_values_confidence_and_evidence() -> None:
    writes = decided([row("a", "a", salary_raw="€65k")])
    values = dict(zip(COLUMNS, writes.ops[0].rows[0], strict=True))
    assert (values["seniority"], values["city"], values["country"]) == ("senior", "Berlin", "DE")
    assert (values["experience_min"], values["experience_max"]) == (3.0, None)
    assert (values["salary_min"], values["salary_currency"]) == (65000.0, "EUR")
    assert values["tools"] == ["Python"]
    assert values["confidence"]["tools"] == {"Python": values["evidence"]["tools"][0]["confidence"]}
    assert values["evidence"]["salary"] == [
        {"field": "salary", "start": 0, "end": 4, "snippet": "€65k"}
    ]
    assert writes.confidences["salary"] == [values["confidence"]["salary"]]
    assert values["position"] == 7


@pytest.mark.req("N-41", "N-65")
async def test_after_a_drain_every_canonical_job_has_true_evidence(
    database: str, settings: Settings
) -> None:
    stages = [s for s in test_stages(settings) if s.name in ("clean", "dedupe", "extract")]
    await append_sample(settings, database)
    await drain(settings, database, stages)
    connection = await pools.connect(database, "api", settings)
    try:
        canonical = await connection.fetch(
            "SELECT job_id FROM job_dedupe_map WHERE job_id = canonical_job_id ORDER BY job_id"
        )
        rows = await connection.fetch(
            "SELECT entity.*, job.title, job.location_raw, job.salary_raw,"
            " job.employment_type_raw, job.description_clean"
            " FROM job_entities AS entity JOIN jobs_normalized AS job USING (job_id)"
            " ORDER BY job_id"
        )
    finally:
        await connection.close()
    assert [r["job_id"] for r in rows] == [r["job_id"] for r in canonical]
    assert len(rows) >= 100
    for found in rows:
        for field, spans in found["evidence"].items():
            for span in spans:
                text = found[FIELDS[span.get("field", "description_clean")]]
                assert text[span["start"] : span["end"]] == span["snippet"], field
        assert {entry["name"] for entry in found["evidence"]["tools"]} == set(found["tools"])
    assert sum(bool(r["skills"] or r["tools"]) for r in rows) > 0.9 * len(rows)
    assert sum(bool(r["country"]) for r in rows) > 0.7 * len(rows)
