"""Drive the dedupe stage over a real database, and say from scratch what it should have made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from nextstep.events.io.writes import Writer
from nextstep.events.stage import Stage
from nextstep.processors.shared.dedupe_compare import Comparison, Document, compare
from nextstep.processors.shared.dedupe_plan import Post, alone
from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.minhash import agreement
from nextstep.settings import Settings

START = datetime(2024, 1, 1, tzinfo=UTC)


class Ad(msgspec.Struct, frozen=True):
    """A clean row in the few columns that dedupe reads; `day` orders first sights."""

    text: str
    day: int = 0
    title: str = "Engineer"
    company: str = "Acme"
    city: str = ""
    country: str = ""
    location_raw: str = ""
    employment: str = ""
    status: str = "open"
    posted: date | None = None


def job(number: int) -> UUID:
    return UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)


_INSERT = """
INSERT INTO jobs_normalized
  (job_id, source, title, title_norm, company, company_norm, location_raw, city, country,
   employment_type, employment_type_raw, date_posted, description_clean, sections, content_hash,
   first_seen_at, last_seen_at, status, position)
VALUES ($1, 'test', $2, lower($2), $3, lower($3), $4, $5, $6, $7, $7, $8, $9, '[]', '', $10, $10,
        $11, $12)
ON CONFLICT (job_id) DO UPDATE SET
  title = excluded.title, title_norm = excluded.title_norm, company = excluded.company,
  company_norm = excluded.company_norm, location_raw = excluded.location_raw,
  city = excluded.city, country = excluded.country, employment_type = excluded.employment_type,
  employment_type_raw = excluded.employment_type_raw, date_posted = excluded.date_posted,
  description_clean = excluded.description_clean, first_seen_at = excluded.first_seen_at,
  status = excluded.status, position = excluded.position
