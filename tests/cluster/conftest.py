"""One private Ray cluster and one log for the tests of this folder."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nextstep.settings import Settings
from tests.cluster.streams import small, write_log
from tests.whole_line import digests, drain

#: Ray's own code, in this process: files it leaves to the collector, and what it calls deprecated.
_OF_RAY = ("ignore::ResourceWarning", "ignore::FutureWarning:ray", "ignore::DeprecationWarning:ray")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/cluster/" in str(item.path):
            for each in _OF_RAY:
                item.add_marker(pytest.mark.filterwarnings(each))


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """The module, joined to the cluster: what joins and leaves meanwhile does not end it."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not here")
    from nextstep.events.io import ray_cluster

    joined = ray_cluster.join(Settings(executor="ray", workers=2))
    yield joined
    ray_cluster.leave()


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="nextstep-bulk-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def logged(make_database: Any, template: str, shared_home: Path) -> str:
    """The name of a database with the log alone, to be cloned."""
    url = make_database(template)
    asyncio.run(write_log(small(url, shared_home), url))
    return _name(url)


@pytest.fixture(scope="session")
def local(make_database: Any, logged: str, shared_home: Path) -> dict[str, Any]:
    """The digests of the line on that log."""
    url = make_database(logged)
    settings = small(url, shared_home)
    asyncio.run(drain(settings, url))
    return asyncio.run(digests(settings, url))


def _name(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
