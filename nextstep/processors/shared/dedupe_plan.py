"""
What one batch changes, derived step by step from what the look-ups found.

The plan is pure: each value follows from the rows, the prepared posts and the look-ups before it.
A look-up's arguments are values of the plan, and so is what `decide` writes.

Source: decisions.md 10, 11, 19.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.stage import Found
from nextstep.processors.shared.dedupe_buckets import (
    Meetings,
    Node,
    Pair,
    add_meetings,
    change,
    heads,
    pair,
    pairs_of,
)
from nextstep.processors.shared.dedupe_clusters import Edge, Order, Place, assign
from nextstep.processors.shared.dedupe_compare import (
    Comparison,
    Document,
    compare,
)
from nextstep.processors.shared.dedupe_fields import Fields
from nextstep.processors.shared.dedupe_likeness import likenesses
from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.minhash import agreement, band_hashes


class Post(msgspec.Struct, frozen=True):
    """A prepared job. Equal `content` means equal signature, body, core and fields."""

    content: UUID
    signature: bytes
    bands: list[int]
    body: str
    core: list[int]
    fields: Fields
    first_seen_at: datetime
    date_posted: date | None
    status: str


class Touch(msgspec.Struct, frozen=True):
    """A job that the batch names, at the highest of its positions; no post means absent."""

    position: int
    post: Post | None


class Group(msgspec.Struct, frozen=True):
    """A group as it is stored."""

    key: UUID
    order: Order
    signature: bytes


class Groups(msgspec.Struct, frozen=True):
    """
    What becomes of the groups that the batch touches.

    `added` by key: its order and its content. `removed` and `moved` by old representative;
    `moved` have another representative, or the same one with another first sight.
    """

    added: dict[Node, tuple[Order, Post]]
    removed: dict[Node, Group]
    moved: dict[Node, tuple[Group, Order]]


#: What a band's bucket sees of a group: its order before and after the batch, and its node.
_Change = tuple[Order | None, Order | None, Node]


class Plan:
    """The values derived from one batch; `found` fills while the look-ups run."""

    def __init__(
        self, rules: Rules, rows: Sequence[Any], prepared: Sequence[Post | None], found: Found
    ) -> None:
        self.rules = rules
        self.rows = rows
        self.prepared = prepared
        self.found = found

    # --- jobs -----------------------------------------------------------------------------------

    @cached_property
    def touched(self) -> dict[UUID, Touch]:
        touched: dict[UUID, Touch] = {}
        for row, post in zip(self.rows, self.prepared, strict=True):
            known = touched.get(row.job_id)
            if known is None or known.position <= row.position:
                touched[row.job_id] = Touch(row.position, post)
        return touched

    @cached_property
    def highest(self) -> int:
        return max((row.position for row in self.rows), default=0)

    @cached_property
    def verdicts(self) -> dict[UUID, dict[UUID, str]]:
        """Partner -> verdict, for each judged job that the batch touches."""
        judged: dict[UUID, dict[UUID, str]] = {}
        for job_a, job_b, verdict in self.found["verdicts"]:
            for job, other in ((job_a, job_b), (job_b, job_a)):
                if job in self.touched:
                    judged.setdefault(job, {})[other] = verdict
        return judged

    @cached_property
    def keys(self) -> dict[UUID, UUID]:
        """The group key of each touched job that takes part."""
        keys: dict[UUID, UUID] = {}
        for job_id, touch in self.touched.items():
            if touch.post is not None:
                # A verdict speaks of one job, not of all that have its text: it stands alone.
                content = touch.post.content
                keys[job_id] = alone(content, job_id) if job_id in self.verdicts else content
        return keys

    @cached_property
    def old_keys(self) -> dict[UUID, UUID]:
        return {job_id: key for job_id, key, _ in self.found["before"] if key is not None}

    # --- groups ---------------------------------------------------------------------------------

    @cached_property
    def stored(self) -> dict[UUID, Group]:
        return {
            key: Group(key, (first_seen_at, representative), signature)
            for key, representative, first_seen_at, signature in self.found["groups"]
        }

    @cached_property
    def groups(self) -> Groups:
        earliest: dict[UUID, Order] = {k: (at, job) for k, at, job in self.found["earliest"]}
        posts: dict[UUID, Post] = {}
        for job_id, key in self.keys.items():
            post = self.touched[job_id].post
            assert post is not None  # only jobs with a post have a key
            order = (post.first_seen_at, job_id)
            posts[key] = post
            earliest[key] = min(order, earliest.get(key, order))
        result = Groups({}, {}, {})
        for key in sorted({*self.keys.values(), *self.old_keys.values()}):
            group, order_now = self.stored.get(key), earliest.get(key)
            if group is None and order_now is not None:
                result.added[key] = (order_now, posts[key])
            elif group is not None and order_now is None:
                result.removed[group.order[1]] = group
            elif group is not None and order_now is not None and group.order != order_now:
                result.moved[group.order[1]] = (group, order_now)
        return result

    def node_of(self, job_id: UUID) -> Node | None:
        """The node of a touched job's group; None while it is absent."""
        key = self.keys.get(job_id)
        if key is None or key in self.groups.added:
            return key
        return self.stored[key].order[1]

    def name(self, node: Node) -> UUID:
        """The representative of a node after the batch."""
        if node in self.groups.added:
            return self.groups.added[node][0][1]
        if node in self.groups.moved:
            return self.groups.moved[node][1][1]
        return node

    # --- buckets --------------------------------------------------------------------------------

    @cached_property
    def changed_bands(self) -> dict[int, list[_Change]]:
        """Band -> (order before, order after, node) of each group that enters, leaves or moves."""
        bands: dict[int, list[_Change]] = defaultdict(list)

        def add(changed: Sequence[int], change: _Change) -> None:
            for band in changed:
                bands[band].append(change)

        for key, (order, post) in self.groups.added.items():
            add(post.bands, (None, order, key))
        for node, group in self.groups.removed.items():
            add(band_hashes(group.signature, self.rules.bands), (group.order, None, node))
        for node, (group, order) in self.groups.moved.items():
            add(band_hashes(group.signature, self.rules.bands), (group.order, order, node))
        return bands

    @cached_property
    def buckets(self) -> dict[int, list[Order]]:
        return _by_band(self.found["buckets"])

    @cached_property
    def crowded(self) -> list[int]:
        """Bands of large buckets whose first members, or whose size, may change: read whole."""
        first = self.rules.bucket_first
        return [
            band
            for band, members in self.buckets.items()
            if len(members) > self.rules.bucket_limit
            and any(
                was is not None or (now is not None and now < members[first - 1])
                for was, now, _ in self.changed_bands[band]
            )
        ]

    def after(self, band: int) -> list[Node]:
        """The members of a changed bucket after the batch; of large ones perhaps a beginning."""
        changes = self.changed_bands[band]
        left = {node for was, _, node in changes if was is not None}
        members = [(order, order[1]) for order in self._before(band) if order[1] not in left]
        members += [(now, node) for _, now, node in changes if now is not None]
        members.sort()
        return [node for _, node in members]

    def _before(self, band: int) -> list[Order]:
        return self._crowds.get(band) or self.buckets.get(band, [])

    @cached_property
    def _crowds(self) -> dict[int, list[Order]]:
        return _by_band(self.found["crowds"])

    @cached_property
    def bucket_changes(self) -> tuple[set[Pair], set[Pair]]:
        """Pairs that a bucket gained, and pairs that one lost and none gained."""
        limit, first = self.rules.bucket_limit, self.rules.bucket_first
        gained: Meetings = {}
        lost: Meetings = {}
        for band, changes in self.changed_bands.items():
            members = self._before(band)
            if not members and len(changes) == 1:
                continue
            before = [order[1] for order in members]
            if len(before) + len(changes) <= limit and all(was is None for was, _, _ in changes):
                # By far the most: new groups in a small bucket meet all that is in it.
                fresh = {node for _, _, node in changes}
                add_meetings(gained, {node: fresh.union(before) for node in fresh})
            else:
                more, less = change(before, self.after(band), limit, first)
                add_meetings(gained, more)
                add_meetings(lost, less)
        pairs = pairs_of(gained)
        return pairs, pairs_of(lost) - pairs

    # --- pairs ----------------------------------------------------------------------------------

    @cached_property
    def judged_pairs(self) -> dict[Pair, str]:
        """Pairs of nodes with a verdict, both sides taking part, of the touched jobs."""
        pairs: dict[Pair, str] = {}
        for job_id, partners in sorted(self.verdicts.items()):
            node = self.node_of(job_id)
            for other, verdict in sorted(partners.items()):
                partner = self.node_of(other) if other in self.touched else other
                if node is None or partner is None:
                    continue
                if other in self.touched or other in self.peers:
                    pairs[pair(node, partner)] = verdict
        return pairs

    @cached_property
    def pair_jobs(self) -> list[UUID]:
        """Representatives whose stored pairs the batch may change."""
        gained, lost = self.bucket_changes
        jobs = {*self.groups.removed, *self.groups.moved}
        jobs.update(node for two in lost for node in two)
        added = self.groups.added
        jobs.update(
            node for two in gained if two[0] not in added and two[1] not in added for node in two
        )
        jobs.update(
            node
            for job_id in self.verdicts
            if (node := self.node_of(job_id)) is not None and node not in added
        )
        return sorted(jobs)

    @cached_property
    def stored_pairs(self) -> dict[Pair, tuple[str, float, dict[str, Any]]]:
        return {(a, b): (relation, s, r) for a, b, relation, s, r in self.found["pairs"]}

    @cached_property
    def lost_pairs(self) -> list[Pair]:
        """Stored pairs that a bucket no longer holds together; another one still may."""
        removed = self.groups.removed
        return sorted(
            two
            for two in self.bucket_changes[1]
            if two in self.stored_pairs
            and self.stored_pairs[two][2].get("rule") != "verdict"
            and two[0] not in removed
            and two[1] not in removed
        )

    @cached_property
    def peer_jobs(self) -> list[UUID]:
        """Representatives of stored groups whose signature and fields the batch needs."""
        nodes = {node for two in self.bucket_changes[0] for node in two}
        nodes.update(node for two in self.lost_pairs for node in two)
        nodes.update(node for job_id in self.verdicts if (node := self.node_of(job_id)) is not None)
        nodes.update(other for partners in self.verdicts.values() for other in partners)
        return sorted(nodes - self.groups.added.keys() - self.groups.removed.keys())

    @cached_property
    def peers(self) -> dict[Node, tuple[datetime, bytes, Fields]]:
        return {
            node: (first_seen_at, signature, msgspec.convert(fields, Fields))
            for node, first_seen_at, signature, fields in self.found["peers"]
        }

    def signature(self, node: Node) -> bytes:
        if node in self.groups.added:
            return self.groups.added[node][1].signature
        return self.peers[node][1]

    def order(self, node: Node) -> Order:
        """The place of a node in dedupe order after the batch."""
        if node in self.groups.added:
            return self.groups.added[node][0]
        if node in self.groups.moved:
            return self.groups.moved[node][1]
        return (self.peers[node][0], node)

    @cached_property
    def witness_bands(self) -> list[int]:
        """Bands, outside the changed ones, that a lost pair still shares."""
        shared = {band for two in self.lost_pairs for band in self._shared(two)}
        return sorted(shared - self.changed_bands.keys())

    @cached_property
    def _bands(self) -> dict[Node, frozenset[int]]:
        nodes = {node for two in self.lost_pairs for node in two}
        return {
            node: frozenset(band_hashes(self.signature(node), self.rules.bands)) for node in nodes
        }

    def _shared(self, two: Pair) -> frozenset[int]:
        return self._bands[two[0]] & self._bands[two[1]]

    @cached_property
    def dropped_pairs(self) -> list[Pair]:
        """Stored pairs that no bucket holds together any more."""
        limit, first = self.rules.bucket_limit, self.rules.bucket_first
        chosen = {
            band: heads([order[1] for order in orders], limit, first)
            for band, orders in _by_band(self.found["witnesses"]).items()
        }
        shared = {band for two in self.lost_pairs for band in self._shared(two)}
        for band in shared & self.changed_bands.keys():
            chosen[band] = heads(self.after(band), limit, first)
        small = frozenset(band for band in shared if chosen[band] is None)
        return [
            two
            for two in self.lost_pairs
            if small.isdisjoint(self._shared(two))
            and not any(two[0] in few or two[1] in few for few in self._heads(two, chosen))
        ]

    def _heads(
        self, two: Pair, chosen: dict[int, frozenset[Node] | None]
    ) -> Iterator[frozenset[Node]]:
        for band in self._shared(two):
            few = chosen[band]
            if few is not None:
                yield few

    @cached_property
    def candidates(self) -> dict[Pair, float]:
        """Pairs to be compared by their texts, with their signatures' agreement."""
        wanted = [two for two in self.bucket_changes[0] if two not in self.stored_pairs]
        wanted = sorted({*wanted, *self.judged_pairs})
        estimates = agreement([(self.signature(a), self.signature(b)) for a, b in wanted])
        return {
            two: estimate
            for two, estimate in zip(wanted, estimates, strict=True)
            if estimate >= self.rules.gate or two in self.judged_pairs
        }

    @cached_property
    def text_jobs(self) -> list[UUID]:
        added = self.groups.added
        return sorted({node for two in self.candidates for node in two if node not in added})

    @cached_property
    def comparisons(self) -> dict[Pair, Comparison]:
        texts = {node: (body, core) for node, body, core in self.found["texts"]}

        def document(node: Node) -> Document:
            if node in self.groups.added:
                post = self.groups.added[node][1]
                return Document(post.body, post.fields, post.core)
            body, core = texts[node]
            return Document(body, self.peers[node][2], core)

        documents = {node: document(node) for two in self.candidates for node in two}
        alike = likenesses([(documents[a].body, documents[b].body) for a, b in self.candidates])
        return {
            (a, b): compare(
                documents[a],
                documents[b],
                estimate,
                self.judged_pairs.get((a, b)),
                self.rules,
                whole,
            )
            for ((a, b), estimate), whole in zip(self.candidates.items(), alike, strict=True)
        }

    # --- clusters -------------------------------------------------------------------------------

    @cached_property
    def seeds(self) -> list[UUID]:
        """Stored groups whose place may change by themselves; what follows them is looked up."""
        seeds = set(self.groups.moved)
        changed = self.groups.removed.keys() | self.groups.moved.keys()
        for two, (relation, _, reasons) in self.stored_pairs.items():
            if changed.intersection(two) and _links(relation, reasons.get("rule", "")):
                seeds.update(two)
        seeds.update(max(two, key=self.order) for two in self.dropped_pairs)
        seeds.update(max(two, key=self.order) for two in self.candidates)
        return sorted(seeds - self.groups.added.keys() - self.groups.removed.keys())

    @cached_property
    def reached(self) -> dict[Node, tuple[UUID, Order, Place]]:
        """Stored groups whose place is decided anew: group key, old order, old place."""
        return {
            node: (key, (first_seen_at, node), Place(canonical, similarity, rule))
            for node, first_seen_at, key, canonical, similarity, rule in self.found["reach"]
            if node not in self.groups.removed
        }

    @cached_property
    def rank_jobs(self) -> list[UUID]:
        """Representatives that keep their place, and which place is needed."""
        nodes = {node for a, b, *_ in self.found["edges"] for node in (a, b)}
        nodes.update(node for two in self.candidates for node in two)
        nodes.update(self.stored[key].order[1] for key in self.keys.values() if key in self.stored)
        known = self.groups.added.keys() | self.groups.removed.keys() | self.reached.keys()
        return sorted(nodes - known)

    @cached_property
    def settled(self) -> dict[Node, tuple[Order, Place]]:
        return {
            node: ((first_seen_at, node), Place(canonical, similarity, rule))
            for node, first_seen_at, canonical, similarity, rule in self.found["ranks"]
        }

    @cached_property
    def places(self) -> dict[Node, Place]:
        """The new place of every group that is decided anew, and the kept one of its neighbours."""
        order: dict[Node, Order] = {node: known[0] for node, known in self.settled.items()}
        order |= {node: known[1] for node, known in self.reached.items()}
        order |= {node: added[0] for node, added in self.groups.added.items()}
        order |= {node: moved[1] for node, moved in self.groups.moved.items()}
        kept = {node: known[1] for node, known in self.settled.items()}
        anew = [*self.groups.added, *self.reached]
        return kept | assign(anew, order, self._edges(), kept)

    def _edges(self) -> dict[Node, dict[Node, Edge]]:
        edges: dict[Node, dict[Node, Edge]] = {}

        def link(two: Pair, relation: str, similarity: float, rule: str) -> None:
            if _links(relation, rule):
                edge = Edge(relation == "duplicate", similarity, rule)
                edges.setdefault(two[0], {})[two[1]] = edge
                edges.setdefault(two[1], {})[two[0]] = edge

        gone = {*self.dropped_pairs, *self.comparisons}
        for a, b, relation, similarity, rule in self.found["edges"]:
            if (a, b) not in gone and not self.groups.removed.keys() & {a, b}:
                link((a, b), relation, similarity, rule)
        for two, made in self.comparisons.items():
            link(two, made.relation, made.similarity, made.reasons["rule"])
        return edges


def _links(relation: str, rule: str) -> bool:
    return relation == "duplicate" or (relation == "apart" and rule == "verdict")


def _by_band(found: Iterable[tuple[Any, ...]]) -> dict[int, list[Order]]:
    """Return the members of each band, in dedupe order, which is the order of the rows."""
    bands: dict[int, list[Order]] = defaultdict(list)
    for first_seen_at, representative, shared in found:
        order = (first_seen_at, representative)
        for band in shared:
            bands[band].append(order)
    return bands


def alone(content: UUID, job_id: UUID) -> UUID:
    """Return the key of a job that shares its group with no other."""
    return UUID(bytes=hashlib.blake2b(content.bytes + job_id.bytes, digest_size=16).digest())
