"""
A process's part of the line: takes stages over, drives their runners, steps down in peace.

Liveness is a session advisory lock per stage on one connection; safety is the epoch. A standby
takes over when the lock is free, or when the holder's heartbeat is old by the server's clock; a
holder that merely slept then finds its epoch gone and writes nothing. Source: decisions.md 15.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from nextstep import logs
from nextstep.db import pools
from nextstep.db.queries import read_queries
from nextstep.errors import Fenced, NextStepError, StageError, StaleStage, Unreachable
from nextstep.events.io.executor import Executor, make_executor
from nextstep.events.io.faults import LOST, Fault, classify, text_of
from nextstep.events.io.runner import StageRunner
from nextstep.events.io.space import LIVE, Space
from nextstep.events.io.wake import Wake
from nextstep.events.io.workers import spare_collector
from nextstep.events.stage import Stage, stage_version
from nextstep.settings import Settings

_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))
#: Seconds after which a silent holder counts as gone. Heartbeats come every second.
_HEARTBEAT_DEAD_S = 4.0
_HEARTBEAT_EVERY_S = 1.0
#: Seconds between a standby's looks.
_STANDBY_S = 0.5
#: Seconds without an answer after which a statement's connection counts as dead: nothing else tells
#: of a half-open one. The longest statement of a batch waits 60 s for a lock.
_COMMAND_TIMEOUT_S = 300.0
#: A runner computes outside of its transactions. One that stands idle longer belongs to a process
#: that is stopped or cut off, and its row locks would keep the next owner from taking over.
_LIMITS = {"idle_in_transaction_session_timeout": "3s"}
#: Bytes of an application name that the server keeps.
_NAME_CAP = 63


class Line:
    """
    Runs some stages in this process, in one space: the live tables or a shadow of them.

    `once` drains to the head and returns.
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        stages: Sequence[Stage],
        *,
        executor: Executor | None = None,
        space: Space = LIVE,
    ) -> None:
        self._url = url
        self._space = space
        self._settings = settings
        self._stages = tuple(stages)
        self._executor = executor or make_executor(settings)
        self._wake = Wake(url, settings, stages, space)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._log = logs.get(space.room)
        self._anchor: asyncpg.Connection | None = None
        self._anchor_lock = anyio.Lock()
        self.runners: dict[str, StageRunner] = {}
        #: With `once`: stages that stand still, and why.
        self._still: dict[str, NextStepError] = {}

    async def run(
        self,
        stop: anyio.Event,
        *,
        once: bool = False,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """
        Work until `stop` is set; with `once`, until every stage is at the head.

        Raises:
            StageError: with `once`, a stage is halted, paused or held by another process.
        """
        pool = await pools.create_pool(
            self._url,
            self._space.role,
            self._settings,
            max_size=2 * len(self._stages) + 2,
            command_timeout_s=_COMMAND_TIMEOUT_S,
            limits=_LIMITS | {"application_name": _session_name(self._holder)},
        )
        try:
            await self._ensure_rows(pool)
            self.runners = {
                stage.name: StageRunner(
                    stage, pool, self._executor, self._wake, self._settings, self._space
                )
                for stage in self._stages
            }
            async with anyio.create_task_group() as group:
                group.start_soon(self._wake.listen)
                group.start_soon(self._heartbeats, pool)
                if once:
                    # A model loads while the stages before it work; not where nothing is to do.
                    if await self._is_behind(pool):
                        group.start_soon(self._warm, stop)
                else:
                    await self._warm(stop)
                if on_ready is not None:
                    on_ready()
                async with anyio.create_task_group() as work:
                    for runner in self.runners.values():
                        work.start_soon(self._drive, runner, pool, stop, once)
                group.cancel_scope.cancel()
            if self._still:
                raise next(iter(self._still.values()))
        finally:
            with anyio.CancelScope(shield=True):
                await self._step_down(pool)
                await self._executor.close()
                with contextlib.suppress(TimeoutError):
                    await pool.close()

    async def _ensure_rows(self, pool: asyncpg.Pool) -> None:
        for stage in self._stages:
            await pool.execute(_QUERIES["ensure_stage"], stage.name)

    async def _is_behind(self, pool: asyncpg.Pool) -> bool:
        rows = await pool.fetch(_QUERIES["offset_rows"])
        mine = [row["position"] for row in rows if row["stage"] in self.runners]
        return bool(min(mine, default=0) < await pool.fetchval(_QUERIES["head"]))

    async def _warm(self, stop: anyio.Event) -> None:
        async def warm(stage: Stage) -> None:
            # A missing model must not end the other stages; the stage itself says it later.
            with contextlib.suppress(NextStepError):
                await self._executor.warm(stage)

        if not stop.is_set():
            async with anyio.create_task_group() as group:
                for stage in self._stages:
                    group.start_soon(warm, stage)
        spare_collector()

    # --- one stage ------------------------------------------------------------------------------

    async def _drive(
        self, runner: StageRunner, pool: asyncpg.Pool, stop: anyio.Event, once: bool
    ) -> None:
        tries = 0
        while not stop.is_set():
            try:
                if runner.epoch is None and not await self._take(runner, pool):
                    if once and await self._is_still(runner, pool):
                        return
                    await _sleep_or(stop, _STANDBY_S)
                    continue
                await runner.drain(stop)
                tries = 0
                if once and await self._is_done(runner, pool):
                    return
                await self._wait(runner, stop)
            except Fenced as error:
                if not await self._still_mine(runner, pool):
                    self._log.warning("stepped down", stage=runner.stage.name, why=error.message)
                    await self._lose(runner)
            except Exception as error:
                if classify(error) is Fault.TRANSIENT:
                    await runner.struggle(error, tries)
                    tries += 1
                    continue
                reason = "stale" if isinstance(error, StaleStage) else "fault"
                with contextlib.suppress(*LOST):  # it fails again, and is told then
                    await runner.halt(error, reason)
                if isinstance(error, StaleStage):
                    await self._lose(runner)  # resuming must not let old rows and new code mix
                if once:
                    self._still[runner.stage.name] = _as_stage_error(runner.stage, error)
                    return

    async def _wait(self, runner: StageRunner, stop: anyio.Event) -> None:
        async with anyio.create_task_group() as group:

            async def until_stop() -> None:
                await stop.wait()
                group.cancel_scope.cancel()

            group.start_soon(until_stop)
            await self._wake.wait(runner.stage.name)
            group.cancel_scope.cancel()

    async def _is_still(self, runner: StageRunner, pool: asyncpg.Pool) -> bool:
        """With `once`: whether the stage is paused or halted, and thus never gets to the head."""
        rows = {row["stage"]: row for row in await pool.fetch(_QUERIES["offset_rows"])}
        row = rows[runner.stage.name]
        if row["status"] == "running":
            return False
        self._still[runner.stage.name] = StageError(
            f"stage {runner.stage.name} is {row['status']}"
            + (f" ({row['reason']})" if row["reason"] else ""),
            detail=row["last_error"].splitlines()[0] if row["last_error"] else "",
            hint=f"nextstep status; then: nextstep resume {runner.stage.name}",
        )
        return True

    async def _is_done(self, runner: StageRunner, pool: asyncpg.Pool) -> bool:
        """With `once`: at the head, or as far as stages that stand still allow."""
        if await self._is_still(runner, pool):
            return True
        upstream = runner.stage.upstream
        rows = {row["stage"]: row for row in await pool.fetch(_QUERIES["offset_rows"])}
        position = rows[runner.stage.name]["position"]
        if upstream is not None and (upstream in self._still or upstream not in self.runners):
            bound = rows[upstream]["position"] if upstream in rows else 0
            if position >= bound and upstream in self._still:
                self._still.setdefault(runner.stage.name, self._still[upstream])
        else:
            bound = await pool.fetchval(_QUERIES["head"])
        return bool(position >= bound)

    # --- ownership ------------------------------------------------------------------------------

    async def _take(self, runner: StageRunner, pool: asyncpg.Pool) -> bool:
        await self._wake.tested()
        version = stage_version(runner.stage, self._settings)
        state = await pool.fetchrow(_QUERIES["stage_state"], runner.stage.name, None)
        if state is None:
            await pool.execute(_QUERIES["ensure_stage"], runner.stage.name)
        elif state["version"] not in ("", version) and state["status"] != "running":
            return False  # stale, and said so already
        locked = await self._lock(runner.stage.name)
        row = await pool.fetchrow(
            _QUERIES["take_stage"],
            runner.stage.name,
            self._holder,
            locked,
            self._wake.mode,
            _HEARTBEAT_DEAD_S,
        )
        if row is None:
            return False
        runner.epoch = row["epoch"]
        if row["silent"] not in ("", self._holder):
            await self._end_sessions(row["silent"])
        if row["version"] not in ("", version):
            raise StaleStage(
                f"stage {runner.stage.name} is stale: {row['version']} in its row, "
                f"{version} in this program",
                detail="its code, taxonomies, model or libraries changed since its rows were made",
                hint=f"nextstep rebuild {runner.stage.name} --swap",
            )
        await pool.execute(_QUERIES["adopt_version"], runner.stage.name, version)
        self._log.info("took over", stage=runner.stage.name, epoch=runner.epoch, locked=locked)
        return True

    async def _end_sessions(self, holder: str) -> None:
        """
        End what a silent holder left open on the server.

        A process that was stopped halfway through a statement keeps its row locks, and no limit of
        the server counts that as idle. The epoch keeps us safe without this; it only saves a wait.
        """
        try:
            # Without a role: the login user may end its own sessions, the worker's role may not.
            connection = await pools.connect(self._url, None, self._settings)
            try:
                ended = await connection.fetchval(
                    _QUERIES["end_sessions"], _session_name(holder), timeout=_HEARTBEAT_DEAD_S
                )
            finally:
                connection.terminate()
        except (*LOST, Unreachable) as error:
            self._log.warning("sessions not ended", holder=holder, error=text_of(error))
        else:
            if ended:
                self._log.warning("ended sessions of a silent holder", holder=holder, ended=ended)

    async def _lock(self, stage: str) -> bool:
        """Try the stage's advisory lock; under a transaction pooler only heartbeats count."""
        if self._settings.pooler == "transaction":
            return False
        async with self._anchor_lock:
            if self._anchor is None or self._anchor.is_closed():
                self._anchor = await pools.connect(self._url, self._space.role, self._settings)
            return await self._ask(self._anchor, "pg_try_advisory_lock", stage)

    async def _ask(self, anchor: asyncpg.Connection, function: str, stage: str) -> bool:
        try:
            return bool(
                await anchor.fetchval(
                    f"SELECT {function}($1, hashtext($2))",
                    self._space.lock_class,
                    stage,
                    timeout=_HEARTBEAT_DEAD_S,
                )
            )
        except LOST:
            anchor.terminate()  # half-open, it would be asked again and again; epochs keep us safe
            raise

    async def _still_mine(self, runner: StageRunner, pool: asyncpg.Pool) -> bool:
        with contextlib.suppress(*LOST):  # who cannot ask takes the stage anew
            row = await pool.fetchrow(
                _QUERIES["stage_state"], runner.stage.name, runner.stage.upstream
            )
            return row is not None and row["epoch"] == runner.epoch
        return False

    async def _lose(self, runner: StageRunner) -> None:
        runner.epoch = None
        async with self._anchor_lock:
            if self._anchor is not None and not self._anchor.is_closed():
                with contextlib.suppress(*LOST):  # the lock ends with its connection
                    await self._ask(self._anchor, "pg_advisory_unlock", runner.stage.name)

    async def _heartbeats(self, pool: asyncpg.Pool) -> None:
        while True:
            await anyio.sleep(_HEARTBEAT_EVERY_S)
            held = {name: r.epoch for name, r in self.runners.items() if r.epoch is not None}
            if not held:
                continue
            with contextlib.suppress(*LOST):
                await pool.fetch(_QUERIES["heartbeat"], list(held), list(held.values()), timeout=2)

    async def _step_down(self, pool: asyncpg.Pool) -> None:
        for name, runner in self.runners.items():
            if runner.epoch is not None:
                with contextlib.suppress(*LOST):
                    await pool.execute(_QUERIES["release_stage"], name, runner.epoch, timeout=2)
                runner.epoch = None
        if self._anchor is not None:
            self._anchor.terminate()


def _session_name(holder: str) -> str:
    """Return the application name of a holder's sessions, as the server keeps it."""
    return f"nextstep {holder}".encode("ascii", "replace").decode()[-_NAME_CAP:]


async def _sleep_or(stop: anyio.Event, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await stop.wait()


def _as_stage_error(stage: Stage, error: BaseException) -> NextStepError:
    if isinstance(error, NextStepError):
        return error
    return StageError(
        f"stage {stage.name} stopped: {type(error).__name__}",
        detail=str(error)[:500],
        hint="nextstep status shows the stage; nextstep resume starts it again",
    )


async def run_line(
    url: str,
    settings: Settings,
    stages: Sequence[Stage],
    *,
    stop: anyio.Event | None = None,
    **how: Any,
) -> None:
    """Run stages in this process; see `Line.run`. A single error of many is raised alone."""
    try:
        await Line(url, settings, stages).run(stop or anyio.Event(), **how)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
