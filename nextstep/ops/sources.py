"""How full every field of every source is, counted from `job_fill`."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from nextstep.processors.shared.fill import Fill, fill_rates

_GROUPS = """
SELECT source, observed_on, filled, count(*)
  FROM job_fill
 GROUP BY source, observed_on, filled
 ORDER BY source, observed_on, filled
"""


async def read_sources(connection: asyncpg.Connection) -> list[dict[str, Any]]:
    """Return the `sources` of the status document, counted in one pass over a narrow table."""
    groups = await connection.fetch(_GROUPS)
    return source_entries(fill_rates([(row[0], row[1], row[2], row[3]) for row in groups]))


def source_entries(fills: list[Fill]) -> list[dict[str, Any]]:
    """
    Return the `sources` of the status document: per source its windows, fields and drops.

    {"source", "posts", "recent": {"since", "posts"}, "earlier": {"posts"}, "dropped": [field],
    "fields": [{"field", "filled", "total", "rate", "recent_rate", "earlier_rate", "dropped"}]}
    """
    entries: dict[str, dict[str, Any]] = {}
    for fill in fills:
        entry = entries.setdefault(
            fill.source,
            {
                "source": fill.source,
                "posts": fill.total,
                "recent": {"since": fill.recent_since.isoformat(), "posts": fill.recent_total},
                "earlier": {"posts": fill.earlier_total},
                "dropped": [],
                "fields": [],
            },
        )
        if fill.dropped:
            entry["dropped"].append(fill.field)
        kept = ("field", "filled", "total", "rate", "recent_rate", "earlier_rate", "dropped")
        made = msgspec.to_builtins(fill)
        entry["fields"].append({name: made[name] for name in kept})
    return list(entries.values())


def drop_lines(sources: list[dict[str, Any]]) -> list[str]:
    """Return one line per field that a source fills so much less often that it is an alarm."""
    return [
        f"{entry['source']}: {field['field']} fell from {field['earlier_rate']:.0%} to "
        f"{field['recent_rate']:.0%} of posts since {entry['recent']['since']}"
        for entry in sources
        for field in entry["fields"]
        if field["dropped"]
    ]
