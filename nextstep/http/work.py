"""
Connections for what changes something: the server's own pool can only read.

Source: decisions.md 26.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from nextstep.db import pools
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import Connection


class Work:
    """Opens a worker's connection for one action; they are too few to keep any."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """
        Lend a connection that may change offsets, letters and logins.

        Raises:
            Unreachable: no server, or its login may not act as a worker.
        """
        opened = await pools.connect(self._url, "worker", self._settings)
        try:
            yield opened
        finally:
            await opened.close(timeout=5)


WORK = web.AppKey("work", Work)
