"""
What an artifact folder holds, and whether a folder is one, whole and unmixed.

    <table>.csv or .parquet   one per table
    embedding_meta.json       models of the vectors
    manifest.json             rows, versions, offsets, digests, and the sha256 of every table's file
    checksums.txt             sha256 of all the others; `sha256sum -c checksums.txt` reads it

The same hash stands in manifest.json and in checksums.txt, and `artifact_id` is made of all of
them, so that a file of another artifact is seen though its folder's checksums were made anew.

Source: N-81, N-91, issue 9 item 1.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from nextstep.errors import FileError

#: Raised when a reader of today's manifests could not read a new one.
SCHEMA = 1
MANIFEST = "manifest.json"
META = "embedding_meta.json"
CHECKSUMS = "checksums.txt"
_BLOCK_BYTES = 1024 * 1024

Format = Literal["csv", "parquet"]
T = TypeVar("T")


class TableFile(msgspec.Struct, frozen=True):
    """
    One table. `digest` is that of `compared` (see projections/digest.py), "" where none is made;
    `types` are the columns' as `format_type` names them.
    """

    name: str
    file: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: int
    size_bytes: int
    sha256: str
    compared: tuple[str, ...] = ()
    digest: str = ""


class StageState(msgspec.Struct, frozen=True):
    """One row of `stage_offsets`."""

    stage: str
    position: int
    version: str
    status: str
    reason: str = ""
    last_error: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """All that is known of an artifact. `tables` stand in the order in which they are loaded."""

    schema: int
    artifact_id: str
    format: Format
    made_at: str
    nextstep: str
    server: str
    pgvector: str
    migrations: tuple[str, ...]
    head: int
    chain: str
    stages: tuple[StageState, ...]
    tables: tuple[TableFile, ...]

    def rows(self, table: str) -> int:
        """Return the rows of a table, 0 for one that is not there."""
        return sum(each.rows for each in self.tables if each.name == table)


class ModelMeta(msgspec.Struct, frozen=True):
    """Vectors of one model and recipe."""

    model_name: str
    recipe: str
    dim: int
    vectors: int


class EmbeddingMeta(msgspec.Struct, frozen=True):
    """The model with most vectors, and all of them; `corpus_size` counts jobs."""

    artifact_id: str
    model_name: str
    recipe: str
    dim: int
    date: str
    corpus_size: int
    models: tuple[ModelMeta, ...] = ()


def artifact_id(tables: tuple[TableFile, ...], head: int, chain: str) -> str:
    """Return the id of an artifact: a hash of what it holds, so that equal contents have one id."""
    parts = [f"{table.file} {table.rows} {table.sha256}" for table in tables]
    return hashlib.sha256("\n".join([f"{head} {chain}", *parts]).encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hex, read in blocks."""
    with path.open("rb") as handle:
        digest = hashlib.sha256()
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def write_checksums(folder: Path, sums: dict[str, str]) -> None:
    """Write `checksums.txt` in the form of sha256sum, by name."""
    lines = [f"{sums[name]}  {name}\n" for name in sorted(sums)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> Manifest:
    """
    Return the manifest of a folder whose every byte is what was packed.

    Raises:
        FileError: something is missing, damaged, of another artifact, or not of ours.
    """
    sums = _checksums(folder)
    _require_names(folder, sums)
    for name in sorted(sums):
        found = file_sha256(folder / name)
        if found != sums[name]:
            raise _damaged(folder, f"{name} is not what was packed", f"sha256 {found}")
    manifest = _read(folder, MANIFEST, Manifest)
    if manifest.schema != SCHEMA:
        raise FileError(
            f"the artifact {folder} has schema {manifest.schema}; this NextStep reads {SCHEMA}",
            hint="use the NextStep that packed it, or pack it anew",
        )
    _require_one_artifact(folder, manifest, sums)
    return manifest


def _checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{folder} is no artifact: {CHECKSUMS} cannot be read",
            hint="name a folder that `nextstep artifacts pack` made",
        ) from error
    sums: dict[str, str] = {}
    for line in lines:
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or Path(name).name != name or name in sums:
            raise _damaged(folder, f"{CHECKSUMS} is damaged", f"line {len(sums) + 1}")
        sums[name] = digest
    return sums


def _require_names(folder: Path, sums: dict[str, str]) -> None:
    there = {path.name for path in folder.iterdir()} - {CHECKSUMS}
    if missing := sorted(({MANIFEST, META} | sums.keys()) - (there & sums.keys())):
        raise _damaged(folder, f"{', '.join(missing)} is missing", "")
    if strange := sorted(there - sums.keys()):
        raise _damaged(folder, f"{', '.join(strange)} does not belong to it", "two were mixed?")


def _require_one_artifact(folder: Path, manifest: Manifest, sums: dict[str, str]) -> None:
    for table in manifest.tables:
        if sums.get(table.file) != table.sha256:
            raise _damaged(folder, f"{table.file} is of another artifact", "two were mixed?")
    known = {table.file for table in manifest.tables} | {MANIFEST, META}
    if strange := sorted(sums.keys() - known):
        raise _damaged(folder, f"{', '.join(strange)} does not belong to it", "two were mixed?")
    made = artifact_id(manifest.tables, manifest.head, manifest.chain)
    if manifest.artifact_id != made or _read(folder, META, EmbeddingMeta).artifact_id != made:
        raise _damaged(folder, "its parts belong to different artifacts", "two were mixed?")


def _read(folder: Path, name: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode((folder / name).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(folder, f"{name} cannot be read", str(error)) from error


def _damaged(folder: Path, what: str, detail: str) -> FileError:
    return FileError(
        f"the artifact {folder} is refused: {what}",
        detail=detail,
        hint="copy it again from where it was packed: rsync --checksum, then: "
        f"nextstep artifacts verify {folder}",
    )
