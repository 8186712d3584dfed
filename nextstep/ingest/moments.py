"""
When a fact happened, read from what the source wrote.

Only `occurred_at` is made here; the date that readers see is clean's work. A date without a time is
midnight UTC, a month its first day, a year its first day; a naive time is UTC (decisions.md 3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Nothing older was crawled; 1970 and 1900 are how unset fields look.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

#: English, German and French; other words are tried by their first three letters.
_MONTH_NAMES = (
    "jan january januar janvier",
    "feb february februar février fevrier fév fev",
    "mar march märz mär mrz mars",
    "apr april avril avr",
    "may mai",
    "jun june juni juin",
    "jul july juli juillet juil",
    "aug august août aout",
    "sep sept september septembre",
    "oct october okt oktober octobre",
    "nov november novembre",
    "dec december dez dezember décembre decembre déc",
)
_MONTHS = {
    name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names.split()
}

_DIGITS = re.compile(r"-?\d+(?:\.\d+)?")
_YEAR_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})")
_LOOSE_ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ,]+(\d{1,2}):(\d\d)(?::(\d\d))?)?"
)
_DAY_FIRST_WORD = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)?(\d{1,2})(?:st|nd|rd|th|\.)?[\s\-/]+(?:of\s+)?([^\W\d_]+)\.?,?[\s\-/]+(\d{4})"
    r"(?:[ ,T]+(?:at\s+)?(\d{1,2}):(\d\d)(?::(\d\d))?)?"
)
_MONTH_FIRST_WORD = re.compile(
    r"(?:[^\W\d_]+,\s+)?([^\W\d_]+)\.?\s+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?(\d{4})"
    r"(?:[ ,T]+(?:at\s+)?(\d{1,2}):(\d\d)(?::(\d\d))?)?"
)
_NUMERIC = re.compile(
    r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?\s*([AaPp][Mm])?)?"
)
#: Digits of an epoch: seconds, milliseconds, microseconds, nanoseconds.
_EPOCH_SCALE = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}


#: Hour, minute and second as a pattern found them.
_Time = tuple[str | None, ...]


def parse_moment(text: str, formats: Sequence[str] = ()) -> datetime | None:
    """
    Return the instant a date text names, in UTC, or None where it names none.

    Args:
        text: ISO 8601 and its near misses, epoch seconds or finer, "29 Jan 2019", "January 2019",
            "01/29/2019" (month first, unless the first number is above 12), "29.01.2019" (day
            first), RFC 2822; also "2019-01" and "2019".
        formats: strptime formats that are tried first.
    """
    text = text.strip()
    if not text or len(text) > 64:
        return None
    for form in formats:
        try:
            return _utc(datetime.strptime(text, form))
        except ValueError:
            continue
    if _DIGITS.fullmatch(text):
        return _from_digits(text)
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        pass
    return _from_words(text) or _from_mail(text)


def accepted(moment: datetime | None, latest: datetime) -> datetime | None:
    """Return the moment if it can be true: a wrong one would make later observations stale."""
    return moment if moment is not None and EARLIEST <= moment <= latest else None


def _from_digits(text: str) -> datetime | None:
    whole = text.split(".", maxsplit=1)[0]
    if len(whole) == 4:
        return _build(int(whole), 1, 1)
    if len(whole) == 8 and whole == text:
        return _build(int(text[:4]), int(text[4:6]), int(text[6:]))
    if len(whole) not in _EPOCH_SCALE:
        return None
    seconds, rest = divmod(int(whole), _EPOCH_SCALE[len(whole)])
    found = datetime.fromtimestamp(seconds, UTC)
    return found.replace(microsecond=rest * 10**6 // _EPOCH_SCALE[len(whole)])


def _from_words(text: str) -> datetime | None:
    found: datetime | None = None
    if match := _YEAR_MONTH.fullmatch(text):
        found = _build(int(match[1]), int(match[2]), 1)
    elif match := _LOOSE_ISO.fullmatch(text):
        found = _build(int(match[1]), int(match[2]), int(match[3]), match.group(4, 5, 6))
    elif match := _NUMERIC.fullmatch(text):
        first, second = int(match[1]), int(match[3])
        day_first = match[2] == "." or first > 12
        month, day = (second, first) if day_first else (first, second)
        found = _build(int(match[4]), month, day, match.group(5, 6, 7), match[8] or "")
    elif match := _DAY_FIRST_WORD.fullmatch(text):
        found = _named_month(match[3], match[2], match[1], match.group(4, 5, 6))
    elif match := _MONTH_FIRST_WORD.fullmatch(text):
        found = _named_month(match[3], match[1], match[2] or "1", match.group(4, 5, 6))
    return found


def _named_month(year: str, name: str, day: str, time: _Time) -> datetime | None:
    name = name.casefold()
    month = _MONTHS.get(name) or _MONTHS.get(name[:3])
    return _build(int(year), month, int(day), time) if month else None


def _from_mail(text: str) -> datetime | None:
    try:
        return _utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _build(
    year: int, month: int, day: int, time: _Time = (None, None, None), half: str = ""
) -> datetime | None:
    hour, minute, second = (int(part or 0) for part in time)
    if half:
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _utc(moment: datetime) -> datetime | None:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # the first or last day of the calendar, shifted out of it
        return None
