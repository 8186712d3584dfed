"""The shipped sample never gets among somebody's own posts."""

from __future__ import annotations

from typing import Any

from nextstep.db import pools
from nextstep.events.io.log import append
from nextstep.ops.bootstrap import takes_sample
from nextstep.settings import Settings
from tests.drafts import draft
from tests.whole_line import SAMPLE, append_sample


async def test_an_empty_log_takes_the_sample_and_so_does_one_that_has_it(
    database: str, settings: Settings
) -> None:
    assert takes_sample(database, SAMPLE)
    await append_sample(settings, database)
    assert takes_sample(database, SAMPLE)


async def test_a_log_of_own_posts_does_not_take_the_sample(
    database: str, settings: Settings
) -> None:
    writer: Any = await pools.connect(database, "ingest", settings)
    await append(writer, [draft(1)])
    await writer.close()
    assert not takes_sample(database, SAMPLE)
