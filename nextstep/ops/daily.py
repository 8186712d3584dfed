"""
The daily run: take the import folder, drain every stage to one head, report.

It is the live line's own work, done once: stages that services hold are waited for, the others are
run here. At the head all stages stand still for the moment in which the digests are read.

Source: C-05, C-12, J-01, J-18, J-20, J-46, issue 9 item 4.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
from structlog.contextvars import bound_contextvars

from nextstep import __version__, clock, logs
from nextstep.db import pools
from nextstep.db.pools import Connection
from nextstep.errors import NextStepError, StageError
from nextstep.events.identity import named_uuid
from nextstep.events.io.line import run_line
from nextstep.events.stage import Stage
from nextstep.ops import daily_files, inbox
from nextstep.ops.daily_report import NAMED, Changes, Named, RunReport, StageRun, Top
from nextstep.ops.saved_profiles import saved_profiles
from nextstep.projections.io.digests import digest_all, digest_table
from nextstep.settings import Settings

#: Seconds between two looks at the offsets; for which a stop holds; and until it is renewed.
_LOOK_S = 0.25
_STOP_S = 20
_RENEW_S = 5.0
#: Of rebuilds: both hold the line still, so they take turns.
_LOCK = 5641900

#: Profiles as JSON -> for each its best jobs, or an error's text.
Ask = Callable[[list[dict[str, Any]]], Awaitable[list[list[dict[str, Any]] | str]]]

_HEAD = "SELECT position, encode(chain, 'hex') FROM job_events ORDER BY position DESC LIMIT 1"
_CHAIN = "SELECT encode(chain, 'hex') FROM job_events WHERE position = $1"
_OFFSETS = """
SELECT stage, position, version, status, last_error,
       holder <> '' AND heartbeat_at > clock_timestamp() - interval '10 s' AS is_held
  FROM stage_offsets WHERE stage = ANY ($1::text[])
"""
_HOLD = """
UPDATE stage_offsets
   SET stop_at = $2, stop_until = clock_timestamp() + make_interval(secs => $3)
 WHERE stage = ANY ($1::text[])
"""
_GO_ON = "UPDATE stage_offsets SET stop_until = NULL WHERE stage = ANY ($1::text[])"
_COUNTS = """
SELECT stage, counts FROM pipeline_runs
 WHERE stage = ANY ($1::text[]) AND coalesce(finished_at, clock_timestamp()) >= $2
 ORDER BY started_at, run_id
"""
_CHANGES = """
SELECT kind, nth, total, job_id::text, coalesce(payload ->> 'title', ''),
       coalesce(payload ->> 'company', ''), coalesce(payload ->> 'location', '')
  FROM (
    SELECT c.*, row_number() OVER (PARTITION BY c.kind ORDER BY c.position, c.job_id) AS nth,
           count(*) OVER (PARTITION BY c.kind) AS total
      FROM (
        SELECT e.job_id, max(e.position) AS position,
               CASE WHEN (array_agg(e.kind ORDER BY e.version DESC))[1] = 'job.closed' THEN 'closed'
                    WHEN bool_or(e.kind = 'job.posted') THEN 'new'
                    WHEN (array_agg(e.kind ORDER BY e.version DESC))[1] = 'job.reopened'
                      THEN 'reopened'
                    ELSE 'changed' END AS kind
          FROM job_events e
         WHERE e.position > $1 AND e.position <= $2
           AND e.kind IN ('job.posted', 'job.revised', 'job.closed', 'job.reopened')
         GROUP BY e.job_id
      ) c
  ) n
 CROSS JOIN LATERAL (
    SELECT p.payload FROM job_events p
     WHERE p.job_id = n.job_id AND p.position <= $2
       AND p.kind IN ('job.posted', 'job.revised', 'job.reopened')
     ORDER BY p.version DESC
     LIMIT 1) l
 WHERE nth <= $3
 ORDER BY kind, nth
