"""
Prepared models: making one, comparing it with the reference, saying what is there.

The sample that both needs is the corpus that ships. Every third post gives the int8 scales, the
others judge: their passages, and those passages in halves, so that neighbours are many and near.

Source: issue 6 (encoder seam).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from nextstep.errors import ModelError
from nextstep.processors.embed import passage_text
from nextstep.processors.io.encoder import Encoder, Vectors
from nextstep.processors.io.fast_encoder import batch_encoder, query_encoder
from nextstep.processors.io.model_export import export, write_manifest
from nextstep.processors.io.model_files import forget_verdicts, model_identity, short_name
from nextstep.processors.io.prepared import (
    Check,
    Manifest,
    Precision,
    Prepared,
    encoders_folder,
    find_prepared,
    has_vnni,
    identity_digest,
    prepared_folder,
    read_manifest,
    require_fit,
)
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.agreement import cosines, found_overlap_at_10, overlap_at_10
from nextstep.processors.shared.mentions import extract_skills_tools
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.taxonomy import build_matcher
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Settings

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
#: Of three posts of the sample one is for the scales, two are for the comparison.
_PARTS = 3
#: Posts that give scales; 32 and 120 measured alike, and each costs a second.
_CALIBRATION = 48


class Listed(msgspec.Struct, frozen=True):
    """A prepared model as `models list` shows it; `problem` is why it may not serve, or empty."""

    name: str
    precision: str
    dim: int
    max_tokens: int
    sha256: str
    bytes: int
    passages: Check | None
    queries: Check | None
    serves: bool
    problem: str


class Sample(msgspec.Struct, frozen=True):
    """Texts of the shipped corpus: for scales, and, apart from them, for the comparison."""

    calibration: list[str]
    passages: list[str]
    queries: list[str]


def prepare(
    settings: Settings, precision: Precision | None, say: Callable[[str], None]
) -> Prepared:
    """
    Make the configured model's prepared form, compare it, and put it where it serves.

    Args:
        precision: None takes int8 where the processor has VNNI, else fp32, and says so.

    Raises:
        ModelError: it cannot be made, or it does not agree with the reference; what served before
            goes on serving then.
    """
    if precision is None:
        precision = "int8" if has_vnni() else "fp32"
        say(f"this processor has {'VNNI' if precision == 'int8' else 'no VNNI'}: {precision}")
    elif precision == "int8" and not has_vnni():
        raise ModelError(
            "this processor has no VNNI: int8 can neither be compared nor serve here",
            hint="nextstep models prepare --precision fp32",
        )
    say("loading the reference")
    reference = Encoder(msgspec.structs.replace(settings, encoder="reference"))
    place = prepared_folder(settings)
    place.parent.mkdir(parents=True, exist_ok=True)
    # The folder's own name is in the manifest, so the draft stands in a folder of its own.
    draft_root = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
    draft = draft_root / place.name
    draft.mkdir()
    try:
        sample = shipped_sample()
        manifest = export(
            settings, reference, draft, precision=precision, texts=sample.calibration, say=say
        )
        say(f"comparing it with the reference on {len(sample.passages)} texts")
        manifest = _compared(settings, reference, draft, manifest, sample)
        write_manifest(draft, manifest)
        require_fit(manifest)
        put_in_place(draft, place)
    finally:
        shutil.rmtree(draft_root, ignore_errors=True)
    return find_prepared(settings)


def verify(settings: Settings) -> tuple[Prepared, Check, Check]:
    """
    Compare the prepared model with the reference anew, after reading every file of it.

    Returns:
        The model, and how passages and queries agree now.

    Raises:
        ModelError: damaged, made of other weights than the reference's, or no longer in agreement.
    """
    manifest = read_manifest(prepared_folder(settings))
    forget_verdicts(settings.home, prepared_folder(settings))
    prepared = find_prepared(settings)
    source = model_identity(settings).sha256
    if source != manifest.source_sha256:
        raise ModelError(
            f"model {manifest.name} was prepared from other weights: "
            f"{manifest.source_sha256[:12]}, here are {source[:12]}",
            hint="nextstep models prepare --again",
        )
    reference = Encoder(msgspec.structs.replace(settings, encoder="reference"))
    again = _compared(settings, reference, prepared.folder, manifest, shipped_sample())
    require_fit(again)
    return prepared, again.passages, again.queries


def listed(settings: Settings) -> list[Listed]:
    """Return every prepared model, by name, with what keeps it from serving, if anything does."""
    folder = encoders_folder(settings)
    found = sorted(path for path in folder.glob("*") if path.is_dir() and path.name[0] != ".")
    return [_listed(settings, path) for path in found]


def put_in_place(draft: Path, place: Path) -> None:
    """Let a whole folder stand where another may stand now; a reader finds the one or the other."""
    aside = place.parent / f".old-{place.name}"
    shutil.rmtree(aside, ignore_errors=True)
    if place.exists():
        place.rename(aside)
    draft.rename(place)
    shutil.rmtree(aside, ignore_errors=True)


@lru_cache(maxsize=1)
def shipped_sample() -> Sample:
    """Return the texts that scales are taken from, and those that judge."""
    posts = [json.loads(line) for line in (SAMPLE / "jobs.jsonl").read_bytes().splitlines()]
    texts, matcher = [], build_matcher(load_taxonomies())
    for post in posts:
        body = clean_text(post.get("description_html") or "", post.get("converted_to_text") or "")
        sections: list[Any] = msgspec.to_builtins(find_sections(body.text))
        skills, tools = extract_skills_tools(body.text, sections, matcher)
        named = [value.name for value in (*tools, *skills)]
        texts.append(passage_text(post.get("title") or "", body.text, sections, named))
    judging = [text for number, text in enumerate(texts) if number % _PARTS]
    halves = [half for text in judging for half in _halves(text)]
    profiles = json.loads((SAMPLE / "profiles.json").read_bytes())
    return Sample(
        calibration=texts[::_PARTS][:_CALIBRATION],
        passages=sorted({*judging, *halves}),
        queries=sorted({*_texts_of(profiles), *(text.partition(". ")[0] for text in judging)}),
    )


def _halves(text: str) -> tuple[str, str]:
    middle = text.find(" ", len(text) // 2)
    return text[:middle], text[middle + 1 :]


def _texts_of(value: object) -> list[str]:
    """Return every text of some length in a JSON value: profiles as people write them."""
    if isinstance(value, str):
        return [value] if len(value) > 20 else []
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inside for text in _texts_of(item)]


def _compared(
    settings: Settings, reference: Encoder, folder: Path, manifest: Manifest, sample: Sample
) -> Manifest:
    prepared = Prepared(folder, manifest)
    tokens = settings.embedding_max_tokens
    batches, single = batch_encoder(prepared, tokens, threads=2), query_encoder(prepared, tokens)
    right, mine = reference.passages(sample.passages), batches.passages(sample.passages)
    asked, asking = reference.queries(sample.queries), single.queries(sample.queries)
    return msgspec.structs.replace(
        manifest,
        passages=_check(cosines(right, mine), overlap_at_10(right, mine)),
        queries=_check(cosines(asked, asking), found_overlap_at_10(asked, right, asking, mine)),
    )


def _check(agreement: Vectors, overlap: float) -> Check:
    return Check(
        texts=len(agreement),
        cosine_mean=round(float(agreement.mean()), 5),
        cosine_min=round(float(agreement.min()), 5),
        overlap_at_10=round(overlap, 4),
    )


def _listed(settings: Settings, folder: Path) -> Listed:
    named = msgspec.structs.replace(
        settings, embedding_model=folder.name, encoder="fast", encoder_folder=folder.parent
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    serves = short_name(settings.embedding_model) == folder.name and settings.encoder != "reference"
    try:
        manifest = read_manifest(folder)
    except ModelError as error:
        return Listed(folder.name, "", 0, 0, "", size, None, None, serves, error.message)
    try:
        find_prepared(named)
        problem = ""
    except ModelError as error:
        problem = error.message
    return Listed(
        name=folder.name,
        precision=manifest.precision,
        dim=manifest.dim,
        max_tokens=manifest.max_tokens,
        sha256=identity_digest(manifest),
        bytes=size,
        passages=manifest.passages,
        queries=manifest.queries,
        serves=serves,
        problem=problem,
    )
