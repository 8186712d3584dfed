"""
The trends projection: what the market asks for, month by month, summed over postings.

Each posting has one contribution. A batch compares the new contributions with the stored ones and
adds the differences to the rows they belong to (`trend_books.py`), so any cut into batches ends in
the same rows, and a day's events touch the rows of their months only.

Source: decisions.md 21 and 22, N-52, N-67, N-68, N-69, N-87, issue 7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
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
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.projections import adjacency, roles
from nextstep.projections.trend_books import (
    BOOKS,
    ROLES,
    TITLES,
    Book,
    Contribution,
    Key,
    Sums,
    as_arrays,
    differences,
    is_empty,
    settled,
    touched,
)
from nextstep.settings import Settings

VERSION = 2

#: Rows a batch: a row of a month is written once per batch that touches it, so few large batches
#: catch up fastest. 25,000 rows with their skills are some 75 MB.
_BATCH_ROWS = 25_000

#: Kinds of skills that every title asks for.
_GENERIC_KINDS = ("soft", "language")

#: Stands between skills on their way to the server; no name holds it.
_BETWEEN = "\x1f"

# has_more: whether another batch is sure to follow. Its rows may move meanwhile, but only up, to a
# position that is read later.
_READ = """
WITH batch AS MATERIALIZED (
  SELECT position, job_id, canonical_job_id
    FROM job_dedupe_map
   WHERE position > $1 AND position <= $2
   ORDER BY position
   FETCH FIRST ($3) ROWS WITH TIES
)
SELECT batch.position, batch.job_id, batch.canonical_job_id, job.source, job.date_posted,
       job.date_precision, job.company_norm, job.title_cluster, job.first_seen_at,
       closing.occurred_at, entity.title_norm, entity.title_cluster, entity.country, entity.skills,
       entity.tools, entity.salary_min, entity.salary_max, entity.salary_currency,
       entity.salary_period,
       EXISTS (SELECT FROM job_dedupe_map AS m
                WHERE m.position > (SELECT max(b.position) FROM batch AS b) AND m.position <= $2)
  FROM batch
  LEFT JOIN jobs_normalized AS job ON job.job_id = batch.job_id
  LEFT JOIN job_entities AS entity ON entity.job_id = batch.job_id
  LEFT JOIN LATERAL (
    SELECT e.occurred_at
      FROM job_events AS e
     WHERE job.status = 'closed' AND e.job_id = batch.job_id AND e.kind = 'job.closed'
       AND e.position <= batch.position
     ORDER BY e.version DESC
     LIMIT 1
  ) AS closing ON true
 ORDER BY batch.position, batch.job_id
"""

_TABLE = "trend_contributions"
_COLUMNS = ("job_id", *Contribution.__struct_fields__)
_STORED = f"""
SELECT {", ".join(_COLUMNS)}
  FROM trend_contributions
 WHERE job_id = ANY($1)
 ORDER BY job_id
"""
# Arrays of skills cannot be unnested row by row; a joined text can.
_WRITE = f"""
INSERT INTO trend_contributions ({", ".join(_COLUMNS)})
SELECT job_id, source, month, day, is_canonical, is_counted, employer, posted_cluster,
       days_to_close, title_norm, cluster, country, string_to_array(skills, E'\\x1f'),
       salary_currency, salary_period, salary_amount
  FROM unnest($1::uuid[], $2::text[], $3::date[], $4::int[], $5::boolean[], $6::boolean[],
              $7::text[], $8::text[], $9::int[], $10::text[], $11::text[], $12::text[], $13::text[],
              $14::text[], $15::text[], $16::numeric[]) AS r ({", ".join(_COLUMNS)})
    ON CONFLICT (job_id) DO UPDATE
   SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}
"""

_PROFILES = """
SELECT title_norm, profile, is_dirty
  FROM trend_titles
 WHERE NOT $1::boolean AND (is_dirty OR profile <> '{}'::jsonb)
 ORDER BY title_norm COLLATE "C"
