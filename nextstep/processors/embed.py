"""
The embed stage: one unit vector per canonical job, model and text recipe.

Input is the dedupe map, with what clean and extract made of its jobs; what is not canonical has no
vector. A job is encoded only when its text hash differs from the stored one, so a closing, a move
or a new duplicate costs nothing.

Source: decisions.md 9-12, N-46, N-66, N-86, S-04, S-09.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.stage import (
    Delete,
    Execute,
    Found,
    InputRow,
    Lookup,
    Stage,
    Upsert,
    Writes,
)
from nextstep.processors.io.encoder import TextEncoder, load_encoder
from nextstep.processors.io.model_files import short_name
from nextstep.processors.io.prepared import encoder_identity, serves_fast
from nextstep.processors.shared.recipes import title_skills_role
from nextstep.settings import Settings

VERSION = 2

#: The recipe in force: what of a job is embedded.
passage_text = title_skills_role

#: Rows a batch: eight forward passes, a few seconds on two cores.
_BATCH_ROWS = 256

_LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch")
_FAST_LIBRARIES = ("openvino", "tokenizers")

_READ = """
SELECT map.position, map.job_id, map.canonical_job_id,
       job.title, job.description_clean, job.sections,
       entity.tools || entity.skills AS skills, vector.text_hash
FROM (
  SELECT position, job_id, canonical_job_id
  FROM job_dedupe_map
  WHERE position > $1 AND position <= $2
  ORDER BY position
  FETCH FIRST ($3) ROWS WITH TIES
) AS map
LEFT JOIN jobs_normalized AS job ON job.job_id = map.job_id
LEFT JOIN job_entities AS entity ON entity.job_id = map.job_id
LEFT JOIN job_embeddings AS vector
  ON vector.job_id = map.job_id AND vector.model_name = '{model}' AND vector.recipe = '{recipe}'
ORDER BY map.position, map.job_id
"""

_STORED = """
SELECT job_id, text_hash
FROM job_embeddings
WHERE job_id = ANY($1) AND model_name = $2 AND recipe = $3
ORDER BY job_id
"""

#: What another recipe left of these jobs: one stage keeps one recipe.
_DROP_OTHER_RECIPES = """
DELETE FROM job_embeddings WHERE job_id = ANY($1) AND model_name = $2 AND recipe <> $3
"""

_KEY = ("job_id", "model_name", "recipe")
_COLUMNS = ("job_id", "model_name", "recipe", "dim", "text_hash", "embedding")


class EmbedRow(InputRow, frozen=True):
    """A mapped job with what is embedded of it; all None but the ids where the job is absent."""

    canonical_job_id: UUID | None
    title: str | None
    description_clean: str | None
    sections: list[dict[str, Any]] | None
    skills: list[str] | None
    stored_hash: bytes | None


class Passage(msgspec.Struct, frozen=True):
    """A canonical job's text with its hash; `vector` is None when the stored one still fits."""

    text_hash: bytes
    vector: Any  # numpy float32, shape (dim,)


class ReadTooEarly(TimeoutError):
    """A row was read before the batch in front of it was committed; reading again settles it."""


def recipe_name(settings: Settings) -> str:
    """Return the name of how a text is made of a job: it is part of the vectors' key."""
    return f"title-skills-role@{settings.embedding_max_tokens}"


def embed_stage(settings: Settings) -> Stage:
    """Return the stage of the settings' model; each model has a row and vectors of its own."""
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    return Stage(
        name=f"embed:{model}",
        code_version=VERSION,
        upstream="extract",
        row=EmbedRow,
        # Both names are made of letters, digits, `-`, `.` and `@` only.
        read=_READ.format(model=model, recipe=recipe),
        setup=load_encoder,
        prepare=partial(_prepare, recipe),
        lookups=(Lookup(name="stored", sql=_STORED, args=partial(_stored_args, model, recipe)),),
        decide=partial(_decide, model, recipe),
        absent=partial(_absent, model),
        tables=("job_embeddings",),
        digest_columns={"job_embeddings": (*_KEY, "dim", "text_hash")},
        fingerprint=_fingerprint,
        batch_size=_BATCH_ROWS,
        keep_on_reset=True,
        # torch spreads a batch over the cores by itself; a prepared model has one thread each.
        parallel=serves_fast(settings),
    )


