"""
Every error a person may meet, as one tree.

    NextStepError                     exit code
    ├── InputError                    2   what was handed in is wrong
    │   ├── UsageError                    a flag or an argument
    │   ├── FileError                     a file is missing, damaged or of an unknown kind
    │   ├── MappingError                  a column map does not fit
    │   ├── TaxonomyError                 a taxonomy file does not fit its schema
    │   └── ScanRefused                   a complete scan would close too much
    ├── DatabaseError                 3   the server or its contents
    │   ├── Unreachable                   no server, or wrong credentials
    │   ├── UnsupportedServer             too old, or an extension is missing
    │   ├── MigrationError                a migration is pending, damaged or failed
    │   └── LogDamaged                    the chain, heads or counts do not agree
    ├── StageError                    4   a stage cannot go on
    │   ├── UnknownVersion                an event has no upcaster
    │   ├── StaleStage                    code, taxonomy or model differ from the stage's row
    │   ├── TooManyDeadLetters            a fault of the stage, not of single posts
    │   ├── Fenced                        another process took the stage over
    │   ├── WorkerDied                    an executor process ended while it worked
    │   └── RebuildFailed                 a rebuild ended early; the live tables are as before
    ├── ModelError                    5   the encoder is missing, damaged or of another size
    └── ServeError                    6   the HTTP server cannot start as asked

A message has three parts: what happened with the values, DETAIL (why), HINT (the next command).
Payloads and secrets never stand in any of them.
"""

from __future__ import annotations


class NextStepError(Exception):
    """An error with a hint; `exit_code` is what the process ends with."""

    exit_code = 3

    def __init__(self, message: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.detail:
            lines.append(f"DETAIL: {self.detail}")
        if self.hint:
            lines.append(f"HINT: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the keyword-only parts would be lost otherwise.
        return (_rebuild, (type(self), self.message, self.detail, self.hint))


def _rebuild(kind: type[NextStepError], message: str, detail: str, hint: str) -> NextStepError:
    return kind(message, detail=detail, hint=hint)


class InputError(NextStepError):
    exit_code = 2


class UsageError(InputError): ...


class FileError(InputError): ...


class MappingError(InputError): ...


class TaxonomyError(InputError): ...


class ScanRefused(InputError): ...


class DatabaseError(NextStepError):
    exit_code = 3


class Unreachable(DatabaseError): ...


class UnsupportedServer(DatabaseError): ...


class MigrationError(DatabaseError): ...


class LogDamaged(DatabaseError): ...


class StageError(NextStepError):
    exit_code = 4


class UnknownVersion(StageError): ...


class StaleStage(StageError): ...


class TooManyDeadLetters(StageError): ...


class Fenced(StageError): ...


class WorkerDied(StageError): ...


class RebuildFailed(StageError): ...


class ModelError(NextStepError):
    exit_code = 5


class ServeError(NextStepError):
    exit_code = 6
