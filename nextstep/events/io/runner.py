"""
The one runner that drives every stage.

wake -> read -> prepare (in processes, one batch ahead) -> look-ups -> decide -> one transaction
with rows, dead letters, counts and the offset -> wake the next stage.

The offset moves by compare-and-set on (position, epoch, status): a runner that was fenced, paused
or rewound meanwhile changes nothing. Source: design.md 3, decisions.md 10-15.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg
import msgspec

from nextstep import clock, logs
from nextstep.db.queries import read_queries
from nextstep.errors import Fenced, NextStepError, StageError, TooManyDeadLetters
from nextstep.events.io.executor import Executor
from nextstep.events.io.faults import Fault, classify, text_of
from nextstep.events.io.space import LIVE, Space
from nextstep.events.io.wake import Wake
from nextstep.events.io.writes import Writer
from nextstep.events.stage import Found, InputRow, Stage, Writes
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import AnyConnection

_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))
#: Rows read at once by a stage that says nothing else; larger batches gain little.
_BATCH = 500
#: Seconds of the first and the longest wait before a transient fault is tried again.
_BACKOFF_S = (0.1, 5.0)
#: An error text in a dead letter or an offset row; it names values, never payloads.
_ERROR_CAP = 500


class Failure(msgspec.Struct, frozen=True):
    """One row that a stage could not handle."""

    row: InputRow
    error: str
    detail: str
    attempts: int


class Batch(msgspec.Struct, frozen=True):
    """Rows of whole positions, prepared. `end` is the offset once the batch is committed."""

    start: int
    end: int
    bound: int
    rows: list[Any]
    prepared: list[Any]
    failures: list[Failure]


class _State(msgspec.Struct, frozen=True):
    position: int
    status: str
    epoch: int
    version: str
    bound: int
    has_parked: bool
    head: int


class StageRunner:
    """Drives one stage while this process owns it. `epoch` is None while it does not."""

    def __init__(  # noqa: PLR0917
        self,
        stage: Stage,
        pool: asyncpg.Pool,
        executor: Executor,
        wake: Wake,
        settings: Settings,
        space: Space = LIVE,
    ) -> None:
        self.stage = stage
        self._space = space
        self.epoch: int | None = None
        self.offset = 0
        self._pool = pool
        self._executor = executor
        self._wake = wake
        self._settings = settings
        self._writer = Writer()
        self._limit = settings.batch_size or stage.batch_size or _BATCH
        self._log = logs.get(space.room).bind(stage=stage.name)
        self._dead_in_a_row = 0
        self._run = _Run()

    # --- one drain ------------------------------------------------------------------------------

    async def drain(self, stop: anyio.Event) -> None:
        """
        Process batch after batch until the bound is reached or `stop` is set.

        Raises:
            Fenced: another process owns the stage now.
            NextStepError: a systemic fault; nothing of the batch was written.
        """
        ahead: asyncio.Task[Batch | None] | None = None
        try:
            while not stop.is_set():
                state = await self._state()
                if state.status != "running" or state.position >= state.bound:
                    return
                batch = await ahead if ahead else None
                ahead = None
                if batch is None or batch.start != state.position:
                    batch = await self._read(state.position, state.bound)
                if batch.end < state.bound:
                    ahead = asyncio.create_task(self._read(batch.end, state.bound))
                await self._finish(batch, state)
        finally:
            if ahead is not None:
                ahead.cancel()
                with contextlib.suppress(BaseException):
                    await ahead

    async def _state(self) -> _State:
        row = await self._pool.fetchrow(
            _QUERIES["stage_state"], self.stage.name, self.stage.upstream
        )
        if row is None:
            raise StageError(
                f"stage {self.stage.name} has no row in stage_offsets",
                hint="start the processors again; they make the row",
            )
        state = _State(**dict(row))
        if state.epoch != self.epoch:
            raise Fenced(f"stage {self.stage.name} was taken over (epoch {state.epoch})")
        self.offset = state.position
        return state

    async def _read(self, start: int, bound: int) -> Batch:
        records = await self._pool.fetch(self.stage.read, start, bound, self._limit)
        rows = [self.stage.row(*record) for record in records]
        end = rows[-1].position if len(rows) >= self._limit else bound
        good, prepared, failures = await self._prepare(rows, attempt=1)
        return Batch(start, end, bound, good, prepared, failures)

    async def _prepare(
        self, rows: list[Any], attempt: int
    ) -> tuple[list[Any], list[Any], list[Failure]]:
        if not rows:
            return [], [], []
        try:
            return rows, await self._executor.prepare(self.stage, rows), []
        except Exception as error:
            if classify(error) is not Fault.HANDLER:
                raise
            if len(rows) == 1:
                if attempt == 1:
                    return await self._prepare(rows, attempt=2)
                return [], [], [failure_of(rows[0], error, attempt)]
        middle = len(rows) // 2
        left = await self._prepare(rows[:middle], 1)
        right = await self._prepare(rows[middle:], 1)
        return left[0] + right[0], left[1] + right[1], left[2] + right[2]

    async def _finish(self, batch: Batch, state: _State) -> None:
        started = clock.monotonic_s()
        try:
            writes = await self._attempt(batch, batch.rows, batch.prepared, [], state)
            failures: list[Failure] = []
            good = batch.rows
        except Exception as error:
            if classify(error) is not Fault.HANDLER:
                raise
            failures = await self._find_poison(batch, batch.rows, batch.prepared, state, error)
            bad = {id(failure.row) for failure in failures}
            kept = [
                (row, value)
                for row, value in zip(batch.rows, batch.prepared, strict=True)
                if id(row) not in bad
            ]
            good = [row for row, _ in kept]
            writes = await self._attempt(batch, good, [value for _, value in kept], failures, state)
        self.offset = batch.end
        self._wake.moved(self.stage.name)
        self._log.info(
            "batch",
            **{"from": batch.start, "to": batch.end, "in": len(batch.rows) + len(batch.failures)},
            **writes.tallies,
            dead=len(failures) + len(batch.failures),
            duration_ms=round((clock.monotonic_s() - started) * 1000, 1),
        )

    async def _find_poison(
        self, batch: Batch, rows: list[Any], prepared: list[Any], state: _State, error: Exception
    ) -> list[Failure]:
        """Halve the rows, each half tried and rolled back, until those that fail alone remain."""
        if len(rows) == 1:
            return [failure_of(rows[0], error, 2)]
        failures: list[Failure] = []
        middle = len(rows) // 2
        for part in (slice(None, middle), slice(middle, None)):
            try:
                await self._attempt(batch, rows[part], prepared[part], [], state, trial=True)
            except Exception as inner:
                if classify(inner) is not Fault.HANDLER:
                    raise
                failures += await self._find_poison(batch, rows[part], prepared[part], state, inner)
        if not failures:
            raise StageError(
                f"stage {self.stage.name} fails on positions {batch.start + 1}..{batch.end} "
                "though no single row does",
                detail=_text(error),
                hint="a fault of the stage's code; it stands still, nothing is lost",
            ) from error
        return failures

    # --- one transaction ------------------------------------------------------------------------

    async def _attempt(  # noqa: PLR0917
        self,
        batch: Batch,
        rows: list[Any],
        prepared: list[Any],
        failures: list[Failure],
        state: _State,
        trial: bool = False,
    ) -> Writes:
        dead = [*batch.failures, *failures]
        handled = len(rows) + len(dead)
        rows, prepared = without_superseded(rows, prepared, dead)
        good = rows
        if self.stage.absent is None and dead:
            rows = [*rows, *(failure.row for failure in dead)]
            prepared = [*prepared, *(None for _ in dead)]
        found = await self._look_up(rows, prepared)
        writes = (
            await self._executor.decide(self.stage, rows, prepared, found) if rows else Writes([])
        )
        dead_in_a_row = 0 if trial else self._dead_after(dead, good)
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                if dead and not trial:
                    await self._park(connection, dead)
                await self._writer.apply(connection, writes.ops)
                if trial:
                    await transaction.rollback()
                    return writes
                if state.has_parked or dead:
                    # A job may go wrong and then right within one batch.
                    await self._resolve(connection, good)
                await self._checkpoint(connection, batch, writes, (handled, len(dead)), state.head)
                await transaction.commit()
            except BaseException:
                # Also when cancelled: a connection goes back to the pool without a transaction.
                with anyio.CancelScope(shield=True), contextlib.suppress(Exception):
                    await transaction.rollback()
                raise
        self._dead_in_a_row = dead_in_a_row
        return writes

    async def _look_up(self, rows: Sequence[Any], prepared: Sequence[Any]) -> Found:
        found: Found = {}
        if not rows or not self.stage.lookups:
            return found
        async with self._pool.acquire() as connection:
            for lookup in self.stage.lookups:
                args = lookup.args(rows, prepared, found)
                found[lookup.name] = [tuple(r) for r in await connection.fetch(lookup.sql, *args)]
        return found

    async def _park(self, connection: AnyConnection, dead: list[Failure]) -> None:
        if self.stage.absent is not None:
            gone = self.stage.absent([failure.row for failure in dead])
            await self._writer.apply(connection, gone.ops)
        await connection.executemany(
            _QUERIES["park"],
            [
                (self.stage.name, f.row.job_id, f.row.position, f.error, f.detail, f.attempts)
                for f in dead
            ],
        )

    async def _resolve(self, connection: AnyConnection, rows: list[Any]) -> None:
        resolves = self.stage.resolves
        well = [row.job_id for row in rows if resolves is None or resolves(row)]
        await connection.execute(_QUERIES["resolve"], self.stage.name, well)

    def _dead_after(self, dead: list[Failure], rows: list[Any]) -> int:
        """Return how many dead letters stand in a row once the batch is committed."""
        in_a_row = (0 if rows else self._dead_in_a_row) + len(dead)
        if in_a_row > self._settings.dead_letter_limit and len(dead) >= len(rows):
            raise TooManyDeadLetters(
                f"stage {self.stage.name} failed on {in_a_row} rows in a row, "
                f"more than the limit of {self._settings.dead_letter_limit}",
                detail=f"the last: {dead[-1].error} {dead[-1].detail}",
                hint=f"mend the cause, then: nextstep resume {self.stage.name}",
            )
        return in_a_row

    async def _checkpoint(
        self,
        connection: AnyConnection,
        batch: Batch,
        writes: Writes,
        handled: tuple[int, int],
        head: int,
    ) -> None:
        taken, dead = handled
        counts = self._run.add(writes, taken, dead)
        # A drain ends at the head; at an upstream that is still on its way it only waits.
        done = batch.end >= head
        moved = await connection.fetch(
            _QUERIES["checkpoint"],
            self.stage.name,
            batch.start,
            batch.end,
            self.epoch,
            self._run.run_id if taken or self._run.begun else None,
            self._run.started_at,
            counts,
            done,
            self._space.channel,
        )
        if not moved:
            raise Fenced(
                f"stage {self.stage.name} was paused, rewound or taken over while it worked",
                detail=f"the batch {batch.start + 1}..{batch.end} was rolled back",
            )
        self._run.commit(counts, writes)
        if done:
            self._run = _Run()

    # --- faults ---------------------------------------------------------------------------------

    async def halt(self, error: NextStepError | Exception, reason: str = "fault") -> None:
        """Stand still until an operator resumes; the reason is in the stage's row and its run."""
        self._log.error("halted", reason=reason, error=str(error))
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                _QUERIES["halt_stage"], self.stage.name, self.epoch, reason, _text(error)
            )
            await connection.execute(
                _QUERIES["fail_run"],
                self._run.run_id,
                self.stage.name,
                self._run.started_at,
                self._run.counts,
                _text(error),
            )
        self._run = _Run()
        self._dead_in_a_row = 0

    async def struggle(self, error: Exception, tries: int) -> None:
        """Wait before the next try of a transient fault, longer each time, and say so."""
        delay = min(_BACKOFF_S[1], _BACKOFF_S[0] * 2 ** min(tries, 10))
        self._log.warning("retrying", error=_text(error).splitlines()[0], retry_in_s=delay)
        with contextlib.suppress(Exception):
            await self._pool.execute(
                _QUERIES["note_error"], self.stage.name, self.epoch, _text(error), timeout=2
            )
        await anyio.sleep(delay)


