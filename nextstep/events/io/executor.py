"""
Where the pure functions of a stage run: in warm processes, inline for tests and small jobs, or in
the actors of a Ray cluster (`on_ray.py`).

Each stage has a pool of its own, so that a worker imports that stage's libraries only and the
parent never holds a model. Processes are spawned, not forked: threads and open sockets of the
parent stay out of them.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, Protocol

import anyio.to_thread

from nextstep.errors import WorkerDied
from nextstep.events.io.workers import settle_in, spare_collector
from nextstep.events.stage import Found, Stage, Writes
from nextstep.settings import Settings

#: Fewer rows than this per process are not worth the hop.
_CHUNK = 25


class Executor(Protocol):
    """The seam: `inline`, `processes` and `ray` give the same rows."""

    async def warm(self, stage: Stage) -> None:
        """Load what the stage needs, so that the first batch does not wait for it."""

    async def prepare(self, stage: Stage, rows: list[Any]) -> list[Any]:
        """Run `stage.prepare`; one value per row, in order."""

    async def decide(
        self, stage: Stage, rows: list[Any], prepared: list[Any], found: Found
    ) -> Writes:
        """Run `stage.decide`."""

    async def close(self) -> None:
        """End what was started."""


def make_executor(settings: Settings) -> Executor:
    """
    Return the executor that the settings name.

    Raises:
        UsageError: it is `ray`, and ray is not installed.
    """
    if settings.executor == "ray":
        from nextstep.events.io.on_ray import OnRay  # noqa: PLC0415 (it imports this module)
        from nextstep.events.io.ray_cluster import require_ray  # noqa: PLC0415

        require_ray(settings)  # told at the start: it is no fault of a stage
        return OnRay(settings)
    return Inline(settings) if settings.executor == "inline" else Processes(settings)


class Inline:
    """Runs in a thread of this process, so that heartbeats go on meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._contexts: dict[str, Any] = {}
        self._lock = asyncio.Lock()
        self._decider = Decider(settings)

    async def _context(self, stage: Stage) -> Any:
        async with self._lock:
            if stage.name not in self._contexts:
                setup = stage.setup
                self._contexts[stage.name] = (
                    await anyio.to_thread.run_sync(setup, self._settings) if setup else None
                )
        return self._contexts[stage.name]

    async def warm(self, stage: Stage) -> None:
        await self._context(stage)

    async def prepare(self, stage: Stage, rows: list[Any]) -> list[Any]:
        context = await self._context(stage)
        return await anyio.to_thread.run_sync(stage.prepare, context, rows)

    async def decide(
        self, stage: Stage, rows: list[Any], prepared: list[Any], found: Found
    ) -> Writes:
        return await self._decider.decide(stage, rows, prepared, found)

    async def close(self) -> None:
        self._contexts.clear()


class Decider:
    """Runs `decide` in this process, with a context that is made once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._contexts: dict[str, Any] = {}

    async def decide(
        self, stage: Stage, rows: list[Any], prepared: list[Any], found: Found
    ) -> Writes:
        if stage.decide_setup is not None and stage.name not in self._contexts:
            # One batch of a stage is decided at a time: no other can be making it.
            self._contexts[stage.name] = await anyio.to_thread.run_sync(
                stage.decide_setup, self._settings
            )
        context = self._contexts.get(stage.name)
        if stage.decides == "here":
            return stage.decide(context, rows, prepared, found)
        return await anyio.to_thread.run_sync(stage.decide, context, rows, prepared, found)


class Processes:
    """A pool of spawned processes per stage: one per core, or one where the stage says so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decider = Decider(settings)
        self._pools: dict[str, ProcessPoolExecutor] = {}

    def _size(self, stage: Stage) -> int:
        return (self._settings.workers or os.cpu_count() or 1) if stage.parallel else 1

    def _pool(self, stage: Stage) -> ProcessPoolExecutor:
        if stage.name not in self._pools:
            self._pools[stage.name] = ProcessPoolExecutor(
                max_workers=self._size(stage),
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(stage.setup, self._settings),
            )
        return self._pools[stage.name]

    async def _submit(self, stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
        pool = self._pool(stage)
        try:
            return await asyncio.wrap_future(pool.submit(_run, function, *args))
        except BrokenProcessPool as error:
            if self._pools.get(stage.name) is pool:
                del self._pools[stage.name]
                _end_workers(pool)
                pool.shutdown(wait=False, cancel_futures=True)
            raise WorkerDied(
                f"a worker process of stage {stage.name} ended while it worked",
                detail="killed from outside, out of memory, or crashed in native code",
                hint="see the system log; fewer workers need less memory (NEXTSTEP_WORKERS)",
            ) from error

    async def warm(self, stage: Stage) -> None:
        await asyncio.gather(*(self._submit(stage, _nothing) for _ in range(self._size(stage))))

    async def prepare(self, stage: Stage, rows: list[Any]) -> list[Any]:
        parts = cut(rows, self._size(stage))
        done = await asyncio.gather(*(self._submit(stage, stage.prepare, part) for part in parts))
        return [value for part in done for value in part]

    async def decide(
        self, stage: Stage, rows: list[Any], prepared: list[Any], found: Found
    ) -> Writes:
        return await self._decider.decide(stage, rows, prepared, found)

    async def close(self) -> None:
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await anyio.to_thread.run_sync(partial(pool.shutdown, cancel_futures=True))


def _end_workers(pool: ProcessPoolExecutor) -> None:
    """
    Kill what is left of a broken pool.

    A worker that it was starting in the moment it broke would outlive it, and this process would
    wait for that worker at its end. `kill_workers` does the same from Python 3.14 on.
    """
    for process in list((pool._processes or {}).values()):
        process.kill()


def cut(rows: Sequence[Any], parts: int) -> list[list[Any]]:
    parts = max(1, min(parts, len(rows) // _CHUNK))
    size = -(-len(rows) // parts)
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)] or [[]]


# --- in the worker ------------------------------------------------------------------------------

_setup: Callable[[Settings], Any] | None = None
_settings: Settings | None = None
_context: Any = None
_ready = False


def _start_worker(setup: Callable[[Settings], Any] | None, settings: Settings) -> None:
    global _setup, _settings
    _setup, _settings = setup, settings
    settle_in()


def _run(function: Callable[..., Any], *args: Any) -> Any:
    global _context, _ready  # noqa: PLW0603
    if not _ready:
        # Here and not in the initializer, where an error would only say "broken pool".
        if _setup is not None and _settings is not None:
            _context = _setup(_settings)
        spare_collector()
        _ready = True
    return function(_context, *args)


def _nothing(_: Any) -> None:
    return None
