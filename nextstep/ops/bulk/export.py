"""
Log ranges to Parquet: whole streams, each in the range that its last event lies in.

So no stream is in two files and none is cut: what a range's file says of a job is all there is to
say, up to the run's end. The log is immutable, so a range is the same whenever it is exported.

Source: issue 9 item 6.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from nextstep.db.prepare import Connection
from nextstep.errors import FileError, UsageError
from nextstep.ops.bulk import files, ledger
from nextstep.ops.bulk.ledger import Range, Run
from nextstep.processors.clean import EVENTS

#: Positions of a range. A worker of two cores is busy for half a minute with so many posts, which
#: is what a failure costs; their file has some 20 MB.
RANGE_SIZE = 20_000
#: Events fetched at once.
_FETCH = 1000

# Versions of a stream have no gaps.
_STREAMS = f"""{EVENTS}
  JOIN (
    SELECT l.job_id, l.position AS last
      FROM job_events l
     WHERE l.position > %(after)s AND l.position <= %(until)s
       AND l.kind NOT IN ('source.scanned', 'dead_letter.discarded')
       AND NOT EXISTS (SELECT FROM job_events n
                        WHERE n.job_id = l.job_id AND n.version = l.version + 1
                          AND n.position <= %(upto)s)
  ) s ON s.job_id = e.job_id
 WHERE e.position <= %(upto)s
 ORDER BY s.last, e.version
"""
_SCANS = """
SELECT position, payload ->> 'source', occurred_at FROM job_events
 WHERE kind = 'source.scanned' AND payload ->> 'complete' = 'true' AND position <= %s
 ORDER BY position
"""

OnRange = Callable[[Range, int, int], None]


class ExportReport(msgspec.Struct):
    """What lies in the folder. `exported` counts the ranges of this call, `streams` all."""

    run_id: str
    folder: str
    upto: int
    ranges: int
    exported: int = 0
    streams: int = 0
    size_bytes: int = 0


def export(
    connection: Connection,
    folder: Path,
    *,
    upto: int | None = None,
    range_size: int = RANGE_SIZE,
    on_range: OnRange | None = None,
) -> ExportReport:
    """
    Write what is not written yet of the folder's run; begin one where none is open.

    Args:
        connection: from `ledger.opened`.
        upto: last position; the head of now. Of an open run it stays what it was.
        on_range: called with a range, its place and how many there are, after each.

    Raises:
        UsageError: no such position, or the log is empty.
        FileError: the folder cannot be written.
    """
    run = ledger.find(connection, folder)
    if run is None or run.status != "open":
        run = ledger.begin(connection, folder, _end(connection, upto), range_size)
    elif upto not in (None, run.upto):
        raise UsageError(
            f"the run in {folder} goes up to position {run.upto}",
            hint="leave out --upto, or name another folder",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # posts as their sources had them
        _scans(connection, folder, run)
        return _ranges(connection, folder, run, on_range)
    except OSError as error:
        raise FileError(
            f"cannot write to {folder}: {error.strerror or error}",
            hint="free space there, then the same command again: it goes on where it was",
        ) from error


def _end(connection: Connection, upto: int | None) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM job_events").fetchone()
    head = int(str(row[0])) if row else 0
    if head == 0 or not 0 < (upto or head) <= head:
        raise UsageError(
            f"--upto {upto}: the log has positions 1 to {head}" if head else "the log is empty",
            hint="nextstep ingest FILE",
        )
    return upto or head


def _scans(connection: Connection, folder: Path, run: Run) -> None:
    scans = msgspec.structs.replace(files.SCANS, file=files.SCANS_FILE, sha256=run.scans_sha256)
    try:
        files.require_whole(folder, scans)
    except FileError:
        with files.Writer(folder, files.SCANS_FILE, files.SCANS) as writer:
            writer.add(connection.execute(_SCANS, [run.upto]).fetchall())
        assert writer.made is not None
        ledger.scanned(connection, run, writer.made.sha256)


def _ranges(
    connection: Connection, folder: Path, run: Run, on_range: OnRange | None
) -> ExportReport:
    parts = ledger.ranges(connection, run)
    report = ExportReport(str(run.run_id), str(folder), run.upto, len(parts))
    for place, part in enumerate(parts, 1):
        if part.input is not None:
            report.streams += part.streams
            report.size_bytes += part.input.size_bytes
            continue
        streams, size = _range(connection, folder, run, part)
        report.exported += 1
        report.streams += streams
        report.size_bytes += size
        if on_range is not None:
            on_range(part, place, len(parts))
    return report


def _range(connection: Connection, folder: Path, run: Run, part: Range) -> tuple[int, int]:
    bounds = {"after": part.after, "until": part.upto, "upto": run.upto}
    streams: set[object] = set()
    with (
        connection.transaction(),
        connection.cursor(name="bulk_export") as cursor,
        files.Writer(folder, part.name("events"), files.EVENTS) as writer,
    ):
        cursor.execute(_STREAMS.encode(), bounds)
        while rows := cursor.fetchmany(_FETCH):
            streams.update(row[1] for row in rows)
            writer.add(rows)
    assert writer.made is not None
    ledger.exported(connection, run, part, len(streams), writer.made)
    return len(streams), writer.made.size_bytes
