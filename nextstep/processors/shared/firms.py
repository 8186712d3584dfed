"""
Which names in a text are firms, not tools: "customers like Asana, Box", "Airtable | Engineer".

Many tools bear the name of the firm that makes them. A list of customers, an investor, or the
employer in the heading of its own ad says nothing of what the work is done with.

Source: issue 5 item 2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nextstep.processors.shared.folding import Folded, fold
from nextstep.processors.shared.taxonomy import Cue

#: Folded characters that a list of firms goes on for, within its sentence.
_REACH = 200
_END = re.compile(r"\n|[;!?)]|\.(?=\s)|\b(?:to|have|has|who|that|with|using|through|on)\b")

#: The head of a posting: "Firm | role | place". Its first part is the firm unless it names a role.
_HEAD = re.compile(r"[^\n|]{2,40}?(?=\s*(?:\||\s[-–—]{1,2}\s|\())")
_ROLE = re.compile(
    r"engineer|develop|program|architect|analyst|consultant|admin|design|specialist|manager|lead|"
    r"scientist|expert|intern|junior|senior|sr\b|hiring|wanted|looking|tester|stack|remote|need"
)
_LEGAL = re.compile(
    r"[\s,]+(?:inc|llc|ltd|limited|gmbh|corp|corporation|plc|ag|sa|bv|co|pte|pty)\b\.?"
)

Span = tuple[int, int]


def firm_spans(folded: Folded, cues: Sequence[tuple[int, int, Cue]]) -> list[Span]:
    """Return the folded spans that name firms, by start; they may overlap."""
    text = folded.text
    spans = [(end, _list_end(text, end)) for _, end, cue in cues if cue is Cue.FIRMS]
    head = _HEAD.match(text)
    if head is not None and not _ROLE.search(head.group()) and "," not in head.group():
        spans.append(head.span())
    return sorted(spans)


def _list_end(text: str, start: int) -> int:
    end = _END.search(text, start, start + _REACH)
    return end.start() if end else min(len(text), start + _REACH)


def firm_key(company: str) -> str:
    """Return the folded name of a firm without its legal form; "" for none."""
    return _LEGAL.sub("", fold(company[:200]).text).strip(" .,") if company else ""


def is_inside(start: int, end: int, spans: Sequence[Span]) -> bool:
    """Return whether one of the few spans holds `start`..`end`."""
    return any(first <= start and end <= last for first, last in spans)
