"""The application on a socket, without the taxonomies, which take seconds: nothing is matched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from nextstep.db import pools
from nextstep.http.app import make_app
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings
from tests.encoder import encode_queries


@asynccontextmanager
async def web_client(
    url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """Lend a client of the whole application on a database."""
    pool = await pools.create_pool(url, "api", settings, max_size=4)
    stages = [msgspec.structs.replace(stage, fingerprint=None) for stage in line_stages(settings)]
    lexicon = SimpleNamespace(soft=frozenset(), taxonomies=None)
    monkeypatch.setattr("nextstep.http.app.make_lexicon", lambda _: lexicon)
    app = make_app(settings, pool, encode_queries, None, stages=stages, url=url)  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as opened:
        yield opened
    await pool.close()
