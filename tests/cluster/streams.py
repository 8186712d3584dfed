"""A log with streams of every kind, and settings that make little of it."""

from __future__ import annotations

from pathlib import Path

from nextstep.db import pools
from nextstep.events.io import log
from nextstep.settings import Settings
from tests.conftest import notifications
from tests.drafts import draft
from tests.postgres.test_clean import erase, judge, requeue, scan
from tests.whole_line import append_sample


async def write_log(settings: Settings, url: str) -> None:
    """The sample, and streams of every kind: revised, closed, scanned, requeued, erased, judged."""
    await append_sample(settings, url)
    connection = await pools.connect(url, None, settings)
    try:
        await log.append(connection, [draft(n, f"Data engineer {n}") for n in range(40)])
        await scan(connection, "board", range(5, 40), 2)  # closes 0 to 4
        await log.append(
            connection, [draft(n, f"Platform engineer {n}", day=3) for n in range(0, 20, 2)]
        )
        await scan(connection, "board", range(3, 30), 5)
        await requeue(connection, 7)
        await erase(connection, 8)
        await judge(connection, 10, 11, "same")
        await judge(connection, 10, 11, "not_same")
        await scan(connection, "board", range(3, 28), 6)
    finally:
        await connection.close()


def small(url: str, home: Path) -> Settings:
    """Settings of a database of these tests: one worker of each kind."""
    return Settings(
        database_url=url, home=home, executor="inline", workers=1, notifications=notifications(),
        poll_interval_s=0.2,
    )  # fmt: skip
