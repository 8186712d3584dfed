"""
Old shapes of payloads to today's, one step per version.

A field added at the end with a default needs nothing here. Anything else raises the kind's number
in SCHEMA_VERSIONS by one and adds the step `(kind, old version) -> function` to UPCASTERS; the old
shape gets a file under `tests/golden/events/` so that it can be read for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nextstep.errors import UnknownVersion
from nextstep.events import kinds

#: Takes a payload of one version and returns it in the shape of the next.
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

#: The version that is written today, per kind that may stand in the log.
SCHEMA_VERSIONS: dict[str, int] = dict.fromkeys(sorted(kinds.ALL), 1)

UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def upcast(
    kind: str,
    version: int,
    payload: dict[str, Any],
    *,
    versions: Mapping[str, int] = SCHEMA_VERSIONS,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> dict[str, Any]:
    """
    Return the payload in today's shape.

    Raises:
        UnknownVersion: the kind is not known, its version is newer than this program, or a step
            is missing. Stages halt on it rather than guess.
    """
    require_known(kind, version, versions=versions)
    for step in range(version, versions[kind]):
        if (kind, step) not in upcasters:
            raise UnknownVersion(
                f"{kind} version {step} has no upcaster to version {step + 1}",
                detail="events/upcast.py lists a newer version without the step that leads to it",
                hint="install a release that still reads this version",
            )
        payload = upcasters[kind, step](payload)
    return payload


def require_known(
    kind: str, version: int, *, versions: Mapping[str, int] = SCHEMA_VERSIONS
) -> None:
    """Raise UnknownVersion unless this program may read that version of that kind."""
    if kind not in versions:
        raise UnknownVersion(
            f"event kind {kind!r} is not known to this program",
            detail="a newer release, or another program, wrote to this log",
            hint="upgrade nextstep on this machine, then start it again",
        )
    if not 1 <= version <= versions[kind]:
        raise UnknownVersion(
            f"{kind} version {version} is not known; this program reads 1 to {versions[kind]}",
            detail="a newer release wrote to this log",
            hint="upgrade nextstep on this machine, then start it again",
        )
