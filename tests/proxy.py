"""
A TCP proxy before the server that breaks the wire on command.

It runs in a thread of its own, so that a test may block, and listens on loopback; the server behind
it is the one of the URL, on TCP or a socket. Faults are told from outside:

    cut()     every open connection ends at once (RST), new ones are taken
    refuse()  as `cut`, and new ones are refused
    stall()   nothing passes any more on the open connections; they stay open. New ones work:
              a half-open connection, of which only one side still knows
    freeze()  as `stall`, and new ones are taken and get no answer
    heal()    everything passes again, also what a stall held back
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from nextstep.db.dsn import parse

_RESET = struct.pack("ii", 1, 0)


class _Link:
    """One connection: both sockets, and whether bytes may pass."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.open = asyncio.Event()
        self.open.set()

    def reset(self) -> None:
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class Proxy:
    """See the module. `passed` counts bytes towards the client, `links` the open connections."""

    def __init__(self, url: str) -> None:
        self._dsn = parse(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._links: list[_Link] = []
        self._refused = False
        self._frozen = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.delay_s = 0.0
        self.passed = 0
        self.taken = 0
        #: Called with each piece from the server; True cuts the link before it is passed on.
        self.cut_when: Callable[[bytes], bool] | None = None
        self.cuts = 0
        #: What the client gets instead of a piece from the server; b"" loses it, the link stays.
        self.rewrite: Callable[[bytes], bytes] | None = None
        self.rewritten = 0
        self.port = 0

    # --- from the test's thread -----------------------------------------------------------------

    @property
    def url(self) -> str:
        login = quote(self._dsn.user, safe="")
        if self._dsn.password:
            login += f":{quote(self._dsn.password, safe='')}"
        return (
            f"postgresql://{login}@/{quote(self._dsn.database, safe='')}"
            f"?host=127.0.0.1&port={self.port}&sslmode=disable"
        )

    @property
    def links(self) -> int:
        return len(self._links)

    def cut(self) -> int:
        return int(self._call(self._cut))

    def refuse(self) -> None:
        self._refused = True
        self.cut()

    def stall(self) -> int:
        return int(self._call(self._stall))

    def freeze(self) -> None:
        self._frozen = True
        self.stall()

    def heal(self) -> None:
        self._call(self._heal)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, function: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    # --- in the proxy's thread ------------------------------------------------------------------

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut(self) -> int:
        links, self._links = self._links, []
        for link in links:
            link.reset()
            link.open.set()
        return len(links)

    def _stall(self) -> int:
        for link in self._links:
            link.open.clear()
        return len(self._links)

    def _heal(self) -> None:
        self._refused = self._frozen = False
        for link in self._links:
            link.open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.taken += 1
        if self._refused:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._connect()
        except OSError:  # the server is down: so are we
            writer.transport.abort()
            return
        link = _Link(writer, far_writer)
        if self._frozen:
            link.open.clear()
        self._links.append(link)
        try:
            await asyncio.gather(
                self._pump(link, reader, far_writer, False),
                self._pump(link, far_reader, writer, True),
            )
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in link.ends:
                end.transport.abort()
            if link in self._links:
                self._links.remove(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._dsn.host or "127.0.0.1", self._dsn.port or "5432"
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    async def _pump(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to_client: bool,
    ) -> None:
        while data := await reader.read(65536):
            await link.open.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if to_client and self.cut_when is not None and self.cut_when(data):
                self.cuts += 1
                link.reset()
                return
            if to_client and self.rewrite is not None:
                given, data = data, self.rewrite(data)
                self.rewritten += given != data
            writer.write(data)
            await writer.drain()
            if to_client:
                self.passed += len(data)
        # A stalled link hides the end of the other side as well.
        await link.open.wait()
        raise ConnectionResetError


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Yield a proxy before the server of the URL."""
    proxy = Proxy(url)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
