"""A database with posts through every stage, made once for all tests of this folder."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from nextstep.settings import Settings
from tests.conftest import notifications
from tests.whole_line import append_sample, drain, test_stages


@pytest.fixture(scope="session")
def drained(make_database: Any, template: str) -> Iterator[str]:
    """The URL of it; nobody writes into it. Clone it with `clone`."""
    url = make_database(template)
    home = Path(tempfile.mkdtemp())

    async def fill() -> None:
        settings = Settings(
            database_url=url, home=home, executor="inline", notifications=notifications()
        )
        await append_sample(settings, url, rows=60)
        # One after the other: what one computes must not let another's connection run out of time.
        for stage in test_stages(settings):
            await drain(settings, url, [stage])

    asyncio.run(fill())
    shutil.rmtree(home)
    yield url


@pytest.fixture
def clone(drained: str, make_database: Any) -> Callable[[], str]:
    """A function that returns the URL of a fresh copy of it."""
    name = str(psycopg.conninfo.conninfo_to_dict(drained)["dbname"])
    return lambda: str(make_database(name))


@pytest.fixture
def line_settings(home: Path, drained: str) -> Settings:
    """Settings for the drained database, working in this process."""
    return msgspec.structs.replace(
        Settings(), database_url=drained, home=home, executor="inline", poll_interval_s=0.2,
        notifications=notifications(),
    )  # fmt: skip
