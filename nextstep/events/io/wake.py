"""
One LISTEN connection per process, fanned out to its stages.

A notification means only "look". Correctness never depends on one: every waiter also looks after
the poll interval. asyncpg does not notice a dead peer while idle (MagicStack/asyncpg#519), so the
connection is asked for a sign of life every few seconds and opened again when it gives none; after
each opening everybody looks at once. Source: X-02, decisions.md 15.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

import anyio
import asyncpg

from nextstep import logs
from nextstep.db import pools
from nextstep.errors import Unreachable
from nextstep.events.io.faults import LOST, text_of
from nextstep.events.io.log import CHANNEL
from nextstep.events.io.space import LIVE, Space
from nextstep.events.stage import Stage
from nextstep.settings import Settings

#: Seconds between signs of life of the listening connection.
_ALIVE_EVERY_S = 10.0
#: Seconds in which our own notification must come back at start.
_PROBE_S = 2.0


class Wake:
    """Wakes the stages of this process; `mode` is what the last self-test found."""

    def __init__(
        self, url: str, settings: Settings, stages: Iterable[Stage], space: Space = LIVE
    ) -> None:
        self._url = url
        self._space = space
        self._settings = settings
        self._upstream = {stage.name: stage.upstream for stage in stages}
        self._events = {name: asyncio.Event() for name in self._upstream}
        self._probe: str | None = None
        self._heard = asyncio.Event()
        self._tested = asyncio.Event()
        self.mode = "poll"
        if not settings.notifications or settings.pooler == "transaction":
            self._tested.set()

    async def tested(self) -> None:
        """Return when it is known whether notifications arrive."""
        await self._tested.wait()

    async def wait(self, stage: str) -> None:
        """Return when the stage should look: woken, or after the poll interval."""
        event = self._events[stage]
        with anyio.move_on_after(self._settings.poll_interval_s):
            await event.wait()
        event.clear()

    def moved(self, stage: str | None) -> None:
        """Wake the stages that read what `stage` wrote; None is the log."""
        for name, upstream in self._upstream.items():
            if upstream == stage:
                self._events[name].set()

    def everyone(self) -> None:
        """Wake all."""
        for event in self._events.values():
            event.set()

    async def listen(self) -> None:
        """Keep the listening connection, until cancelled. No error of the server ends this."""
        if not self._settings.notifications or self._settings.pooler == "transaction":
            await anyio.sleep_forever()
        log = logs.get("events")
        delay = 0.1
        while True:
            try:
                await self._session()
            except (*LOST, Unreachable) as error:
                log.warning("listener lost", error=text_of(error).splitlines()[0], retry_in_s=delay)
            self.mode = "poll"
            self._tested.set()
            self.everyone()
            await anyio.sleep(delay)
            delay = min(5.0, delay * 2)

    async def _session(self) -> None:
        connection = await pools.connect(self._url, self._space.role, self._settings)
        try:
            await connection.add_listener(CHANNEL, self._on_notification)
            await self._self_test(connection)
            self.everyone()
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            while not connection.is_closed():
                with anyio.move_on_after(_ALIVE_EVERY_S):
                    await ended.wait()
                await connection.execute("SELECT 1", timeout=5)
        finally:
            connection.terminate()

    async def _self_test(self, connection: asyncpg.Connection) -> None:
        self._heard.clear()
        self._probe = f"probe {uuid.uuid4()}"
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, self._probe)
        with anyio.move_on_after(_PROBE_S):
            await self._heard.wait()
        self.mode = "notify" if self._heard.is_set() else "poll"
        self._tested.set()
        if self.mode == "poll":
            logs.get("events").warning(
                "notifications do not arrive; polling",
                poll_interval_s=self._settings.poll_interval_s,
                hint="a pooler in transaction mode is in the way? "
                "set NEXTSTEP_POOLER=transaction, or connect to the server itself",
            )

    def _on_notification(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        text = str(payload)
        if text == self._probe:
            self._heard.set()
            return
        _, _, stage = text.partition(" ")
        self.moved(stage or None)
