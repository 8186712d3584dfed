"""Which errors pass by themselves, which belong to one row, which stop a stage."""

from __future__ import annotations

from enum import Enum

import asyncpg

from nextstep.errors import NextStepError, Unreachable, WorkerDied


class Fault(Enum):
    """What the runner does about an error."""

    TRANSIENT = "retry with back-off; not counted"
    HANDLER = "find the row, park it, go on"
    SYSTEMIC = "halt the stage and say why"


#: SQLSTATE classes that pass by themselves: connection, rolled back, resources, operator, system.
#: A full disk (53100) is one of them: nothing is lost, and the line goes on when there is room.
_TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
_TRANSIENT_CODES = frozenset({"55P03", "25006"})  # lock not available; read-only while failing over
#: Bad values; everything else that the server refuses is a fault of code, schema or grants.
_HANDLER_CLASSES = frozenset({"22", "23", "54"})


def classify(error: BaseException) -> Fault:
    """Return what kind of fault an exception is."""
    if isinstance(error, asyncpg.PostgresError):
        return _of_state(error.sqlstate or "")
    for kinds, fault in _BY_TYPE:
        if isinstance(error, kinds):
            return fault
    return Fault.HANDLER


def text_of(error: BaseException) -> str:
    """Return an error's text, or its kind: a time-out says nothing."""
    return str(error) or type(error).__name__


def _of_state(state: str) -> Fault:
    if state in _TRANSIENT_CODES or state[:2] in _TRANSIENT_CLASSES:
        return Fault.TRANSIENT
    return Fault.HANDLER if state[:2] in _HANDLER_CLASSES else Fault.SYSTEMIC


#: What a connection that is lost, or cut in the middle of an answer, raises.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
#: Looked through in this order. A value that asyncpg cannot encode is a DataError, which is an
#: InterfaceError too; a worker that died may have died of its row.
_BY_TYPE: tuple[tuple[tuple[type[BaseException], ...], Fault], ...] = (
    ((Unreachable,), Fault.TRANSIENT),
    ((WorkerDied, asyncpg.DataError), Fault.HANDLER),
    ((NextStepError, ImportError, MemoryError), Fault.SYSTEMIC),
    ((*LOST, TimeoutError), Fault.TRANSIENT),
)
