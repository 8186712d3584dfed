"""
Rebuild: replay the log into a shadow beside the live tables, compare, and swap if asked.

The runner that serves the live line fills the shadow: same stages, same SQL, other schema and role.
Near the head both lines are told to stop at one position; there they are compared in one snapshot,
or swapped in one short transaction. A rebuild that ends early drops its shadow; one that is killed
leaves it, and the next one with the same plan goes on with it.

Source: design.md 5, decisions.md 23.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal

import anyio
import asyncpg
import msgspec

from nextstep import clock, logs
from nextstep.db import pools
from nextstep.errors import RebuildFailed, UsageError
from nextstep.events.io import log, offsets
from nextstep.events.io.line import Line
from nextstep.events.io.space import SHADOW, SHADOW_SCHEMA
from nextstep.events.stage import Stage, stage_version
from nextstep.projections.compare import TableChange
from nextstep.projections.io import shadow
from nextstep.projections.io.compare import (
    SkillChange,
    compare_skills,
    compare_tables,
    compare_vectors,
)
from nextstep.projections.io.digests import digest_table
from nextstep.projections.tables import projection_tables
from nextstep.settings import Settings

Mode = Literal["preview", "verify", "swap"]
OnStatus = Callable[[dict[str, Any]], None]

#: Key of the advisory lock of whoever fills a shadow.
LOCK = 5641900
#: Seconds between two looks at the offsets.
_LOOK_S = 0.1
#: Events behind the head at which the lines are stopped to be compared.
_NEAR = 500
#: Seconds that a stop holds without being renewed, and between renewals.
_STOP_S = 15
_RENEW_S = 4.0
#: Seconds after which a live line that does not come to the stop is given up on.
_PATIENCE_S = 120.0
#: Vectors encoded anew where none may be trusted, and the cosine from which two are the same.
_FRESH = 200
_SAME_COSINE = 0.9999

# A holder that was killed is no holder; heartbeats come every second.
_OFFSETS = """
SELECT stage, position, status, last_error,
       holder <> '' AND heartbeat_at > clock_timestamp() - interval '10 s' AS is_held
  FROM {}.stage_offsets
"""
_STOP = """
UPDATE {}.stage_offsets SET stop_at = $2, stop_until = clock_timestamp() + make_interval(secs => $3)
 WHERE stage = ANY ($1::text[])
"""
_GO_ON = "UPDATE public.stage_offsets SET stop_until = NULL WHERE stop_until IS NOT NULL"
_SHADOW_GOES_ON = "UPDATE nextstep_shadow.stage_offsets SET stop_until = NULL"
# Of the stages that feed the shadow: what they parked, and how far they are, as of one instant.
_MIRROR = """
WITH letters AS (
  INSERT INTO nextstep_shadow.dead_letters AS d
  SELECT * FROM public.dead_letters WHERE stage = ANY ($1::text[])
  ON CONFLICT (stage, job_id) DO UPDATE
     SET position = excluded.position, status = excluded.status
   WHERE (d.position, d.status) <> (excluded.position, excluded.status)
)
INSERT INTO nextstep_shadow.stage_offsets AS o (stage, position)
SELECT stage, position FROM public.stage_offsets WHERE stage = ANY ($1::text[])
ON CONFLICT (stage) DO UPDATE SET position = excluded.position
"""
_PARKED = """
SELECT stage, position, job_id, error FROM nextstep_shadow.dead_letters
 WHERE status = 'parked' AND stage = ANY ($1::text[])
 ORDER BY position, stage COLLATE "C" LIMIT 5
"""
# What is kept over a rebuild must not keep what nothing asks for any more.
_DROP_STRAY_VECTORS = """
DELETE FROM nextstep_shadow.job_embeddings e
 WHERE NOT EXISTS (SELECT FROM job_dedupe_map m
                    WHERE m.job_id = e.job_id AND m.canonical_job_id = m.job_id)
"""
_FRESH_ROWS = """
DELETE FROM nextstep_shadow.job_embeddings
 WHERE (job_id, model_name, recipe) IN (
       SELECT job_id, model_name, recipe FROM nextstep_shadow.job_embeddings
        ORDER BY sha256(uuid_send(job_id)), model_name COLLATE "C", recipe COLLATE "C"
        LIMIT $1)
