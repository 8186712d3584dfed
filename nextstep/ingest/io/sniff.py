"""What a file is, by its first bytes and only then by its name; and in which encoding it is."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import msgspec

from nextstep.errors import FileError
from nextstep.ingest.values import repaired

_MAGIC = {b"SQLite format 3\0": "sqlite", b"PAR1": "parquet"}

#: Kinds we can name but not read, and what to do about each.
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save the sheet as CSV"),
    (b"%PDF", "a PDF document", "export the posts as CSV or JSON lines"),
    (b"BZh", "packed with bzip2", "unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ", "packed with xz", "unpack it first: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it first: unzstd FILE"),
    (b"\x7fELF", "a program", "name the file with the posts"),
    (b"\x89PNG", "an image", "name the file with the posts"),
    (b"\xff\xd8\xff", "an image", "name the file with the posts"),
    (b"ORC", "an ORC file", "convert it to Parquet"),
    (b"Obj\x01", "an Avro file", "convert it to Parquet or JSON lines"),
)
_SUFFIXES = {
    "csv": "csv", "tsv": "csv", "tab": "csv",
    "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl",
    "sqlite": "sqlite", "sqlite3": "sqlite", "db": "sqlite", "parquet": "parquet",
}  # fmt: skip
_KINDS_READ = "SQLite, CSV (also .gz), JSON lines (also .gz) and Parquet are read"

#: Bytes looked at to tell text from other things and to find its encoding.
SAMPLE_BYTES = 4 * 1024 * 1024

_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


class FileFacts(msgspec.Struct, frozen=True):
    """
    A file before it is read.

    `kind` is sqlite, parquet, csv or jsonl; `encoding` is set for the last two, `packed` for gzip.
    """

    path: Path
    name: str
    kind: str
    packed: bool
    encoding: str
    size_bytes: int
    modified_at: datetime
    sha256: bytes


def require_file(path: Path) -> None:
    """
    Return if there is a file to read.

    Raises:
        FileError: missing, or a folder.
    """
    if not path.is_file():
        missing = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileError(f"{path} {missing}", hint="name a file with posts")


def look_at(path: Path, encoding: str = "") -> FileFacts:
    """
    Return what a file is, after reading it once for its digest.

    Raises:
        FileError: missing, empty, unreadable, damaged, or of a kind that is not read.
    """
    try:
        require_file(path)
        state = path.stat()
        if not state.st_size:
            raise FileError(f"{path} is empty", hint="name a file with posts")
        with path.open("rb") as handle:
            head = handle.read(16)
        packed = head.startswith(b"\x1f\x8b")
        sample = _sample(path, packed)
        kind = _kind(path, sample, packed)
        digest = _digest(path)
    except OSError as error:
        raise FileError(
            f"cannot read {path}: {error.strerror or error}", hint="check its rights and its disk"
        ) from error
    if kind in ("csv", "jsonl"):
        encoding = encoding or _encoding(path, sample)
    return FileFacts(
        path=path,
        name=repaired(path.name)[0],
        kind=kind,
        packed=packed,
        encoding=encoding,
        size_bytes=state.st_size,
        modified_at=datetime.fromtimestamp(state.st_mtime, UTC),
        sha256=digest,
    )


def open_bytes(facts: FileFacts) -> tuple[IO[bytes], IO[bytes]]:
    """Return a text file's bytes, unpacked, and the file below, whose place shows progress."""
    raw = facts.path.open("rb")
    unpacked = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if facts.packed else raw
    return unpacked, raw


def damaged(name: str, error: BaseException) -> FileError:
    """Return the error for a file that broke off while it was read."""
    return FileError(
        f"{name} is damaged: {_plain(error)}",
        detail="what was read before the damage is in the log, in whole batches",
        hint="get the file again and repeat the command; nothing is appended twice",
    )


def _plain(error: BaseException) -> str:
    # Messages of decoders quote what they choke on; their kind is enough.
    return "it cannot be decoded" if isinstance(error, UnicodeError) else str(error)


def _sample(path: Path, packed: bool) -> bytes:
    with path.open("rb") as raw:
        if not packed:
            return raw.read(SAMPLE_BYTES)
        try:
            return gzip.GzipFile(fileobj=raw).read(SAMPLE_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            # A file cut off within the sample holds no row that can be trusted.
            raise FileError(
                f"{path} is a damaged gzip file: {error}", hint="get the file again"
            ) from error


def _kind(path: Path, sample: bytes, packed: bool) -> str:
    for magic, kind in _MAGIC.items():
        if sample.startswith(magic):
            if packed:
                raise FileError(
                    f"{path} is a packed {kind} file, which cannot be read in place",
                    hint=f"unpack it first: gunzip -k {path}",
                )
            return kind
    for magic, what, hint in _FOREIGN:
        if sample.startswith(magic):
            raise FileError(f"{path} is {what}", detail=_KINDS_READ, hint=hint)
    by_name = _SUFFIXES.get([s for s in path.name.lower().split(".") if s != "gz"][-1], "")
    if by_name in ("sqlite", "parquet"):
        raise FileError(
            f"{path} is no {by_name} file: its first bytes are not those of one",
            hint="get the file again; it may be cut off, encrypted or misnamed",
        )
    if _is_binary(sample):
        raise FileError(
            f"{path} is a binary file of an unknown kind", detail=_KINDS_READ, hint="convert it"
        )
    first = sample.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[" and by_name != "csv":
        raise FileError(
            f"{path} is one JSON array, which would have to be read whole",
            hint=f"make lines of it: jq -c '.[]' {path} > posts.jsonl",
        )
    if first == b"{" and by_name != "csv":
        return "jsonl"
    return by_name or "csv"


def _is_binary(sample: bytes) -> bool:
    """Control characters tell; a few NUL bytes in a text are a fault of rows, not of the file."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    controls = len(_CONTROLS.findall(sample)) / len(sample) if sample else 0.0
    nuls = sample.count(0) / len(sample) if sample else 0.0
    is_utf8 = not _invalid_bytes(sample)
    return controls > 0.05 or nuls > 0.3 or (not is_utf8 and controls + nuls > 0.01)


def _encoding(path: Path, sample: bytes) -> str:
    if sample.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    invalid = _invalid_bytes(sample)
    if not invalid:
        return "utf-8"
    # Rows with a damaged byte among thousands of good UTF-8 letters are rejects, not another
    # encoding; a file whose letters are mostly no UTF-8 is the old Windows one.
    letters = sum(1 for c in sample.decode("utf-8", "ignore") if not c.isascii())
    return "cp1252" if invalid > letters else "utf-8"


def _invalid_bytes(sample: bytes) -> int:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(sample) - 3 and len(sample) == SAMPLE_BYTES:
            return 0  # a letter cut in two by the end of the sample
        text = sample.decode("utf-8", "surrogateescape")
        return len(re.findall("[\udc80-\udcff]", text))
    return 0


def _digest(path: Path) -> bytes:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").digest()
