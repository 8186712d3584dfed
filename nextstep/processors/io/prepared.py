"""
Prepared models: where they lie, whether they are whole, and whether they may serve.

`nextstep models prepare` makes one: a folder of exported files with a manifest that holds their
digests and how well they agree with the reference. Nothing here imports an inference library.

Source: issue 6 (encoder seam), decisions.md 13, N-27, X-07.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import msgspec

from nextstep.errors import ModelError
from nextstep.processors.io.model_files import (
    KNOWN,
    ModelIdentity,
    file_digest,
    model_identity,
    short_name,
)
from nextstep.settings import Settings

#: Raised when files or manifest change so that older folders cannot serve any more.
FORMAT = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"

#: What a prepared model must show against the reference, on texts it was not calibrated on.
LEAST_COSINE_MEAN = 0.99
LEAST_COSINE = 0.95
LEAST_OVERLAP = 0.90

#: Processor flags of instructions that multiply bytes and add up in 32 bits. Without them int8 is
#: no faster than fp32, and sums of older instructions saturate: other vectors.
_VNNI = frozenset(("avx512_vnni", "avx_vnni"))

Precision = Literal["int8", "fp32"]


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How vectors agree with the reference's; overlap of the ten nearest among these texts."""

    texts: int
    cosine_mean: float
    cosine_min: float
    overlap_at_10: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a prepared folder holds; `files` maps file names to their sha256."""

    format: int
    name: str
    source_sha256: str
    dim: int
    pooling: str
    query_prefix: str
    passage_prefix: str
    max_tokens: int
    precision: Precision
    files: dict[str, str]
    versions: dict[str, str]
    passages: Check
    queries: Check


class Prepared(msgspec.Struct, frozen=True):
    """A prepared model that may serve."""

    folder: Path
    manifest: Manifest

    @property
    def sha256(self) -> str:
        """The digest of all that shapes vectors: files, pooling, prefixes, length."""
        return identity_digest(self.manifest)


def encoders_folder(settings: Settings) -> Path:
    """Return the folder that holds a folder per prepared model."""
    return settings.encoder_folder or settings.home / "encoders"


def prepared_folder(settings: Settings) -> Path:
    """Return the folder of the configured model's prepared form, there or not."""
    return encoders_folder(settings) / short_name(settings.embedding_model)


def serves_fast(settings: Settings) -> bool:
    """
    Tell whether the prepared form of the configured model serves, be it good or damaged.

    Raises nothing: a stage is built from settings before anybody can be told of an error.
    """
    if settings.encoder == "reference":
        return False
    return settings.encoder == "fast" or _is_there(prepared_folder(settings))


def encoder_identity(settings: Settings) -> ModelIdentity:
    """
    Return name, digest and size of the encoder that serves: prepared model or reference.

    Raises:
        ModelError: it is missing, damaged, or may not serve on this machine.
    """
    if not serves_fast(settings):
        return model_identity(settings)
    prepared = find_prepared(settings)
    return ModelIdentity(prepared.manifest.name, prepared.sha256, prepared.manifest.dim)


def find_prepared(settings: Settings) -> Prepared:
    """
    Return the configured model's prepared form, whole and fit to serve on this machine.

    Raises:
        ModelError: not prepared, a file is missing or changed, it never passed its comparison with
            the reference, or it needs instructions that this processor lacks.
    """
    folder = prepared_folder(settings)
    if not _is_there(folder):
        raise ModelError(
            f"model {folder.name} is not prepared",
            detail=f"no folder {folder}",
            hint="nextstep models prepare, or nextstep models load FILE; "
            "NEXTSTEP_ENCODER=reference needs neither",
        )
    manifest = read_manifest(folder)
    for file, digest in sorted(manifest.files.items()):
        _check_file(folder / file, digest, manifest.name, settings.home)
    require_fit(manifest)
    require_processor(manifest)
    return Prepared(folder, manifest)


