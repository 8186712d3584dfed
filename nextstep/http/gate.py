"""
A bound on the requests that are worked on: some at once, some that wait, the rest come again.

Without it a burst queues for ever: every client waits until it gives up, and the work is done for
nobody. With it the last one in waits for a fraction of a second.

Source: issue 6, "overload".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nextstep.http.problem import Overloaded


class Gate:
    """
    Lets `at_once` requests through and `waiting` more wait their turn.

    Belongs to one event loop.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(max(1, at_once))
        self._waiting = 0
        self._most_waiting = waiting

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """
        Hold a place.

        Raises:
            Overloaded: as many wait already as may.
        """
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise Overloaded(
                f"{self._waiting} requests wait already",
                hint="try again in a few seconds, and ask one question at a time",
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
