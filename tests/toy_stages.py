"""Two tiny stages for tests of the runner: `first` copies titles, `second` follows."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from nextstep.events.stage import Delete, InputRow, Stage, Upsert, Writes

DDL = """
CREATE TABLE toy_first (job_id uuid PRIMARY KEY, title text NOT NULL, position bigint NOT NULL);
CREATE TABLE toy_second (job_id uuid PRIMARY KEY, title text NOT NULL, position bigint NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON toy_first, toy_second TO nextstep_worker;
"""


class FirstRow(InputRow, frozen=True):
    payload: str


class SecondRow(InputRow, frozen=True):
    title: str


def prepare_first(_: Any, rows: list[FirstRow]) -> list[str]:
    titles = [json.loads(row.payload).get("title", "") for row in rows]
    for title in titles:
        if title == "poison":
            raise ValueError("a title that nobody can read")
        if title == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        if title == "slow":
            time.sleep(0.3)
    return titles


def decide_first(_: Any, rows: list[FirstRow], prepared: list[str], __: Any) -> Writes:
    if "undecided" in prepared:
        raise KeyError("no decision for this one")
    last = {
        row.job_id: (row.job_id, title, row.position)
        for row, title in zip(rows, prepared, strict=True)
    }
    write = Upsert("toy_first", ("job_id",), ("job_id", "title", "position"), list(last.values()))
    return Writes([write], {"out": len(last)}, {"title": [0.5] * len(last)})


def decide_asking(_: Any, rows: list[FirstRow], prepared: list[str | None], found: Any) -> Writes:
    """As `decide_first`, for a stage without `absent`: None means that the job leaves no row."""
    kept = [(row, title) for row, title in zip(rows, prepared, strict=True) if title is not None]
    gone = [(row.job_id,) for row, title in zip(rows, prepared, strict=True) if title is None]
    writes = decide_first(_, [row for row, _ in kept], [title for _, title in kept], found)
    return Writes([*writes.ops, Delete("toy_first", ("job_id",), gone)], writes.tallies)


def absent_first(rows: list[Any]) -> Writes:
    return Writes([Delete("toy_first", ("job_id",), [(row.job_id,) for row in rows])])


def prepare_second(_: Any, rows: list[SecondRow]) -> list[str]:
    return [row.title.upper() for row in rows]


def decide_second(_: Any, rows: list[SecondRow], prepared: list[str], __: Any) -> Writes:
    values = [
        # PostgreSQL refuses NUL in text: a fault that only the server sees.
        (row.job_id, "\0" if title == "NUL" else title, row.position)
        for row, title in zip(rows, prepared, strict=True)
    ]
    write = Upsert("toy_second", ("job_id",), ("job_id", "title", "position"), values)
    return Writes([write], {"out": len(values)})


def absent_second(rows: list[Any]) -> Writes:
    return Writes([Delete("toy_second", ("job_id",), [(row.job_id,) for row in rows])])


FIRST = Stage(
    name="first",
    code_version=1,
    upstream=None,
    row=FirstRow,
    read="""
SELECT position, job_id, payload::text FROM job_events
 WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3
""",
    prepare=prepare_first,
    decide=decide_first,
    absent=absent_first,
    tables=("toy_first",),
    digest_columns={"toy_first": ("job_id", "title")},
)

SECOND = Stage(
    name="second",
    code_version=1,
    upstream="first",
    row=SecondRow,
    read="""
SELECT position, job_id, title FROM toy_first
 WHERE position > $1 AND position <= $2
 ORDER BY position FETCH FIRST $3 ROWS WITH TIES
""",
    prepare=prepare_second,
    decide=decide_second,
    absent=absent_second,
    tables=("toy_second",),
    digest_columns={"toy_second": ("job_id", "title")},
)

TOYS = (FIRST, SECOND)


def says_well(row: FirstRow) -> bool:
    return '"well"' in row.payload
