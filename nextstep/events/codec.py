"""
Payloads to bytes and back, and the hash that decides whether a post has changed.

Two forms of JSON: a stored payload keeps texts as they came; the canonical form, which only hashes
see, is NFC, has sorted keys and no empty values. jsonb keeps neither key order nor `1.0` against
`1`, so the canonical form depends on neither.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from nextstep.events import kinds, model
from nextstep.events.upcast import SCHEMA_VERSIONS, require_known, upcast
from nextstep.events.urls import normalize_url

#: The struct of each kind's payload.
STRUCTS: dict[str, Any] = {
    kinds.POSTED: model.JobPost,
    kinds.REVISED: model.JobPost,
    kinds.REOPENED: model.JobPost,
    kinds.CLOSED: model.JobClosed,
    kinds.REQUEUED: model.JobRequeued,
    kinds.ERASED: model.JobErased,
    kinds.SCANNED: model.SourceScanned,
    kinds.JUDGED: model.PairJudged,
    kinds.DISCARDED: model.DeadLetterDiscarded,
}

#: The fields of a post whose change is a change of the post. `url` is compared normalized;
#: scraped_at, origin and repairs speak of the crawl, not of the post.
COMPARED = ("title", "company", "location", "date_posted", "salary", "employment_type")

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODERS = {kind: msgspec.json.Decoder(struct) for kind, struct in STRUCTS.items()}
_UNTYPED = msgspec.json.Decoder()


def canonical_json(value: Any) -> bytes:
    """
    Return the one JSON text of a value: equal for equal content, whatever the order of keys.

    Strings are NFC; a dict entry that is None or the empty string is absent; a whole number is an
    integer however it was written.
    """
    return _ENCODER.encode(_canonical(value))


def content_hash(post: model.JobPost, significant: frozenset[str] = frozenset()) -> bytes:
    """
    Return the 32 bytes that differ when the post does.

    Args:
        post: the post as it would be stored.
        significant: keys of `extra` that belong to the content.

    Source: decisions.md 4.
    """
    content: dict[str, Any] = {name: getattr(post, name) for name in COMPARED}
    content["url"] = normalize_url(post.url)
    content["html"] = post.html
    content["text"] = post.text
    if significant and post.extra:
        extra = _canonical({key: post.extra[key] for key in significant if key in post.extra})
        content["extra"] = extra or None
    return sha256(canonical_json(content)).digest()


def encode_payload(payload: model.Payload) -> bytes:
    """Return the JSON that is stored: sorted keys, values that equal their default left out."""
    return _ENCODER.encode(payload)


def decode_payload(
    kind: str, schema_version: int, payload: bytes | str | Mapping[str, Any]
) -> model.Payload:
    """
    Return a stored payload as its struct.

    JSON text or bytes of today's version are decoded in one step; a dict (as a jsonb codec hands it
    out) and an older version go through plain values. A blanked payload is a JobErased.

    Raises:
        UnknownVersion: the kind or version is not known.
        msgspec.ValidationError: the payload does not fit its struct.
    """
    require_known(kind, schema_version)
    if isinstance(payload, (bytes, str)):
        if schema_version == SCHEMA_VERSIONS[kind] and not _is_blank_text(payload):
            found: model.Payload = _DECODERS[kind].decode(payload)
            return found
        plain: dict[str, Any] = _UNTYPED.decode(payload)
    else:
        plain = dict(payload)
    if plain == {"erased": True}:
        return model.JobErased()
    converted: model.Payload = msgspec.convert(upcast(kind, schema_version, plain), STRUCTS[kind])
    return converted


def _is_blank_text(payload: bytes | str) -> bool:
    # '{"erased": true}' has 16 characters; no payload with a source is that short.
    return len(payload) <= 16 and "erased" in str(payload)


def _canonical(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {
            _canonical(str(key)): _canonical(item)
            for key, item in value.items()
            if item is not None and item != ""
        }
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
