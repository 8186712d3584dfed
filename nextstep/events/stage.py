"""
What a stage is: one value that names its reading query, its pure functions and its tables.

A stage is `prepare(context, rows)` (pure, in parallel, may run ahead) → look-ups, run by the
runner after the previous batch committed → `decide(context, rows, prepared, found)` (pure, one
batch after the other) → `Writes`. The runner alone does I/O; see `events/io/runner.py`.

Source: design.md 3 and 4, decisions.md 10-14.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from nextstep.settings import Settings


class InputRow(msgspec.Struct, frozen=True):
    """
    One row that a stage reads; a stage's own struct adds fields in its query's column order.

    `position` is the log position that last changed the row. Several rows may share one.
    """

    position: int
    job_id: UUID


class Upsert(msgspec.Struct, frozen=True):
    """Insert rows, or overwrite those with the same key. `rows` hold values in column order."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Delete(msgspec.Struct, frozen=True):
    """Delete the rows whose `key` columns equal one of `rows`."""

    table: str
    key: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Execute(msgspec.Struct, frozen=True):
    """Run one statement that is a constant of the stage's file."""

    sql: str
    args: tuple[Any, ...] = ()


Op = Upsert | Delete | Execute


class Writes(msgspec.Struct, frozen=True):
    """
    What a batch changes, in order, in one transaction with the offset.

    `tallies` are summed into `pipeline_runs.counts` ("out", "duplicates", ...);
    `confidences` maps a field to the confidences given in this batch.
    """

    ops: list[Op]
    tallies: dict[str, int] = {}
    confidences: dict[str, list[float]] = {}


#: Rows of every look-up so far, by its name.
Found = dict[str, list[tuple[Any, ...]]]


class Lookup(msgspec.Struct, frozen=True):
    """
    One read that a stage needs before it can decide.

    `args(rows, prepared, found)` gives the query's parameters; it is pure and sees the look-ups
    that stand before it in the stage. `sql` has an ORDER BY wherever order matters.
    """

    name: str
    sql: str
    args: Callable[[Sequence[Any], Sequence[Any], Found], tuple[Any, ...]]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """
    A subscription with an offset and outputs.

    Attributes:
        name: key in `stage_offsets`; letters, digits, `:`, `-`, `.`.
        code_version: bumped by hand whenever the same input gives other output.
        upstream: the stage whose offset bounds this one; None reads the log itself.
        row: the struct of one input row, fields in the order of `read`'s columns.
        read: SQL with $1 = offset (exclusive), $2 = upper bound (inclusive), $3 = limit;
            orders by position, job_id and ends on whole positions (WITH TIES).
        setup: makes what `prepare` gets as `context` (taxonomies, a model), once per process; None
            gives None.
        prepare: one value per row, in the same order; may raise for a bad row.
        lookups: reads between `prepare` and `decide`.
        decide: the writes of a batch.
        absent: the writes that leave no row of the given rows' jobs (parked ones). None: the stage
            needs its look-ups for that, and `decide` gets such rows with None for `prepared`.
        resolves: whether a row that went through makes a dead letter of its job good; None: any row
            does. (For clean a closing does not: it says nothing about the post that was parked.)
        tables: output tables, downstream readers included; a rebuild makes exactly these.
        digest_columns: table -> columns compared between two builds (book-keeping left out),
            with the primary key first.
        fingerprint: text that changes with taxonomies, models and libraries; part of the version.
        batch_size: rows read at once; 0 takes the setting.
        parallel: whether `prepare` may be cut over several processes.
        decides: where `decide` runs: in the parent's loop ("here"), or in a "thread" of the
            parent, so that heartbeats go on while it computes. Not in a worker: rows and look-ups
            would have to travel there, and cost more than what is computed.
        decide_setup: makes what `decide` gets as `context` in the parent; None gives None.
        keep_on_reset: a reset to 0 leaves the rows, because the stage knows by a content hash
            which of them still hold (vectors: minutes of work each thousand).
    """

    name: str
    code_version: int
    upstream: str | None
    row: type[InputRow]
    read: str
    prepare: Callable[[Any, list[Any]], list[Any]]
    decide: Callable[[Any, list[Any], list[Any], Found], Writes]
    absent: Callable[[list[Any]], Writes] | None
    tables: tuple[str, ...]
    digest_columns: dict[str, tuple[str, ...]]
    lookups: tuple[Lookup, ...] = ()
    resolves: Callable[[Any], bool] | None = None
    setup: Callable[[Settings], Any] | None = None
    fingerprint: Callable[[Settings], str] | None = None
    batch_size: int = 0
    parallel: bool = True
    keep_on_reset: bool = False
    decides: Literal["here", "thread"] = "here"
    decide_setup: Callable[[Settings], Any] | None = None


def stage_version(stage: Stage, settings: Settings) -> str:
    """Return what the stage's outputs depend on besides the log, as short text."""
    parts = [str(stage.code_version)]
    if stage.fingerprint is not None:
        parts.append(stage.fingerprint(settings))
    return "-".join(parts)
