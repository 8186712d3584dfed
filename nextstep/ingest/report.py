"""What an ingest did, in numbers that add up."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from nextstep.errors import ScanRefused
from nextstep.ingest.rejects import Reject

#: Rejects that are shown by row; all of them are stored.
SHOWN_REJECTS = 10


class Counts(msgspec.Struct):
    """rows = new + changed + unchanged + stale + rejected, always."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    closed: int = 0

    def add(self, outcome: str, times: int = 1) -> None:
        """Count rows with that outcome: new, changed, unchanged, stale or rejected."""
        setattr(self, outcome, getattr(self, outcome) + times)
        self.rows += times

    def appended(self) -> int:
        """Return the rows that became events."""
        return self.new + self.changed


class ShownReject(msgspec.Struct, frozen=True):
    """A reject with the name of its file."""

    file: str
    row: int
    column: str
    reason: str
    detail: str


class FileReport(msgspec.Struct, frozen=True):
    """The part of one file."""

    name: str
    counts: Counts


class IngestReport(msgspec.Struct):
    """
    Everything an ingest says at its end.

    Attributes:
        files: in the order given.
        sources: by name; rejected rows whose source could not be read stand under "".
        totals: sums over the files, and the posts that complete scans closed.
        reasons: how many rows were rejected for what.
        rejects: the first few.
        refused: why complete scans were not carried out, one text per source.
        seconds: wall-clock time.
        stopped: the ingest was told to stop before the end.
    """

    files: list[FileReport] = []
    sources: dict[str, Counts] = {}
    totals: Counts = msgspec.field(default_factory=Counts)
    reasons: dict[str, int] = {}
    rejects: list[ShownReject] = []
    refused: list[str] = []
    seconds: float = 0.0
    stopped: bool = False

    def note_outcomes(self, sources: Iterable[str], outcomes: Iterable[str], file: Counts) -> None:
        """Count what became of drafts."""
        for source, outcome in zip(sources, outcomes, strict=True):
            self._source(source).add(outcome)
            file.add(outcome)
            self.totals.add(outcome)

    def note_rejects(self, name: str, rejects: Iterable[Reject], file: Counts) -> None:
        """Count rejects and keep the first few."""
        for reject in rejects:
            self._source(reject.source).add("rejected")
            file.add("rejected")
            self.totals.add("rejected")
            self.reasons[reject.reason] = self.reasons.get(reject.reason, 0) + 1
            if len(self.rejects) < SHOWN_REJECTS:
                shown = ShownReject(name, reject.row, reject.column, reject.reason, reject.detail)
                self.rejects.append(shown)

    def note_closed(self, source: str, closed: int) -> None:
        """Count posts that a complete scan closed; they are no rows."""
        self._source(source).closed += closed
        self.totals.closed += closed

    def require_scanned(self) -> None:
        """Raise ScanRefused where a complete scan could not be carried out."""
        if self.refused:
            raise ScanRefused(
                self.refused[0],
                detail="; ".join([*self.refused[1:], "the rows themselves are in the log"]),
                hint="mend the file; or add --yes to close all the same",
            )

    def _source(self, name: str) -> Counts:
        return self.sources.setdefault(name, Counts())