"""
_PAIRS = """
SELECT title_a, title_b, similarity, evidence
  FROM title_adjacency
 WHERE title_a = ANY($1)
 ORDER BY title_a COLLATE "C", title_b COLLATE "C"
"""
_CLEAN = "UPDATE trend_titles SET is_dirty = false WHERE is_dirty"


class TrendRow(InputRow, frozen=True):
    """A mapped posting with its date and entities; None where it or its entities are absent."""

    canonical_job_id: UUID | None = None
    source: str | None = None
    date_posted: date | None = None
    date_precision: str | None = None
    company_norm: str | None = None
    posted_cluster: str | None = None
    first_seen_at: datetime | None = None
    closed_at: datetime | None = None
    title_norm: str | None = None
    title_cluster: str | None = None
    country: str | None = None
    skills: list[str] | None = None
    tools: list[str] | None = None
    salary_min: Decimal | None = None
    salary_max: Decimal | None = None
    salary_currency: str | None = None
    salary_period: str | None = None
    has_more: bool = False


# --- one posting --------------------------------------------------------------------------------


def contribution(row: TrendRow) -> Contribution | None:
    """Return what a posting adds: nothing when it takes no part (parked or erased)."""
    if row.canonical_job_id is None or row.source is None:
        return None
    is_dated = row.date_posted is not None and row.date_precision in ("day", "month")
    posting = Contribution(
        source=row.source,
        month=row.date_posted.replace(day=1) if is_dated and row.date_posted else None,
        day=row.date_posted.day if row.date_posted and row.date_precision == "day" else 0,
        is_canonical=row.canonical_job_id == row.job_id,
        is_counted=False,
        employer=row.company_norm or "",
        posted_cluster=row.posted_cluster or "",
        days_to_close=_days_to_close(row),
    )
    if not posting.is_canonical or row.skills is None:
        return posting
    amount = _middle(row.salary_min, row.salary_max)
    has_pay = amount is not None and row.salary_currency and row.salary_period
    return msgspec.structs.replace(
        posting,
        is_counted=True,
        title_norm=row.title_norm or "",
        cluster=row.title_cluster or "",
        country=row.country or "",
        skills=tuple(sorted({*row.skills, *(row.tools or ())})),
        salary_currency=row.salary_currency if has_pay else "",
        salary_period=row.salary_period if has_pay else "",
        salary_amount=amount if has_pay else None,
    )


def _days_to_close(row: TrendRow) -> int | None:
    """Days from the posting's date, else from its first sight, to the scan that missed it."""
    if row.closed_at is None or row.first_seen_at is None:
        return None
    has_day = row.date_posted is not None and row.date_precision == "day"
    since = row.date_posted if has_day and row.date_posted else row.first_seen_at.date()
    days = (row.closed_at.date() - since).days
    return days if days >= 0 else None


