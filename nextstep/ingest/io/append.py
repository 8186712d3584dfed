"""
Files into the log: read and map on one thread while the last batch is appended.

Every batch is one transaction of its events, its rejects and the ids a complete scan saw. An ingest
that dies has appended whole batches; the same command again appends only the rest.

Source: D-02, D-06, N-83, decisions.md 2-7.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from nextstep import clock
from nextstep.db import pools
from nextstep.errors import DatabaseError, NextStepError, Unreachable, UsageError
from nextstep.events.io import log
from nextstep.ingest import rejects
from nextstep.ingest.batches import Batch, latest_by_source, make_batches
from nextstep.ingest.columns import ColumnMap, Plan
from nextstep.ingest.io import store
from nextstep.ingest.io.files import check_file, no_source, open_rows
from nextstep.ingest.io.scans import Scans
from nextstep.ingest.io.sniff import FileFacts, look_at
from nextstep.ingest.mapping import Context
from nextstep.ingest.report import Counts, FileReport, IngestReport
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import Connection

#: How far ahead of now a row's time may lie: clocks and time zones differ, years do not.
_AHEAD = timedelta(days=2)


class IngestOptions(msgspec.Struct, frozen=True):
    """
    How files are read.

    Attributes:
        source: source of rows that name none; "" takes the map's.
        column_map: which column means what.
        complete_scan: what a source in the files no longer lists is closed.
        observed_at: when rows without a time of their own were so; None takes the file's time.
        allow_close: carry a complete scan out though rows were rejected or much would close.
        rows: read at most so many rows of each file.
    """

    source: str = ""
    column_map: ColumnMap = ColumnMap()
    complete_scan: bool = False
    observed_at: datetime | None = None
    allow_close: bool = False
    rows: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far an ingest is. `fraction` is of all files together, 0..1."""

    file: str
    rows: int
    rejected: int
    fraction: float


OnProgress = Callable[[Progress], None]


async def ingest_files(
    settings: Settings,
    url: str,
    files: Sequence[Path],
    options: IngestOptions = IngestOptions(),  # noqa: B008 - frozen
    on_progress: OnProgress | None = None,
    *,
    stop: Callable[[], bool] | None = None,
) -> IngestReport:
    """
    Append what the files hold and return the counts.

    All files are looked at before the first row is written. The schema must be migrated. A complete
    scan that was refused stands in the report; `report.require_scanned()` raises it. `stop` is
    asked after each batch; when it says so, the report comes at once, `stopped` and without scans.

    Raises:
        FileError: missing, damaged or of an unknown kind.
        MappingError: the columns do not fit, or no source is known.
        UsageError: options that exclude each other.
        Unreachable, DatabaseError: the server; what was appended before stays.
    """
    _check_options(options)
    started = clock.monotonic_s()
    source = options.source.strip() or options.column_map.source.strip()
    seen: list[tuple[FileFacts, Plan | None]] = []
    for path in files:
        facts = await asyncio.to_thread(look_at, path, options.column_map.encoding)
        plan = await asyncio.to_thread(check_file, facts, options.column_map, source)
        seen.append((facts, plan))
    report = IngestReport()
    scans = Scans(
        [facts for facts, _ in seen],
        settings,
        complete=options.complete_scan,
        observed_at=options.observed_at,
        allow_close=options.allow_close,
    )
    async with _connection(settings, url) as connection:
        run = _Run(
            settings,
            connection,
            options,
            source=source,
            scans=scans,
            report=report,
            on_progress=on_progress,
            stop=stop,
        )
        for place, (facts, plan) in enumerate(seen):
            await run.file(facts, plan, place / len(seen), 1 / len(seen))
        listed = {name for name in report.sources if name}
        if options.complete_scan and source:
            listed.add(source)
        for name in sorted(listed) if not report.stopped else ():
            await scans.finish(connection, name, report)
    report.seconds = round(clock.monotonic_s() - started, 3)
    return report


