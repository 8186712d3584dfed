"""
Where a line works: on the live tables, or on a shadow of them that a rebuild fills.

The same runner and the same unqualified SQL serve both; the role's search path tells them apart.

Source: decisions.md 23.
"""

from __future__ import annotations

import msgspec

from nextstep.db.pools import Role
from nextstep.events.io.log import CHANNEL

#: Schemas of a rebuild: what it makes, and what a swap put aside.
SHADOW_SCHEMA = "nextstep_shadow"
OLD_SCHEMA = "nextstep_old"


class Space(msgspec.Struct, frozen=True):
    """`lock_class`: first key of the stages' advisory locks; the second is a hash of the name."""

    room: str
    role: Role
    lock_class: int
    channel: str


LIVE = Space("line", "worker", 5641898, CHANNEL)
#: Nobody listens to its channel: what a shadow does wakes no live stage.
SHADOW = Space("rebuild", "rebuild", 5641899, "nextstep_rebuild")
