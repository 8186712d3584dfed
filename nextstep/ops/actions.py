"""
What an operator may do to the line, each with its row in the action log, in one transaction.

Source: issue 8 items 1 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from nextstep.errors import InputError, UsageError
from nextstep.events.io import dead_letters, offsets
from nextstep.events.stage import Stage

#: Letters that one action may send on: their events are appended under one lock.
MOST_LETTERS = 10_000

_NOTE = """
INSERT INTO operator_actions (actor, action, target, why, before, after, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LOG = """
SELECT action_id, acted_at, actor, action, target, why, before, after, request_id
  FROM operator_actions
 ORDER BY action_id DESC
 LIMIT $1
"""
_STATE = "SELECT status, reason, position FROM stage_offsets WHERE stage = $1"
# An error's opening words are its kind; what follows names the one post.
_MATCHING = """
 FROM dead_letters AS d
 WHERE ($1::text IS NULL OR d.stage = $1)
   AND ($2::text IS NULL OR d.status = $2)
   AND ($3::text IS NULL OR strpos(lower(d.error), lower($3)) > 0)
   AND ($4::uuid[] IS NULL OR d.job_id = ANY ($4))
"""
_COUNT = f"SELECT count(*) {_MATCHING}"
_LETTERS = f"""
SELECT d.stage, d.job_id, d.position, d.error, d.detail, d.attempts, d.status, d.first_at, d.last_at
{_MATCHING}
 ORDER BY d.stage COLLATE "C", d.position, d.job_id
 LIMIT $5
"""


class CountMoved(InputError):
    """Other letters match by now than those that were looked at."""


class LetterUnknown(InputError):
    """No stage has such a letter."""


class By(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, as the action log shows it, and for what reason."""

    actor: str
    why: str = ""
    request_id: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters: None in a field means any; `error` is a part of the message."""

    stage: str | None = None
    status: str | None = "parked"
    error: str | None = None
    job_ids: tuple[UUID, ...] | None = None

    def parameters(self) -> tuple[Any, ...]:
        """Return the values of $1 to $4."""
        jobs = list(self.job_ids) if self.job_ids is not None else None
        return (self.stage, self.status, self.error or None, jobs)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the action log."""

    action_id: int
    acted_at: datetime
    actor: str
    action: str
    target: str
    why: str
    before: dict[str, Any]
    after: dict[str, Any]
    request_id: str


async def set_status(connection: Any, stage: str, status: str, by: By) -> None:
    """
    Pause ("paused") or resume ("running") a stage.

    Raises:
        UsageError: no such stage.
    """
    async with connection.transaction():
        before = await _state(connection, stage)
        reason = by.why if status == "paused" else ""
        await offsets.set_status(connection, stage, status, reason)
        name = "pause" if status == "paused" else "resume"
        after = await _state(connection, stage)
        await _note(connection, name, stage, by, (before, after))


async def reset(
    connection: Any, stages: Sequence[Stage], stage: str, to: int, by: By
) -> dict[str, tuple[int, int]]:
    """Rewind a stage and all that read from it; return stage -> (before, after)."""
    async with connection.transaction():
        moved = await offsets.reset(connection, stages, stage, to)
        await _note(
            connection,
            "reset",
            stage,
            by,
            (
                {name: before for name, (before, _) in moved.items()},
                {name: after for name, (_, after) in moved.items()},
            ),
        )
    return moved


async def count_letters(connection: Any, choice: Choice) -> int:
    """Return how many letters match."""
    return int(await connection.fetchval(_COUNT, *choice.parameters()))


async def letters(connection: Any, choice: Choice, limit: int) -> list[dict[str, Any]]:
    """Return matching letters by stage and position."""
    return [dict(row) for row in await connection.fetch(_LETTERS, *choice.parameters(), limit)]


async def settle_letters(
    connection: Any,
    verb: str,
    choice: Choice,
    by: By,
    now: datetime,
    *,
    expected: int | None = None,
) -> int:
    """
    Retry or discard every parked letter that matches; return how many jobs or letters.

    Args:
        verb: "retry" or "discard".
        expected: the number that was looked at; where it differs, nothing is done.

    Raises:
        CountMoved: another number matches by now.
        UsageError: more than MOST_LETTERS match.
    """
    choice = msgspec.structs.replace(choice, status="parked")
    async with connection.transaction():
        chosen = await letters(connection, choice, MOST_LETTERS + 1)
        if len(chosen) > MOST_LETTERS:
            raise UsageError(
                f"more than {MOST_LETTERS} letters match", hint="narrow the filter, or go in parts"
            )
        if expected is not None and len(chosen) != expected:
            raise CountMoved(
                f"{len(chosen)} letter(s) match by now, not {expected}",
                hint="look at the list again; nothing was changed",
            )
        work = dead_letters.retry if verb == "retry" else dead_letters.discard
        done = await work(connection, chosen, now, by.why)
        await _note(
            connection,
            verb,
            _named(choice),
            by,
            ({"parked": len(chosen)}, {"requeued" if verb == "retry" else "discarded": done}),
        )
    return done


async def action_log(connection: Any, limit: int) -> list[Action]:
    """Return the latest actions, newest first."""
    return [Action(**dict(row)) for row in await connection.fetch(_LOG, limit)]


async def note(connection: Any, action: str, target: str, by: By) -> None:
    """Write down what changed no table of the line: a login, a token."""
    await _note(connection, action, target, by, ({}, {}))


async def _state(connection: Any, stage: str) -> dict[str, Any]:
    row = await connection.fetchrow(_STATE, stage)
    if row is None:
        raise await offsets.unknown_stage(connection, stage)
    return dict(row)


async def _note(
    connection: Any,
    action: str,
    target: str,
    by: By,
    states: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    await connection.execute(_NOTE, by.actor, action, target, by.why, *states, by.request_id)


def _named(choice: Choice) -> str:
    parts = [choice.stage or "every stage"]
    if choice.error:
        parts.append(f"error has {choice.error[:80]!r}")
    if choice.job_ids is not None:
        parts.append(", ".join(map(str, choice.job_ids[:3])))
        if len(choice.job_ids) > 3:
            parts.append(f"{len(choice.job_ids) - 3} more")
    return "; ".join(parts)