def _middle(low: Decimal | None, high: Decimal | None) -> Decimal | None:
    stated = [amount for amount in (low, high) if amount is not None]
    if not stated:
        return None
    return (sum(stated, Decimal()) / len(stated)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


# --- one batch ----------------------------------------------------------------------------------


def _prepare(_: frozenset[str], rows: list[TrendRow]) -> list[Contribution | None]:
    return [contribution(row) for row in rows]


def _changed(
    rows: Sequence[TrendRow], prepared: Sequence[Contribution | None], found: Found
) -> list[tuple[UUID, Contribution | None, Contribution | None]]:
    """Return (job, old, new) where they differ. A parked job comes with nothing prepared."""
    stored = {row[0]: _stored_one(row) for row in found["stored"]}
    last = {row.job_id: new for row, new in zip(rows, prepared, strict=True)}
    return [(job, stored.get(job), new) for job, new in last.items() if stored.get(job) != new]


def _stored_one(row: tuple[Any, ...]) -> Contribution:
    values = list(row[1:])
    values[11] = tuple(values[11])
    return Contribution(*values)


def _stored_args(
    rows: Sequence[TrendRow], prepared: Sequence[Any], found: Found
) -> tuple[Any, ...]:
    return ([row.job_id for row in rows],)


def _touched_keys(
    book: Book, rows: Sequence[TrendRow], prepared: Sequence[Any], found: Found
) -> list[Key]:
    changed = _changed(rows, prepared, found)
    return touched(book, (one for _, old, new in changed for one in (old, new) if one is not None))


def _book_args(book: Book) -> Callable[..., tuple[Any, ...]]:
    def args(rows: Sequence[TrendRow], prepared: Sequence[Any], found: Found) -> tuple[Any, ...]:
        keys = _touched_keys(book, rows, prepared, found)
        return as_arrays(book, roles.neighbours(keys) if book is ROLES else keys)

    return args


def _profiles_args(
    rows: Sequence[TrendRow], prepared: Sequence[Any], found: Found
) -> tuple[Any, ...]:
    return (_has_more(rows),)


def _pairs_args(rows: Sequence[TrendRow], prepared: Sequence[Any], found: Found) -> tuple[Any, ...]:
    if _has_more(rows):
        return ([],)
    dirty = {title for title, _, is_dirty in found["profiles"] if is_dirty}
    changed = {title for (title,) in _touched_keys(TITLES, rows, prepared, found)}
    return (sorted(dirty | changed),)


def _has_more(rows: Sequence[TrendRow]) -> bool:
    return any(row.has_more for row in rows)


def _decide(
    generic: frozenset[str] | None,
    rows: list[TrendRow],
    prepared: list[Contribution | None],
    found: Found,
) -> Writes:
    changed = _changed(rows, prepared, found)
    olds = [old for _, old, _ in changed if old is not None]
    news = [new for _, _, new in changed if new is not None]
    ops = _contribution_ops(changed)
    for book in BOOKS:
        stored = book.read(found[book.table])
        after = settled(book, stored, differences(book, olds, news))
        gone = [key for key, sums in after.items() if is_empty(book, sums)]
        ops.append(Delete(book.table, book.key_columns, gone))
        if book is ROLES:
            written, columns = roles.rows(stored, after), roles.COLUMNS
        elif book is TITLES:
            ops += _title_ops(generic or frozenset(), rows, stored, after, found)
            continue
        else:
            written = [book.row(k, sums) for k, sums in after.items() if not is_empty(book, sums)]
            columns = book.columns
        ops.append(Upsert(book.table, book.key_columns, columns, written))
    return Writes(ops, tallies=_tallies(rows, prepared, len(changed)))


def _contribution_ops(
    changed: list[tuple[UUID, Contribution | None, Contribution | None]],
) -> list[Op]:
    gone = [(job,) for job, _, new in changed if new is None]
    rows = sorted((job, *_values(new)) for job, _, new in changed if new is not None)
    ops: list[Op] = [Delete(_TABLE, ("job_id",), gone)]
    if rows:
        ops.append(Execute(_WRITE, tuple(map(list, zip(*rows, strict=True)))))
    return ops


def _values(one: Contribution) -> tuple[Any, ...]:
    values = list(msgspec.structs.astuple(one))
    values[11] = _BETWEEN.join(one.skills)
    return tuple(values)


def _title_ops(
    generic: frozenset[str],
    rows: Sequence[TrendRow],
    stored: Mapping[Key, Sums],
    after: Mapping[Key, Sums],
    found: Found,
) -> list[Op]:
    """Write the titles, and their pairs unless another batch is sure to follow."""
    kept = {key[0]: sums for key, sums in after.items() if not is_empty(TITLES, sums)}
    profiles = {title: adjacency.profile_of(sums, generic) for title, sums in kept.items()}
    before = {
        key[0]: adjacency.profile_of(sums, generic) for key, sums in stored.items() if key in after
    }
    changed = {title for (title,) in after if profiles.get(title, {}) != before.get(title, {})}
    dirty = {title for title in changed if profiles.get(title)}
    values = {title: (*TITLES.row((title,), sums), profiles[title]) for title, sums in kept.items()}
    key, columns = TITLES.key_columns, adjacency.COLUMNS
    calm = [row for title, row in values.items() if title not in dirty]
    ops: list[Op] = [
        Upsert(TITLES.table, key, columns, calm),
        # Without a profile there are no pairs; what is away cannot be dirty.
        *_without_pairs(sorted(changed - dirty)),
    ]
    if _has_more(rows):
        late = [(*values[title], True) for title in sorted(dirty)]
        return [*ops, Upsert(TITLES.table, key, (*columns, "is_dirty"), late)]
    ops.append(Upsert(TITLES.table, key, columns, [values[title] for title in sorted(dirty)]))
    waiting = {title for title, _, is_dirty in found["profiles"] if is_dirty}
    known = {title: profile for title, profile, _ in found["profiles"]} | profiles
    known = {t: profile for t, profile in known.items() if profile and t not in changed - dirty}
    return [*ops, *_pair_ops((waiting & known.keys()) | dirty, known, found), *_cleaned(waiting)]


def _without_pairs(titles: list[str]) -> list[Op]:
    keys = [(title,) for title in titles]
    return [Delete("title_adjacency", (column,), keys) for column in ("title_a", "title_b")]


def _pair_ops(dirty: set[str], profiles: Mapping[str, adjacency.Profile], found: Found) -> list[Op]:
    stored = {
        (a, b): (similarity, evidence)
        for a, b, similarity, evidence in found["pairs"]
        if a in dirty and b in profiles
    }
    gone, rows = adjacency.changed_pairs(stored, adjacency.pairs_of(dirty, profiles))
    key = ("title_a", "title_b")
    return [
        Delete("title_adjacency", key, gone),
        Upsert("title_adjacency", key, adjacency.PAIR_COLUMNS, rows),
    ]


def _cleaned(waiting: set[str]) -> list[Op]:
    return [Execute(_CLEAN)] if waiting else []


def _tallies(
    rows: list[TrendRow], prepared: list[Contribution | None], changed: int
) -> dict[str, int]:
    counted = [one for one in prepared if one is not None and one.is_counted]
    return {
        "out": len(counted),
        "changed": changed,
        "undated": sum(1 for one in counted if one.month is None),
        "duplicates": sum(1 for row in rows if row.canonical_job_id not in (None, row.job_id)),
    }


def _setup(settings: Settings) -> frozenset[str]:
    """Names of soft skills and spoken languages."""
    taxonomies = load_taxonomies(settings.taxonomies)
    return frozenset(c.name for c in taxonomies.skills if c.kind in _GENERIC_KINDS)


def _fingerprint(settings: Settings) -> str:
    return load_taxonomies(settings.taxonomies).digest


TRENDS = Stage(
    name="trends",
    code_version=VERSION,
    upstream="extract",
    row=TrendRow,
    read=_READ,
    fingerprint=_fingerprint,
    prepare=_prepare,
    lookups=(
        Lookup(name="stored", sql=_STORED, args=_stored_args),
        *(Lookup(name=book.table, sql=book.stored_sql(), args=_book_args(book)) for book in BOOKS),
        Lookup(name="profiles", sql=_PROFILES, args=_profiles_args),
        Lookup(name="pairs", sql=_PAIRS, args=_pairs_args),
    ),
    decide=_decide,
    # A parked posting leaves the sums as any other change does: in `decide`, with its look-ups.
    absent=None,
    tables=(_TABLE, *(book.table for book in BOOKS), "title_adjacency"),
    digest_columns={
        _TABLE: _COLUMNS,
        **{book.table: book.columns for book in BOOKS},
        ROLES.table: roles.COLUMNS,
        TITLES.table: adjacency.COLUMNS,
        "title_adjacency": adjacency.PAIR_COLUMNS,
    },
    batch_size=_BATCH_ROWS,
    parallel=False,
    # Large batches: summing takes seconds, and the parent keeps the heartbeats.
    decides="thread",
    decide_setup=_setup,
)