"""


def values(job_id: UUID, ad: Ad, position: int) -> tuple[Any, ...]:
    seen = START + timedelta(days=ad.day)
    return (
        job_id, ad.title, ad.company, ad.location_raw, ad.city, ad.country, ad.employment,
        ad.posted, ad.text, seen, ad.status, position,
    )  # fmt: skip


class Line:
    """What clean would write, and the dedupe stage behind it."""

    def __init__(self, connection: asyncpg.Connection[Any], stage: Stage) -> None:
        self.connection = connection
        self.stage = stage
        assert stage.setup is not None
        self.context = stage.setup(Settings())
        self.writer = Writer()
        self.head = 0
        self.offset = 0

    async def clear(self) -> None:
        tables = [*self.stage.tables, "jobs_normalized", "pair_verdicts", "dead_letters"]
        for table in tables:
            await self.connection.execute(f"DELETE FROM {table}")
        self.head = self.offset = 0

    async def put(self, ads: dict[UUID, Ad]) -> None:
        rows = []
        for job_id, ad in ads.items():
            self.head += 1
            rows.append(values(job_id, ad, self.head))
        await self.connection.executemany(_INSERT, rows)

    async def park(self, job_id: UUID) -> None:
        self.head += 1
        await self.connection.execute("DELETE FROM jobs_normalized WHERE job_id = $1", job_id)
        await self.connection.execute(
            "INSERT INTO dead_letters (stage, job_id, position, error) VALUES ('clean', $1, $2, '')"
            " ON CONFLICT (stage, job_id) DO UPDATE SET position = excluded.position",
            job_id,
            self.head,
        )

    async def judge(self, a: UUID, b: UUID, verdict: str) -> None:
        self.head += 1
        await self.connection.execute(
            "INSERT INTO pair_verdicts (job_a, job_b, verdict, position) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (job_a, job_b) DO UPDATE SET verdict = excluded.verdict,"
            " position = excluded.position",
            min(a, b),
            max(a, b),
            verdict,
            self.head,
        )

    async def drain(self, batch: int = 500) -> int:
        """Bring the stage to the head as the runner does; return the rows written."""
        written = 0
        while self.offset < self.head:
            written += await self.step(batch)
        return written

    async def step(self, batch: int) -> int:
        fetch = self.connection.fetch
        rows = [
            self.stage.row(*r) for r in await fetch(self.stage.read, self.offset, self.head, batch)
        ]
        self.offset = rows[-1].position if len(rows) >= batch else self.head
        if not rows:
            return 0
        prepared = self.stage.prepare(self.context, rows)
        found: dict[str, list[tuple[Any, ...]]] = {}
        for lookup in self.stage.lookups:
            args = lookup.args(rows, prepared, found)
            found[lookup.name] = [tuple(r) for r in await fetch(lookup.sql, *args)]
        writes = self.stage.decide(None, rows, prepared, found)
        async with self.connection.transaction():
            await self.writer.apply(self.connection, writes.ops)
        return sum(len(getattr(op, "rows", ())) for op in writes.ops)

    async def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """The outputs, book-keeping left out, in primary-key order."""
        made = {}
        for table, columns in self.stage.digest_columns.items():
            records = await self.connection.fetch(f"SELECT {', '.join(columns)} FROM {table}")
            made[table] = sorted((tuple(record) for record in records), key=lambda row: row[:3])
        return made


# --- the oracle -----------------------------------------------------------------------------------


class Outcome(msgspec.Struct, frozen=True):
    """Everything dedupe should have written for a set of posts."""

    mapping: dict[UUID, tuple[UUID | None, float, str]]
    pairs: dict[tuple[UUID, UUID], tuple[str, float, dict[str, Any]]]
    clusters: dict[UUID, tuple[str, UUID | None, int]]


def cluster_from_scratch(
    posts: dict[UUID, Post | None], verdicts: dict[frozenset[UUID], str], rules: Rules
) -> Outcome:
    """Compute the whole result at once, in the plainest way, sharing no step with the plan."""
    present = {job_id: post for job_id, post in posts.items() if post is not None}
    judged = {job_id for two in verdicts for job_id in two}
    groups: dict[UUID, list[UUID]] = {}
    for job_id, post in present.items():
        key = alone(post.content, job_id) if job_id in judged else post.content
        groups.setdefault(key, []).append(job_id)

    def order(job_id: UUID) -> tuple[datetime, UUID]:
        return present[job_id].first_seen_at, job_id

    members = {min(group, key=order): sorted(group, key=order) for group in groups.values()}
    made = _compare_all(present, sorted(members, key=order), verdicts, rules)
    pairs = {two: (c.relation, c.similarity, c.reasons) for two, c in made.items()}
    heads: dict[UUID, tuple[UUID, float, str]] = {}
    for head in sorted(members, key=order):
        heads[head] = (head, 1.0, "canonical")
        others = sorted((o for o in heads if o != head), key=order)
        against = {heads[o][0] for o in others if verdicts.get(frozenset((o, head))) == "not_same"}
        closest = 0.0
        for other in others:
            pair = made.get((min(head, other), max(head, other)))
            matches = pair is not None and pair.relation == "duplicate"
            if pair and matches and heads[other][0] == other and other not in against:
                judged_so = pair.reasons["rule"] == "verdict"
                closeness = 2.0 if judged_so else pair.similarity
                if closeness > closest:
                    closest = closeness
                    rule = "verdict" if judged_so else "near"
                    heads[head] = (other, pair.similarity, rule)
    mapping: dict[UUID, tuple[UUID | None, float, str]] = dict.fromkeys(
        posts, (None, 0.0, "absent")
    )
    for head, group in members.items():
        for job_id in group:
            identical = heads[head][0] == head and job_id != head
            mapping[job_id] = (head, 1.0, "identical") if identical else heads[head]
    return Outcome(mapping, pairs, _clusters(present, mapping))


def _compare_all(
    present: dict[UUID, Post],
    heads: list[UUID],
    verdicts: dict[frozenset[UUID], str],
    rules: Rules,
) -> dict[tuple[UUID, UUID], Comparison]:
    buckets: dict[int, list[UUID]] = {}
    for head in heads:
        for band in present[head].bands:
            buckets.setdefault(band, []).append(head)
    together = {two for two in verdicts if two <= set(heads)}
    for bucket in buckets.values():
        for i, j in combinations(range(len(bucket)), 2):
            if len(bucket) <= rules.bucket_limit or i < rules.bucket_first:
                together.add(frozenset((bucket[i], bucket[j])))
    made = {}
    for two in together:
        a, b = sorted(two)
        estimate = agreement([(present[a].signature, present[b].signature)])[0]
        if estimate >= rules.gate or two in verdicts:
            left, right = (
                Document(present[x].body, present[x].fields, present[x].core) for x in (a, b)
            )
            made[a, b] = compare(left, right, estimate, verdicts.get(two), rules)
    return made


def _clusters(
    present: dict[UUID, Post], mapping: dict[UUID, tuple[UUID | None, float, str]]
) -> dict[UUID, tuple[str, UUID | None, int]]:
    clusters: dict[UUID, tuple[str, UUID | None, int]] = {}
    for canonical in {place[0] for place in mapping.values() if place[0] is not None}:
        group = [job_id for job_id, place in mapping.items() if place[0] == canonical]
        running = [job_id for job_id in group if present[job_id].status == "open"]
        latest = max(running, key=_latest(present), default=None)
        clusters[canonical] = ("open" if running else "closed", latest, len(group))
    return clusters


def _latest(present: dict[UUID, Post]) -> Callable[[UUID], tuple[date, datetime, UUID]]:
    def key(job_id: UUID) -> tuple[date, datetime, UUID]:
        post = present[job_id]
        return post.date_posted or date.min, post.first_seen_at, job_id

    return key


def outcome_of(tables: dict[str, list[tuple[Any, ...]]]) -> Outcome:
    """The stage's tables in the oracle's shape."""
    return Outcome(
        {row[0]: row[1:] for row in tables["job_dedupe_map"]},  # type: ignore[misc]
        {(row[0], row[1]): row[2:] for row in tables["job_duplicate_pairs"]},  # type: ignore[misc]
        {row[0]: row[1:] for row in tables["job_clusters"]},  # type: ignore[misc]
    )
