"""Leaving nothing behind: a folder's files hold posts as their sources had them."""

from __future__ import annotations

from pathlib import Path

from nextstep.db.prepare import Connection
from nextstep.errors import FileError, UsageError
from nextstep.ops.bulk import files, ledger


def drop(connection: Connection, folder: Path) -> int:
    """
    Delete the files of a folder's run and close the run; return how many files.

    What is in the tables, or in a shadow that a load left, stays.

    Raises:
        UsageError: the folder has no run.
        FileError: a file cannot be deleted.
    """
    run = ledger.find(connection, folder)
    if run is None:
        raise UsageError(f"no bulk run in {folder}")
    parts = ledger.ranges(connection, run)
    names = {files.SCANS_FILE} | {
        file.file for part in parts for file in (*part.parts, part.input) if file is not None
    }
    stray = {path.name for kind in ("partial", "tries") for path in folder.glob(f".*.{kind}")}
    deleted = 0
    try:
        for name in sorted(names | stray):
            path = folder / name
            if path.exists():
                path.unlink()
                deleted += 1
    except OSError as error:
        raise FileError(f"cannot delete {name}: {error.strerror or error}") from error
    if run.status == "open":
        ledger.finish(connection, run, "dropped")
    return deleted
