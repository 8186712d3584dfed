"""
A prepared model as one file that travels: packed here, loaded on a server without torch.

The file is a gzipped tar of the folder's files, the same bytes for the same model. Loading reads
the names that the manifest must have and no others, and compares every digest.

Source: issue 6 (`models pack|load`).
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
from pathlib import Path

import msgspec

from nextstep.errors import FileError
from nextstep.processors.io.prepared import (
    MANIFEST,
    TOKENIZER,
    Manifest,
    Prepared,
    model_names,
    read_manifest,
    require_fit,
    require_processor,
)

#: No file of a model we know is larger; one that claims to be would fill the disk.
_MOST_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1 << 20


def pack(prepared: Prepared, out: Path) -> str:
    """
    Write a prepared model into one file; return the file's sha256.

    Raises:
        FileError: the file cannot be written.
    """
    draft = out.with_name(f".{out.name}.draft")
    try:
        with (
            draft.open("wb") as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for name in (MANIFEST, *sorted(prepared.manifest.files)):
                path = prepared.folder / name
                member = tarfile.TarInfo(name)
                member.size = path.stat().st_size
                with path.open("rb") as handle:
                    tar.addfile(member, handle)
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise FileError(f"cannot write {out}: {error.strerror}") from error
    return file_sha256(out)


def unpack(file: Path, root: Path) -> Prepared:
    """
    Read a packed model into `root/<its name>`; it has passed every check that needs no inference.

    Args:
        root: an empty folder, given up by the caller whatever happens.

    Raises:
        FileError: no packed model, cut off, or with files that its manifest does not have.
        ModelError: a file's digest is another, it may not serve, or not on this processor.
    """
    try:
        with tarfile.open(file, mode="r:gz") as tar:
            first = tar.next()
            if first is None or first.name != MANIFEST or not first.isfile():
                raise _no_pack(file, f"it does not begin with {MANIFEST}")
            text = _read(tar, first, 1 << 20)
            manifest = _manifest(file, text)
            folder = root / manifest.name
            folder.mkdir(parents=True)
            (folder / MANIFEST).write_bytes(text)
            wanted = {TOKENIZER, *model_names(manifest.precision)}
            while (member := tar.next()) is not None:
                if member.name not in wanted or not member.isfile():
                    raise _no_pack(file, f"it holds {member.name!r}")
                wanted.remove(member.name)
                _write(tar, member, folder / member.name)
    except (OSError, EOFError, tarfile.TarError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileError(f"there is no file {file}") from error
        raise _no_pack(file, f"{type(error).__name__}: {error}") from error
    if wanted:
        raise _no_pack(file, f"it lacks {', '.join(sorted(wanted))}")
    manifest = read_manifest(folder)
    for name, digest in sorted(manifest.files.items()):
        if file_sha256(folder / name) != digest:
            raise _no_pack(file, f"{name} is not the file that its manifest describes")
    require_fit(manifest)
    require_processor(manifest)
    return Prepared(folder, manifest)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a whole file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _manifest(file: Path, text: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise _no_pack(file, f"its {MANIFEST} does not fit: {error}") from error
    name = manifest.name
    if (
        not name
        or name[0] == "."
        or not all(c.isascii() and (c.isalnum() or c in "-.") for c in name)
    ):
        raise _no_pack(file, f"it names a model {name!r}")
    return manifest


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo, most_bytes: int) -> bytes:
    source = tar.extractfile(member)
    if source is None or member.size > most_bytes:
        raise tarfile.ReadError(f"{member.name} cannot be read")
    return source.read()


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    if source is None or member.size > _MOST_BYTES:
        raise tarfile.ReadError(f"{member.name} cannot be read")
    with path.open("wb") as handle:
        shutil.copyfileobj(source, handle, _CHUNK_BYTES)


def _no_pack(file: Path, what: str) -> FileError:
    return FileError(
        f"{file.name} is no packed model that can be loaded: {what}",
        hint="pack it again where it was prepared: nextstep models pack",
    )
