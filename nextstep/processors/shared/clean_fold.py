"""
The fold of one batch of the log into the writes of clean.

Per job the batch gives one last state; complete scans stand between, because a scan touches rows
that are not in the batch. So the batch is cut at its scans and each cut is written in order.

`last_seen_at` is the latest of: when the job's content was observed, and every complete scan of
its source while it was open. It is a function of the log alone: a row that was away (parked) and
comes back gets it from the log, any other from its row. An erasure starts it anew.

Source: decisions.md 6, 10, 14; design.md 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.stage import Delete, Execute, Found, InputRow, Lookup, Op, Upsert, Writes
from nextstep.processors.shared.fill import FIELDS, filled_mask
from nextstep.processors.shared.normal import NormalPost
from nextstep.processors.shared.text import TEXT_CHANGES

TABLE = "jobs_normalized"
VERDICTS = "pair_verdicts"
CONTENT_COLUMNS: tuple[str, ...] = NormalPost.__struct_fields__
COLUMNS = (
    "job_id", *CONTENT_COLUMNS, "content_hash", "first_seen_at", "last_seen_at", "status",
    "position",
)  # fmt: skip
#: Which fields a post has, for the fill rates of its source; see shared/fill.py.
FILL = "job_fill"
FILL_COLUMNS = ("job_id", "source", "observed_on", "filled")
VERDICT_COLUMNS = ("job_a", "job_b", "verdict", "why", "position")

# A row that misses an event before ours does not count: that event was parked.
_EXISTING = """
SELECT j.job_id, j.source, j.status, j.last_seen_at
  FROM unnest($1::uuid[], $2::bigint[]) AS w (job_id, before)
  JOIN jobs_normalized j ON j.job_id = w.job_id
 WHERE NOT EXISTS (
         SELECT FROM job_events e
          WHERE e.job_id = w.job_id AND e.position > j.position AND e.position < w.before
            AND e.kind IN ('job.posted', 'job.revised', 'job.reopened'))
 ORDER BY j.job_id
"""

# The same as the fold does event by event, for jobs whose row is away or has missed an event.
_HISTORY = """
WITH wanted AS (
  SELECT job_id, before
    FROM unnest($1::uuid[], $2::bigint[]) AS w (job_id, before)
), scans AS MATERIALIZED (
  SELECT position, occurred_at, payload ->> 'source' AS source
    FROM job_events
   WHERE kind = 'source.scanned' AND payload ->> 'complete' = 'true'
     AND position < (SELECT max(before) FROM wanted)
), states AS (
  SELECT e.job_id, w.before, e.position, e.kind, e.occurred_at, e.payload ->> 'source' AS source,
         lead(e.position, 1, w.before) OVER (PARTITION BY w.job_id, w.before ORDER BY e.version)
           AS until,
         max(e.position) FILTER (WHERE e.kind = 'job.erased')
           OVER (PARTITION BY w.job_id, w.before) AS erased,
         row_number() OVER (PARTITION BY w.job_id, w.before ORDER BY e.version DESC) AS nth
    FROM wanted w
    JOIN job_events e ON e.job_id = w.job_id AND e.position < w.before
   WHERE e.kind IN ('job.posted', 'job.revised', 'job.reopened', 'job.closed', 'job.erased')
)
SELECT s.job_id, s.before,
       coalesce(max(s.source) FILTER (WHERE s.nth = 1), '') AS source,
       max(CASE s.kind WHEN 'job.closed' THEN 'closed'
                       WHEN 'job.erased' THEN 'erased'
                       ELSE 'open' END) FILTER (WHERE s.nth = 1) AS status,
       max(greatest(s.occurred_at, n.at)) FILTER (WHERE s.kind <> 'job.closed') AS last_seen_at
  FROM states s
  LEFT JOIN LATERAL (
    SELECT max(c.occurred_at) AS at
      FROM scans c
     WHERE s.kind NOT IN ('job.closed', 'job.erased')
       AND c.source = s.source AND c.position > s.position AND c.position < s.until
  ) n ON true
 WHERE s.kind <> 'job.closed' AND s.position >= coalesce(s.erased, 0) OR s.nth = 1
 GROUP BY s.job_id, s.before
 ORDER BY s.job_id, s.before
