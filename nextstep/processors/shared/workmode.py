"""
Work mode: remote, hybrid or onsite; the location field first, then title, then description.

A word alone proves nothing: "remote sensing", "occasional remote work", "on-site gym" and "no
remote" do not make a remote job.

Source: issue 5 item 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from nextstep.processors.shared.spans import DESCRIPTION, LOCATION, TITLE, Span, confidence, span
from nextstep.processors.shared.spotting import BIT, Spot, lower, spot, windows
from nextstep.processors.shared.workmode_words import (
    DAYS,
    FIELD_KINDS,
    NOT_A_MODE,
    PATTERNS,
    READ,
    REFUSAL,
    REFUSED,
    STRONG,
    TELLING,
    TITLE_SUBJECT,
    WORKPLACE,
)


class WorkMode(msgspec.Struct, frozen=True):
    """`mode` is remote, hybrid, onsite or empty."""

    mode: str = ""
    confidence: float = 0.0
    spans: tuple[Span, ...] = ()


def field_mode(text: str) -> tuple[str, tuple[int, int]]:
    """Return the mode that a location field states, with its span; "" without one."""
    if refused := REFUSED.search(text):
        return "onsite", refused.span()
    for mode, pattern in FIELD_KINDS:
        if hit := pattern.search(text):
            return mode, hit.span()
    return "", (0, 0)


def work_mode_of(
    location: str, title: str, text: str, spots: Sequence[Spot] | None = None
) -> WorkMode:
    """Return the work mode of an ad; a field outweighs the title, the title the description."""
    mode, (start, end) = field_mode(location)
    if mode:
        if mode == "remote" and (mixed := _text_mode(text, spots)).mode == "hybrid":
            return mixed
        return WorkMode(mode, 0.95, (span(LOCATION, location, start, end),))
    masked = TITLE_SUBJECT.sub(_blank, title)
    mode, (start, end) = field_mode(masked)
    if mode:
        return WorkMode(mode, 0.92, (span(TITLE, title, start, end),))
    return _text_mode(text, spots)


class _Hit(msgspec.Struct, frozen=True):
    start: int
    end: int
    text: str


def _text_mode(text: str, spots: Sequence[Spot] | None = None) -> WorkMode:
    near = spot(text[:READ]) if spots is None else [s for s in spots if s.start < READ]
    first: dict[str, _Hit] = {}
    for piece in windows(text, near, BIT["hybrid"] | BIT["remote"] | BIT["onsite"], 60, 60):
        if not piece.fields & TELLING and not DAYS.search(text, piece.start, piece.end):
            continue
        masked, low = _masked(text[piece.start : piece.end])
        for mode, pattern, cased, bit in PATTERNS:
            if mode not in first and piece.fields & bit:
                found = _first(mode, pattern, masked, low)
                shown = _first(mode, cased, masked, masked) if cased else None
                if shown and (found is None or shown.start() < found.start()):
                    found = shown
                if found:
                    start, end = found.span()
                    first[mode] = _Hit(piece.start + start, piece.start + end, masked[start:end])
    return _weighed(text, first.get("hybrid"), first.get("remote"), first.get("onsite"))


#: "The hybrid theatre": what is hybrid is a thing, unless its line goes on to speak of work.
_THING = re.compile(
    r"\s+(?!(?:approach|setting|system|setup)\b)[a-zà-ÿ]{3,}\b(?!\s+(?:in|at|from|based)\b)"
)

_ENDS_IN_OR = re.compile(r"\bor\s+(?:(?:a|fully|100\s?%)\s+)*remote(?:ly)?$", re.I)

_OR = re.compile(
    r"[\s,)]*(?:(?:at|in|from)\s+[\w\s]{1,20},\s*)?(?:/|\bor)\s+(?:a\s+|fully\s+)?", re.I
)


def _weighed(text: str, hybrid: _Hit | None, remote: _Hit | None, onsite: _Hit | None) -> WorkMode:
    strong = remote is not None and _is_strong(remote)
    found: tuple[str, _Hit | None, float] = ("", None, 0.0)
    if hybrid and remote and _is_choice(text, hybrid, remote):
        # "Onsite, hybrid, or fully remote": remote is possible.
        found = ("remote", remote, 0.75)
    elif hybrid and not (remote and strong and remote.end <= hybrid.start):
        found = ("hybrid", hybrid, 0.85)
    elif onsite and _is_refusal(onsite):
        found = ("onsite", onsite, 0.88)
    elif remote and onsite:
        # "Onsite or remote": remote is possible, which is what a reader looks for.
        is_choice = abs(remote.start - onsite.start) < 40 or remote.start < onsite.start
        found = ("remote", remote, 0.7) if is_choice else ("onsite", onsite, 0.65)
    elif remote:
        found = ("remote", remote, 0.85 if strong else 0.75)
    elif onsite:
        found = ("onsite", onsite, 0.8)
    mode, hit, sure = found
    return WorkMode() if hit is None else _made(mode, hit, text, sure)


def _masked(text: str) -> tuple[str, str]:
    """Return a text, and the same in lower case, with blanks for what only sounds like a mode."""
    low = lower(text)
    for match in NOT_A_MODE.finditer(low):
        start, end = match.span()
        blank = " " * (end - start)
        text, low = text[:start] + blank + text[end:], low[:start] + blank + low[end:]
    return text, low


def _first(mode: str, pattern: re.Pattern[str], text: str, searched: str) -> re.Match[str] | None:
    """Return the first match that means it; `searched` is the text, or the same in lower case."""
    for match in pattern.finditer(searched):
        word = match.group().lower()
        if mode == "remote" and REFUSAL.search(word):
            continue
        if _denied(text, match) or (word == "hybrid" and not _is_of_work(text, match)):
            continue
        return match
    return None


def _is_of_work(text: str, match: re.Match[str]) -> bool:
    """Whether a bare "hybrid" is set apart like a label, or its line speaks of where work is "
    "done."""
    before = text[max(0, match.start() - 60) : match.start()].rpartition("\n")[2]
    after = text[match.end() : match.end() + 60].partition("\n")[0]
    if not before.strip(" -–—*•|(,/:[") or before.rstrip().endswith(("/", "|", "-", "–", ",")):
        return True
    # "Web developer hybrid" is a person; "London Hybrid" is a place of work.
    if re.match(r"\s*(?:[|)\]/,.;*–—-]|$)", after) and not _A_PERSON.search(before):
        return True
    if WORKPLACE.search(after):
        return True
    return bool(WORKPLACE.search(before)) and not _THING.match(after)


