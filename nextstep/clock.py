"""The only reader of the wall clock. No stage imports it; a test replaces it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds that never go back; only differences mean anything."""
    return time.monotonic()
