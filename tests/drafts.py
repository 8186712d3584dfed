"""Drafts for tests of the log and the line."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta

from nextstep.events import kinds
from nextstep.events.model import Draft

START = datetime(2026, 1, 1, tzinfo=UTC)


def job(number: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"job {number}")


def draft(number: int, title: str = "", *, day: int = 0, source: str = "board") -> Draft:
    """An observation of job `number`; `title` decides its content, `day` its time."""
    content = title or f"title {number}"
    payload = json.dumps(
        {"source": source, "identity_rule": "source_job_id", "title": content}
    ).encode()
    return Draft(
        job_id=job(number),
        kind=kinds.OBSERVED,
        source=source,
        schema_version=1,
        payload=payload,
        content_hash=hashlib.sha256(content.encode()).digest(),
        occurred_at=START + timedelta(days=day),
    )