#: A line that ends so before "hybrid" speaks of who is sought.
_A_PERSON = re.compile(r"(?:developer|engineer|designer|analyst|scientist|manager)s?\s*$", re.I)


#: "No modelo híbrido" is Portuguese for "in the hybrid model".
_IN_THE = re.compile(r"modelo|regime|formato|esquema|escrit", re.I)


def _denied(text: str, match: re.Match[str]) -> bool:
    """Whether "no", "not" or "isn't" stands right before, or the sentence takes it back."""
    if REFUSAL.search(match.group()):
        return False
    before = text[max(0, match.start() - 22) : match.start()].lower()
    after = text[match.end() : match.end() + 40].lower()
    if _IN_THE.match(match.group()) and before.endswith(" no "):
        return False
    return bool(
        re.search(
            r"\b(?:no|not|non|isn['’]t|cannot|can't|never|kein(?:e)?|without|geen)\s+(?:\w+\s+)?$",
            before,
        )
        or re.match(
            r"\s*(?:work\w*\s+|positions?\s+)?(?:is|are)?\s*(?:not|n['’]t|unavailable)\b|"
            r"\s*[:=]\s*no\b",
            after,
        )
    )


def _is_choice(text: str, hybrid: _Hit, remote: _Hit) -> bool:
    """Whether "remote" is one of the ways of working to choose from, beside "hybrid"."""
    if _OR.fullmatch(text[hybrid.end : remote.start]):
        return True
    is_near = hybrid.start - 1 <= remote.start < hybrid.end + 20
    return is_near and bool(_ENDS_IN_OR.search(remote.text))


def _is_refusal(hit: _Hit) -> bool:
    return bool(REFUSAL.search(hit.text))


def _is_strong(hit: _Hit) -> bool:
    return bool(STRONG.search(hit.text))


def _made(mode: str, hit: _Hit, text: str, sure: float) -> WorkMode:
    return WorkMode(mode, confidence(sure), (span(DESCRIPTION, text, hit.start, hit.end),))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
