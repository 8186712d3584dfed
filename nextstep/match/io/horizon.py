"""
Up to where the line has come: what an answer is true of.

Source: decisions.md 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

_OFFSETS = """
SELECT stage, position, version, epoch FROM stage_offsets WHERE stage = ANY($1) ORDER BY stage
"""
_AS_OF = "SELECT max(occurred_at) FROM job_events WHERE position > $1 AND position <= $2"


class Horizon(msgspec.Struct, frozen=True):
    """
    `head` is the lowest offset of the stages, `as_of` the greatest occurred_at at that head.

    `floor` is the lowest offset without the encoder's stage, behind which the other tables are
    settled; `epochs` change when a line is reset or swapped.
    """

    head: int = 0
    as_of: datetime | None = None
    versions: dict[str, str] = {}
    floor: int = 0
    epochs: tuple[int, ...] = ()


async def read_horizon(
    connection: Any, stages: Sequence[str], known: Horizon | None = None
) -> Horizon:
    """
    Return the horizon of the stages.

    Args:
        stages: in their order, the encoder's last.
        known: an earlier horizon, so that only news is scanned.
    """
    rows = {row["stage"]: row for row in await connection.fetch(_OFFSETS, list(stages))}
    offsets = [rows[stage]["position"] if stage in rows else 0 for stage in stages]
    head = min(offsets, default=0)
    if known is None or known.head > head:
        known = Horizon()
    as_of = known.as_of
    if head > known.head:
        newest = await connection.fetchval(_AS_OF, known.head, head)
        as_of = max(filter(None, (newest, as_of)), default=None)
    return Horizon(
        head,
        as_of,
        {stage: row["version"] for stage, row in rows.items()},
        min(offsets[:-1], default=0),
        tuple(rows[stage]["epoch"] for stage in stages if stage in rows),
    )