class _Run:
    """The state of one `ingest_files`."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        options: IngestOptions,
        *,
        source: str,
        scans: Scans,
        report: IngestReport,
        on_progress: OnProgress | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._options = options
        self._source = source
        self._scans = scans
        self._report = report
        self._on_progress = on_progress
        self._stop = stop

    async def file(self, facts: FileFacts, plan: Plan | None, base: float, share: float) -> None:
        """Read one file to its end, or until told to stop."""
        if self._report.stopped:
            return
        counts = Counts()
        self._report.files.append(FileReport(facts.name, counts))
        async with pools.in_transaction(self._connection, "ingest", self._settings):
            await store.start_file(self._connection, facts, clock.now())
        status = "failed"
        try:
            async with aclosing(self._batches(facts, plan)) as batches:
                async for batch in batches:
                    await self._append(facts, batch, counts)
                    if self._on_progress is not None:
                        at = base + share * self._fraction(batch, counts)
                        totals = self._report.totals
                        self._on_progress(Progress(facts.name, totals.rows, totals.rejected, at))
                    if self._stop is not None and self._stop():
                        self._report.stopped = True
                        return
            status = "done"
        finally:
            if not self._connection.is_closed():
                async with pools.in_transaction(self._connection, "ingest", self._settings):
                    await store.finish_file(self._connection, facts, clock.now(), counts, status)

    async def _batches(self, facts: FileFacts, plan: Plan | None) -> AsyncGenerator[Batch, None]:
        """The file's batches; the next one is read while the caller works on this one."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="ingest") as thread:
            reader = _Reader(facts, plan, self._context(facts), self._options, self._settings)
            coming = loop.run_in_executor(thread, reader.next)
            try:
                while (batch := await coming) is not None:
                    coming = loop.run_in_executor(thread, reader.next)
                    yield batch
            finally:
                # No await here: a cancelled task may not get another. Leaving the executor waits
                # for the batch just being read, whose error nobody needs, and for the close.
                coming.add_done_callback(lambda done: done.cancelled() or done.exception())
                thread.submit(reader.close)

    async def _append(self, facts: FileFacts, batch: Batch, counts: Counts) -> None:
        self._require_some_source(facts, batch, counts)
        drafts = batch.drafts
        async with pools.in_transaction(self._connection, "ingest", self._settings):
            # The append lock is held until the commit, so it is taken last.
            await store.add_rejects(self._connection, facts, batch.rejects)
            if self._options.complete_scan:
                await self._scans.add_seen(self._connection, drafts)
            appended = await log.append(self._connection, drafts)
        self._scans.note(latest_by_source(drafts))
        sources = (draft.source for draft in drafts)
        self._report.note_outcomes(sources, (done.outcome for done in appended), counts)
        self._report.note_rejects(facts.name, batch.rejects, counts)

    def _require_some_source(self, facts: FileFacts, batch: Batch, counts: Counts) -> None:
        """A file whose first rows all lack a source lacks a flag, not a row."""
        if counts.rows or batch.drafts:
            return
        if any(reject.reason == rejects.NO_SOURCE for reject in batch.rejects):
            raise no_source(facts.name)

    def _context(self, facts: FileFacts) -> Context:
        return Context(
            column_map=self._options.column_map,
            source=self._source,
            file_name=facts.name,
            fallback_at=self._options.observed_at or facts.modified_at,
            latest=max(clock.now(), facts.modified_at) + _AHEAD,
            max_text_bytes=self._settings.max_text_bytes,
        )

    def _fraction(self, batch: Batch, counts: Counts) -> float:
        if self._options.rows:
            return max(batch.fraction, min(1.0, counts.rows / self._options.rows))
        return batch.fraction


class _Reader:
    """One open file, used by one thread at a time."""

    def __init__(
        self,
        facts: FileFacts,
        plan: Plan | None,
        context: Context,
        options: IngestOptions,
        settings: Settings,
    ) -> None:
        self._facts = facts
        self._plan = plan
        self._context = context
        self._options = options
        self._max_rows = settings.ingest_batch
        self._batches: Iterator[Batch] | None = None
        self._close: Callable[[], None] = lambda: None

    def next(self) -> Batch | None:
        """Return the next batch, None at the end of the file."""
        if self._batches is None:
            source = open_rows(self._facts, self._options.column_map)
            self._close = source.close
            self._batches = make_batches(
                islice(source.rows, self._options.rows),
                self._context,
                plan=self._plan if source.fixed else None,
                max_rows=self._max_rows,
                fraction=source.fraction,
            )
        return next(self._batches, None)

    def close(self) -> None:
        self._close()


@asynccontextmanager
async def _connection(settings: Settings, url: str) -> AsyncIterator[Connection]:
    """A connection of the ingest role, whose failures are told as ours."""
    connection = await pools.connect(url, "ingest", settings)
    try:
        yield connection
    except NextStepError:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError, TimeoutError) as error:
        raise _told(error) from error
    finally:
        connection.terminate() if connection.is_closed() else await connection.close(timeout=10)


def _told(error: BaseException) -> DatabaseError:
    """Say which fault of the server ended the ingest; its own text may quote a row, so not that."""
    state = getattr(error, "sqlstate", "") or ""
    again = "then the same command: what is in the log is not appended twice"
    if state == "53100":
        return DatabaseError(
            "the database server's disk is full",
            detail="the last batch was rolled back; the batches before it are in the log",
            hint=f"free space on the server, {again}",
        )
    if not state or state[:2] in ("08", "57"):
        return Unreachable(
            "the database server went away while rows were appended",
            detail=f"{type(error).__name__} {state}".strip(),
            hint=f"start the server, {again}",
        )
    return DatabaseError(
        f"the database server refused a batch: {type(error).__name__} ({state})",
        detail="the batch was rolled back; the batches before it are in the log",
        hint=f"look at the server's log, mend the cause, {again}",
    )


def _check_options(options: IngestOptions) -> None:
    if options.complete_scan and options.rows:
        raise UsageError(
            "--complete-scan and --rows exclude each other",
            detail="a part of a source says nothing about what is gone",
        )
    if options.rows is not None and options.rows < 1:
        raise UsageError("--rows must be at least 1")
    observed_at = options.observed_at
    if observed_at is not None and observed_at > clock.now() + _AHEAD:
        raise UsageError("--observed-at lies in the future", hint="name a time that has been")


__all__ = ["IngestOptions", "Progress", "ingest_files"]