"""


class Options(msgspec.Struct, frozen=True):
    """
    What to rebuild. `stages` is empty for all; `at` rebuilds the past and never swaps.

    `fresh_vectors` encodes a sample again; all others are taken over by the hash of their text.
    """

    stages: tuple[str, ...] = ()
    mode: Mode = "preview"
    at: int | None = None
    without_vectors: bool = False
    fresh_vectors: bool = False
    keep: bool = False


class RebuildReport(msgspec.Struct):
    """What a rebuild made and how it differs from the live tables; times are seconds."""

    mode: str
    position: int = 0
    stages: dict[str, str] = {}
    resumed: bool = False
    tables: list[TableChange] = []
    gained: list[SkillChange] = []
    lost: list[SkillChange] = []
    vectors: list[str] = []
    live: dict[str, str] = {}
    swapped: bool = False
    build_s: float = 0.0
    catch_up_s: float = 0.0
    compare_s: float = 0.0
    swap_ms: float | None = None

    @property
    def is_equal(self) -> bool:
        return not self.vectors and all(table.is_equal for table in self.tables)


async def rebuild(
    url: str,
    settings: Settings,
    stages: Sequence[Stage],
    options: Options,
    *,
    on_status: OnStatus | None = None,
    stop: anyio.Event | None = None,
) -> RebuildReport:
    """
    Replay the chosen stages, and all that read from them, into a shadow; see `Options`.

    Args:
        stages: the whole line.
        on_status: called with the shadow's status document while it is filled.
        stop: set to give up; the shadow is dropped.

    Raises:
        UsageError: no such stage or position, or a pooler is in the way.
        RebuildFailed: a row failed, a stage halted, or another rebuild is at work. The live tables
            are untouched.
    """
    if settings.pooler == "transaction":
        raise UsageError(
            "a rebuild cannot run behind a transaction pooler",
            hint="name the server itself in DATABASE_URL",
        )
    chosen = chosen_stages(stages, options)
    connection = await control(url, settings)
    try:
        await lock(connection)
        work = _Rebuild(url, settings, stages, chosen, options, connection)
        try:
            return await work.run(on_status, stop or anyio.Event())
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            with anyio.CancelScope(shield=True):
                if not connection.is_closed():
                    await connection.execute(_GO_ON)
                    if not options.keep:
                        await shadow.drop(connection)
    finally:
        connection.terminate()


async def drop_old(url: str, settings: Settings) -> list[str]:
    """Drop the tables that earlier swaps put aside; return their names."""
    connection = await control(url, settings)
    try:
        return await shadow.drop_old(connection)
    finally:
        await connection.close()


async def lock(connection: asyncpg.Connection) -> None:
    """
    Be the only one who fills a shadow, as long as the connection lives.

    Raises:
        RebuildFailed: another one is at work.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        raise RebuildFailed(
            "another rebuild is at work in this database",
            hint="wait for it, or end it: SELECT * FROM pg_locks WHERE locktype = 'advisory'",
        )


async def unlock(connection: asyncpg.Connection) -> None:
    """Let the next one fill the shadow."""
    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def plan_of(
    connection: asyncpg.Connection, versions: dict[str, str], options: Options
) -> shadow.Plan:
    """Return the plan of a shadow with these stages' versions on the schema as it is."""
    return shadow.Plan(
        stages=versions,
        at=options.at,
        schema=await connection.fetchval("SELECT max(version) FROM schema_migrations"),
        fresh_vectors=options.fresh_vectors,
    )


def chosen_stages(stages: Sequence[Stage], options: Options) -> tuple[Stage, ...]:
    """Return the stages that a rebuild makes anew, in line order."""
    names = set(options.stages) or {stage.name for stage in stages}
    if options.at is not None:
        names = {stage.name for stage in stages}  # the live tables say nothing of the past
    reached = {each.name for name in names for each in offsets.downstream(stages, name)}
    return tuple(
        stage
        for stage in stages
        if stage.name in reached and not (options.without_vectors and stage.keep_on_reset)
    )


async def control(url: str, settings: Settings) -> asyncpg.Connection:
    """Open a connection with the rights of whoever owns the tables."""
    connection = await pools.connect(url, None, settings)
    try:
        owner = await connection.fetchval(
            "SELECT relowner::regrole::text FROM pg_class"
            " WHERE oid = 'public.jobs_normalized'::regclass"
        )
        await connection.execute(f"SET ROLE {owner}")
        await connection.execute("SET search_path = public")
    except BaseException:
        connection.terminate()
        raise
    return connection


