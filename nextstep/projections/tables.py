"""The tables made from the log, by stage: what a rebuild makes and a digest compares."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from nextstep.events.stage import Stage


class ProjectionTable(msgspec.Struct, frozen=True):
    """
    A table of a stage. `compared` are the columns of its digest, the primary key's first; empty
    where the table only helps its stage and is left out of the digest.
    """

    name: str
    stage: str
    compared: tuple[str, ...]


def projection_tables(stages: Iterable[Stage]) -> tuple[ProjectionTable, ...]:
    """
    Return the tables of the stages, in their order, each once.

    Two stages share a table when they are the same step for two models; the first is named.
    """
    tables: dict[str, ProjectionTable] = {}
    for stage in stages:
        for name in (*stage.tables, *stage.digest_columns):
            compared = stage.digest_columns.get(name, ())
            tables.setdefault(name, ProjectionTable(name, stage.name, compared))
    return tuple(tables.values())
