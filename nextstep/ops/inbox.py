"""
The folder where files with posts arrive: which of them are taken, why, and taking them.

    import/jobs.csv             rows name their source
    import/<source>/jobs.csv    the folder's name is the source of rows that name none

A file is never moved or changed: what was read is known by its bytes (`ingest_files`), so a run
that died is simply run again. Old files go by their age (tmpfiles).

Source: J-54, decisions.md 2 and 5, issue 9 item 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from nextstep import clock, logs
from nextstep.db import pools
from nextstep.errors import FileError, InputError
from nextstep.ingest.io.append import IngestOptions, Progress, ingest_files
from nextstep.settings import Settings

#: Seconds that a file must have been left alone; a copy that is under way is still growing.
SETTLED_S = 10.0
#: Seconds between two looks of `watch`.
_LOOK_S = 5.0
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload")

_KNOWN = "SELECT encode(sha256, 'hex') FROM ingest_files WHERE status = 'done'"


class Input(msgspec.Struct):
    """
    One file of the folder. `reason`: why it was taken or left; `counts`: what became of its rows.

    `name` is relative to the folder; `error` is what made it unreadable, "" for nothing.
    """

    name: str
    size_bytes: int
    modified_at: str
    sha256: str
    source: str
    taken: bool
    reason: str
    counts: dict[str, int] = {}
    error: str = ""


async def select(
    url: str, settings: Settings, folder: Path, *, settled_s: float = SETTLED_S
) -> list[Input]:
    """
    Return every file of the folder by name, with the choice made and its reason.

    Raises:
        FileError: there is no such folder.
    """
    connection = await pools.connect(url, "ingest", settings)
    try:
        known = {row[0] for row in await connection.fetch(_KNOWN)}
    finally:
        await connection.close()
    return await anyio.to_thread.run_sync(_look, folder, known, settled_s, clock.now().timestamp())


def _look(folder: Path, known: set[str], settled_s: float, now: float) -> list[Input]:
    if not folder.is_dir():
        raise FileError(
            f"there is no import folder {folder}",
            hint="make it, or name another: systemd-tmpfiles --create makes /opt/nextstep/import",
        )
    found = []
    seen = set(known)
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        parts = path.relative_to(folder).parts
        if not path.is_file() or any(part.startswith(".") for part in parts):
            continue
        each = _input(path, parts, now, settled_s, seen)
        if each.taken:
            seen.add(each.sha256)
        found.append(each)
    return found


def _input(
    path: Path, parts: tuple[str, ...], now: float, settled_s: float, seen: set[str]
) -> Input:
    stat = path.stat()
    each = Input(
        name="/".join(parts),
        size_bytes=stat.st_size,
        modified_at=datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds"),
        sha256="",
        source=parts[0] if len(parts) > 1 else "",
        taken=False,
        reason="",
    )
    if path.name.endswith(_UNFINISHED):
        each.reason = "left: its name says that it is unfinished"
    elif now - stat.st_mtime < settled_s:
        each.reason = f"left: changed within the last {settled_s:.0f} s"
    else:
        with path.open("rb") as handle:
            each.sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        each.taken = each.sha256 not in seen
        each.reason = "taken: these bytes were not read yet" if each.taken else "left: read before"
    return each


async def take(
    url: str,
    settings: Settings,
    folder: Path,
    each: Input,
    *,
    stop: Callable[[], bool] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> None:
    """
    Append one file and note counts, or why it could not be read, in it.

    Raises:
        DatabaseError: the server; what was appended before stays.
    """
    try:
        report = await ingest_files(
            settings, url, [folder / each.name], IngestOptions(source=each.source), on_progress,
            stop=stop,
        )  # fmt: skip
    except InputError as error:
        each.error = error.message
        logs.get("inbox").error("refused", file=each.name, why=error.message, hint=error.hint)
        return
    each.counts = msgspec.to_builtins(report.totals)
    logs.get("inbox").info("taken", file=each.name, **each.counts)


class Watch:
    """Takes files as they arrive until told to stop. One for the life of a process."""

    def __init__(self, url: str, settings: Settings, folder: Path) -> None:
        self._url, self._settings, self._folder = url, settings, folder
        #: Files as they were when they were looked at: name -> (size, time of change).
        self._done: dict[str, tuple[int, int]] = {}
        self._moved_at = clock.monotonic_s()

    async def run(self, stop: anyio.Event, on_ready: Callable[[], None] | None = None) -> None:
        """Look every few seconds; a stop ends after the batch under way."""
        first = True
        while not stop.is_set():
            self._moved_at = clock.monotonic_s()
            if first or self._is_new():
                await self._once(stop)
            if first and on_ready is not None:
                on_ready()
            first = False
            with anyio.move_on_after(_LOOK_S):
                await stop.wait()

    async def look(self) -> str:
        """For the supervisor: whether looks and batches follow each other."""
        still_s = clock.monotonic_s() - self._moved_at
        return "" if still_s < 10 * 60 else f"no file or batch was looked at for {still_s:.0f} s"

    def _is_new(self) -> bool:
        return any(self._done.get(name) != state for name, state in self._states().items())

    def _states(self) -> dict[str, tuple[int, int]]:
        states = {}
        for path in (*self._folder.glob("*"), *self._folder.glob("*/*")):
            if path.is_file():
                stat = path.stat()
                states[str(path.relative_to(self._folder))] = (stat.st_size, stat.st_mtime_ns)
        return states

    async def _once(self, stop: anyio.Event) -> None:
        states = self._states()
        for each in await select(self._url, self._settings, self._folder):
            if each.taken and not stop.is_set():
                await take(
                    self._url, self._settings, self._folder, each,
                    stop=stop.is_set, on_progress=self._progressed,
                )  # fmt: skip
            # What is left because it may still grow is looked at again.
            if each.sha256 and not stop.is_set():
                self._done[each.name] = states.get(each.name, (0, 0))

    def _progressed(self, _: Any) -> None:
        self._moved_at = clock.monotonic_s()
