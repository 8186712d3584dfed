"""Which errors are retried, parked or halt a stage."""

from __future__ import annotations

import asyncpg
import pytest

from nextstep.errors import ModelError, UnknownVersion, Unreachable, WorkerDied
from nextstep.events.io.faults import Fault, classify, text_of


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (asyncpg.DiskFullError("full"), Fault.TRANSIENT),
        (asyncpg.SerializationError("again"), Fault.TRANSIENT),
        (asyncpg.DeadlockDetectedError("dead"), Fault.TRANSIENT),
        (asyncpg.LockNotAvailableError("locked"), Fault.TRANSIENT),
        (asyncpg.AdminShutdownError("bye"), Fault.TRANSIENT),
        (asyncpg.CannotConnectNowError("starting"), Fault.TRANSIENT),
        (asyncpg.InterfaceError("connection is closed"), Fault.TRANSIENT),
        (ConnectionResetError(), Fault.TRANSIENT),
        (TimeoutError(), Fault.TRANSIENT),
        (Unreachable("gone"), Fault.TRANSIENT),
        (asyncpg.CharacterNotInRepertoireError("nul"), Fault.HANDLER),
        (asyncpg.NotNullViolationError("null"), Fault.HANDLER),
        (asyncpg.DataError("cannot encode"), Fault.HANDLER),
        (WorkerDied("killed"), Fault.HANDLER),
        (ValueError("odd"), Fault.HANDLER),
        (RecursionError(), Fault.HANDLER),
        (asyncpg.UndefinedTableError("no table"), Fault.SYSTEMIC),
        (asyncpg.InsufficientPrivilegeError("no right"), Fault.SYSTEMIC),
        (UnknownVersion("newer"), Fault.SYSTEMIC),
        (ModelError("missing"), Fault.SYSTEMIC),
        (MemoryError(), Fault.SYSTEMIC),
        (ImportError("no library"), Fault.SYSTEMIC),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_errors_are_classed(error: Exception, fault: Fault) -> None:
    assert classify(error) is fault


def test_an_error_without_words_is_told_by_its_kind() -> None:
    assert text_of(TimeoutError()) == "TimeoutError"
    assert text_of(ValueError("a word")) == "a word"
