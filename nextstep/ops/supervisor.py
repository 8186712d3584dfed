"""
What a service tells its supervisor: ready, alive, stopping. The protocol of systemd's sd_notify.

A datagram of `NAME=value` lines to the socket in NOTIFY_SOCKET; without that variable nothing is
said. A sign of life is sent only after a look that found the service at work, so that one that
hangs is killed and started anew; a database that is down is no reason for that, because the line
waits for it and a restart would only load the model again.

Source: N-102, N-106, postgres.md 3.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import anyio
import asyncpg
import msgspec

from nextstep import clock, logs
from nextstep.db import pools
from nextstep.db.pools import Connection
from nextstep.errors import Unreachable
from nextstep.settings import Settings

#: Seconds in which a look must come to its end.
_LOOK_S = 10.0
#: Seconds for which a stage may stand before the same rows: a batch of vectors takes ten.
STALL_S = 600.0

#: What is wrong, "" for nothing.
Look = Callable[[], Awaitable[str]]

_STAGES = """
SELECT s.stage, s.position, s.status, s.last_error,
       s.position < coalesce((SELECT max(e.position) FROM job_events e), 0) AS is_behind
  FROM stage_offsets s
 WHERE s.stage = ANY ($1::text[]) AND s.holder = $2
 ORDER BY s.stage COLLATE "C"
"""


class Supervisor(msgspec.Struct, frozen=True):
    """Where to tell, and every how many seconds to give a sign of life (None: never)."""

    address: str = ""
    watchdog_s: float | None = None

    def tell(self, *lines: str) -> None:
        """Send lines such as `READY=1`; a supervisor that is gone is no fault of ours."""
        if not self.address:
            return
        # A leading @ stands for the abstract namespace.
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.sendto("\n".join(lines).encode(), name)


def supervisor(environ: Mapping[str, str] | None = None) -> Supervisor:
    """Return the supervisor that started this process; one without address where there is none."""
    environ = os.environ if environ is None else environ
    micros = environ.get("WATCHDOG_USEC", "")
    mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    watchdog_s = int(micros) / 1e6 if micros.isdigit() and int(micros) and mine else None
    return Supervisor(environ.get("NOTIFY_SOCKET", ""), watchdog_s)


@asynccontextmanager
async def told(
    ready: anyio.Event, stop: anyio.Event, look: Look, to: Supervisor | None = None
) -> AsyncIterator[None]:
    """
    Tell the supervisor of the block: ready, then signs of life, and that it stops.

    Args:
        ready: set by the block when it works.
        stop: set when it is asked to end.
        look: what finds out whether it works.
    """
    to = to or supervisor()
    if not to.address:
        yield
        return
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_ready, to, ready, look)
            group.start_soon(_stopping, to, stop)
            yield
            group.cancel_scope.cancel()
    except BaseExceptionGroup as several:
        # The block's own error, as if nobody were told.
        error: BaseException = several
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def _ready(to: Supervisor, ready: anyio.Event, look: Look) -> None:
    await ready.wait()
    to.tell("READY=1", "STATUS=at work")
    if to.watchdog_s is None:
        return
    said = ""
    while True:
        wrong = await _looked(look)
        if wrong != said:
            to.tell(f"STATUS={wrong or 'at work'}")
            logs.get("supervisor").warning("health", wrong=wrong)
            said = wrong
        if not wrong:
            to.tell("WATCHDOG=1")
        await anyio.sleep(min(to.watchdog_s / 3, 20.0))


async def _looked(look: Look) -> str:
    try:
        with anyio.fail_after(_LOOK_S):
            return await look()
    except TimeoutError:
        return f"no answer within {_LOOK_S:.0f} s"


async def _stopping(to: Supervisor, stop: anyio.Event) -> None:
    await stop.wait()
    to.tell("STOPPING=1", "STATUS=ending what is under way")


class LineHealth:
    """Whether the stages that this process holds get on. One for the life of a process."""

    def __init__(self, url: str, settings: Settings, stages: list[str]) -> None:
        self._url, self._settings, self._stages = url, settings, stages
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._connection: Connection | None = None
        #: Stage -> the position it stands at though there is more, and since when.
        self._still: dict[str, tuple[int, float]] = {}

    async def look(self) -> str:
        """Return the stage that has stood before its rows for `STALL_S` without an error."""
        try:
            rows = await self._rows()
        except (Unreachable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.close()
            self._still.clear()
            return ""  # the line waits for the database; see above
        now = clock.monotonic_s()
        still = {}
        for row in rows:
            if row["is_behind"] and row["status"] == "running" and not row["last_error"]:
                position, since = self._still.get(row["stage"], (row["position"], now))
                still[row["stage"]] = (
                    row["position"],
                    since if position == row["position"] else now,
                )
        self._still = still
        stuck = [name for name, (_, since) in still.items() if now - since > STALL_S]
        return f"{', '.join(stuck)} stands still" if stuck else ""

    async def _rows(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await pools.connect(self._url, "api", self._settings)
        return await self._connection.fetch(
            _STAGES, self._stages, self._holder, timeout=_LOOK_S / 2
        )

    async def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class HttpHealth:
    """Whether our own server answers; `address` is known once it listens."""

    def __init__(self) -> None:
        self.address = ""

    async def look(self) -> str:
        """Return "" for an answer of /healthz."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_LOOK_S / 2)) as client,
                client.get(f"{self.address}/healthz") as answer,
            ):
                return "" if answer.status == 200 else f"/healthz answers {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"/healthz: {type(error).__name__}"
