"""
From pairs to clusters: in dedupe order each group joins the canonical that it matches directly and
is most like, of equals the earliest.

Joining only a direct match keeps a chain A-B-C, whose ends do not match, from becoming one job. A
group's place depends on its earlier neighbours alone, so a change spreads to later ones only.

Source: design.md section 4 (which has it join the earliest; see docs/why.md), decisions.md 19.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from nextstep.processors.shared.dedupe_buckets import Node

#: Dedupe order: first seen, then job id.
Order = tuple[datetime, UUID]


class Edge(msgspec.Struct, frozen=True):
    """A pair that counts for clusters: `same` or, by an operator's verdict, not the same."""

    same: bool
    similarity: float
    rule: str  # text | verdict


class Place(msgspec.Struct, frozen=True):
    """The canonical group of a group, and how well it fits there."""

    canonical: Node
    similarity: float
    rule: str  # canonical | near | verdict


def assign(
    nodes: Iterable[Node],
    order: Mapping[Node, Order],
    edges: Mapping[Node, Mapping[Node, Edge]],
    settled: Mapping[Node, Place],
) -> dict[Node, Place]:
    """
    Return the place of each of `nodes`.

    Args:
        edges: the neighbours of each of the nodes.
        settled: places of neighbours that are not among the nodes and keep theirs.
    """
    places: dict[Node, Place] = {}
    for node in sorted(nodes, key=order.__getitem__):
        earlier = sorted(
            (other for other in edges.get(node, {}) if order[other] < order[node]),
            key=order.__getitem__,
        )
        known = {other: places.get(other) or settled[other] for other in earlier}
        barred = {known[o].canonical for o in earlier if not edges[node][o].same}
        open_to = [
            other
            for other in earlier
            if edges[node][other].same and known[other].canonical == other and other not in barred
        ]
        if not open_to:
            places[node] = Place(node, 1.0, "canonical")
            continue
        # The first of the most alike. A verdict counts as the texts being the same.
        best = max(open_to, key=lambda other: _closeness(edges[node][other]))
        edge = edges[node][best]
        rule = "verdict" if edge.rule == "verdict" else "near"
        places[node] = Place(best, edge.similarity, rule)
    return places


def _closeness(edge: Edge) -> float:
    return 2.0 if edge.rule == "verdict" else edge.similarity
