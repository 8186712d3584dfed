"""
Migration files in dbmate's format, read strictly.

`<digits>_<name>.sql`, one `-- migrate:up` block, then one `-- migrate:down` block. What dbmate
would silently misread is refused here: a BOM, two files of one version, `transaction: false` with
a space, several pairs, BEGIN or COMMIT.

Source: D-12, postgres.md 2.
"""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import msgspec

from nextstep.errors import MigrationError

_NAME = re.compile(r"^(\d+).*\.sql$", re.DOTALL)
_DIRECTIVE = re.compile(r"^--\s*migrate:(up|down)\b([^\r\n]*)\r?$", re.MULTILINE)
_BEFORE = re.compile(r"(\s*(--[^\n]*)?(\n|$))*")
_TRANSACTION_WORD = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", re.IGNORECASE | re.MULTILINE)


class Block(msgspec.Struct, frozen=True):
    """SQL of one direction, directive line included, as it is sent to the server."""

    sql: str
    transaction: bool


class Migration(msgspec.Struct, frozen=True):
    """One file. `version` is text: the leading digits of the name."""

    version: str
    name: str
    up: Block
    down: Block
    checksum: str  # SHA-256 of the file, hex


def read_migrations(folder: Path) -> list[Migration]:
    """
    Return every migration of a folder, by rising version.

    Raises:
        MigrationError: a file does not keep to the format, or two have one version.
    """
    found = [
        parse_migration(path.name, path.read_bytes())
        for path in sorted(folder.glob("*.sql"), key=lambda path: path.name)
    ]
    if not found:
        raise MigrationError(
            f"no migrations in {folder}", hint="the installation is damaged: install NextStep again"
        )
    for before, after in pairwise(found):
        if len(before.version) != len(after.version) or before.version >= after.version:
            raise MigrationError(
                f"versions do not rise: {before.name}, then {after.name}",
                detail="versions are compared as text, so they need one width and no repeats",
                hint="name new files with the present time, 14 digits, UTC",
            )
    return found


def parse_migration(name: str, content: bytes) -> Migration:
    """
    Return one migration file taken apart.

    Raises:
        MigrationError: the file does not keep to the format.
    """
    version = _NAME.match(name)
    if version is None:
        raise _damaged(name, "the name does not begin with digits")
    if content.startswith(b"\xef\xbb\xbf"):
        raise _damaged(name, "it begins with a byte order mark")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _damaged(name, "it is not UTF-8") from error
    marks = list(_DIRECTIVE.finditer(text))
    if [mark[1] for mark in marks] != ["up", "down"]:
        raise _damaged(name, "it needs one `-- migrate:up`, then one `-- migrate:down`")
    up, down = marks
    if not _BEFORE.fullmatch(text[: up.start()]):
        raise _damaged(name, "only comments may stand before `-- migrate:up`")
    return Migration(
        version=version[1],
        name=name,
        up=_block(name, text[up.start() : down.start()], up[2]),
        down=_block(name, text[down.start() :], down[2]),
        checksum=hashlib.sha256(content).hexdigest(),
    )


def _block(name: str, sql: str, options: str) -> Block:
    words = options.split()
    if any(word not in ("transaction:false", "transaction:true") for word in words):
        raise _damaged(name, f"option not understood: {' '.join(words)}")
    transaction = "transaction:false" not in words
    if transaction and _TRANSACTION_WORD.search(sql):
        raise _damaged(name, "BEGIN, COMMIT or ROLLBACK stands inside; the runner does that")
    return Block(sql=sql, transaction=transaction)


def _damaged(name: str, why: str) -> MigrationError:
    return MigrationError(f"migration {name} is not in dbmate's format", detail=why)
