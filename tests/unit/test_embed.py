"""The embed stage: what is embedded, when, and what is left alone."""

from __future__ import annotations

import pickle
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from nextstep.events.stage import Delete, Upsert, Writes
from nextstep.processors.embed import (
    EMBED,
    EmbedRow,
    ReadTooEarly,
    embed_stage,
    passage_text,
)
from nextstep.processors.shared.recipes import BODY_CHARS
from nextstep.settings import Settings
from tests.encoder import BagOfWords

A, B = UUID(int=1), UUID(int=2)


def row(job: UUID = A, **fields: Any) -> EmbedRow:
    known = {
        "position": 1, "canonical_job_id": job, "title": "Data Engineer",
        "description_clean": "Pipelines in Python.", "sections": [], "skills": None,
        "stored_hash": None,
    }  # fmt: skip
    return EmbedRow(job_id=job, **{**known, **fields})


def run(rows: list[EmbedRow], stored: dict[UUID, bytes] | None = None) -> tuple[Writes, BagOfWords]:
    encoder = BagOfWords()
    prepared = EMBED.prepare(encoder, rows)
    found = {"stored": [tuple(item) for item in (stored or {}).items()]}
    return EMBED.decide(None, rows, prepared, found), encoder


def upserted(writes: Writes) -> list[tuple[Any, ...]]:
    return [values for op in writes.ops if isinstance(op, Upsert) for values in op.rows]


def deleted(writes: Writes) -> list[tuple[Any, ...]]:
    return [values for op in writes.ops if isinstance(op, Delete) for values in op.rows]


def text_hash(one: EmbedRow) -> bytes:
    return upserted(run([one])[0])[0][4]


@pytest.mark.req("N-46")
def test_the_text_is_the_title_the_skills_and_the_work() -> None:
    text = (
        "About us\nWe sell shoes.\nThe work\nWrite Python.\nWe are an equal opportunity employer."
    )
    sections = [
        {"kind": "about", "start": 0, "end": 23},
        {"kind": "responsibilities", "start": 24, "end": 46},
        {"kind": "boilerplate", "start": 47, "end": len(text)},
    ]
    assert passage_text(" Senior  Engineer ", text, sections, ["Python", "SQL", "Python"]) == (
        "Senior Engineer. Python, SQL. The work Write Python."
    )
    # Without heads that we know: what the work is, then what the company is, never boilerplate.
    unheaded = [sections[0], sections[2]]
    assert passage_text("Engineer", text, unheaded) == (
        "Engineer. The work Write Python. About us We sell shoes."
    )


def test_skills_leave_room_for_the_work() -> None:
    text = passage_text("T", "Care.", [], [f"Skill number {n}" for n in range(100)])
    assert len(text) < 320 and text.endswith(". Care.")


def test_other_skills_are_another_text() -> None:
    assert text_hash(row(skills=["SQL"])) != text_hash(row()) == text_hash(row(skills=[]))


@pytest.mark.req("S-04")
@pytest.mark.parametrize(
    ("title", "description", "text"),
    [
        ("Nurse", "", "Nurse"),
        ("Nurse", " \n ", "Nurse"),
        ("", "Care for people.", "Care for people."),
        ("", "", ""),
    ],
)
def test_empty_fields_leave_what_there_is(title: str, description: str, text: str) -> None:
    assert passage_text(title, description, []) == text


@pytest.mark.req("S-04")
def test_a_job_without_any_text_has_a_vector_too() -> None:
    writes, _ = run([row(title=None, description_clean="", sections=None)])
    assert len(upserted(writes)) == 1


def test_a_long_body_is_cut() -> None:
    assert len(passage_text("T", "x " * 5000, [])) <= BODY_CHARS + 3


@pytest.mark.req("N-27")
def test_a_row_names_model_recipe_and_size() -> None:
    ((job, model, recipe, dim, digest, vector),) = upserted(run([row()])[0])
    assert (job, model, recipe, dim) == (A, "all-MiniLM-L6-v2", "title-skills-role@128", 384)
    assert len(digest) == 32
    assert vector.dtype == np.float32 and np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.req("N-86")
def test_a_text_that_is_stored_is_not_encoded_again() -> None:
    digest = text_hash(row())
    writes, encoder = run([row(stored_hash=digest)], {A: digest})
    assert upserted(writes) == [] and encoder.encoded == []
    assert writes.tallies["reused"] == 1 and writes.tallies["out"] == 1


@pytest.mark.req("N-86")
def test_another_text_another_recipe_or_other_weights_have_another_hash() -> None:
    changed = text_hash(row(description_clean="Pipelines in Go."))
    longer = embed_stage(Settings(embedding_max_tokens=256))
    other_recipe = longer.prepare(BagOfWords(), [row()])[0].text_hash
    retrained = BagOfWords()
    retrained.model_sha256 = "other"
    other_weights = EMBED.prepare(retrained, [row()])[0].text_hash
    assert len({text_hash(row()), changed, other_recipe, other_weights}) == 4


@pytest.mark.parametrize(
    "gone",
    [
        row(canonical_job_id=B),
        row(canonical_job_id=None),
        row(title=None, description_clean=None, sections=None),
    ],
)
def test_what_is_not_canonical_or_not_there_loses_its_vector(gone: EmbedRow) -> None:
    writes, encoder = run([gone], {A: b"old"})
    assert upserted(writes) == [] and encoder.encoded == []
    assert deleted(writes) == [(A, "all-MiniLM-L6-v2")]


def test_a_text_that_came_back_while_another_was_written_is_read_again() -> None:
    digest = text_hash(row())
    with pytest.raises(ReadTooEarly):
        run([row(stored_hash=digest)], {A: b"of the batch in front"})


def test_absent_leaves_no_vector_of_the_job() -> None:
    assert deleted(EMBED.absent([row()])) == [(A, "all-MiniLM-L6-v2")]


def test_each_model_is_a_stage_of_its_own() -> None:
    assert EMBED.name == "embed:all-MiniLM-L6-v2"
    e5 = embed_stage(Settings(embedding_model="intfloat/e5-small-v2"))
    assert e5.name == "embed:e5-small-v2"
    assert "'e5-small-v2'" in e5.read


def test_a_quote_in_a_model_name_cannot_leave_its_literal() -> None:
    name = embed_stage(Settings(embedding_model="x'; DROP TABLE job_embeddings; --")).name
    assert "'" not in name and ";" not in name and " " not in name


def test_the_stage_travels_to_another_process() -> None:
    stage = msgspec.structs.replace(EMBED, setup=None)
    prepared = pickle.loads(pickle.dumps(stage.prepare))(BagOfWords(), [row()])
    assert prepared[0].vector.shape == (384,)
