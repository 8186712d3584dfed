"""
The end of an ingest: one `source.scanned` per source, and what a complete scan closes.

A scan's id is made of its source and the files' bytes, so that the same files again are the same
scan and append nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from nextstep.db import pools
from nextstep.errors import ScanRefused
from nextstep.events.codec import canonical_json, encode_payload
from nextstep.events.identity import named_uuid, source_stream
from nextstep.events.io import log
from nextstep.events.model import Draft, SourceScanned
from nextstep.ingest.io import store
from nextstep.ingest.io.sniff import FileFacts
from nextstep.ingest.report import Counts, IngestReport
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import Connection

#: The largest part of a source's open posts that a complete scan closes without being told to.
MAX_SHARE = 0.30


class Scans:
    """The scans of one ingest, one for each source in its files."""

    def __init__(
        self,
        files: Sequence[FileFacts],
        settings: Settings,
        *,
        complete: bool,
        observed_at: datetime | None = None,
        allow_close: bool = False,
    ) -> None:
        self._settings = settings
        self._observed_at = observed_at
        self._allow_close = allow_close
        self._digest = hashlib.sha256(b"".join(sorted(f.sha256 for f in files))).hexdigest()
        self._modified_at = max((f.modified_at for f in files), default=None)
        self._complete = complete
        self._latest: dict[str, datetime] = {}
        self._started: set[UUID] = set()

    def scan_id(self, source: str) -> UUID:
        """Return the id of the scan of a source."""
        return named_uuid("scan", source, self._digest, "complete" if self._complete else "part")

    def note(self, latest: Mapping[str, datetime]) -> None:
        """Remember the greatest occurred_at per source."""
        for source, at in latest.items():
            self._latest[source] = max(at, self._latest.get(source, at))

    async def add_seen(self, connection: Connection, drafts: Sequence[Draft]) -> None:
        """Note the streams that the drafts name, whatever becomes of them."""
        ids = {draft.source: self.scan_id(draft.source) for draft in drafts}
        fresh = [scan_id for scan_id in ids.values() if scan_id not in self._started]
        if fresh:  # a scan that died left its ids behind
            await store.forget_seen(connection, fresh)
            self._started.update(fresh)
        await store.add_seen(
            connection,
            [ids[draft.source] for draft in drafts],
            [draft.job_id for draft in drafts],
            [draft.occurred_at for draft in drafts],
        )

    async def finish(self, connection: Connection, source: str, report: IngestReport) -> None:
        """
        Record the scan of one source and close what it no longer lists.

        A refusal goes into the report, so that the other sources are still scanned.
        """
        counts = report.sources.get(source) or Counts()
        unknown = report.sources.get("") or Counts()
        if not self._complete and not counts.appended():
            return
        try:
            if self._complete and not self._allow_close:
                _require_all_rows(source, counts.rejected + unknown.rejected)
            async with pools.in_transaction(connection, "ingest", self._settings):
                closed = await self._record(connection, source, counts)
                if self._complete:
                    await store.forget_seen(connection, [self.scan_id(source)])
        except ScanRefused as refusal:
            report.refused.append(refusal.message)
            return
        report.note_closed(source, closed)

    async def _record(self, connection: Connection, source: str, counts: Counts) -> int:
        scan_id = self.scan_id(source)
        payload = SourceScanned(
            source=source,
            scan_id=scan_id,
            complete=self._complete,
            rows=counts.rows,
            new=counts.new,
            changed=counts.changed,
            unchanged=counts.unchanged,
            stale=counts.stale,
            rejected=counts.rejected,
        )
        same = {"source": source, "scan_id": str(scan_id), "complete": self._complete}
        closed, _ = await log.finish_scan(
            connection,
            source=source,
            stream=source_stream(source),
            scan_id=scan_id,
            complete=self._complete,
            payload=encode_payload(payload),
            content_hash=hashlib.sha256(canonical_json(same)).digest(),
            occurred_at=await self._occurred_at(connection, source),
            max_share=1.0 if self._allow_close else MAX_SHARE,
        )
        return closed

    async def _occurred_at(self, connection: Connection, source: str) -> datetime:
        """
        When the source was so.

        As said with --observed-at; else when its newest row was. The newest post of all may be the
        one that is gone, so a scan is taken to be as new as anything open of its source, unless it
        speaks of an earlier time than the log: then it is an old file that comes late, and closes
        nothing newer.
        """
        times = [self._latest[source]] if source in self._latest else []
        if self._observed_at is not None:
            times.append(self._observed_at)
        elif self._complete:
            is_late, latest = await store.scan_age(connection, self.scan_id(source), source)
            times += [latest] if latest is not None and not is_late else []
        if not times and self._modified_at is not None:
            times.append(self._modified_at)
        return max(times)


def _require_all_rows(source: str, rejected: int) -> None:
    if rejected:
        raise ScanRefused(
            f"the scan of {source} is not complete: {rejected} row(s) were rejected",
            hint="mend the rows; or add --yes to close what the others do not list",
        )
