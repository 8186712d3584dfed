"""Batches of trends without a line: the look-ups, `decide` and the writes, as the runner does."""

from __future__ import annotations

from typing import Any

import msgspec

from nextstep.events.io.writes import Writer
from nextstep.projections.trends import TRENDS, TrendRow

#: What these batches take for a soft skill.
GENERIC = frozenset({"excel"})


async def apply_batch(
    connection: Any, rows: list[TrendRow], parked: list[TrendRow], *, has_more: bool = False
) -> None:
    """Do what the runner does with a batch of which some rows are parked."""
    prepared = [*TRENDS.prepare(GENERIC, rows), *(None for _ in parked)]
    marked = [msgspec.structs.replace(row, has_more=has_more) for row in (*rows, *parked)]
    found: dict[str, Any] = {}
    for lookup in TRENDS.lookups:
        args = lookup.args(marked, prepared, found)
        found[lookup.name] = [tuple(r) for r in await connection.fetch(lookup.sql, *args)]
    writes = TRENDS.decide(GENERIC, marked, prepared, found)
    async with connection.transaction():
        await Writer().apply(connection, writes.ops)
