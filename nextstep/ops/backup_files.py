"""
Backups as files: names, the description beside each, encryption with age, and which to keep.

    nextstep-20260131T043000Z.dump.age        pg_dump's custom format, for the same major or newer
    nextstep-20260131T043000Z.artifacts.age   a tar of artifacts, for any server from 14 on
    nextstep-20260131T043000Z.json            what is in it; written last, so that it is whole

Only the recipient's public half is on the server: whoever takes the server cannot read backups.

Source: J-119 to J-122, postgres.md 5, issue 9 item 5.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
import pyrage

from nextstep.errors import FileError, UsageError

SCHEMA = 1
DAILY, WEEKLY = 14, 8
_NAME = re.compile(r"nextstep-(\d{8}T\d{6}Z)\.json$")
_STAMP = "%Y%m%dT%H%M%SZ"
_MAGIC = b"age-encryption.org/v1\n"
_BLOCK_BYTES = 1024 * 1024

Kind = Literal["dump", "artifacts"]


class Described(msgspec.Struct, frozen=True):
    """What a backup holds: enough to tell, after a restore, that it is the same."""

    schema: int
    file: str
    kind: Kind
    made_at: str
    nextstep: str
    server: str
    server_major: int
    pgvector: str
    sha256: str
    size_bytes: int
    head: int
    chain: str
    rows: dict[str, int]
    digests: dict[str, str]
    compared: dict[str, tuple[str, ...]]


def stem(at: datetime) -> str:
    """Return the name of a backup made at an instant, without its endings."""
    return f"nextstep-{at.astimezone(UTC):{_STAMP}}"


def describe(folder: Path, found: Described) -> Path:
    """Write the description of a backup that is there; it appears whole."""
    path = folder / f"{found.file.split('.')[0]}.json"
    fresh = path.with_suffix(".json.partial")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return fresh.rename(path)


def check(path: Path) -> tuple[Path, Described]:
    """
    Return a backup's encrypted file and description after comparing every byte.

    Args:
        path: the description, or the encrypted file.

    Raises:
        FileError: missing, damaged, or no backup.
    """
    description = path.parent / f"{path.name.split('.')[0]}.json"
    try:
        found = msgspec.json.decode(description.read_bytes(), type=Described)
        data = path.parent / Path(found.file).name
        size, sha256, start = _hashed(data)
    except (OSError, msgspec.DecodeError) as error:
        raise FileError(
            f"{path} is no backup that can be read: {error}",
            hint="name a file that `nextstep backup create` made; its .json belongs to it",
        ) from error
    if (size, sha256) != (found.size_bytes, found.sha256) or start != _MAGIC:
        raise FileError(
            f"the backup {data} is damaged",
            detail=f"{size} bytes of {found.size_bytes}, sha256 {sha256[:16]}",
            hint="take another copy of it, or the backup before it",
        )
    return data, found


def _hashed(path: Path) -> tuple[int, str, bytes]:
    with path.open("rb") as handle:
        start = handle.read(len(_MAGIC))
        handle.seek(0)
        return path.stat().st_size, hashlib.file_digest(handle, "sha256").hexdigest(), start


# --- encryption -----------------------------------------------------------------------------------


def recipients(texts: Iterable[str]) -> list[Any]:
    """
    Return the age recipients of texts such as `age1…`; commas part several.

    Raises:
        UsageError: none is given, or one cannot be read.
    """
    words = [word for text in texts for word in re.split(r"[\s,]+", text) if word]
    if not words:
        raise UsageError(
            "a backup needs a recipient to be encrypted to",
            hint="make a key elsewhere with age-keygen; give its public half: --recipient age1…, "
            "or NEXTSTEP_BACKUP_RECIPIENT",
        )
    try:
        return [pyrage.x25519.Recipient.from_str(word) for word in words]
    except pyrage.RecipientError as error:
        raise UsageError(
            f"a recipient is no age key: {error}",
            hint="it begins with age1; age-keygen -y shows it",
        ) from error


def identities(path: Path) -> list[Any]:
    """
    Return the age identities of a file as age-keygen writes it.

    Raises:
        FileError: it cannot be read or holds none. The key itself is never shown.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [
            pyrage.x25519.Identity.from_str(line.strip())
            for line in lines
            if line.startswith("AGE-SECRET-KEY-")
        ]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise FileError(f"cannot read the identity {path}: {type(error).__name__}") from error
    if not found:
        raise FileError(f"{path} holds no age identity", hint="name the file age-keygen wrote")
    return found


class Sealed:
    """A file under way: what is written is hashed; it gets its name only when all is well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._partial = path.with_name(f".{path.name}.partial")
        self._digest = hashlib.sha256()
        self._handle: IO[bytes] = self._partial.open("wb")

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size_bytes += len(data)
        return self._handle.write(data)

    def flush(self) -> None:
        self._handle.flush()

    @contextlib.contextmanager
    def whole(self) -> Iterator[Sealed]:
        """Keep the file if the block ends well; else leave nothing."""
        try:
            yield self
            self._handle.close()
            self._partial.rename(self.path)
        finally:
            self._handle.close()
            self._partial.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def encrypt(reader: Any, sealed: Sealed, to: Sequence[Any]) -> None:
    """Encrypt a stream to its end."""
    pyrage.encrypt_io(reader, sealed, list(to))


def decrypt(path: Path, target: Path, keys: Sequence[Any]) -> None:
    """
    Decrypt a file into another that is only there when all of it was authentic.

    Raises:
        FileError: tampered with, cut, or for other keys; no plaintext is left behind.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.touch(mode=0o600)
        with path.open("rb") as reader, partial.open("wb") as writer:
            pyrage.decrypt_io(reader, writer, list(keys))
        partial.rename(target)
    except (OSError, pyrage.DecryptError) as error:
        raise FileError(
            f"the backup {path.name} cannot be decrypted: {error}",
            detail="it was changed or cut, or it is for another key; no plaintext was kept",
            hint="nextstep backup verify says whether it is damaged",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


# --- which to keep --------------------------------------------------------------------------------


def stamps(folder: Path) -> dict[datetime, Path]:
    """Return the descriptions of a folder by the instants in their names, oldest first."""
    found = {}
    for path in sorted(folder.glob("nextstep-*.json")):
        if match := _NAME.match(path.name):
            found[datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)] = path
    return found


def kept(made: Iterable[datetime], *, daily: int = DAILY, weekly: int = WEEKLY) -> set[datetime]:
    """
    Return the backups to keep: the newest of each of the last days and weeks that have one.

    Days without a backup do not count, so that a server that stood still loses none.
    """
    newest = sorted(made, reverse=True)
    days: dict[Any, datetime] = {}
    weeks: dict[Any, datetime] = {}
    for at in newest:
        days.setdefault(at.date(), at)
        weeks.setdefault(at.isocalendar()[:2], at)
    return {*list(days.values())[:daily], *list(weeks.values())[:weekly], *newest[:1]}


def prune(
    folder: Path, *, daily: int = DAILY, weekly: int = WEEKLY, dry_run: bool = False
) -> list[str]:
    """
    Remove the backups that need not be kept and return their names, oldest first.

    The description goes first: without it nothing is taken for a backup.
    """
    there = stamps(folder)
    keep = kept(there, daily=daily, weekly=weekly)
    gone = [path for at, path in there.items() if at not in keep]
    for description in () if dry_run else gone:
        description.unlink()
        for path in folder.glob(f"{description.stem}.*.age"):
            path.unlink()
    return [path.stem for path in gone]
