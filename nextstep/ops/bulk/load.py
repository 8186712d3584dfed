"""
Results into a shadow of the tables by COPY, then what only the whole set can say, then the swap.

    1  clean's rows of every range by COPY; their indexes; the shadow's clean is at the run's end
    2  dedupe, by the ordinary line in the shadow
    3  entities and vectors of the canonical posts by COPY, with the positions dedupe gave them
    4  a rebuild goes on from here: trends, what was appended meanwhile, comparison, swap

What a range put into the shadow is marked in the transaction of its rows, and the marks live and
die with the shadow. So a load that is killed goes on where it was, and a half one is never swapped.

Source: issue 9 item 6, decisions.md 23.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import msgspec
import psycopg
from psycopg import sql

from nextstep import clock
from nextstep.db.migrate import connected
from nextstep.db.prepare import Connection
from nextstep.db.queries import read_queries
from nextstep.errors import LogDamaged, RebuildFailed, StaleStage, UsageError
from nextstep.events.io import dead_letters
from nextstep.events.io.line import Line
from nextstep.events.io.space import SHADOW, SHADOW_SCHEMA
from nextstep.events.stage import Stage, stage_version
from nextstep.ops.artifacts import catalog
from nextstep.ops.artifacts.layout import TableFile
from nextstep.ops.artifacts.rows import GROUP_ROWS, parquet_rows, refused
from nextstep.ops.bulk import files, ledger
from nextstep.ops.bulk.compute import computed
from nextstep.ops.bulk.ledger import Range, Run
from nextstep.ops.bulk.worker import CLEANED
from nextstep.projections.io import shadow
from nextstep.projections.io.rebuild import (
    OnStatus,
    Options,
    RebuildReport,
    chosen_stages,
    control,
    lock,
    plan_of,
    rebuild,
    unlock,
)
from nextstep.projections.tables import projection_tables
from nextstep.settings import Settings

_PARK = read_queries(Path(dead_letters.__file__).with_name("queries.sql"))["park"]
_MARKS = f"{SHADOW_SCHEMA}.bulk_loaded"
_MAKE_MARKS = f"""
CREATE TABLE {_MARKS} (
  run_id uuid NOT NULL, after_position bigint NOT NULL, step text NOT NULL,
  PRIMARY KEY (run_id, after_position, step)
)
"""
_AT_END = f"""
UPDATE {SHADOW_SCHEMA}.stage_offsets SET position = $2 WHERE stage = ANY ($1) AND position < $2
"""
_CANONICAL = f"""
SELECT job_id::text, position FROM {SHADOW_SCHEMA}.job_dedupe_map
 WHERE job_id = ANY (%s::uuid[]) AND canonical_job_id = job_id
"""
# As the live line would park it when it comes there; an operator can look at it and give it up.
_PARK_LIVE = """
INSERT INTO public.dead_letters (stage, job_id, position, error, detail, attempts)
SELECT $1, $2::uuid, $3, $4, $5, 1
 WHERE $3 > coalesce((SELECT s.position FROM public.stage_offsets s WHERE s.stage = $1), 0)
ON CONFLICT (stage, job_id) DO NOTHING
"""
_GIVEN_UP = f"""
UPDATE {SHADOW_SCHEMA}.dead_letters d SET status = 'discarded'
  FROM public.dead_letters p
 WHERE p.stage = d.stage AND p.job_id = d.job_id AND p.position = d.position
   AND p.status = 'discarded' AND d.status = 'parked'
"""
# Each canonical post has a row, or a letter that says why not.
_MISSING = """
SELECT count(*) FROM nextstep_shadow.job_dedupe_map m
  JOIN nextstep_shadow.jobs_normalized n ON n.job_id = m.job_id AND n.status <> 'erased'
 WHERE m.canonical_job_id = m.job_id
   AND NOT EXISTS (SELECT FROM nextstep_shadow."{table}" r WHERE r.job_id = m.job_id)
   AND NOT EXISTS (SELECT FROM nextstep_shadow.dead_letters d
                    WHERE d.stage = $1 AND d.job_id = m.job_id)
