"""
Read a location field: city, region, country, work mode, and all sites when it names several.

Nothing is invented: a city is either known to the gazetteer, or stands in a field whose next part
is a known region or country. A region is given only when the field states it.

Source: issue 5 item 3, decisions.md 17, 22.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from nextstep.processors.shared.place_names import Part, Site, find_region
from nextstep.processors.shared.place_resolve import FoundSite
from nextstep.processors.shared.place_sites import (
    read_iso,
    read_sites,
    scan_parts,
)
from nextstep.processors.shared.spans import confidence
from nextstep.processors.shared.workmode import field_mode
from nextstep.processors.shared.workmode_words import FIELD_MODE

#: A field longer than this is prose; what stands at its front is read.
LONGEST_FIELD = 300

_SINGAPORE_POSTCODE = re.compile(
    r"(?:^|[\s,(])(?:S(?:ingapore)?\s*\(?)?(0[1-9]|[1-7]\d|8[0-2])\d{4}\)?\s*$"
)
_STREET = re.compile(
    r"\b(?:road|rd|street|st|avenue|ave|drive|lane|crescent|place|quay|way|walk|close|link|park|"
    r"boulevard|central|square|view|vista|terrace|rise|hill|green|grove|gate|circle|loop|ring|"
    r"jalan|lorong|building|bldg|centre|center|tower|plaza|kallang|bahru|[a-z]+way)\b",
    re.IGNORECASE,
)
_POSTCODES = re.compile(
    r"\b[A-Z]{1,2}\d[A-Z\d]?(?:\s+\d[A-Z]{2}|\s+\d)?\b|\b\d{5}(?:-\d{4})?\b|"
    r"\b[A-Z]\d[A-Z]\s?\d[A-Z]\d\b|\b\d{4}\s?[A-Z]{2}\b|\(\d+\)"
)
_RIM = "()[]{}.:-–—*•'\"|"
#: What parts one place from the next.
_BETWEEN = re.compile(r"[;|/•\n]|\s(?:or|and|oder|und|ou|et|o|y|e)\s|\s?&\s?|\s\+\s", re.IGNORECASE)
_ONE_NAME = re.compile(
    r"tyne\s*(?:&|and)\s*wear|\w+ and tobago|bosnia and \w+|newfoundland and labrador|"
    r"antigua and \w+|brighton (?:and|&) hove|dumfries and galloway|perth (?:and|&) kinross|"
    r"argyll and bute|yorkshire (?:and|&) (?:the )?humber\w*|kitts and nevis|and the grenadines|"
    r"sao tome and \w+|hammersmith (?:and|&) fulham|kensington (?:and|&) chelsea|"
    r"castil\w+ (?:and|y) le[oó]n|redcar and cleveland|turks and caicos|bath and north|"
    r"isle of \w+|city of \w+|county of \w+|district of \w+|region of \w+|east of \w+|"
    r"north of \w+|south of \w+|community of \w+|republic of \w+|province of \w+|"
    r"university of|principality of \w+|rio de|\w+ e \w+ romagna|emilia e romagna|"
    r"capital region of \w+|united states of america|state of \w+|west of \w+|center of",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^\s*(?:location|office|city|based in|place|standort|lieu|ort)s?\s*:\s*", re.IGNORECASE
)


class Place(msgspec.Struct, frozen=True):
    """
    What a location field says; empty texts where it says nothing.

    Attributes:
        region: as stated, full name for known abbreviations ("IL" gives Illinois).
        country: ISO 3166 alpha-2.
        work_mode: remote, hybrid, onsite or empty.
        places: every site in order; the first is also in `city`, `region` and `country`.
        confidence: of the place; 0 when there is none.
        spans: start and end of each site in the raw field.
        mode_span: start and end of the words that give the work mode; (0, 0) without.
    """

    city: str = ""
    region: str = ""
    country: str = ""
    work_mode: str = ""
    places: tuple[Site, ...] = ()
    confidence: float = 0.0
    spans: tuple[tuple[int, int], ...] = ()
    mode_span: tuple[int, int] = (0, 0)


@lru_cache(maxsize=16_384)
def parse_place(raw: str) -> Place:
    """
    Return what a location field says.

    Formats of all kinds are read: "Toronto, Ontario, Canada", "US, IL, hazelcrest",
    "Dorking Surrey South East", "Greater London Area", "Remote (EU)", "Berlin or Munich", a
    Singapore street address. A name that stands alone must be a known town of 15,000 people.
    """
    text = raw[:LONGEST_FIELD]
    mode, mode_span = field_mode(text)
    rest = _blank(FIELD_MODE, text)
    rest = _blank(_LABEL, rest)
    if _is_singapore(rest):
        end = len(rest.rstrip())
        start = len(rest) - len(rest.lstrip())
        site = Site("Singapore", "", "SG")
        return Place("Singapore", "", "SG", mode, (site,), 0.95, ((start, end),), mode_span)
    found = _sites(_blank(_POSTCODES, rest))
    if not found:
        return Place(work_mode=mode, mode_span=mode_span)
    first = found[0]
    places = tuple(dict.fromkeys(item.site for item in found))
    return Place(
        first.site.city,
        first.site.region,
        first.site.country,
        mode,
        places,
        confidence(first.confidence),
        tuple((item.start, item.end) for item in found),
        mode_span,
    )


def _sites(text: str) -> list[FoundSite]:
    """Cut at "or", "/", ";" into places, each at its commas into parts."""
    found: list[FoundSite] = []
    cuts = [m for m in _BETWEEN.finditer(text) if not _inside(_ONE_NAME, text, m.start())]
    start = 0
    for end, following in [(m.start(), m.end()) for m in cuts] + [(len(text), len(text))]:
        found += _comma_list(text, start, end)
        start = following
    return found


def _comma_list(text: str, start: int, end: int) -> list[FoundSite]:
    parts = [
        _part(text, start + m.start(), start + m.end())
        for m in re.finditer(r"[^,()]*", text[start:end])
        if m.end() > m.start() or m.start() == 0 or text[start + m.start() - 1] in ",()"
    ]
    if iso := read_iso(parts):
        return iso
    spread: list[Part] = []
    for part in parts:
        names = scan_parts(part) if " " in part.text and not read_sites([part]) else []
        # Inside a list only "West Sussex West Sussex South East" is taken apart, not
        # "Bradley Stoke" or "New Lexington".
        if len(names) > 1 and (len(parts) == 1 or any(find_region(n.text, "") for n in names)):
            spread += names
        else:
            spread += names if len(parts) == 1 and names else [part]
    return read_sites(spread)


def _part(text: str, start: int, end: int) -> Part:
    while start < end and (text[start].isspace() or text[start] in _RIM):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in _RIM):
        end -= 1
    return Part(text[start:end], start, end)


def _inside(pattern: re.Pattern[str], text: str, at: int) -> bool:
    return any(match.start() <= at < match.end() for match in pattern.finditer(text))


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: " " * len(match.group()), text)


def _is_singapore(text: str) -> bool:
    return bool(
        _SINGAPORE_POSTCODE.search(text) and (_STREET.search(text) or text.strip().isdigit())
    )