class _Rebuild:
    """One rebuild at work. `control` owns the tables and is used by one task at a time."""

    def __init__(  # noqa: PLR0917
        self,
        url: str,
        settings: Settings,
        line: Sequence[Stage],
        chosen: Sequence[Stage],
        options: Options,
        control: asyncpg.Connection,
    ) -> None:
        self._url = url
        # The shadow is polled for: notifications speak of the live line.
        self._settings = msgspec.structs.replace(
            settings, notifications=False, poll_interval_s=2 * _LOOK_S
        )
        self._line = line
        self._chosen = chosen
        self._options = options
        self._control = control
        self._names = [stage.name for stage in chosen]
        #: Live stages that the shadow reads from.
        self._feeds = sorted(
            {
                stage.upstream
                for stage in chosen
                if stage.upstream is not None and stage.upstream not in self._names
            }
        )
        self._tables = projection_tables(chosen)
        self._table_names = [table.name for table in self._tables]
        self._log = logs.get("rebuild")

    async def run(self, on_status: OnStatus | None, stop: anyio.Event) -> RebuildReport:
        report = RebuildReport(
            mode="at" if self._options.at is not None else self._options.mode,
            stages={stage.name: stage_version(stage, self._settings) for stage in self._chosen},
        )
        head = await log.head(self._control)
        if self._options.at is not None and not 0 <= self._options.at <= head:
            raise UsageError(f"--at {self._options.at}: the log has positions 1 to {head}")
        started = clock.monotonic_s()
        report.resumed = await self._open(report.stages)
        line_stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(self._run_line, line_stop)
            if on_status is not None:
                group.start_soon(self._tell, on_status)
            await self._until_near(stop)
            report.build_s = _since(started)
            started = clock.monotonic_s()
            if self._options.mode == "swap":
                await shadow.build_late_indexes(self._control, self._table_names)
                await self._until_near(stop)
            async with self._stopped(report, stop):
                line_stop.set()
                report.catch_up_s = _since(started)
                await self._compare(report)
                if self._options.mode == "swap" and self._options.at is None:
                    await self._swap(report)
            group.cancel_scope.cancel()
        return report

    # --- filling --------------------------------------------------------------------------------

    async def _open(self, versions: dict[str, str]) -> bool:
        """Make the shadow, or find the one that a killed rebuild with the same plan left."""
        plan = await plan_of(self._control, versions, self._options)
        if await shadow.found_plan(self._control) == plan:
            self._log.info("going on with the shadow of an earlier rebuild")
            if self._options.at is None:
                await self._control.execute(_SHADOW_GOES_ON)
            return True
        await shadow.make(self._control, plan, self._table_names)
        for table in {t for stage in self._chosen if stage.keep_on_reset for t in stage.tables}:
            await self._control.execute(
                f'INSERT INTO {SHADOW_SCHEMA}."{table}" SELECT * FROM public."{table}"'
            )
            if self._options.fresh_vectors:
                await self._control.execute(_FRESH_ROWS, _FRESH)
        return False

    async def _run_line(self, stop: anyio.Event) -> None:
        await Line(self._url, self._settings, self._chosen, space=SHADOW).run(stop)

    async def _tell(self, on_status: OnStatus) -> None:
        connection = await pools.connect(self._url, "rebuild", self._settings)
        try:
            while True:
                on_status(await offsets.status(connection, self._settings, self._chosen))
                await anyio.sleep(5 * _LOOK_S)
        finally:
            connection.terminate()

    async def _until_near(self, stop: anyio.Event) -> None:
        while True:
            target = await self._target(await log.head(self._control))
            done = await self._shadow_position()
            if done >= target - (0 if self._options.at is not None else _NEAR):
                return
            await _pause(stop)

    async def _target(self, head: int) -> int:
        """Return how far the shadow can come: its bound, or what its live upstream has done."""
        if self._feeds:
            await self._control.execute(_MIRROR, self._feeds)
            rows = await self._live_offsets()
            return min([head, *(int(rows[name]["position"]) for name in self._feeds)])
        return head if self._options.at is None else self._options.at

    async def _shadow_position(self) -> int:
        rows = {r["stage"]: r for r in await self._control.fetch(_OFFSETS.format(SHADOW_SCHEMA))}
        for name in self._names:
            if rows[name]["status"] == "halted":
                raise RebuildFailed(
                    f"stage {name} halted at position {rows[name]['position']} of the rebuild",
                    detail=rows[name]["last_error"],
                    hint="mend the cause and rebuild again; the live tables are as they were",
                )
        return min([int(rows[name]["position"]) for name in self._names])

    async def _live_offsets(self) -> dict[str, Any]:
        rows = await self._control.fetch(_OFFSETS.format("public"))
        return {row["stage"]: row for row in rows}

    # --- at one position ------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _stopped(self, report: RebuildReport, stop: anyio.Event) -> AsyncIterator[None]:
        """Both lines at one position: the head of now, or the one asked for."""
        report.position = await self._target(await log.head(self._control))
        live = [*self._feeds, *self._names] if self._options.at is None else []
        async with anyio.create_task_group() as group:
            await self._hold(live, report.position)
            group.start_soon(self._renew, live, report.position)
            deadline = clock.monotonic_s() + _PATIENCE_S
            while True:
                report.position = await self._target(report.position)
                rows = await self._live_offsets()
                report.live = _not_there(live, rows, report.position)
                waits = [name for name in report.live if report.live[name] == "on its way"]
                if await self._shadow_position() >= report.position and not waits:
                    break
                if clock.monotonic_s() > deadline and waits:
                    raise RebuildFailed(
                        f"the live stages {', '.join(waits)} did not come to position "
                        f"{report.position} in {_PATIENCE_S:.0f} s",
                        hint="nextstep status; then rebuild again",
                    )
                await _pause(stop)
            await self._refuse_parked()
            if "job_embeddings" in self._table_names:
                await self._control.execute("SET search_path = nextstep_shadow, public")
                await self._control.execute(_DROP_STRAY_VECTORS)
                await self._control.execute("SET search_path = public")
            yield
            group.cancel_scope.cancel()

    async def _hold(self, live: Sequence[str], position: int) -> None:
        await self._control.execute(_STOP.format("public"), live, position, _STOP_S)
        if self._options.at is None:
            await self._control.execute(
                _STOP.format(SHADOW_SCHEMA), self._names, position, 10 * _PATIENCE_S
            )

    async def _renew(self, live: Sequence[str], position: int) -> None:
        """Keep the stop alive on a connection of its own: `control` may be comparing for long."""
        connection = await control(self._url, self._settings)
        try:
            while True:
                await anyio.sleep(_RENEW_S)
                with contextlib.suppress(asyncpg.LockNotAvailableError):
                    await connection.execute(_STOP.format("public"), live, position, _STOP_S)
        finally:
            connection.terminate()

    async def _refuse_parked(self) -> None:
        parked = await self._control.fetch(_PARKED, self._names)
        if parked:
            raise RebuildFailed(
                "rows failed in the rebuild that no one has discarded",
                detail="; ".join(
                    f"{row['stage']} at position {row['position']}, job {row['job_id']}: "
                    f"{row['error']}"
                    for row in parked
                ),
                hint="nextstep dead-letters list; mend or discard them, then rebuild again",
            )

    async def _compare(self, report: RebuildReport) -> None:
        started = clock.monotonic_s()
        if self._options.at is None:
            async with self._control.transaction(isolation="repeatable_read", readonly=True):
                report.tables = await compare_tables(self._control, self._tables)
                if "job_entities" in self._table_names:
                    report.gained, report.lost = await compare_skills(self._control)
                if "job_embeddings" in self._table_names:
                    report.vectors = await compare_vectors(self._control, _SAME_COSINE)
        else:
            report.tables = await self._digests()
        report.compare_s = _since(started)

    async def _digests(self) -> list[TableChange]:
        """The past has no live tables to be compared with: its own digests only."""
        found = []
        async with self._control.transaction(isolation="repeatable_read", readonly=True):
            await self._control.execute("SET LOCAL search_path = nextstep_shadow, public")
            for table in self._tables:
                if table.compared:
                    made = await digest_table(self._control, table.name, table.compared)
                    found.append(
                        TableChange(
                            table=table.name,
                            stage=table.stage,
                            live_rows=0,
                            rebuilt_rows=made.rows,
                            live_sha256="",
                            rebuilt_sha256=made.sha256,
                        )
                    )
        return found

    async def _swap(self, report: RebuildReport) -> None:
        rows = {r["stage"]: r for r in await self._control.fetch(_OFFSETS.format(SHADOW_SCHEMA))}
        made = {name: (int(rows[name]["position"]), report.stages[name]) for name in self._names}
        rewound = [
            each.name for each in self._line if each.name not in made and each.upstream in made
        ]
        report.swap_ms = round(
            await shadow.swap(self._control, self._table_names, made, rewound), 1
        )
        report.swapped = True
        await self._control.execute("SELECT pg_notify($1, 'swapped')", log.CHANNEL)
        self._log.info("swapped", position=report.position, exclusive_ms=report.swap_ms)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _not_there(names: Sequence[str], rows: dict[str, Any], position: int) -> dict[str, str]:
    """Return the live stages that are not at the position, and why; in line order."""
    found: dict[str, str] = {}
    for name in names:
        row = rows.get(name)
        if row is None or row["position"] == position:
            continue
        if row["status"] != "running":
            found[name] = f"{row['status']} at {row['position']}"
        elif not row["is_held"]:
            found[name] = f"at {row['position']}, and no process runs it"
        elif any(why != "on its way" for why in found.values()):
            found[name] = f"at {row['position']}, behind a stage that stands still"
        else:
            found[name] = "on its way"
    return found


async def _pause(stop: anyio.Event) -> None:
    with anyio.move_on_after(_LOOK_S):
        await stop.wait()
    if stop.is_set():
        raise RebuildFailed("cancelled: the shadow is dropped, the live tables are as they were")


def _since(started: float) -> float:
    return round(clock.monotonic_s() - started, 2)
