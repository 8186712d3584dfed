"""
What a rebuild would change, worked out by the command itself in a process of its own.

A rebuild replays the log: seconds for thousands of posts, minutes for a hundred thousand, and as
much of the processor as there is. So a server starts `nextstep rebuild STAGE --preview` beside
itself, one at a time, at a low priority and for `LIMIT_S` at most, and keeps the last report until
the next one or its own end. Nothing is written but the shadow, which the command drops.

Source: issue 8 item 1, decisions.md 23.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from nextstep import clock
from nextstep.errors import UsageError
from nextstep.projections.io.rebuild import RebuildReport
from nextstep.settings import Settings

#: Seconds that a preview may take; 100,000 posts without vectors take about five minutes.
LIMIT_S = 1800.0
#: Seconds that it gets to drop its shadow once it is told to end.
_GRACE_S = 30.0
#: Characters of what it said that are kept where it failed.
_SAID_CHARS = 2000


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The latest preview: at work while `finished_at` is None, then with a report or an error."""

    stage: str
    with_vectors: bool
    actor: str
    started_at: datetime
    finished_at: datetime | None = None
    report: RebuildReport | None = None
    error: str = ""

    @property
    def is_running(self) -> bool:
        return self.finished_at is None


class Previews:
    """Runs one preview at a time; `await close()` at the end. Belongs to one event loop."""

    def __init__(
        self,
        url: str,
        settings: Settings,
        *,
        command: Sequence[str] = (sys.executable, "-m", "nextstep"),
        limit_s: float = LIMIT_S,
    ) -> None:
        self._url = url
        self._settings = settings
        self._command = tuple(command)
        self._limit_s = limit_s
        self._task: asyncio.Task[None] | None = None
        self.latest: Preview | None = None

    def start(self, stage: str, *, with_vectors: bool, actor: str) -> Preview:
        """
        Begin a preview of a stage and all that read from it.

        Raises:
            UsageError: one is at work.
        """
        if self.latest is not None and self.latest.is_running:
            raise UsageError(
                f"a preview of {self.latest.stage} is at work",
                hint="wait for it; a rebuild takes the whole machine",
            )
        self.latest = Preview(
            stage=stage, with_vectors=with_vectors, actor=actor, started_at=clock.now()
        )
        self._task = asyncio.create_task(self._run(self.latest))
        return self.latest

    async def close(self) -> None:
        """End the preview at work."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, asked: Preview) -> None:
        try:
            report, error = await self._ask(asked)
        except (OSError, msgspec.DecodeError) as fault:
            report, error = None, f"the command could not be run or read: {type(fault).__name__}"
        self.latest = msgspec.structs.replace(
            asked, finished_at=clock.now(), report=report, error=error
        )

    async def _ask(self, asked: Preview) -> tuple[RebuildReport | None, str]:
        process = await asyncio.create_subprocess_exec(
            *_niced(),
            *self._command,
            *self._arguments(asked),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # In the environment and not on the command line, where everybody could read it.
            env={**os.environ, "DATABASE_URL": self._url},
        )
        try:
            async with asyncio.timeout(self._limit_s):
                out, said = await process.communicate()
        except TimeoutError:
            return None, f"given up after {self._limit_s:.0f} s; run it on the command line"
        finally:
            await _end(process)
        if process.returncode != 0:
            return None, _last_words(said.decode("utf-8", "replace"))
        return msgspec.json.decode(out, type=RebuildReport), ""

    def _arguments(self, asked: Preview) -> list[str]:
        settings = self._settings
        found = ["--home", str(settings.home), "--executor", settings.executor]
        found += ["--embedding-model", settings.embedding_model, "--log-format", "json"]
        found += ["rebuild", asked.stage, "--preview", "--json"]
        return found if asked.with_vectors else [*found, "--without-vectors"]


def _niced() -> list[str]:
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice else []


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process to end, so that it drops its shadow; make it end when it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_words(said: str) -> str:
    """Return what the command said of its failure, without its log lines."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("{")]
    return "\n".join(lines)[-_SAID_CHARS:] or "the command failed without a word"
