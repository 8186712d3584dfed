"""
The executor on Ray: a stage's `prepare` runs in actors of a cluster, `decide` stays in the parent.

Each stage has actors of its own, warm, one per core of the cluster or one where the stage says so.
An actor that ends while it works is started again and its part tried once more; a part that ends
its actor twice is told as `WorkerDied`, and the runner looks for the row.

Source: design.md 3 and 7, issue 9 item 6.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import msgspec

from nextstep.errors import Unreachable, WorkerDied
from nextstep.events.io import ray_cluster
from nextstep.events.io.executor import Decider, cut
from nextstep.events.io.workers import spare_collector
from nextstep.events.stage import Found, Stage, Writes
from nextstep.settings import Settings

#: Seconds in which a cluster that works runs a task that does nothing, a new process included.
_PATIENCE_S = 20.0


class Told(msgspec.Struct, frozen=True):
    """What a part raised, and where: `error` itself travels, its traceback cannot."""

    error: Exception
    trace: str


class Remote(Exception):
    """Cause of an error that was raised on another machine; `tb` is its traceback as text."""

    def __init__(self, tb: str) -> None:
        super().__init__(tb)
        self.tb = tb


class Actor:
    """In the cluster: makes the stage's context once, then runs part after part."""

    def __init__(self, setup: Callable[[Settings], Any] | None, settings: Settings) -> None:
        self._setup = setup
        self._settings = settings
        self._context: Any = None
        self._ready = False

    def run(self, function: Callable[..., Any] | None, rows: list[Any]) -> Any:
        """Return the values of `function(context, rows)`, or `Told`; None only makes it warm."""
        try:
            if not self._ready:
                # Here and not in __init__, where an error would only say that no actor starts.
                self._context = self._setup(self._settings) if self._setup else None
                spare_collector()
                self._ready = True
            return None if function is None else function(self._context, rows)
        except Exception as error:
            return Told(error, traceback.format_exc())


def _nothing() -> None:
    return None


def _lost(error: BaseException) -> Unreachable:
    return Unreachable(
        "the Ray cluster lost work or does not answer",
        detail=type(error).__name__,
        hint="it is tried again; ray status on the cluster's head",
    )


class OnRay:
    """The executor `ray`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decider = Decider(settings)
        self._actors: dict[str, list[Any]] = {}
        self._lock = asyncio.Lock()
        self._ray: Any = None

    async def _pool(self, stage: Stage) -> list[Any]:
        async with self._lock:
            if self._ray is None:
                self._ray = await anyio.to_thread.run_sync(ray_cluster.join, self._settings)
            if stage.name not in self._actors:
                size = ray_cluster.cpus(self._settings) if stage.parallel else 1
                # Without a share of a core: stages take turns, and five of them on two cores would
                # never all be placed. SPREAD puts them on all machines of a cluster.
                remote = self._ray.remote(
                    num_cpus=0,
                    max_restarts=-1,
                    max_task_retries=1,
                    scheduling_strategy="SPREAD",
                )(Actor)
                # An actor has nothing to do with the database, and its password stays here.
                told = msgspec.structs.replace(self._settings, database_url=None)
                self._actors[stage.name] = [remote.remote(stage.setup, told) for _ in range(size)]
        return self._actors[stage.name]

    async def _run(
        self, stage: Stage, function: Callable[..., Any] | None, parts: list[list[Any]]
    ) -> list[Any]:
        actors = await self._pool(stage)
        errors = self._ray.exceptions
        try:
            done = await asyncio.gather(
                *(
                    actor.run.remote(function, part)
                    for actor, part in zip(actors, parts, strict=False)
                )
            )
        except errors.RayActorError as error:
            if not await self._answers():
                await self._forget()
                raise _lost(error) from error
            raise WorkerDied(
                f"a worker process of stage {stage.name} ended while it worked, twice",
                detail="killed from outside, out of memory, or crashed in native code",
                hint="see the logs of the Ray cluster; fewer workers need less memory "
                "(NEXTSTEP_WORKERS)",
            ) from error
        except errors.RayError as error:
            await self._forget()
            raise _lost(error) from error
        for told in done:
            if isinstance(told, Told):
                raise told.error from Remote(told.trace)
        return done

    async def _answers(self) -> bool:
        """Whether the cluster still works: where it is gone, every actor seems to have died."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._ray.remote(num_cpus=0, max_retries=0)(_nothing).remote()
        except (TimeoutError, self._ray.exceptions.RayError):
            return False
        return True

    async def warm(self, stage: Stage) -> None:
        actors = await self._pool(stage)
        await self._run(stage, None, [[] for _ in actors])

    async def prepare(self, stage: Stage, rows: list[Any]) -> list[Any]:
        actors = await self._pool(stage)
        done = await self._run(stage, stage.prepare, cut(rows, len(actors)))
        return [value for part in done for value in part]

    async def decide(
        self, stage: Stage, rows: list[Any], prepared: list[Any], found: Found
    ) -> Writes:
        return await self._decider.decide(stage, rows, prepared, found)

    async def _forget(self) -> None:
        """The cluster may be gone with every actor: the next part asks for new ones."""
        async with self._lock:
            self._actors, self._ray = {}, None
            await anyio.to_thread.run_sync(ray_cluster.reset)

    async def close(self) -> None:
        if self._ray is None:
            return
        for actor in [actor for pool in self._actors.values() for actor in pool]:
            self._ray.kill(actor)
        self._actors, self._ray = {}, None
        await anyio.to_thread.run_sync(ray_cluster.leave)
