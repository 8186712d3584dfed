"""Profiles kept as files: `<home>/profiles/<name>.json`, as `nextstep match --profile` takes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec


class SavedProfile(msgspec.Struct, frozen=True):
    """A profile by the name of its file; `error` says why it cannot be used."""

    name: str
    sha256: str
    profile: dict[str, Any] = {}
    error: str = ""


def saved_profiles(folder: Path) -> list[SavedProfile]:
    """Return the profiles of a folder by name; none where there is no folder."""
    found = []
    for path in sorted(folder.glob("*.json")):
        body = path.read_bytes()
        sha256 = hashlib.sha256(body).hexdigest()
        try:
            profile = msgspec.json.decode(body, type=dict[str, Any])
            found.append(SavedProfile(path.stem, sha256, profile))
        except msgspec.DecodeError as error:
            found.append(SavedProfile(path.stem, sha256, error=f"not a profile: {error}"))
    return found