def _prepare(recipe: str, encoder: TextEncoder, rows: list[EmbedRow]) -> list[Passage | None]:
    texts = [_text(row) for row in rows]
    hashes = [_hash(recipe, encoder, text) for text in texts]
    wanted = [
        i for i, row in enumerate(rows) if texts[i] is not None and hashes[i] != row.stored_hash
    ]
    vectors = encoder.passages([texts[i] or "" for i in wanted])
    by_row = dict(zip(wanted, vectors, strict=True))
    return [
        None if text is None else Passage(hashes[i], by_row.get(i)) for i, text in enumerate(texts)
    ]


def _text(row: EmbedRow) -> str | None:
    if row.canonical_job_id != row.job_id or row.description_clean is None:
        return None
    return passage_text(
        row.title or "", row.description_clean, row.sections or [], row.skills or ()
    )


def _hash(recipe: str, encoder: TextEncoder, text: str | None) -> bytes:
    # The weights are in the hash: other weights under the same name must not pass as the same.
    parts = (recipe, encoder.model_sha256, text or "")
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _stored_args(
    model: str, recipe: str, rows: Sequence[EmbedRow], prepared: Sequence[Any], found: Found
) -> tuple[Any, ...]:
    return [row.job_id for row in rows], model, recipe


def _decide(
    model: str,
    recipe: str,
    _context: None,
    rows: list[EmbedRow],
    prepared: list[Passage | None],
    found: Found,
) -> Writes:
    stored: dict[Any, Any] = dict(found["stored"])
    fresh: list[tuple[Any, ...]] = []
    gone: list[tuple[Any, ...]] = []
    kept: list[UUID] = []
    for row, passage in zip(rows, prepared, strict=True):
        if passage is None:
            gone.append((row.job_id, model))
            continue
        kept.append(row.job_id)
        if stored.get(row.job_id) == passage.text_hash:
            continue
        if passage.vector is None:
            # The stored hash seen with the row was that of this text; the batch in front has
            # since stored another text of the same job (A, B, and A again).
            raise ReadTooEarly(f"job {row.job_id} was changed by the batch in front")
        fresh.append(
            (row.job_id, model, recipe, len(passage.vector), passage.text_hash, passage.vector)
        )
    return Writes(
        ops=[
            Delete("job_embeddings", ("job_id", "model_name"), gone),
            Execute(_DROP_OTHER_RECIPES, (kept, model, recipe)),
            Upsert("job_embeddings", _KEY, _COLUMNS, fresh),
        ],
        tallies={
            "out": len(kept),
            "encoded": len(fresh),
            "reused": len(kept) - len(fresh),
            "duplicates": len(gone),
        },
    )


def _absent(model: str, rows: list[EmbedRow]) -> Writes:
    keys: list[tuple[Any, ...]] = [(row.job_id, model) for row in rows]
    return Writes(ops=[Delete("job_embeddings", ("job_id", "model_name"), keys)])


def _fingerprint(settings: Settings) -> str:
    identity = encoder_identity(settings)
    used = _FAST_LIBRARIES if serves_fast(settings) else _LIBRARIES
    libraries = ",".join(f"{name}={_installed(name)}" for name in used)
    shape = hashlib.sha256(libraries.encode()).hexdigest()[:6]
    return f"{identity.sha256[:12]}-{recipe_name(settings)}-{shape}"


def _installed(package: str) -> str:
    # Patch releases of these libraries move no vector by more than the last bits.
    try:
        return ".".join(version(package).split("+")[0].split(".")[:2])
    except PackageNotFoundError:
        return "none"


#: The stage of the default model.
EMBED = embed_stage(Settings())
