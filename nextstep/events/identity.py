"""Which stream a fact belongs to: a function of what the source says, never of when it came."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from hashlib import sha1, sha256
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.urls import names_a_post, normalize_url

__all__ = [
    "NAMESPACE",
    "job_identity",
    "named_uuid",
    "normalize_url",
    "pair_stream",
    "source_stream",
]

#: Every id of NextStep is a uuid5 in this namespace. Changing it orphans every log there is.
NAMESPACE = UUID("f9692a9a-0a19-44e8-802b-f3368f6ca045")


def job_identity(post_fields: Mapping[str, Any]) -> tuple[UUID, str]:
    """
    Return a post's stream and the rule that named it.

    Reads source, source_job_id, url, title, company, location, html and text; absent ones may be
    missing. The rule is `source_job_id` where the source has an id, else `url` where the address
    names one post, else `content`.

    Source: design.md 2, N-83, J-150.
    """
    if post_fields.get("source_job_id"):
        return (
            named_uuid("source_job_id", post_fields["source"], post_fields["source_job_id"]),
            "source_job_id",
        )
    url = normalize_url(post_fields.get("url") or "")
    if url and names_a_post(url):
        return named_uuid("url", url), "url"
    parts = [_squeezed(post_fields.get(name)) for name in ("title", "company", "location")]
    body = _squeezed(post_fields.get("html") or post_fields.get("text"))
    digest = sha256(msgspec.json.encode([*parts, body])).hexdigest()
    return named_uuid("content", digest), "content"


def source_stream(source: str) -> UUID:
    """Return the stream of a source's scans."""
    return named_uuid("source", source)


def pair_stream(a: UUID, b: UUID) -> UUID:
    """Return the stream of the verdicts on two jobs; their order does not matter."""
    low, high = sorted((a, b))
    return named_uuid("pair", str(low), str(high))


def named_uuid(*parts: str) -> UUID:
    """
    Return uuid5 of the parts, as a JSON list so that no two lists of parts read the same.

    The same value as `uuid.uuid5`, at half its cost.
    """
    name = msgspec.json.encode([unicodedata.normalize("NFC", part) for part in parts])
    # sha1 is what uuid5 means; nothing here is a secret.
    return UUID(bytes=sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()[:16], version=5)


def _squeezed(value: Any) -> str:
    """Line ends and runs of blanks differ between two crawls of one page; letters do not."""
    return unicodedata.normalize("NFC", " ".join(str(value or "").split()))
