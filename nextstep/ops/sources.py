"""
How full every field of every source is, counted from `job_fill`; and which fields posts lost when
they were crawled again, read from the log.

A source whose posts were all rewritten in one crawl has no earlier window left. So the latest of
its rewritten posts are held against what they said before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from nextstep.processors.shared.fill import Fill, fill_rates, has_dropped

_GROUPS = """
SELECT source, observed_on, filled, count(*)
  FROM job_fill
 GROUP BY source, observed_on, filled
 ORDER BY source, observed_on, filled
"""

#: What a payload states by itself; the other fields are made of these. In the order of the counts
#: that `_REWRITTEN` gives, before and after.
_STATED = (
    "title", "description_clean", "company", "url", "location_raw", "date_posted",
    "employment_type_raw", "salary_raw",
)  # fmt: skip
#: Of each source the open posts whose content changed last, and how many had a field before and
#: have it now. An empty field has no key in a payload.
_REWRITTEN = """
WITH again AS (
  SELECT job_id, source, row_number() OVER (PARTITION BY source ORDER BY position DESC) AS nth
    FROM job_heads
   WHERE is_job AND is_open AND version > 1
)
SELECT a.source, count(*) AS posts,
       ARRAY[count(was.title), count(coalesce(was.html, was.text)), count(was.company),
             count(was.url), count(was.location), count(was.date_posted),
             count(was.employment_type), count(was.salary)] AS before,
       ARRAY[count(has.title), count(coalesce(has.html, has.text)), count(has.company),
             count(has.url), count(has.location), count(has.date_posted),
             count(has.employment_type), count(has.salary)] AS after
  FROM again a
 CROSS JOIN LATERAL (
   SELECT version, payload FROM job_events e
    WHERE e.job_id = a.job_id AND kind IN ('job.posted', 'job.revised', 'job.reopened')
    ORDER BY version DESC LIMIT 1) latest
 CROSS JOIN LATERAL (
   SELECT payload FROM job_events e
    WHERE e.job_id = a.job_id AND kind IN ('job.posted', 'job.revised', 'job.reopened')
      AND e.version < latest.version
    ORDER BY version DESC LIMIT 1) earlier
 CROSS JOIN LATERAL jsonb_to_record(latest.payload) AS has (
   title text, html text, text text, company text, url text, location text, date_posted text,
   employment_type text, salary text)
 CROSS JOIN LATERAL jsonb_to_record(earlier.payload) AS was (
   title text, html text, text text, company text, url text, location text, date_posted text,
   employment_type text, salary text)
 WHERE a.nth <= $1 AND NOT latest.payload ? 'erased' AND NOT earlier.payload ? 'erased'
 GROUP BY a.source
 ORDER BY a.source
"""
#: Rewritten posts of each source that are looked at.
_LATEST = 200


class Rewritten(msgspec.Struct, frozen=True):
    """A field that posts of a source lost when they were crawled again; rates are shares."""

    field: str
    posts: int
    earlier_rate: float
    recent_rate: float


async def read_sources(connection: asyncpg.Connection) -> list[dict[str, Any]]:
    """
    Return the `sources` of the status document.

    Counted in one pass over a narrow table; of rewritten posts at most 200 of a source are read.
    """
    groups = await connection.fetch(_GROUPS)
    fills = fill_rates([(row[0], row[1], row[2], row[3]) for row in groups])
    rewritten = await connection.fetch(_REWRITTEN, _LATEST)
    return source_entries(fills, {row[0]: lost_fields(row[1], row[2], row[3]) for row in rewritten})


def lost_fields(posts: int, before: list[int], after: list[int]) -> list[Rewritten]:
    """Return the fields that rewritten posts lost, by the rule of shared/fill.py."""
    return [
        Rewritten(field, posts, round(had / posts, 3), round(has / posts, 3))
        for field, had, has in zip(_STATED, before, after, strict=True)
        if has_dropped(has, posts, had, posts)
    ]


def source_entries(
    fills: list[Fill], lost: Mapping[str, list[Rewritten]] | None = None
) -> list[dict[str, Any]]:
    """
    Return the `sources` of the status document: per source its windows, fields and drops.

    {"source", "posts", "recent": {"since", "posts"}, "earlier": {"posts"}, "dropped": [field],
    "fields": [{"field", "filled", "total", "rate", "recent_rate", "earlier_rate", "dropped"}],
    "rewritten": [{"field", "posts", "earlier_rate", "recent_rate"}]}
    """
    entries: dict[str, dict[str, Any]] = {}
    for fill in fills:
        entry = entries.setdefault(
            fill.source,
            {
                "source": fill.source,
                "posts": fill.total,
                "recent": {"since": fill.recent_since.isoformat(), "posts": fill.recent_total},
                "earlier": {"posts": fill.earlier_total},
                "dropped": [],
                "fields": [],
                "rewritten": msgspec.to_builtins((lost or {}).get(fill.source, [])),
            },
        )
        if fill.dropped:
            entry["dropped"].append(fill.field)
        kept = ("field", "filled", "total", "rate", "recent_rate", "earlier_rate", "dropped")
        made = msgspec.to_builtins(fill)
        entry["fields"].append({name: made[name] for name in kept})
    return list(entries.values())


def drop_lines(sources: list[dict[str, Any]]) -> list[str]:
    """Return one line per field that a source fills so much less often that it is an alarm."""
    windows = [
        f"{entry['source']}: {field['field']} {_fall(field)} of posts since "
        f"{entry['recent']['since']}"
        for entry in sources
        for field in entry["fields"]
        if field["dropped"]
    ]
    again = [
        f"{entry['source']}: {field['field']} {_fall(field)} of the {field['posts']} posts that "
        "changed last"
        for entry in sources
        for field in entry["rewritten"]
        if field["field"] not in entry["dropped"]
    ]
    return windows + again


def _fall(field: dict[str, Any]) -> str:
    return f"fell from {field['earlier_rate']:.0%} to {field['recent_rate']:.0%}"
