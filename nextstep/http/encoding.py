"""
The server's encoder: the reference in a warm process of its own, a prepared model in a thread.

torch must stay out of this process (700 MB, ten seconds), so the reference has its own. A prepared
model takes 80 MB and computes without the interpreter's lock: a process of its own would cost 2 ms
of processor time a query and 80 MB more, and buy nothing.

Vectors of recent queries are kept; a queue that grows too long is refused.

Source: X-07, decisions.md 11, measured.md 6.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

import numpy as np

from nextstep.errors import ModelError
from nextstep.events.io.workers import settle_in
from nextstep.http.problem import Overloaded
from nextstep.processors.io.encoder import TextEncoder, Vectors, load_query_encoder
from nextstep.processors.io.prepared import serves_fast
from nextstep.settings import Settings

#: Queries that may wait. At 20 ms each the last one waits about a second.
_MOST_WAITING = 64
#: Vectors kept: 1.5 KB each.
_KEPT = 1024


class _Seat(Protocol):
    """Where a model sits: it is loaded by the first call, and encodes one call after the other."""

    async def run(self, texts: list[str]) -> Vectors: ...
    async def close(self) -> None: ...


class QueryEncoder:
    """
    Encodes queries beside the event loop; `await start()` first, `await close()` at the end.

    Args:
        settings: name the model and which of its forms serves.
        load: makes the encoder; an own one sits in a process, as the reference does.
    """

    def __init__(
        self, settings: Settings, load: Callable[[Settings], TextEncoder] = load_query_encoder
    ) -> None:
        in_thread = load is load_query_encoder and serves_fast(settings)
        self._seat: _Seat = (_Thread if in_thread else _Process)(settings, load)
        self._recent: OrderedDict[str, Any] = OrderedDict()
        self._waiting = 0
        self.is_warm = False

    async def start(self) -> None:
        """Load the model; raises ModelError where it cannot be."""
        await self._seat.run([])
        self.is_warm = True

    async def close(self) -> None:
        """End the process or thread."""
        self.is_warm = False
        await self._seat.close()

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """
        Return unit vectors of query texts, shape (len(texts), dim).

        Raises:
            Overloaded: too many queries wait already.
            ModelError: the process died twice, or the model went away.
        """
        missing = [text for text in dict.fromkeys(texts) if text not in self._recent]
        fresh: dict[str, Any] = {}
        if missing:
            if self._waiting >= _MOST_WAITING:
                raise Overloaded(
                    f"{self._waiting} queries wait for the encoder",
                    hint="try again in a few seconds",
                )
            self._waiting += 1
            try:
                fresh = dict(zip(missing, await self._seat.run(missing), strict=True))
            finally:
                self._waiting -= 1
        vectors = [fresh[text] if text in fresh else self._recent[text] for text in texts]
        self._keep(dict(zip(texts, vectors, strict=True)))
        return np.stack(vectors)

    def _keep(self, vectors: dict[str, Any]) -> None:
        for text, vector in vectors.items():
            self._recent[text] = vector
            self._recent.move_to_end(text)
        while len(self._recent) > _KEPT:
            self._recent.popitem(last=False)


class _Thread:
    """A model in a thread of this process."""

    def __init__(self, settings: Settings, load: Callable[[Settings], TextEncoder]) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._settings = settings
        self._load = load
        self._encoder: TextEncoder | None = None

    async def run(self, texts: list[str]) -> Vectors:
        return await asyncio.wrap_future(self._pool.submit(self._encode, texts))

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _encode(self, texts: list[str]) -> Vectors:
        if self._encoder is None:
            self._encoder = self._load(self._settings)
        return self._encoder.queries(texts)


class _Process:
    """A model in a spawned process; one that died is started anew by the next query."""

    def __init__(self, settings: Settings, load: Callable[[Settings], TextEncoder]) -> None:
        self._settings = settings
        self._load = load
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, texts: list[str]) -> Vectors:
        for last_try in (False, True):
            pool = self._started()
            try:
                return await asyncio.wrap_future(pool.submit(_encode, texts))
            except BrokenProcessPool as error:
                if self._pool is pool:
                    self._pool = None
                    pool.shutdown(wait=False, cancel_futures=True)
                if last_try:
                    raise ModelError(
                        "the encoder's process ended while it worked",
                        detail="killed from outside, out of memory, or crashed in native code",
                        hint="see the system log; the model needs about 800 MB",
                    ) from error
        raise AssertionError("unreachable")

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self._load, self._settings),
            )
        return self._pool


# --- in the worker ------------------------------------------------------------------------------

_encoder: TextEncoder | None = None
_make: Callable[[], TextEncoder] | None = None


def _start_worker(load: Callable[[Settings], TextEncoder], settings: Settings) -> None:
    global _make  # noqa: PLW0603 - the process has one encoder
    _make = lambda: load(settings)  # noqa: E731
    settle_in()


def _encode(texts: list[str]) -> Vectors:
    global _encoder  # noqa: PLW0603
    if _encoder is None:
        # Here and not in the initializer, where an error would only say "broken pool".
        assert _make is not None
        _encoder = _make()
    return _encoder.queries(texts)
