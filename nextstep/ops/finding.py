"""One thing that `nextstep doctor` found, and what the checks are told."""

from __future__ import annotations

from typing import Literal

import msgspec

from nextstep.settings import Settings


class Finding(msgspec.Struct, frozen=True):
    """`notice` is worth knowing; `warning` will hurt; `error` hurts now. `fix` is a command."""

    check: str
    severity: Literal["notice", "warning", "error"]
    message: str
    fix: str


class Target(msgspec.Struct, frozen=True):
    """The database under examination."""

    url: str
    settings: Settings