"""

OnStep = Callable[[str, int, int], None]


class LoadReport(msgspec.Struct):
    """What was loaded. `rows` were copied by this call; times are seconds."""

    run_id: str
    upto: int
    resumed: bool = False
    rows: dict[str, int] = {}
    copy_s: float = 0.0
    index_s: float = 0.0
    dedupe_s: float = 0.0
    rebuild_s: float = 0.0
    rebuild: RebuildReport | None = None


async def load(
    url: str,
    folder: Path,
    settings: Settings,
    stages: Sequence[Stage],
    *,
    swap: bool = False,
    on_step: OnStep | None = None,
    on_status: OnStatus | None = None,
    stop: anyio.Event | None = None,
) -> LoadReport:
    """
    Fill a shadow from a folder's run and compare it with the live tables; put it there if asked.

    Args:
        stages: the whole line.
        on_step: called with what is copied, the range's place, and how many there are.
        on_status: called with the shadow's status document while the line catches up.
        stop: set to end early; the shadow stays, and the next load goes on with it.

    Raises:
        UsageError: no open run, or ranges without results.
        StaleStage: the results are of other code, taxonomies or models.
        LogDamaged: the log is not the one that was exported.
        FileError: a file is not what was written.
        RebuildFailed: rows that no one has discarded failed, or another rebuild is at work.
    """
    with ledger.opened(url) as connection:
        run = ledger.require(connection, folder)
        parts = _require_done(ledger.ranges(connection, run), folder)
    taken = computed(stages, with_vectors=any(name.startswith("embed") for name in run.stages))
    _require_current(run, settings, taken, folder)
    options = Options(mode="swap" if swap else "preview", without_vectors=len(taken) < 3, keep=True)
    work = _Load(url, folder, settings, run, parts, taken)
    owner = await control(url, settings)
    try:
        await lock(owner)
        await work.fill(owner, stages, options, on_step, stop or anyio.Event())
        await unlock(owner)  # the rebuild takes it
    finally:
        owner.terminate()
    started = clock.monotonic_s()
    report = work.report
    report.rebuild = await rebuild(url, settings, stages, options, on_status=on_status, stop=stop)
    if report.rebuild.swapped:
        await _close(url, settings, run)
    report.rebuild_s = _since(started)
    return report


async def _close(url: str, settings: Settings, run: Run) -> None:
    owner = await control(url, settings)
    try:
        await shadow.drop(owner)
    finally:
        await owner.close()
    with ledger.opened(url) as connection:
        ledger.finish(connection, run, "swapped")


def _require_done(parts: list[Range], folder: Path) -> list[Range]:
    counts = dict.fromkeys(("planned", "exported", "failed"), 0)
    for part in parts:
        if part.status != "done":
            counts[part.status] += 1
    if any(counts.values()):
        raise UsageError(
            "not every range has results: "
            + ", ".join(f"{count} {name}" for name, count in counts.items() if count),
            detail=next((part.error for part in parts if part.error), ""),
            hint=f"nextstep bulk run {folder}",
        )
    return parts


def _require_current(run: Run, settings: Settings, taken: Sequence[Stage], folder: Path) -> None:
    for stage in taken:
        version = stage_version(stage, settings)
        if run.stages.get(stage.name) != version:
            raise StaleStage(
                f"the results of {stage.name} were made with {run.stages.get(stage.name)}, "
                f"and {version} is here",
                hint=f"nextstep bulk compute {folder}",
            )


class _Load:
    """One load at work."""

    def __init__(  # noqa: PLR0917
        self,
        url: str,
        folder: Path,
        settings: Settings,
        run: Run,
        parts: Sequence[Range],
        taken: Sequence[Stage],
    ) -> None:
        self._url = url
        self._folder = folder
        # The shadow is polled for: notifications speak of the live line.
        self._settings = msgspec.structs.replace(settings, notifications=False)
        self._run = run
        self._parts = parts
        self._clean, self._rest = taken[0], tuple(taken[1:])
        self.report = LoadReport(str(run.run_id), run.upto)

    async def fill(
        self,
        owner: asyncpg.Connection,
        stages: Sequence[Stage],
        options: Options,
        on_step: OnStep | None,
        stop: anyio.Event,
    ) -> None:
        """Bring the shadow to the run's end: clean, dedupe, and what was computed of each post."""
        await self._require_log(owner)
        await self._open(owner, stages, options)
        await self._copy(owner, "clean", CLEANED, on_step, stop)
        started = clock.monotonic_s()
        dedupe = tuple(stage for stage in stages if stage.upstream == self._clean.name)
        line = Line(self._url, self._settings, dedupe, space=SHADOW)
        await line.run(stop, once=True)
        _require_going(stop)
        self.report.dedupe_s = _since(started)
        tables = [table for stage in self._rest for table in stage.tables]
        await self._copy(owner, "posts", tables, on_step, stop)
        for stage in self._rest:
            await _require_all(owner, stage)
        await owner.execute(_GIVEN_UP)

    async def _require_log(self, owner: asyncpg.Connection) -> None:
        chain = await owner.fetchval(
            "SELECT encode(chain, 'hex') FROM job_events WHERE position = $1", self._run.upto
        )
        if chain != self._run.chain:
            raise LogDamaged(
                f"the log at position {self._run.upto} is not the one that was exported",
                hint="nextstep log verify; then export it anew",
            )

    async def _open(
        self, owner: asyncpg.Connection, stages: Sequence[Stage], options: Options
    ) -> None:
        """Make the shadow, or find the one that an earlier load of this run left."""
        chosen = chosen_stages(stages, options)
        versions = {stage.name: stage_version(stage, self._settings) for stage in chosen}
        plan = await plan_of(owner, versions, options)
        if await shadow.found_plan(owner) == plan and await owner.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", _MARKS
        ):
            self.report.resumed = await owner.fetchval(
                f"SELECT EXISTS (SELECT FROM {_MARKS} WHERE run_id = $1)", self._run.run_id
            )
        if self.report.resumed:
            await owner.execute(f"UPDATE {SHADOW_SCHEMA}.stage_offsets SET stop_until = NULL")
            return
        tables = [table.name for table in projection_tables(chosen)]
        bare = {*CLEANED, *(table for stage in self._rest for table in stage.tables)}
        async with owner.transaction():
            await shadow.make(owner, plan, tables, bare=sorted(bare))
            await owner.execute(_MAKE_MARKS)

    async def _copy(
        self,
        owner: asyncpg.Connection,
        step: str,
        tables: Sequence[str],
        on_step: OnStep | None,
        stop: anyio.Event,
    ) -> None:
        """COPY what is not there yet of a step; then build its indexes and move its offsets."""
        started = clock.monotonic_s()
        marked = await owner.fetch(
            f"SELECT after_position FROM {_MARKS} WHERE run_id = $1 AND step = $2",
            self._run.run_id,
            step,
        )
        there = {row[0] for row in marked}
        if there >= {part.after for part in self._parts}:
            return
        for place, part in enumerate(self._parts, 1):
            if part.after in there:
                continue
            if step == "clean":
                await self._park(owner, part)
            await anyio.to_thread.run_sync(self._copy_range, part, step, tables)
            _require_going(stop)
            if on_step is not None:
                on_step(step, place, len(self._parts))
        self.report.copy_s += _since(started)
        started = clock.monotonic_s()
        await shadow.build_indexes(owner, tables)
        names = [self._clean.name] if step == "clean" else [stage.name for stage in self._rest]
        await owner.execute(_AT_END, names, self._run.upto)
        self.report.index_s += _since(started)

    async def _park(self, owner: asyncpg.Connection, part: Range) -> None:
        async with owner.transaction():
            for letter in part.letters:
                values = (letter.stage, letter.job_id, letter.position, letter.error, letter.detail)
                await owner.execute(_PARK_LIVE, *values)
                await owner.execute(f"SET LOCAL search_path = {SHADOW_SCHEMA}, public")
                await owner.execute(_PARK, *values, 1)
                await owner.execute("SET LOCAL search_path = public")

    # --- one range, in a thread -----------------------------------------------------------------

    def _copy_range(self, part: Range, step: str, tables: Sequence[str]) -> None:
        made = {file.name: file for file in part.parts}
        with connected(self._url) as connection, connection.transaction():
            catalog.begin(connection, read_only=False)
            for table in tables:
                rows = self._copy_file(connection, made[table], only_canonical=step == "posts")
                self.report.rows[table] = self.report.rows.get(table, 0) + rows
            connection.execute(
                f"INSERT INTO {_MARKS} VALUES (%s, %s, %s)".encode(),
                [self._run.run_id, part.after, step],
            )

    def _copy_file(self, connection: Connection, file: TableFile, *, only_canonical: bool) -> int:
        path = files.require_whole(self._folder, file)
        columns = sql.SQL(", ").join(sql.Identifier(name) for name in file.columns)
        target = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(SHADOW_SCHEMA, file.name), columns
        )
        count = 0
        rows = parquet_rows(path, file)
        try:
            while group := list(itertools.islice(rows, GROUP_ROWS)):
                kept = _canonical(connection, file, group) if only_canonical else group
                with connection.cursor() as cursor:
                    with cursor.copy(target) as copy:
                        for row in kept:
                            copy.write_row(row)
                    count += cursor.rowcount
        except psycopg.Error as error:
            raise refused(file.name, error) from error
        return count


def _canonical(
    connection: Connection, file: TableFile, rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """The rows of canonical posts, with the position at which dedupe handed them on."""
    key = file.columns.index("job_id")
    found = connection.execute(_CANONICAL.encode(), [[row[key] for row in rows]]).fetchall()
    positions = {str(job_id): position for job_id, position in found}
    kept = [row for row in rows if row[key] in positions]
    if "position" not in file.columns:
        return kept
    place = file.columns.index("position")
    return [(*row[:place], positions[row[key]], *row[place + 1 :]) for row in kept]


async def _require_all(owner: asyncpg.Connection, stage: Stage) -> None:
    for table in stage.tables:
        missing = await owner.fetchval(_MISSING.format(table=table), stage.name)
        if missing:
            raise RebuildFailed(
                f"{missing} canonical posts have no row in {table}",
                detail="the ledger's ranges do not hold all that dedupe found",
                hint="a fault of the bulk path; nextstep rebuild --swap does the same without it",
            )


def _require_going(stop: anyio.Event) -> None:
    if stop.is_set():
        raise RebuildFailed(
            "stopped; the live tables are as they were",
            hint="the same command goes on where it was",
        )


def _since(started: float) -> float:
    return round(clock.monotonic_s() - started, 2)
