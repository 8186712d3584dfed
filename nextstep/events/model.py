"""
The payloads of the log, one struct per shape. Fields are added at the end, with defaults.

A change that a default cannot express raises SCHEMA_VERSION of the shape and gets an upcaster in
`upcast.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class JobPost(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One post as its source had it: payload of job.posted, job.revised and job.reopened.

    Texts are as they came, but for what `repairs` names (NUL, lone surrogates). `html` wins over
    `text`: only one of them is set. `identity_rule` is source_job_id, url or content.
    """

    source: str
    identity_rule: str
    source_job_id: str = ""
    url: str = ""
    title: str = ""
    company: str = ""
    location: str = ""
    date_posted: str = ""
    salary: str = ""
    employment_type: str = ""
    html: str = ""
    text: str = ""
    scraped_at: str = ""
    extra: dict[str, Any] = {}
    repairs: list[str] = []
    origin: str = ""  # "<file name>:<row>" of the first sight of this version


class JobClosed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Absent from a complete scan of its source."""

    source: str
    scan_id: UUID
    reason: str = "absent from a complete scan"


class JobRequeued(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator wants the line to see the job again."""

    stage: str = ""
    why: str = ""


class JobErased(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payloads of the job's earlier events were blanked, by law."""

    why: str = ""


class SourceScanned(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source was read; `complete` means that what it did not list is gone."""

    source: str
    scan_id: UUID
    complete: bool
    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    closed: int = 0


class PairJudged(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator's verdict on two posts; `job_a` is the smaller id."""

    job_a: UUID
    job_b: UUID
    verdict: str  # same | not_same
    why: str = ""


class DeadLetterDiscarded(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator gave a dead letter up; live runs and rebuilds skip it, counted."""

    stage: str
    job_id: UUID
    position: int
    why: str = ""


Payload = (
    JobPost | JobClosed | JobRequeued | JobErased | SourceScanned | PairJudged | DeadLetterDiscarded
)


class Event(msgspec.Struct, frozen=True):
    """One fact with its place in the log. `version` counts from 1 within `job_id`'s stream."""

    position: int
    job_id: UUID
    version: int
    kind: str
    schema_version: int
    payload: Payload
    occurred_at: datetime


class Draft(msgspec.Struct, frozen=True):
    """What a writer hands to `append`: a fact without a place yet."""

    job_id: UUID
    kind: str
    source: str
    schema_version: int
    payload: bytes  # canonical JSON
    content_hash: bytes  # 32 bytes
    occurred_at: datetime


class Appended(msgspec.Struct, frozen=True):
    """What became of a draft: new, changed, unchanged or stale (`position` 0 if not appended)."""

    outcome: str
    position: int
    version: int