def without_superseded(
    rows: list[Any], prepared: list[Any], dead: list[Failure]
) -> tuple[list[Any], list[Any]]:
    """Drop what stands before a dead row of the same job: writing it would bring the job back."""
    if not dead:
        return rows, prepared
    last = {failure.row.job_id: failure.row.position for failure in dead}
    kept = [
        (row, value)
        for row, value in zip(rows, prepared, strict=True)
        if row.position > last.get(row.job_id, 0)
    ]
    return [row for row, _ in kept], [value for _, value in kept]


class _Run:
    """The counts of one drain; only what was committed stays in them."""

    def __init__(self) -> None:
        self.run_id = uuid.uuid4()
        self.started_at: datetime = clock.now()
        self.begun = False
        self._tallies: Counter[str] = Counter()
        self._confidences: dict[str, Counter[float]] = {}
        self.counts: dict[str, Any] = {}

    def add(self, writes: Writes, taken: int, dead: int) -> dict[str, Any]:
        """Return the counts as they will be when the batch is committed."""
        tallies = self._tallies + Counter(
            {"in": taken, "dead": dead, **{k: v for k, v in writes.tallies.items() if v}}
        )
        fields = {name: Counter(seen) for name, seen in self._confidences.items()}
        for name, values in writes.confidences.items():
            fields.setdefault(name, Counter()).update(round(value, 2) for value in values)
        counts: dict[str, Any] = {"in": 0, "out": 0, "dead": 0, **tallies}
        if fields:
            counts["confidence"] = {name: _spread(seen) for name, seen in sorted(fields.items())}
        return counts

    def commit(self, counts: dict[str, Any], writes: Writes) -> None:
        self.begun = True
        self.counts = counts
        self._tallies = Counter({k: v for k, v in counts.items() if isinstance(v, int)})
        for name, values in writes.confidences.items():
            self._confidences.setdefault(name, Counter()).update(round(v, 2) for v in values)


