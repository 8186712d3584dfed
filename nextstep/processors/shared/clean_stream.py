"""
The fold of one job's whole stream: the row that the line leaves of it, with no table to look into.

The line folds batches of many jobs and finds the rest in its tables (clean_fold.py). Here all
events of one stream are there, so that any number of streams can be folded anywhere, in any order.
Only the last content is normalized; of what was there before, the source and the times count.

Source: design.md 7, decisions.md 6 and 14.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from nextstep.events import kinds
from nextstep.processors.shared.clean_fold import (
    ERASED,
    EventRow,
    JobState,
    Prepared,
    Verdict,
    apply_event,
    fill_mask,
    job_row,
)
from nextstep.processors.shared.normal import NormalPost


class Whole(msgspec.Struct, frozen=True):
    """
    What is left of a stream: rows of `jobs_normalized`, `job_fill` and `pair_verdicts`, values in
    the order of COLUMNS, FILL_COLUMNS and VERDICT_COLUMNS. All None: nothing.
    """

    job: tuple[Any, ...] | None = None
    fill: tuple[Any, ...] | None = None
    verdict: tuple[Any, ...] | None = None


class Scans:
    """Complete scans of every source, to be asked for the latest time between two positions."""

    def __init__(self, scans: Iterable[tuple[int, str, datetime]]) -> None:
        """`scans` are position, source and time, by rising position."""
        self._at: dict[str, tuple[list[int], list[datetime], list[datetime]]] = {}
        for position, source, at in scans:
            positions, times, _ = self._at.setdefault(source, ([], [], []))
            positions.append(position)
            times.append(at)
        for _, times, latest in self._at.values():
            # The latest from each one on: most jobs are asked for from their last event on.
            for at in reversed(times):
                latest.append(max(at, latest[-1]) if latest else at)
            latest.reverse()

    def latest(self, source: str, after: int, before: int | None) -> datetime | None:
        """Return the latest time of a scan with after < position < before; None: there is none."""
        if source not in self._at:
            return None
        positions, times, latest = self._at[source]
        first = bisect_right(positions, after)
        if before is None:
            return latest[first] if first < len(latest) else None
        return max(times[first : bisect_left(positions, before)], default=None)


class _Glance(msgspec.Struct):
    """What counts of a payload that is not the last."""

    source: str = ""
    erased: bool = False


_GLANCES = msgspec.json.Decoder(_Glance)


def last_content(rows: Sequence[EventRow]) -> int | None:
    """Return the place of the event whose content the stream ends with; None: it has none."""
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        if row.kind == kinds.JUDGED:
            return place
        if row.kind in kinds.CONTENT or row.kind in (kinds.REQUEUED, kinds.ERASED):
            return place
    return None


def fold_stream(rows: Sequence[EventRow], content: Prepared, scans: Scans) -> Whole:
    """
    Return the rows of a stream.

    Args:
        rows: all events of it, by rising version.
        content: what clean's `prepare` makes of the one at `last_content`.
    """
    if isinstance(content, Verdict):
        row = rows[last_content(rows) or 0]
        pair = (content.job_a, content.job_b, content.verdict, content.why, row.position)
        return Whole(verdict=pair)
    job = JobState("", "", None)
    last = last_content(rows)
    for place, row in enumerate(rows):
        if not row.kind.startswith("job."):
            continue
        apply_event(job, row, content if place == last else _glance(row))  # type: ignore[arg-type]
        if job.status == "open":
            before = rows[place + 1].position if place + 1 < len(rows) else None
            seen = scans.latest(job.source, row.position, before)
            if seen is not None:
                job.saw(seen)
    return _left(rows[0], job)


def _glance(row: EventRow) -> NormalPost | None:
    if row.content_kind not in kinds.CONTENT:
        return None
    seen = _GLANCES.decode(row.payload)
    return None if seen.erased else msgspec.structs.replace(ERASED, source=seen.source)


def _left(row: EventRow, job: JobState) -> Whole:
    if job.content is None:
        return Whole()
    fill = None
    if job.status != "erased":
        fill = (row.job_id, job.source, job.observed_on, fill_mask(job.content))
    return Whole(job=job_row(row.job_id, job), fill=fill)
