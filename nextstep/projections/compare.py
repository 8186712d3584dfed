"""
SQL that compares two builds of one table, and what the comparison says.

Rows are the same when the texts that their digest is made of are the same (`digest.py`), so that a
difference listed here and a difference of digests are one thing.

Source: design.md 5, decisions.md 23.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nextstep.projections.digest import Column, field_text, quoted

#: Longest value shown of a sample, in characters.
SHOWN = 60


class TableChange(msgspec.Struct):
    """
    One table in two builds. `columns` maps a column to its changed rows; `ranges` are the differing
    ranges of keys; a sample is {"key", "change", "columns": {name: [live, rebuilt]}}.
    """

    table: str
    stage: str
    live_rows: int
    rebuilt_rows: int
    live_sha256: str
    rebuilt_sha256: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: dict[str, int] = {}
    ranges: list[int] = []
    samples: list[dict[str, Any]] = []

    @property
    def is_equal(self) -> bool:
        return self.live_sha256 == self.rebuilt_sha256 and not (
            self.added or self.removed or self.changed
        )


def counts_sql(live: str, rebuilt: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    """
    Return the query of (added, removed, changed, one count per column outside the key).

    `live` and `rebuilt` are the qualified names of the two tables.
    """
    others = _others(columns, key)
    per_column = "".join(
        f", count(*) FILTER (WHERE {_both(key)} AND {_differs(column)})" for column in others
    )
    return (
        f"SELECT count(*) FILTER (WHERE l.{quoted(key[0])} IS NULL),"
        f" count(*) FILTER (WHERE s.{quoted(key[0])} IS NULL),"
        f" count(*) FILTER (WHERE {_both(key)} AND {_changed(others)}){per_column}\n"
        f"{_joined(live, rebuilt, key)}"
    )


def samples_sql(live: str, rebuilt: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    """Return the query of differing rows (change, key, live texts, rebuilt texts), $1 of a kind."""
    others = _others(columns, key)
    both = [f"array_to_string(ARRAY[{_cut(side, key, columns)}], ' ')" for side in "ls"]
    texts = [_texts(side, others) for side in "ls"]
    kind = (
        f"CASE WHEN l.{quoted(key[0])} IS NULL THEN 'added'"
        f" WHEN s.{quoted(key[0])} IS NULL THEN 'removed' ELSE 'changed' END"
    )
    return (
        "SELECT change, key, live, rebuilt FROM (\n"
        f"SELECT {kind} AS change,"
        f" CASE WHEN l.{quoted(key[0])} IS NULL THEN {both[1]} ELSE {both[0]} END AS key,"
        f" {texts[0]} AS live, {texts[1]} AS rebuilt,"
        f" row_number() OVER (PARTITION BY {kind}"
        f" ORDER BY {', '.join(f'coalesce(l.{quoted(k)}, s.{quoted(k)})' for k in key)}) AS nth\n"
        f"{_joined(live, rebuilt, key)}\n"
        f"WHERE NOT ({_both(key)}) OR {_changed(others)}) AS differing\n"
        "WHERE nth <= $1 ORDER BY change, nth"
    )


def sample(row: Sequence[Any], others: Sequence[str]) -> dict[str, Any]:
    """Return one row of `samples_sql` as a document; only differing columns are named."""
    change, key, live, rebuilt = row
    columns = {}
    if change == "changed":
        columns = {
            name: [mine, theirs]
            for name, mine, theirs in zip(others, live, rebuilt, strict=True)
            if mine != theirs
        }
        # Cut texts may look alike though they differ further on; then no value is shown.
        columns = {name: [_short(a), _short(b)] for name, (a, b) in columns.items()}
    return {"change": change, "key": key, "columns": columns}


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHOWN else text[:SHOWN] + "…"


def _others(columns: Sequence[Column], key: Sequence[str]) -> list[Column]:
    return [column for column in columns if column.name not in key]


def _joined(live: str, rebuilt: str, key: Sequence[str]) -> str:
    names = " AND ".join(f"l.{quoted(name)} = s.{quoted(name)}" for name in key)
    return f"FROM {live} AS l FULL JOIN {rebuilt} AS s ON {names}"


def _both(key: Sequence[str]) -> str:
    return f"l.{quoted(key[0])} IS NOT NULL AND s.{quoted(key[0])} IS NOT NULL"


def _changed(others: Sequence[Column]) -> str:
    return "(" + (" OR ".join(map(_differs, others)) or "false") + ")"


def _differs(column: Column) -> str:
    return f"{field_text(column, 'l')} IS DISTINCT FROM {field_text(column, 's')}"


def _texts(side: str, columns: Sequence[Column]) -> str:
    return "ARRAY[" + ", ".join(field_text(column, side) for column in columns) + "]::text[]"


def _cut(side: str, key: Sequence[str], columns: Sequence[Column]) -> str:
    types = {column.name: column for column in columns}
    return ", ".join(field_text(types[name], side) for name in key)