"""
_RUN = """
INSERT INTO pipeline_runs (run_id, stage, started_at, finished_at, counts, status, error)
VALUES ($1, 'run-daily', $2::timestamptz, clock_timestamp(), $3, $4, $5)
ON CONFLICT (run_id, stage) DO NOTHING
"""


def new_run_id() -> str:
    """Return an id that sorts by time."""
    return f"{clock.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


async def run_daily(
    url: str,
    settings: Settings,
    stages: Sequence[Stage],
    folder: Path,
    ask: Ask,
    *,
    settled_s: float = inbox.SETTLED_S,
    stop: anyio.Event | None = None,
) -> RunReport:
    """
    Run once and return the report, which is written also when the run failed.

    Args:
        folder: where files arrive; see `inbox`.
        ask: answers the saved profiles; called with the line at the head.
        stop: set to end early; the run then failed, and what it appended stays.

    Raises:
        FileError: the report cannot be written.
    """
    report = RunReport(
        run_id=new_run_id(),
        started_at=clock.now().isoformat(timespec="milliseconds"),
        nextstep=__version__,
        folder=str(folder),
    )
    with bound_contextvars(run_id=report.run_id):
        log = logs.get("daily")
        log.info("begins", folder=str(folder))
        try:
            await _Run(url, settings, stages, report, stop or anyio.Event()).work(
                folder, ask, settled_s
            )
        except Exception as error:  # whatever it was, the report says that it was
            first = _first(error)
            if isinstance(first, NextStepError):
                report.error, report.exit_code = str(first), first.exit_code
            else:
                report.error, report.exit_code = f"{type(first).__name__} ended the run", 3
                log.exception("fault")
        report.finished_at = clock.now().isoformat(timespec="milliseconds")
        await _note(url, settings, report)
        path = daily_files.write(daily_files.runs_folder(settings), report)
        log.info("ends", status=report.status, head=report.head, report=str(path))
    return report


class _Run:
    """One run at work; fills its report."""

    def __init__(
        self,
        url: str,
        settings: Settings,
        stages: Sequence[Stage],
        report: RunReport,
        stop: anyio.Event,
    ) -> None:
        self._url, self._settings, self._stages = url, settings, stages
        self._names = [stage.name for stage in stages]
        self._report, self._stop = report, stop
        #: Set when the stages that run here have stepped down; None while none do.
        self._ended: anyio.Event | None = None

    async def work(self, folder: Path, ask: Ask, settled_s: float) -> None:
        report = self._report
        with self._timed("ingest"):
            await self._ingest(folder, settled_s)
        connection = await pools.connect(self._url, "worker", self._settings)
        try:
            async with self._at_one_head(connection):
                with self._timed("report"):
                    await self._read(connection)
        finally:
            connection.terminate()
        with self._timed("profiles"):
            await self._profiles(ask)
        rejected = any(each.error for each in report.inputs)
        report.status, report.exit_code = ("rejected", 2) if rejected else ("done", 0)

    @contextlib.contextmanager
    def _timed(self, name: str) -> Any:
        started = clock.monotonic_s()
        try:
            yield
        finally:
            self._report.timings[f"{name}_s"] = round(clock.monotonic_s() - started, 3)

    async def _ingest(self, folder: Path, settled_s: float) -> None:
        inputs = await inbox.select(self._url, self._settings, folder, settled_s=settled_s)
        self._report.inputs = inputs
        for each in inputs:
            if each.taken:
                await inbox.take(self._url, self._settings, folder, each, stop=self._stop.is_set)
            self._refuse_stopped()

    def _refuse_stopped(self) -> None:
        if self._stop.is_set():
            raise StageError("the run was told to stop", hint="nextstep run-daily goes on with it")

    # --- to one head ----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _at_one_head(self, connection: Connection) -> AsyncIterator[None]:
        """All stages at the head of now, and held there; the report knows it."""
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise StageError("a rebuild or another run is at work", hint="run it again later")
        report, done = self._report, anyio.Event()
        row = await connection.fetchrow(_HEAD)
        report.head, report.chain = (row[0], row[1]) if row else (0, "")
        async with anyio.create_task_group() as group:
            try:
                with self._timed("drain"):
                    await connection.execute(_HOLD, self._names, report.head, _STOP_S)
                    group.start_soon(self._renew)
                    rows = await self._rows(connection)
                    if not self._is_there(rows):
                        mine = [
                            stage
                            for stage in self._stages
                            if stage.name not in rows or not rows[stage.name]["is_held"]
                        ]
                        self._ended = anyio.Event()
                        group.start_soon(self._line, mine, done, self._ended)
                        while not self._is_there(await self._rows(connection)):
                            self._refuse_stopped()
                            await anyio.sleep(_LOOK_S)
                yield
            finally:
                done.set()
                with anyio.CancelScope(shield=True):
                    if not connection.is_closed():
                        await connection.execute(_GO_ON, self._names)
            if self._ended is not None:
                await self._ended.wait()
            group.cancel_scope.cancel()

    async def _line(self, mine: Sequence[Stage], done: anyio.Event, ended: anyio.Event) -> None:
        try:
            if mine:
                await run_line(self._url, self._settings, mine, stop=done)
        finally:
            ended.set()

    async def _renew(self) -> None:
        # A connection of its own: the other one may be reading digests for long.
        connection = await pools.connect(self._url, "worker", self._settings)
        try:
            while True:
                await anyio.sleep(_RENEW_S)
                await connection.execute(_HOLD, self._names, self._report.head, _STOP_S)
        finally:
            connection.terminate()

    async def _rows(self, connection: Connection) -> dict[str, Any]:
        return {row["stage"]: row for row in await connection.fetch(_OFFSETS, self._names)}

    def _is_there(self, rows: dict[str, Any]) -> bool:
        for name, row in rows.items():
            if row["position"] > self._report.head:
                # It was on its way past the head as that was read: then its place is the head.
                raise StageError(
                    f"stage {name} passed the head {self._report.head} while it was read",
                    hint="posts came in this moment; run it again",
                )
            if row["status"] != "running" and row["position"] < self._report.head:
                raise StageError(
                    f"stage {name} is {row['status']} at {row['position']}",
                    detail=(row["last_error"] or "").splitlines()[0] if row["last_error"] else "",
                    hint=f"nextstep status; then: nextstep resume {name}",
                )
        return all(
            name in rows and rows[name]["position"] == self._report.head for name in self._names
        )

    # --- what is there --------------------------------------------------------------------------

    async def _read(self, connection: Connection) -> None:
        report = self._report
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await self._rows(connection)
            started = datetime.fromisoformat(report.started_at)
            report.stages = [
                StageRun(name, rows[name]["position"], rows[name]["version"])
                for name in self._names
            ]
            for name, counts in await connection.fetch(_COUNTS, self._names, started):
                _add(next(run for run in report.stages if run.stage == name).counts, counts)
            report.digests = await digest_all(connection, self._stages)
            for stage in self._stages:
                for table, columns in stage.digest_columns.items():
                    report.tables[table] = (await digest_table(connection, table, columns)).rows
            report.since, report.since_reason = await self._since(connection)
            report.changes = await changes(connection, report.since, report.head)

    async def _since(self, connection: Connection) -> tuple[int, str]:
        before = daily_files.latest(daily_files.runs_folder(self._settings))
        if before is None:
            return 0, "no run before this one"
        if before.head == 0 or before.head > self._report.head:
            return 0, f"run {before.run_id} was of another log"
        if await connection.fetchval(_CHAIN, before.head) != before.chain:
            return 0, f"run {before.run_id} was of another log"
        return before.head, f"since run {before.run_id}"

    async def _profiles(self, ask: Ask) -> None:
        saved = saved_profiles(self._settings.home.expanduser() / "profiles")
        self._report.profiles = [Top(each.name, each.sha256, error=each.error) for each in saved]
        sound = [(top, s.profile) for top, s in zip(self._report.profiles, saved, strict=True)
                 if not s.error]  # fmt: skip
        if not sound or not self._report.tables.get("job_embeddings"):
            return
        answers = await ask([profile for _, profile in sound])
        for (top, _), answer in zip(sound, answers, strict=True):
            if isinstance(answer, str):
                top.error = answer
            else:
                top.results = answer


async def changes(connection: Connection, since: int, head: int) -> Changes:
    """Return what became of posts between two positions of the log, by the log alone."""
    found = Changes()
    for kind, _, total, *post in await connection.fetch(_CHANGES, since, head, NAMED):
        found.counts[kind] = total
        found.named.setdefault(kind, []).append(Named(*post))
    return found


def _add(sums: dict[str, Any], counts: dict[str, Any]) -> None:
    for name, count in counts.items():
        if isinstance(count, int | float) and not isinstance(count, bool):
            sums[name] = sums.get(name, 0) + count


async def _note(url: str, settings: Settings, report: RunReport) -> None:
    """The run's row, for queries; its folder has the rest."""
    with contextlib.suppress(Exception):  # the report says already what is wrong with the server
        connection = await pools.connect(url, "worker", settings)
        try:
            await connection.execute(
                _RUN,
                named_uuid("run", report.run_id),
                datetime.fromisoformat(report.started_at),
                {**report.changes.counts, "head": report.head},
                "failed" if report.status == "failed" else "done",
                report.error.splitlines()[0] if report.error else "",
            )
        finally:
            await connection.close(timeout=5)


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