"""

_CLOSE = """
UPDATE jobs_normalized AS j
   SET status = 'closed', position = c.position
  FROM unnest($1::uuid[], $2::bigint[]) AS c (job_id, position)
 WHERE j.job_id = c.job_id AND j.status <> 'erased'
"""

# No new position: what follows clean does not depend on when a post was last seen.
_SEEN = """
UPDATE jobs_normalized
   SET last_seen_at = $2
 WHERE source = $1 AND status = 'open' AND last_seen_at < $2
"""


class Scan(msgspec.Struct, frozen=True):
    """A complete scan: what its source still shows was seen then."""

    source: str
    occurred_at: datetime


class Verdict(msgspec.Struct, frozen=True):
    """An operator's word on a pair, as `pair_verdicts` keeps it."""

    job_a: UUID
    job_b: UUID
    verdict: str
    why: str


class EventRow(InputRow, frozen=True):
    """
    One event of the log. For job.requeued the five fields from `content_kind` on are those of the
    job's latest content or erasure before it; else they are the event's own.
    """

    version: int
    kind: str
    content_kind: str
    schema_version: int
    payload: str
    content_hash: bytes
    occurred_at: datetime
    first_seen_at: datetime


Prepared = NormalPost | Scan | Verdict | None
#: What clean knows of an erased job.
_NOTHING: dict[str, Any] = dict.fromkeys(CONTENT_COLUMNS, "") | {
    "date_posted": None,
    "date_precision": "none",
    "sections": [],
    "changes": {},
}
ERASED = NormalPost(**_NOTHING)


class JobState:
    """The state of one job while events are folded; `content` is None while only its row has it."""

    def __init__(self, source: str, status: str, last_seen_at: datetime | None) -> None:
        self.source = source
        self.status = status
        self.last_seen_at = last_seen_at
        self.content: NormalPost | None = None
        self.content_hash = b""
        self.first_seen_at: datetime | None = None
        self.observed_on: date | None = None
        self.position = 0
        self.dirty = False

    def saw(self, at: datetime) -> None:
        if self.last_seen_at is None or self.last_seen_at < at:
            self.last_seen_at = at

    def take(self, row: EventRow, content: NormalPost) -> None:
        self.content, self.source = content, content.source
        self.content_hash, self.first_seen_at = row.content_hash, row.first_seen_at
        self.observed_on = row.occurred_at.astimezone(UTC).date()


def fold(rows: Sequence[EventRow], prepared: Sequence[Prepared], found: Found) -> Writes:
    """Return the writes of a batch; the rows come by rising position."""
    jobs = {
        job_id: JobState(source, status, at) for job_id, source, status, at in found["existing"]
    }
    history = {(job_id, before): state for job_id, before, *state in found["history"]}
    ops: list[Op] = []
    verdicts: dict[tuple[UUID, UUID], tuple[Any, ...]] = {}
    written = 0
    for row, value in zip(rows, prepared, strict=True):
        if isinstance(value, Scan):
            written += _flush(jobs, ops)
            _scan(jobs, ops, value)
        elif isinstance(value, Verdict):
            pair = (value.job_a, value.job_b)
            verdicts[pair] = (*pair, value.verdict, value.why, row.position)
        elif row.kind.startswith("job."):
            job = jobs.setdefault(row.job_id, JobState("", "", None))
            if (row.job_id, row.position) in history:
                job.source, job.status, job.last_seen_at = history[row.job_id, row.position]
            apply_event(job, row, value)
    written += _flush(jobs, ops)
    if verdicts:
        ops.append(Upsert(VERDICTS, ("job_a", "job_b"), VERDICT_COLUMNS, list(verdicts.values())))
    return Writes(ops, tallies={"out": written + len(verdicts), **_changes(prepared)})


def apply_event(job: JobState, row: EventRow, value: NormalPost | None) -> None:
    """Bring the job to its state after the event; `value` is the event's content, normalized."""
    if row.kind == "job.closed":
        if job.status == "erased":
            return
        job.status = "closed"
    elif row.content_kind == "job.erased":
        job.take(row, ERASED)
        job.status, job.last_seen_at = "erased", row.occurred_at
    elif value is None:  # content that was blanked; its erasure follows
        return
    else:
        job.take(row, value)
        if row.kind != "job.requeued":
            job.status = "open"
            job.saw(row.occurred_at)
    job.position = row.position
    job.dirty = True