def _spread(seen: Counter[float]) -> dict[str, float]:
    total = sum(seen.values())
    if not total:
        return {}
    ordered = sorted(seen.items())

    def quantile(part: float) -> float:
        left = part * (total - 1)
        for value, times in ordered:
            left -= times
            if left < 0:
                return value
        return ordered[-1][0]

    mean = sum(value * times for value, times in ordered) / total
    return {
        "min": ordered[0][0],
        "mean": round(mean, 3),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
    }


def failure_of(row: InputRow, error: BaseException, attempts: int) -> Failure:
    """Return what is kept of a row that failed: the kind of error and its place, never a value."""
    return Failure(row, f"{type(error).__name__}: {_short(error)}", _where(error), attempts)


def _short(error: BaseException) -> str:
    # Values of the post may stand in a message ("invalid literal for int(): ..."); the type and
    # the place are enough, and a log or a dead letter never holds payload text.
    if isinstance(error, NextStepError):
        return error.message[:_ERROR_CAP]
    if isinstance(error, asyncpg.PostgresError):
        return f"SQLSTATE {error.sqlstate}"
    return "see detail for the place"


def _where(error: BaseException) -> str:
    """File and line of the innermost frame that is ours, without the machine's folders."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "nextstep" in code.co_filename:
            name = code.co_filename.replace("\\", "/").rpartition("nextstep/")[2]
            frames.append(f"nextstep/{name}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    remote = getattr(error.__cause__, "tb", "") if error.__cause__ else ""
    for line in str(remote).splitlines():
        if 'File "' in line and "nextstep" in line:
            name = line.split('File "')[1].split('"')[0].replace("\\", "/")
            rest = line.split('",')[1].strip()
            frames.append(f"nextstep/{name.rpartition('nextstep/')[2]}, {rest}")
    return frames[-1] if frames else ""


def _text(error: BaseException) -> str:
    return text_of(error)[: 2 * _ERROR_CAP]
