"""Rows to batches of drafts. Pure but for the rows it pulls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from nextstep.events.model import Draft
from nextstep.ingest.columns import Plan, fit
from nextstep.ingest.mapping import Context, map_row, to_draft
from nextstep.ingest.rejects import Reject

#: Bytes of payload in one append; long posts make smaller batches.
MAX_BATCH_BYTES = 8 * 1024 * 1024

#: Shapes of JSON objects whose plans are kept.
_MAX_PLANS = 512


class Batch(msgspec.Struct, frozen=True):
    """What one append carries. `rows` = drafts + rejects; `fraction` of the file is read."""

    drafts: list[Draft]
    rejects: list[Reject]
    rows: int
    fraction: float


def make_batches(
    rows: Iterator[tuple[int, dict[str, Any]] | Reject],
    context: Context,
    *,
    plan: Plan | None,
    max_rows: int,
    fraction: Callable[[], float],
) -> Iterator[Batch]:
    """
    Yield the rows as batches, in order.

    Args:
        plan: the plan of every row; None fits one to each shape of row.
        max_rows: rows of a batch, rejects included.
        fraction: asked when a batch is full.
    """
    drafts: list[Draft] = []
    refused: list[Reject] = []
    size = 0
    plans = _Plans(context)
    significant = context.column_map.significant
    # A row that could not be read has a source all the same where no column names one.
    only_source = context.source if plan is not None and not plan.fields["source"] else ""
    for row in rows:
        if isinstance(row, Reject):
            refused.append(msgspec.structs.replace(row, source=only_source))
        else:
            number, cells = row
            found = map_row(number, cells, plan or plans.of(cells), context)
            if isinstance(found, Reject):
                refused.append(found)
            else:
                draft = to_draft(found, significant)
                drafts.append(draft)
                size += len(draft.payload)
        if len(drafts) + len(refused) >= max_rows or size >= MAX_BATCH_BYTES:
            yield Batch(drafts, refused, len(drafts) + len(refused), fraction())
            drafts, refused, size = [], [], 0
    if drafts or refused:
        yield Batch(drafts, refused, len(drafts) + len(refused), fraction())


def latest_by_source(drafts: list[Draft]) -> dict[str, datetime]:
    """Return the greatest occurred_at of each source in the drafts."""
    latest: dict[str, datetime] = {}
    for draft in drafts:
        known = latest.get(draft.source)
        if known is None or known < draft.occurred_at:
            latest[draft.source] = draft.occurred_at
    return latest


class _Plans:
    """Plans by the keys of a row; a file of JSON lines has few shapes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[tuple[str, ...], Plan] = {}

    def of(self, cells: dict[str, Any]) -> Plan:
        keys = tuple(cells)
        plan = self._known.get(keys)
        if plan is None:
            if len(self._known) >= _MAX_PLANS:
                self._known.clear()
            plan = self._known[keys] = fit(self._context.column_map, keys)
        return plan
