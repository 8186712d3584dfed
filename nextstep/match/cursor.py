"""
A place in an answer, bound to the head and the profile it belongs to.

Source: decisions.md 24.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from nextstep.errors import InputError
from nextstep.match.profile import Profile, ProfileRefused


class StaleCursor(InputError):
    """The line has moved since the cursor was given; the next page would not fit the last."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """
    `offset` results were shown of the answer to the profile `digest` at `head`.

    `size` is the first page's: the sequence of results depends on it (pages.py).
    """

    head: int
    offset: int
    digest: str
    size: int = 0


def profile_digest(profile: Profile) -> str:
    """Return short hex over what a profile asks; page size and cursor are not part of it."""
    asked = msgspec.structs.replace(profile, cursor=None, limit=1, explain="short")
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()[:16]


def write_cursor(cursor: Cursor) -> str:
    """Return the cursor as text that fits a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_offset(profile: Profile, head: int) -> tuple[int, int]:
    """
    Return how many results the profile's cursor says were shown, 0 without one, and the page size.

    Raises:
        ProfileRefused: not a cursor of ours, or one of another profile.
        StaleCursor: the head has moved.
    """
    if profile.cursor is None:
        return 0, profile.limit
    try:
        padded = profile.cursor + "=" * (-len(profile.cursor) % 4)
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise ProfileRefused(
            "cursor not understood", hint="send the cursor of the last answer, or none"
        ) from error
    if cursor.digest != profile_digest(profile) or cursor.offset < 0 or cursor.size < 0:
        raise ProfileRefused(
            "the cursor belongs to another profile",
            hint="send the same profile that the cursor was given for",
        )
    if cursor.head != head:
        raise StaleCursor(
            f"the cursor was given at head {cursor.head}, the head is {head}",
            hint="ask again without a cursor",
        )
    return cursor.offset, cursor.size or profile.limit
