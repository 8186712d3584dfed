"""
SQL for the digest of a table: SHA-256 over its canonical rows in primary-key order.

A row is the join by "," of its fields in column order; a field is "<characters>:<text>", or "-" for
NULL, so that no two rows read alike. The texts depend on no setting of the server or session:

    boolean, integers, uuid, text, jsonb    as PostgreSQL prints them
    numeric                                 without trailing zeros
    double precision, real                  the IEEE bytes in hex
    timestamptz, timestamp                  seconds since 1970, six decimals
    date                                    days since 1970-01-01
    bytea                                   hex
    arrays                                  of text and integers only, as PostgreSQL prints them

The digest is sha256 over the sha256 of every row: 32 bytes a row are held, whatever a row weighs.

Source: design.md 5, decisions.md 12, D-05.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from nextstep.errors import UsageError

#: Ranges that `ranges_sql` cuts a table into, by the first four bits of the key's sha256.
RANGES = 16

_NUMBERS = ("smallint", "integer", "bigint")
_PLAIN = frozenset({"boolean", "uuid", "jsonb", "text[]", "uuid[]", *_NUMBERS}) | {
    f"{number}[]" for number in _NUMBERS
}
_FORMS = {
    "numeric": "trim_scale({0})::text",
    "double precision": "encode(float8send({0}), 'hex')",
    "real": "encode(float4send({0}), 'hex')",
    "timestamp with time zone": "extract(epoch FROM {0})::numeric::text",
    "timestamp without time zone": "extract(epoch FROM {0})::numeric::text",
    "date": "({0} - DATE '1970-01-01')::text",
    "bytea": "encode({0}, 'hex')",
}
_TEXTS = frozenset({"text", "character varying"})
#: numeric(14,2), character varying(20), timestamp(3) with time zone
_MODIFIER = re.compile(r"\([^)]*\)")


class Column(msgspec.Struct, frozen=True):
    """A column and its type as `format_type` names it."""

    name: str
    type: str


class TableDigest(msgspec.Struct, frozen=True):
    """Rows of a table (or of one range of its keys) and their digest in hex."""

    rows: int
    sha256: str


def digest_sql(table: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    """
    Return the query of (rows, sha256 in hex) over a table.

    Args:
        table: looked up through the search path, so that a shadow schema has its own digest.
        columns: what is compared, the key's columns among them.
        key: the primary key; rows are taken in its order, texts by code point.

    Raises:
        UsageError: a type has no text form that is the same everywhere, or the key is not compared.
    """
    return (
        f"SELECT count(*)::bigint, {_total(columns, key)}\n"
        f"FROM (SELECT {_names(key)}, {_row(columns)} AS digest FROM {quoted(table)}) AS hashed"
    )


def ranges_sql(table: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    """
    Return the query of (range, rows, sha256 in hex) for the ranges that hold rows, by number.

    Two builds whose digests differ are told apart range by range, without moving their rows.
    """
    chosen = [column for column in columns if column.name in key]
    prefix = f"get_byte({_row(chosen)}, 0) * {RANGES} / 256"
    return (
        f"SELECT part, count(*)::bigint, {_total(columns, key)}\n"
        f"FROM (SELECT {_names(key)}, {_row(columns)} AS digest, {prefix} AS part"
        f" FROM {quoted(table)}) AS hashed\n"
        "GROUP BY part ORDER BY part"
    )


def differing(mine: Mapping[int, TableDigest], theirs: Mapping[int, TableDigest]) -> list[int]:
    """Return the ranges that are not the same in two builds, in order."""
    return [part for part in range(RANGES) if mine.get(part) != theirs.get(part)]


def _total(columns: Sequence[Column], key: Sequence[str]) -> str:
    types = {column.name: column.type for column in columns}
    if not key or not set(key) <= types.keys():
        raise UsageError(f"the key {tuple(key)} is not among the compared columns {tuple(types)}")
    order = ", ".join(
        quoted(name) + (' COLLATE "C"' if types[name] in _TEXTS else "") for name in key
    )
    joined = f"string_agg(digest, ''::bytea ORDER BY {order})"
    return f"encode(sha256(coalesce({joined}, ''::bytea)), 'hex')"


def _row(columns: Sequence[Column]) -> str:
    fields = " || ',' || ".join(_field(column) for column in columns)
    return f"sha256(convert_to({fields}, 'UTF8'))"


def _field(column: Column) -> str:
    text = field_text(column)
    return f"coalesce(length({text}) || ':' || {text}, '-')"


def field_text(column: Column, of: str = "") -> str:
    """
    Return the expression of a column's canonical text; `of` is the alias of its table.

    Raises:
        UsageError: the type has no text form that is the same everywhere.
    """
    base = _MODIFIER.sub("", column.type)
    name = f"{of}.{quoted(column.name)}" if of else quoted(column.name)
    if base in _TEXTS:
        return name
    if base in _PLAIN:
        return f"{name}::text"
    if base in _FORMS:
        return _FORMS[base].format(name)
    raise UsageError(
        f"column {column.name} of type {column.type} cannot be part of a digest",
        detail="its text depends on settings or versions",
        hint="leave the column out of digest_columns, or give the type a form in digest.py",
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
