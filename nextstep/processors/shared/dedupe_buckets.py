"""
Which pairs a band's bucket puts together, and what changes when the bucket does.

In a bucket up to the limit everybody is compared with everybody; in a larger one each member with
the first few in dedupe order, so that work grows with the members and not with their square. Both
are functions of the bucket's members alone, whatever order they came in.

Source: decisions.md 19.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

#: A group while a batch is worked on: its representative before the batch, or, when it is new, its
#: group key.
Node = UUID
Pair = tuple[Node, Node]
#: Node -> those it is brought together with. One pair meets in most of its 32 bands; sets of nodes
#: add up at a tenth of the cost of sets of pairs.
Meetings = dict[Node, set[Node]]


def pair(a: Node, b: Node) -> Pair:
    """Return the pair with the smaller id first."""
    return (a, b) if a < b else (b, a)


def heads(members: Sequence[Node], limit: int, first: int) -> frozenset[Node] | None:
    """Return the members that all others are compared with; None when everybody is."""
    return None if len(members) <= limit else frozenset(members[:first])


def change(
    before: Sequence[Node], after: Sequence[Node], limit: int, first: int
) -> tuple[Meetings, Meetings]:
    """
    Return whom a bucket brings together and whom it parts between two states.

    Args:
        before, after: the members in dedupe order. The tail of a large bucket may be left out when
            nothing left it and its first members stay.

    Returns:
        Meetings gained and lost; those of a member that is gone are in neither.
    """
    old, new = heads(before, limit, first), heads(after, limit, first)
    everybody, known = frozenset(after), frozenset(before)
    stayed = known & everybody
    gained: Meetings = {
        node: set(everybody if new is None or node in new else new)
        for node in after
        if node not in known
    }
    lost: Meetings = {}
    if old is None and new is not None:
        lost = {node: set(stayed - new) for node in stayed - new}
    elif old is not None and new is None:
        gained |= {node: set(stayed - old) for node in stayed - old}
    elif old is not None and new is not None:
        gained |= {node: set(stayed - old) for node in (new - old) & stayed}
        lost = {node: set(stayed - new) for node in (old - new) & stayed}
    return gained, lost


def add_meetings(to: Meetings, more: Meetings) -> None:
    """Add the meetings of one bucket to those of all."""
    for node, others in more.items():
        known = to.get(node)
        if known is None:
            to[node] = others
        else:
            known |= others


def pairs_of(meetings: Meetings) -> set[Pair]:
    """Return the pairs that the meetings are, each once."""
    return {pair(node, other) for node, others in meetings.items() for other in others - {node}}
