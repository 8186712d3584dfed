"""
One reader of the line's state for all who watch it, over server-sent events.

While anybody watches, one task reads the status document once a tick; every watcher gets the same
text, and only when it changed.

Source: issue 8 item 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from nextstep import logs
from nextstep.http.problem import Overloaded

#: Seconds between two reads while somebody watches.
TICK_S = 1.0
#: Ticks without news after which a watcher hears that we are alive; proxies cut silent lines.
_QUIET_TICKS = 15
#: Watchers at once; each holds a connection of a browser.
MOST_WATCHERS = 100


class Live:
    """Shares one status document among watchers; `await close()` ends them all."""

    def __init__(self, read: Callable[[], Awaitable[Any]], tick_s: float = TICK_S) -> None:
        self._read = read
        self._tick_s = tick_s
        self._watchers: set[asyncio.Queue[bytes | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._last = b""
        self._closed = False
        #: Reads made so far; a test looks that they do not grow with the watchers.
        self.reads = 0

    def require_room(self) -> None:
        """Refuse one watcher more than there may be: raises Overloaded."""
        if len(self._watchers) >= MOST_WATCHERS:
            raise Overloaded("too many consoles are open", hint="close one of them")

    async def watch(self) -> AsyncIterator[bytes]:
        """Give the document whenever it changed, b"" now and then when it did not."""
        if self._closed:
            return
        # One place suffices: whoever is slow gets the latest state and none of those before.
        mine: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._watchers.add(mine)
        # The next tick tells the newcomer, and what it tells was read after the newcomer's page.
        self._last = b""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tick())
        try:
            while True:
                try:
                    told = await asyncio.wait_for(mine.get(), self._tick_s * _QUIET_TICKS)
                except TimeoutError:
                    told = b""
                if told is None:
                    return
                yield told
        finally:
            self._watchers.discard(mine)

    async def close(self) -> None:
        """End every watcher and the task."""
        self._closed = True
        self._tell(None)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _tick(self) -> None:
        while self._watchers:
            try:
                text = msgspec.json.encode(await self._read())
                self.reads += 1
            except Exception as error:  # the database comes back, and the watchers with it
                logs.get("http").warning("status not read", error=type(error).__name__)
                text = b'{"unavailable":true}'
            if text != self._last:
                self._last = text
                self._tell(text)
            await asyncio.sleep(self._tick_s)

    def _tell(self, text: bytes | None) -> None:
        for watcher in self._watchers:
            if watcher.full():
                watcher.get_nowait()
            watcher.put_nowait(text)


LIVE = web.AppKey("live", Live)


async def get_events(request: web.Request) -> web.StreamResponse:
    """The status document as server-sent events."""
    live = request.app[LIVE]
    live.require_room()
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(request)
    with suppress(ConnectionResetError):
        async for text in live.watch():
            await response.write(b"data: " + text + b"\n\n" if text else b": still here\n\n")
    return response