def read_manifest(folder: Path) -> Manifest:
    """Return a folder's manifest; raises ModelError where it is missing or does not fit."""
    if not folder.is_dir():
        raise ModelError(
            f"model {folder.name} is not prepared here",
            detail=str(folder),
            hint="nextstep models prepare, or nextstep models load FILE",
        )
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise _damaged(folder.name, f"{MANIFEST} cannot be read", str(folder)) from error
    except msgspec.DecodeError as error:
        raise _damaged(folder.name, f"{MANIFEST} does not fit", str(error)) from error
    if manifest.format != FORMAT:
        raise _damaged(
            folder.name,
            f"it has format {manifest.format}, this version reads {FORMAT}",
            str(folder),
        )
    if manifest.name != folder.name:
        raise _damaged(folder.name, f"its manifest names {manifest.name}", str(folder))
    known = KNOWN.get(manifest.name)
    if known is not None and manifest.dim != known.dim:
        raise _damaged(
            folder.name, f"it has {manifest.dim} dimensions, not {known.dim}", str(folder)
        )
    wanted = {TOKENIZER, *model_names(manifest.precision)}
    if set(manifest.files) != wanted:
        raise _damaged(
            folder.name, f"its manifest lacks {', '.join(sorted(wanted - set(manifest.files)))}", ""
        )
    return manifest


def model_names(precision: Precision) -> tuple[str, ...]:
    """
    Return the names of the model's files: passages for OpenVINO, queries for ONNX Runtime.

    In fp32 both are told by one file: OpenVINO reads it as it is, and the tail of single queries
    that speaks for ONNX Runtime is one of int8.
    """
    return ("passages.bin", "passages.xml", *(("queries.onnx",) if precision == "int8" else ()))


def identity_digest(manifest: Manifest) -> str:
    """Return the sha256 of all in a manifest that shapes vectors."""
    shaping = [
        manifest.name,
        manifest.dim,
        manifest.pooling,
        manifest.query_prefix,
        manifest.passage_prefix,
        manifest.max_tokens,
        sorted(manifest.files.items()),
    ]
    return hashlib.sha256(json.dumps(shaping).encode()).hexdigest()


def require_fit(manifest: Manifest) -> None:
    """Raise ModelError unless both engines agree with the reference as they must."""
    for what, check in (("passages", manifest.passages), ("queries", manifest.queries)):
        if (
            check.cosine_mean < LEAST_COSINE_MEAN
            or check.cosine_min < LEAST_COSINE
            or check.overlap_at_10 < LEAST_OVERLAP
        ):
            raise ModelError(
                f"model {manifest.name} may not serve: its {what} differ from the reference",
                detail=f"cosine {check.cosine_mean:.4f} (least {check.cosine_min:.4f}), overlap@10 "
                f"{check.overlap_at_10:.3f} on {check.texts} texts; at least {LEAST_COSINE_MEAN} "
                f"({LEAST_COSINE}) and {LEAST_OVERLAP} are asked",
                hint="nextstep models prepare --precision fp32, or NEXTSTEP_ENCODER=reference",
            )


def require_processor(manifest: Manifest) -> None:
    """Raise ModelError where an int8 model meets a processor that cannot run it as it was made."""
    if manifest.precision == "int8" and not has_vnni():
        raise ModelError(
            f"model {manifest.name} is prepared in int8, and this processor has no VNNI",
            detail="it would be slow here, and its vectors others than where it was compared",
            hint="prepare or load one in fp32: nextstep models prepare --precision fp32",
        )


def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the processor says that it has VNNI; one that says nothing has not."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _VNNI.isdisjoint(flags.split())


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        # A folder above it may not be read by this account: reading its manifest will say so.
        return True


def _check_file(path: Path, digest: str, name: str, home: Path) -> None:
    if not path.is_file():
        raise _damaged(name, f"{path.name} is missing", str(path))
    found = file_digest(path, home, name)
    if found != digest:
        raise _damaged(
            name, f"{path.name} has sha256 {found[:12]}, its manifest {digest[:12]}", str(path)
        )


def _damaged(name: str, what: str, detail: str) -> ModelError:
    return ModelError(
        f"prepared model {name} is damaged: {what}",
        detail=detail,
        hint="nextstep models prepare --again, or load it again: nextstep models load FILE --again",
    )
