"""What the verb groups share: JSON to stdout, an event loop, a session on the database."""

from __future__ import annotations

import argparse
import getpass
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

import anyio
import asyncpg
import msgspec

from nextstep.db import embedded, migrate, pools
from nextstep.db.reach import unreachable
from nextstep.errors import UsageError
from nextstep.ops.actions import By
from nextstep.settings import Settings

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


#: Where answers go while `only_json` keeps stdout from everybody else.
_answers: TextIO | None = None


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the flag that every verb with an answer for a person has."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def print_json(value: Any) -> None:
    """Write one JSON document and a newline to stdout."""
    out = (_answers or sys.stdout).buffer
    out.write(msgspec.json.encode(value, enc_hook=_encode) + b"\n")
    out.flush()


def labelled_file(given: Path | None, golden: Path, subject: str) -> Path:
    """
    Return the labelled set that an evaluation reads: the one given, else the checkout's own.

    Raises:
        UsageError: none is given, and this is no checkout.
    """
    if given is None and not golden.is_file():
        raise UsageError(
            f"the labelled set of `eval {subject}` is in a checkout of the sources only",
            hint=f"nextstep eval {subject} FILE.jsonl",
        )
    return given or golden


@contextmanager
def only_json() -> Iterator[None]:
    """Let `print_json` alone write to stdout; what anybody else prints goes to stderr."""
    global _answers  # noqa: PLW0603 - as stdout itself
    kept, _answers = _answers, sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _answers = kept


def _encode(value: Any) -> Any:
    if isinstance(value, datetime | UUID):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def run_async(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a coroutine function to its exit code; a group of one error is that error."""
    try:
        return anyio.run(main)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


@asynccontextmanager
async def session(
    settings: Settings, role: pools.Role, *, migrated: bool = True
) -> AsyncIterator[Connection]:
    """Open a connection of a role on the configured or the embedded database."""
    with embedded.running(settings) as url:
        if migrated:
            migrate.require_migrated(url)
        connection = await pools.connect(url, role, settings)
        try:
            yield connection
        except (OSError, asyncpg.InterfaceError) as error:
            raise unreachable(url, error) from error
        finally:
            await connection.close()


def with_session(
    role: pools.Role, work: Callable[[Any, argparse.Namespace, Settings], Awaitable[int]]
) -> Callable[[argparse.Namespace, Settings], int]:
    """Return a verb's handler that runs `work(connection, args, settings)` on a session."""

    def handler(args: argparse.Namespace, settings: Settings) -> int:
        async def main() -> int:
            async with session(settings, role) as connection:
                return await work(connection, args, settings)

        return run_async(main)

    return handler


async def stop_on_signals(stop: anyio.Event) -> None:
    """Set `stop` at the first SIGTERM or SIGINT."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            stop.set()
            return


def operator(why: str = "") -> By:
    """Return whoever is at the command line, for the action log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        name = str(os.getuid())
    return By(actor=f"{name} (command line)", why=why)


def job_id(text: str) -> UUID:
    """Parse a job id given on the command line."""
    try:
        return UUID(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a job id", hint="ids look like 8-4-4-4-12 hexadecimal digits"
        ) from error


def confirmed(question: str, yes: bool) -> bool:
    """Ask on the terminal; without one, only `--yes` is an answer."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} needs an answer", hint="add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
