"""Payloads, their canonical form, the content hash, and old shapes."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.errors import UnknownVersion
from nextstep.events import kinds, model
from nextstep.events.codec import (
    STRUCTS,
    canonical_json,
    content_hash,
    decode_payload,
    encode_payload,
)
from nextstep.events.upcast import SCHEMA_VERSIONS, upcast

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "events").glob("*.json"))

POST = model.JobPost(
    source="board",
    identity_rule="source_job_id",
    source_job_id="17",
    url="https://x.example/jobs/17?utm_source=a",
    title="Café manager",
    company="Ward",
    location="Leeds",
    date_posted="2024-05-01",
    salary="£30k",
    employment_type="Full-time",
    text="Run a café.",
    scraped_at="2024-05-02",
    extra={"seniority": "Senior", "views": 12},
    repairs=["title: NUL removed"],
    origin="a.csv:1",
)

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)


def shuffled(value: Any) -> Any:
    """The same value with the keys of every dict in the other order and strings in NFD."""
    if isinstance(value, dict):
        return {nfd(k): shuffled(value[k]) for k in reversed(list(value))}
    if isinstance(value, list):
        return [shuffled(item) for item in value]
    return nfd(value) if isinstance(value, str) else value


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@given(plain)
def test_canonical_json_does_not_depend_on_key_order_or_unicode_form(value: Any) -> None:
    assert canonical_json(shuffled(value)) == canonical_json(value)


@given(plain)
def test_canonical_json_survives_a_round_trip(value: Any) -> None:
    assert canonical_json(json.loads(canonical_json(value))) == canonical_json(value)


def test_empty_and_none_are_absent_and_whole_floats_are_integers() -> None:
    assert canonical_json({"b": "", "a": None, "c": 1.0, "d": [""]}) == b'{"c":1,"d":[""]}'


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Cafe manager"},
        {"company": "Wards"},
        {"location": "York"},
        {"date_posted": "2024-05-03"},
        {"salary": "£31k"},
        {"employment_type": "Part-time"},
        {"url": "https://x.example/jobs/18"},
        {"text": "Run two cafés."},
        {"text": "", "html": "Run a café."},
        {"extra": {"seniority": "Junior", "views": 12}},
    ],
)
def test_a_change_that_matters_changes_the_hash(change: dict[str, Any]) -> None:
    significant = frozenset({"seniority"})
    changed = msgspec.structs.replace(POST, **change)
    assert content_hash(changed, significant) != content_hash(POST, significant)


@pytest.mark.req("D-02")
@pytest.mark.parametrize(
    "change",
    [
        {"scraped_at": "2024-06-02"},
        {"origin": "b.csv:9"},
        {"repairs": []},
        {"url": "https://x.example/jobs/17/?utm_source=b#top"},
        {"title": nfd("Café manager")},
        {"extra": {"views": 99, "seniority": "Senior"}},
    ],
)
def test_noise_does_not_change_the_hash(change: dict[str, Any]) -> None:
    significant = frozenset({"seniority"})
    changed = msgspec.structs.replace(POST, **change)
    assert content_hash(changed, significant) == content_hash(POST, significant)


def test_an_absent_significant_key_is_the_same_as_none_being_significant() -> None:
    assert content_hash(POST, frozenset({"nothing"})) == content_hash(POST, frozenset())


def test_the_hash_of_a_post_is_pinned() -> None:
    # Another hash would make every post of every log look changed once.
    assert (
        content_hash(POST, frozenset()).hex()
        == "154825a625fe86d23ff58000d683db636024b6297cbd776a5a90da38b7cbfe31"
    )


PAYLOADS = [
    (kinds.POSTED, POST),
    (kinds.CLOSED, model.JobClosed("board", UUID(int=1))),
    (kinds.REQUEUED, model.JobRequeued("clean", "mended")),
    (kinds.ERASED, model.JobErased("request 4")),
    (kinds.SCANNED, model.SourceScanned("board", UUID(int=2), True, rows=3, new=3)),
    (kinds.JUDGED, model.PairJudged(UUID(int=1), UUID(int=2), "same")),
    (kinds.DISCARDED, model.DeadLetterDiscarded("clean", UUID(int=1), 7)),
]


@pytest.mark.parametrize(("kind", "payload"), PAYLOADS)
def test_payloads_come_back_from_bytes_text_and_dict(kind: str, payload: model.Payload) -> None:
    data = encode_payload(payload)
    assert decode_payload(kind, 1, data) == payload
    assert decode_payload(kind, 1, data.decode()) == payload
    assert decode_payload(kind, 1, json.loads(data)) == payload


def test_a_payload_is_sorted_and_keeps_texts_as_they_came() -> None:
    data = encode_payload(model.JobPost("s", "url", title=nfd("Café"), extra={"b": 1, "a": 2}))
    assert list(json.loads(data)) == ["extra", "identity_rule", "source", "title"]
    assert list(json.loads(data)["extra"]) == ["a", "b"]
    assert json.loads(data)["title"] == nfd("Café")


def test_every_kind_has_a_struct_and_a_version() -> None:
    assert set(STRUCTS) == set(SCHEMA_VERSIONS) == kinds.ALL


@pytest.mark.parametrize("payload", [b'{"erased":true}', '{"erased": true}', {"erased": True}])
def test_a_blanked_payload_decodes_to_an_erased_job(payload: Any) -> None:
    assert decode_payload(kinds.POSTED, 1, payload) == model.JobErased()


@pytest.mark.parametrize(
    ("kind", "version"), [("job.sold", 1), (kinds.POSTED, 2), (kinds.POSTED, 0)]
)
def test_an_unknown_kind_or_version_is_refused(kind: str, version: int) -> None:
    with pytest.raises(UnknownVersion) as caught:
        decode_payload(kind, version, b"{}")
    assert kind in caught.value.message
    assert caught.value.exit_code == 4


def test_an_unknown_field_of_a_newer_minor_is_ignored() -> None:
    data = b'{"source":"s","identity_rule":"url","mood":"sunny"}'
    assert decode_payload(kinds.POSTED, 1, data) == model.JobPost("s", "url")


def test_upcasters_run_one_step_after_the_other() -> None:
    steps = {
        ("job.posted", 1): lambda old: {"company": old["employer"], "title": old["title"]},
        ("job.posted", 2): lambda old: {**old, "title": old["title"].title()},
    }
    new = upcast(
        "job.posted",
        1,
        {"employer": "Ward", "title": "nurse"},
        versions={"job.posted": 3},
        upcasters=steps,
    )
    assert new == {"company": "Ward", "title": "Nurse"}


def test_a_missing_step_is_refused() -> None:
    with pytest.raises(UnknownVersion, match="no upcaster to version 2"):
        upcast("job.posted", 1, {}, versions={"job.posted": 2}, upcasters={})


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_old_events_can_be_read_for_ever(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    payload = decode_payload(stored["kind"], stored["schema_version"], stored["payload"])
    assert isinstance(payload, STRUCTS[stored["kind"]])
    as_text = json.dumps(stored["payload"], ensure_ascii=False)
    assert decode_payload(stored["kind"], stored["schema_version"], as_text) == payload
    # What the old shape said is still said.
    said = json.loads(encode_payload(payload))
    assert {key: said[key] for key in stored["payload"]} == stored["payload"]


def test_drafts_and_events_carry_what_the_log_needs() -> None:
    draft = model.Draft(UUID(int=1), kinds.OBSERVED, "s", 1, b"{}", b"0" * 32, datetime.now(UTC))
    assert kinds.OBSERVED not in kinds.ALL
    assert len(draft.content_hash) == 32