def _scan(jobs: dict[UUID, JobState], ops: list[Op], scan: Scan) -> None:
    for job in jobs.values():
        if job.status == "open" and job.source == scan.source:
            job.saw(scan.occurred_at)
    ops.append(Execute(_SEEN, (scan.source, scan.occurred_at)))


def _flush(jobs: dict[UUID, JobState], ops: list[Op]) -> int:
    """Write what changed since the last cut; return how many rows."""
    changed = [(job_id, job) for job_id, job in jobs.items() if job.dirty]
    closed = [(job_id, job.position) for job_id, job in changed if job.content is None]
    if closed:
        ops.append(Execute(_CLOSE, tuple(map(list, zip(*closed, strict=True)))))
    rows = [job_row(job_id, job) for job_id, job in changed if job.content is not None]
    if rows:
        ops.append(Upsert(TABLE, ("job_id",), COLUMNS, rows))
        ops += _fill(changed)
    for _, job in changed:
        job.dirty = False
    return len(changed)


def _fill(changed: list[tuple[UUID, JobState]]) -> list[Op]:
    """Note which fields the written jobs have; an erased one says nothing of its source."""
    known = [(job_id, job) for job_id, job in changed if job.content is not None]
    gone = [(job_id,) for job_id, job in known if job.status == "erased"]
    rows = [
        (job_id, job.source, job.observed_on, fill_mask(job.content))
        for job_id, job in known
        if job.content is not None and job.status != "erased"
    ]
    ops: list[Op] = []
    if gone:
        ops.append(Delete(FILL, ("job_id",), gone))
    if rows:
        ops.append(Upsert(FILL, ("job_id",), FILL_COLUMNS, rows))
    return ops


def fill_mask(content: NormalPost) -> int:
    """Return the bits of the fields that the post fills; see shared/fill.py."""
    return filled_mask({name: getattr(content, name) for name in FIELDS})


def job_row(job_id: UUID, job: JobState) -> tuple[Any, ...]:
    """Return the job's row, values in the order of COLUMNS."""
    content = (getattr(job.content, name) for name in CONTENT_COLUMNS)
    return (
        job_id, *content, job.content_hash, job.first_seen_at, job.last_seen_at, job.status,
        job.position,
    )  # fmt: skip


def _changes(prepared: Sequence[Prepared]) -> dict[str, int]:
    """How many posts of the batch had each sort of repair."""
    counts = dict.fromkeys(TEXT_CHANGES, 0)
    for value in prepared:
        if isinstance(value, NormalPost):
            for name in counts:
                counts[name] += name in value.changes
    return {name: count for name, count in counts.items() if count}


def _written(rows: Sequence[EventRow]) -> dict[UUID, list[EventRow]]:
    """The events of each job whose whole row the batch will write."""
    events: dict[UUID, list[EventRow]] = {}
    for row in rows:
        if row.kind.startswith("job."):
            events.setdefault(row.job_id, []).append(row)
    return {
        job_id: of_job
        for job_id, of_job in events.items()
        if any(row.kind != "job.closed" for row in of_job)
    }


def _existing_args(
    rows: Sequence[EventRow], prepared: Sequence[Prepared], found: Found
) -> tuple[Any, ...]:
    firsts = [(job_id, events[0]) for job_id, events in sorted(_written(rows).items())]
    begun = [(job_id, row.position) for job_id, row in firsts if row.version > 1]
    return [job_id for job_id, _ in begun], [at for _, at in begun]


def _history_args(
    rows: Sequence[EventRow], prepared: Sequence[Prepared], found: Found
) -> tuple[Any, ...]:
    here = {row[0] for row in found["existing"]}
    wanted: list[tuple[UUID, int]] = []
    for job_id, events in sorted(_written(rows).items()):
        version = 0 if job_id not in here else events[0].version - 1
        for row in events:
            if row.version != version + 1:  # an event between was parked, now or before
                wanted.append((job_id, row.position))
            version = row.version
    return [job_id for job_id, _ in wanted], [at for _, at in wanted]


LOOKUPS = (
    Lookup("existing", _EXISTING, _existing_args),
    Lookup("history", _HISTORY, _history_args),
)
