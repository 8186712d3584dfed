"""Bodies of answers that are not a match: health, readiness, one job and its cluster."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from nextstep.ops.pairs import Side


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "ok"


class Ready(msgspec.Struct, frozen=True):
    """Whether requests can be served; `checks` says "ok" or what is missing, per part."""

    ready: bool
    checks: dict[str, str]


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """Another posting of the same cluster; `rule` and `similarity` say why it is there."""

    job_id: UUID
    title: str
    company: str
    location: str
    source: str
    url: str
    status: str
    posted_on: Any
    rule: str
    similarity: float
    is_canonical: bool
    reasons: dict[str, Any] | None = None


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One fact of a job's stream, without its payload."""

    position: int
    version: int
    kind: str
    occurred_at: datetime
    recorded_at: datetime


class JobDetail(msgspec.Struct, frozen=True, kw_only=True):
    """
    One posting: its normalized fields, what was extracted, its cluster and its history.

    `entities` are those of the canonical; None while the line has not reached it.
    """

    job_id: UUID
    canonical_job_id: UUID | None
    head: int
    job: dict[str, Any] | None
    entities: dict[str, Any] | None
    duplicates: list[Duplicate]
    events: list[EventLine]


class Duplicates(msgspec.Struct, frozen=True, kw_only=True):
    """The other postings of a job's cluster, and the same advertisement for other vacancies."""

    job_id: UUID
    canonical_job_id: UUID
    duplicates: list[Duplicate]
    variants: list[Side] = []


def row_body(row: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a database row as a body, in column order; hashes as hex, numerics as numbers."""
    return {name: _value(value) for name, value in dict(row).items() if name not in without}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "as_tuple"):  # Decimal
        return float(value)
    return value
