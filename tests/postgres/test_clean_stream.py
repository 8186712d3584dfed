"""The fold of whole streams, which the bulk path does, leaves what the line leaves of any log."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nextstep.db import pools
from nextstep.processors.clean import CLEAN
from nextstep.processors.shared.clean_fold import COLUMNS, FILL_COLUMNS, VERDICT_COLUMNS
from nextstep.processors.shared.clean_stream import Scans, Whole, fold_stream, last_content
from nextstep.settings import Settings
from tests.drafts import START
from tests.postgres.test_clean import STEPS, Clean, context, empty_log, write_log

_EVENTS = CLEAN.read.replace("ORDER BY e.position", "ORDER BY e.job_id, e.version")
_SCANS = """
SELECT position, payload ->> 'source', occurred_at FROM job_events
 WHERE kind = 'source.scanned' AND payload ->> 'complete' = 'true' ORDER BY position
"""


async def streams(connection: Any) -> list[Whole]:
    scans = Scans([tuple(row) for row in await connection.fetch(_SCANS)])
    events = [CLEAN.row(*row) for row in await connection.fetch(_EVENTS, 0, 2**62, 1000)]
    found = []
    for _, rows in itertools.groupby(events, key=lambda row: row.job_id):
        stream = list(rows)
        place = last_content(stream)
        if place is not None:
            (content,) = CLEAN.prepare(context(), [stream[place]])
            found.append(fold_stream(stream, content, scans))
    return found


@pytest.mark.req("D-05")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_the_fold_of_whole_streams_gives_the_rows_of_the_line(
    steps: list[Any], database: str, settings: Settings
) -> None:
    async def check() -> None:
        connection = await pools.connect(database, None, settings)
        try:
            await empty_log(connection)
            await write_log(connection, steps)
            await Clean(connection).run(500)
            found = await streams(connection)
            for table, columns, made in (
                ("jobs_normalized", COLUMNS, [each.job for each in found]),
                ("job_fill", FILL_COLUMNS, [each.fill for each in found]),
                ("pair_verdicts", VERDICT_COLUMNS, [each.verdict for each in found]),
            ):
                rows = await connection.fetch(f"SELECT {', '.join(columns)} FROM {table}")
                kept = [row for row in made if row is not None]
                assert sorted(map(repr, kept)) == sorted(repr(_plain(row)) for row in rows)
        finally:
            await connection.close(timeout=5)

    asyncio.run(check())


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(row)


def test_scans_are_asked_for_the_latest_time_between_two_positions() -> None:
    at = [START.replace(day=day) for day in (5, 9, 7, 2)]
    scans = Scans(zip((10, 20, 30, 40), ["board"] * 4, at, strict=True))
    assert scans.latest("board", 0, None) == at[1]
    assert scans.latest("board", 20, None) == at[2]
    assert scans.latest("board", 30, None) == at[3]
    assert scans.latest("board", 40, None) is None
    assert scans.latest("board", 9, 20) == at[0]
    assert scans.latest("board", 10, 20) is None
    assert scans.latest("other", 0, None) is None
