"""Inspect and steer the offsets of the line: status, pause, resume, reset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from nextstep.db.queries import read_queries
from nextstep.errors import UsageError
from nextstep.events.stage import Stage, stage_version
from nextstep.settings import Settings

_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))


async def status(
    connection: asyncpg.Connection, settings: Settings, stages: Sequence[Stage]
) -> dict[str, Any]:
    """
    Return the status document of interface.md: head, wakeup, and one entry per stage in line order.

    Ages and ETAs are seconds; `lag` counts events; an ETA is None while nothing moves.

    Source: D-09, N-90, X-06.
    """
    rows = {row["stage"]: row for row in await connection.fetch(_QUERIES["status"])}
    head = int(await connection.fetchval(_QUERIES["head"]))
    known = {stage.name: stage for stage in stages}
    names = [*known, *(name for name in rows if name not in known)]
    polls = [name for name in rows if rows[name]["wakeup"] == "poll"]
    return {
        "head": head,
        "stages": [_entry(name, rows.get(name), known.get(name), head, settings) for name in names],
        "wakeup": "poll" if polls or not settings.notifications else "notify",
    }


def _entry(
    name: str, row: Any, stage: Stage | None, head: int, settings: Settings
) -> dict[str, Any]:
    if row is None:
        row = {
            "position": 0, "oldest_age_s": None, "rate_per_s": None, "status": "running",
            "holder": "", "epoch": 0, "version": "", "reason": "", "last_error": "",
            "dead_letters": 0,
        }  # fmt: skip
    lag = head - row["position"]
    rate = row["rate_per_s"]
    version = stage_version(stage, settings) if stage is not None else row["version"]
    stale = bool(row["version"]) and row["version"] != version
    return {
        "stage": name,
        "offset": row["position"],
        "lag": lag,
        "oldest_age_s": round(row["oldest_age_s"] or 0.0, 1) if lag else 0.0,
        "rate_per_s": round(rate, 1) if rate is not None else None,
        "eta_s": round(lag / rate, 1) if lag and rate else (0.0 if not lag else None),
        "status": row["status"],
        "holder": row["holder"],
        "epoch": row["epoch"],
        "version": row["version"],
        "stale": stale,
        "cure": f"nextstep rebuild {name} --swap" if stale else "",
        "dead_letters": row["dead_letters"],
        "last_error": row["last_error"],
        "reason": row["reason"],
    }


async def set_status(
    connection: asyncpg.Connection, stage: str, status: str, reason: str = ""
) -> None:
    """
    Pause ("paused") or resume ("running") a stage.

    Raises:
        UsageError: no such stage.
    """
    if await connection.fetchval(_QUERIES["set_status"], stage, status, reason) is None:
        raise await unknown_stage(connection, stage)


async def unknown_stage(connection: asyncpg.Connection, stage: str) -> UsageError:
    """Return the error for a stage that has no row, naming those that have one."""
    names = [row["stage"] for row in await connection.fetch(_QUERIES["offset_rows"])]
    return UsageError(
        f"no stage is named {stage}",
        detail=f"stages with an offset: {', '.join(names) or 'none yet'}",
        hint="nextstep status lists them",
    )


def downstream(stages: Sequence[Stage], stage: str) -> list[Stage]:
    """Return the stage and all that read from it, in line order."""
    reached = {stage}
    for candidate in stages:
        if candidate.upstream in reached:
            reached.add(candidate.name)
    return [candidate for candidate in stages if candidate.name in reached]


async def reset(
    connection: asyncpg.Connection, stages: Sequence[Stage], stage: str, to: int
) -> dict[str, tuple[int, int]]:
    """
    Rewind a stage, and with it all that read from it; return stage -> (before, after).

    At 0 their tables are emptied, but for those that a stage keeps (`keep_on_reset`), so that rows
    of older code cannot remain. Whoever is at work is fenced by the epoch.

    Raises:
        UsageError: no such stage, or a position beyond its offset.
    """
    async with connection.transaction():
        before = {
            row["stage"]: row["position"] for row in await connection.fetch(_QUERIES["offset_rows"])
        }
        if stage not in before:
            raise await unknown_stage(connection, stage)
        if not 0 <= to <= before[stage]:
            raise UsageError(
                f"cannot reset {stage} to {to}: its offset is {before[stage]}",
                hint="a reset goes back only; what lies ahead is reached by running",
            )
        moved: dict[str, tuple[int, int]] = {}
        for each in downstream(stages, stage):
            if each.name not in before:
                continue
            after = await connection.fetchval(_QUERIES["reset_stage"], each.name, to)
            moved[each.name] = (before[each.name], after)
            if after == 0 and not each.keep_on_reset:
                await connection.execute(f"TRUNCATE {', '.join(each.tables)}")
    return moved


async def stale_stages(
    connection: asyncpg.Connection, settings: Settings, stages: Sequence[Stage]
) -> list[str]:
    """Return every stage whose code, taxonomies or model changed since its rows, in line order."""
    rows = {row["stage"]: row["version"] for row in await connection.fetch(_QUERIES["offset_rows"])}
    return [
        stage.name
        for stage in stages
        if rows.get(stage.name) and rows[stage.name] != stage_version(stage, settings)
    ]
