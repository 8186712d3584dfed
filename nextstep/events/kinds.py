"""The kinds of facts in the log. Only facts are here; what a stage computes is a row."""

from __future__ import annotations

POSTED = "job.posted"
REVISED = "job.revised"
CLOSED = "job.closed"
REOPENED = "job.reopened"
REQUEUED = "job.requeued"
ERASED = "job.erased"
SCANNED = "source.scanned"
JUDGED = "pair.judged"
DISCARDED = "dead_letter.discarded"

#: An observation of a post. The server function turns it into posted, revised or reopened.
OBSERVED = "job.observed"

#: Kinds whose payload is a whole post.
CONTENT = frozenset({POSTED, REVISED, REOPENED})
ALL = CONTENT | {CLOSED, REQUEUED, ERASED, SCANNED, JUDGED, DISCARDED}
