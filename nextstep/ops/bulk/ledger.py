"""
The ledger of the bulk path: runs and their ranges, as the database knows them.

A range is planned, then exported, then done; what fails is `failed` with its error, and is worked
on again alone. Each step is one statement, so that a crash leaves the ledger true.

Source: issue 9 item 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from nextstep.db.migrate import connected, require_migrated
from nextstep.db.prepare import Connection
from nextstep.errors import UsageError
from nextstep.ops.artifacts.layout import TableFile

_RUN = """
SELECT run_id, folder, upto, chain, scans_sha256, stages, status, started_at::text,
       finished_at::text
  FROM bulk_runs WHERE folder = %s ORDER BY started_at DESC, run_id LIMIT 1
"""
_RANGES = """
SELECT after_position, upto_position, status, attempts, streams, input, parts, letters, error
  FROM bulk_ranges WHERE run_id = %s ORDER BY after_position
"""
_EXPORTED = """
UPDATE bulk_ranges SET status = 'exported', streams = %s, input = %s, parts = '[]', letters = '[]',
       error = '', updated_at = clock_timestamp()
 WHERE run_id = %s AND after_position = %s
"""
_ANSWERED = """
UPDATE bulk_ranges SET status = %s, parts = %s, letters = %s, error = %s, attempts = attempts + 1,
       updated_at = clock_timestamp()
 WHERE run_id = %s AND after_position = %s
"""
_AGAIN = """
UPDATE bulk_ranges SET status = 'exported', parts = '[]', letters = '[]', error = '',
       updated_at = clock_timestamp()
 WHERE run_id = %s AND status IN ('done', 'failed') AND input <> '{}'
"""


class Letter(msgspec.Struct, frozen=True):
    """A post that a stage could not handle, as `dead_letters` keeps it."""

    stage: str
    job_id: str
    position: int
    error: str
    detail: str


class Range(msgspec.Struct, frozen=True):
    """
    The streams whose last event up to the run's end lies in (after, upto].

    `input` is the export's file, None while there is none; `parts` are files of rows, a table each.
    """

    after: int
    upto: int
    status: str = "planned"
    attempts: int = 0
    streams: int = 0
    input: TableFile | None = None
    parts: tuple[TableFile, ...] = ()
    letters: tuple[Letter, ...] = ()
    error: str = ""

    def name(self, table: str) -> str:
        """Return the name of the range's file of a table."""
        return f"{self.after:012d}-{self.upto:012d}.{table}.parquet"


class Run(msgspec.Struct, frozen=True):
    """One log up to a position, in one folder. `stages` are versions of what the results are of."""

    run_id: UUID
    folder: str
    upto: int
    chain: str
    scans_sha256: str
    stages: dict[str, str]
    status: str
    started_at: str
    finished_at: str | None


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """Yield an autocommit connection with a worker's rights: it reads the log, keeps the ledger."""
    require_migrated(url)
    with connected(url) as connection:
        connection.execute("SET ROLE nextstep_worker")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def find(connection: Connection, folder: Path) -> Run | None:
    """Return the latest run of a folder."""
    row: Any = connection.execute(_RUN, [str(folder.resolve())]).fetchone()
    if row is None:
        return None
    return Run(row[0], row[1], row[2], bytes(row[3]).hex(), *row[4:])


def require(connection: Connection, folder: Path) -> Run:
    """
    Return the open run of a folder.

    Raises:
        UsageError: there is none.
    """
    run = find(connection, folder)
    if run is None or run.status != "open":
        raise UsageError(
            f"no bulk run is open in {folder}" + (f": it is {run.status}" if run else ""),
            hint=f"nextstep bulk export {folder}",
        )
    return run


def begin(connection: Connection, folder: Path, upto: int, size: int) -> Run:
    """Write down a new run of the log up to a position, cut into ranges of `size` positions."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO bulk_runs (folder, upto, chain)"
            " SELECT %s, position, chain FROM job_events WHERE position = %s",
            [str(folder.resolve()), upto],
        )
        run = require(connection, folder)
        connection.execute(
            "INSERT INTO bulk_ranges (run_id, after_position, upto_position)"
            " SELECT %s, a, least(a + %s::bigint, %s::bigint)"
            " FROM generate_series(0::bigint, %s::bigint - 1, %s::bigint) AS a",
            [run.run_id, size, upto, upto, size],
        )
    return run


def ranges(connection: Connection, run: Run) -> list[Range]:
    """Return the run's ranges in log order."""
    found = []
    for row in connection.execute(_RANGES, [run.run_id]).fetchall():
        after, upto, status, attempts, streams, file, parts, letters, error = row
        found.append(
            msgspec.convert(
                {
                    "after": after,
                    "upto": upto,
                    "status": status,
                    "attempts": attempts,
                    "streams": streams,
                    "input": file or None,
                    "parts": parts,
                    "letters": letters,
                    "error": error,
                },
                Range,
            )
        )
    return found


def scanned(connection: Connection, run: Run, sha256: str) -> None:
    """Note the file of complete scans."""
    connection.execute(
        "UPDATE bulk_runs SET scans_sha256 = %s WHERE run_id = %s", [sha256, run.run_id]
    )


def exported(connection: Connection, run: Run, part: Range, streams: int, file: TableFile) -> None:
    """Note that a range's events lie in a file."""
    connection.execute(_EXPORTED, [streams, _json(file), run.run_id, part.after])


def lost(connection: Connection, run: Run, part: Range, error: str) -> None:
    """Note that a range's file is not what was exported: it is exported again."""
    connection.execute(
        "UPDATE bulk_ranges SET status = 'planned', input = '{}', error = %s"
        " WHERE run_id = %s AND after_position = %s",
        [error, run.run_id, part.after],
    )


def made_by(connection: Connection, run: Run, stages: dict[str, str]) -> bool:
    """
    Note the versions that results are made with; return whether older results were given up.

    Results of other versions are made again: one load never mixes two.
    """
    if run.stages == stages:
        return False
    with connection.transaction():
        stale = connection.execute(_AGAIN, [run.run_id]).rowcount if run.stages else 0
        connection.execute(
            "UPDATE bulk_runs SET stages = %s WHERE run_id = %s", [Jsonb(stages), run.run_id]
        )
    return stale > 0


def done(
    connection: Connection,
    run: Run,
    part: Range,
    files: Sequence[TableFile],
    letters: Sequence[Letter],
) -> None:
    """Note a range's results."""
    connection.execute(
        _ANSWERED, ["done", _json(files), _json(letters), "", run.run_id, part.after]
    )


def failed(connection: Connection, run: Run, part: Range, error: str) -> None:
    """Note that a range has no results, and why."""
    connection.execute(
        _ANSWERED, ["failed", Jsonb([]), Jsonb([]), error[:500], run.run_id, part.after]
    )


def finish(connection: Connection, run: Run, status: str) -> None:
    """Close a run."""
    connection.execute(
        "UPDATE bulk_runs SET status = %s, finished_at = clock_timestamp() WHERE run_id = %s",
        [status, run.run_id],
    )


def _json(value: Any) -> Jsonb:
    return Jsonb(msgspec.to_builtins(value))
