"""
A posting date as its source wrote it, to a date and how precise it is.

Numbers with slashes or dashes are read month first, as in the United States, unless the first one
is above 12; numbers with dots are read day first. No clock: "3 days ago" counts from the day on
which the post was seen.

Source: issue 2 item 6, decisions.md 21.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import msgspec

#: A year outside is a typing error or a default, not a date.
_FIRST_YEAR, _LAST_YEAR = 1990, 2099
#: Days that a post may be dated after the day it was seen: time zones and announced dates.
_AHEAD_DAYS = 366
#: Only junk is longer.
_LONGEST = 80

_MONTH_NAMES = (
    "january jan januar jän jänner janvier janv enero ene gennaio gen janeiro januari",
    "february feb febr februar février fevrier févr fevr fév febrero febbraio fevereiro februari",
    "march mar märz maerz mrz mars marzo março marco maart mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août aout agosto ago augustus",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro",
)
_MONTHS = {name: n for n, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_WORD = "|".join(sorted(_MONTHS, key=lambda name: (-len(name), name)))

_UNITS = {
    "day": 1, "days": 1, "d": 1, "tag": 1, "tagen": 1, "tage": 1, "jour": 1, "jours": 1, "día": 1,
    "días": 1, "dia": 1, "dias": 1, "giorni": 1, "giorno": 1, "dag": 1, "dagen": 1,
    "week": 7, "weeks": 7, "w": 7, "wk": 7, "wks": 7, "woche": 7, "wochen": 7, "semaine": 7,
    "semaines": 7, "semana": 7, "semanas": 7, "settimana": 7, "settimane": 7, "weken": 7,
    "month": 30, "months": 30, "mo": 30, "monat": 30, "monaten": 30, "monate": 30, "mois": 30,
    "mes": 30, "meses": 30, "mese": 30, "mesi": 30, "maand": 30, "maanden": 30,
    "year": 365, "years": 365, "y": 365, "yr": 365, "jahr": 365, "jahren": 365, "an": 365,
    "ans": 365, "año": 365, "años": 365, "ano": 365, "anos": 365,
    "hour": 0, "hours": 0, "h": 0, "hr": 0, "hrs": 0, "stunde": 0, "stunden": 0, "heure": 0,
    "heures": 0, "hora": 0, "horas": 0, "minute": 0, "minutes": 0, "min": 0, "mins": 0,
    "minuten": 0, "minuto": 0, "minutos": 0, "second": 0, "seconds": 0,
}  # fmt: skip
_UNIT = "|".join(sorted(_UNITS, key=lambda unit: (-len(unit), unit)))
_ONE = frozenset(
    ("a", "an", "one", "ein", "eine", "einem", "einer", "un", "una", "une", "um", "uma", "een")
)
_TODAY = re.compile(
    r"(?:just (?:posted|now)|posted today|today|now|heute|aujourd'?hui|hoy|hoje|oggi|vandaag)\W*"
)
_YESTERDAY = re.compile(r"(?:posted )?(?:yesterday|gestern|hier|ayer|ontem|ieri|gisteren)\W*")
_AGO = re.compile(
    rf"(?:posted |reposted |active |vor |il y a |hace |há |fa )*"
    rf"(?:(\d{{1,4}})|({'|'.join(sorted(_ONE))}))\s?(\+?)\s*({_UNIT})\b"
    rf"(?P<said>\+)?(?:\s+(?:ago|fa|geleden|atrás|old))?\W*"
)
_AGO_HINT = re.compile(
    r"\b(?:ago|vor|il y a|hace|há|fa|geleden|atrás|old|posted)\b|^\d+\+?\s?[dhw]$"
)


class Dated(msgspec.Struct, frozen=True):
    """`on` is the first of the month or year where only those are known; None with "none"."""

    on: date | None = None
    precision: str = "none"  # day | month | year | none


_NONE = Dated()


def parse_date(raw: str, seen_on: date | None = None) -> Dated:
    """
    Return the date that a source's text states.

    Args:
        raw: the text; a time and a zone behind the date are ignored, the date stays as written.
        seen_on: the day the post was seen; relative texts count from it, and a date more than a
            year after it is no date. Without it relative texts give none.

    "30+ days ago" says no more than a month, so it gives the first of that month.
    """
    text = " ".join(raw[: 2 * _LONGEST].split()).casefold()
    if not text or len(text) > _LONGEST:
        return _NONE
    for pattern, read in _FORMS:
        found = pattern.fullmatch(text)
        if found:
            return _sane(read(found), seen_on)
    return _sane(_relative(text, seen_on), seen_on) if seen_on else _NONE


def _sane(dated: Dated, seen_on: date | None) -> Dated:
    if dated.on is None or not _FIRST_YEAR <= dated.on.year <= _LAST_YEAR:
        return _NONE
    if seen_on is not None and dated.on > seen_on + timedelta(days=_AHEAD_DAYS):
        return _NONE
    return dated


def _day(year: str, month: int, day: int) -> Dated:
    number = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return Dated(date(number, month, day), "day")
    except ValueError:
        return _NONE


def _month(year: str, month: int) -> Dated:
    dated = _day(year, month, 1)
    return Dated(dated.on, "month") if dated.on else _NONE


def _month_first(found: re.Match[str]) -> Dated:
    first, second = int(found[1]), int(found[2])
    month, day = (second, first) if first > 12 else (first, second)
    return _day(found[3], month, day)


def _epoch(found: re.Match[str]) -> Dated:
    return Dated(datetime.fromtimestamp(int(found[1]), UTC).date(), "day")


def _relative(text: str, seen_on: date) -> Dated:
    if _TODAY.fullmatch(text):
        return Dated(seen_on, "day")
    if _YESTERDAY.fullmatch(text):
        return Dated(seen_on - timedelta(days=1), "day")
    found = _AGO.fullmatch(text)
    return _ago(found, seen_on) if found and _AGO_HINT.search(text) else _NONE


def _ago(found: re.Match[str], seen_on: date) -> Dated:
    unit = _UNITS[found[4]]
    try:
        on = seen_on - timedelta(days=unit * int(found[1] or 1))
    except OverflowError:
        return _NONE
    if unit >= 365:
        return Dated(on.replace(month=1, day=1), "year")
    if unit >= 30 or found[3] or found["said"]:
        return Dated(on.replace(day=1), "month")
    return Dated(on, "day")


_TIME = r"(?:[t ,]\s?\d{1,2}[:.]\d\d.{0,40})?"
_WEEKDAY = r"(?:[a-zäöéèáíç]{2,10}\.?,? )?"
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Dated]], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_TIME}z?",
         lambda m: _day(m[1], int(m[2]), int(m[3]))),
        (rf"(\d{{4}})(\d\d)(\d\d){_TIME}", lambda m: _day(m[1], int(m[2]), int(m[3]))),
        (r"(\d{4})[-/.](\d{1,2})", lambda m: _month(m[1], int(m[2]))),
        (r"(\d{1,2})[-/.](\d{4})", lambda m: _month(m[2], int(m[1]))),
        (r"(\d{4})", lambda m: Dated(_day(m[1], 1, 1).on, "year") if m[1] >= "1" else _NONE),
        (rf"(\d{{1,2}})[-/](\d{{1,2}})[-/](\d{{4}}|\d\d){_TIME}", _month_first),
        (rf"(\d{{1,2}})\. ?(\d{{1,2}})\. ?(\d{{4}}|\d\d){_TIME}",
         lambda m: _day(m[3], int(m[2]), int(m[1]))),
        (rf"{_WEEKDAY}(?:le )?(\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?[ -](?:of |de )?({_WORD})\.?,?"
         rf"[ -](?:de |del )?(\d{{4}}|\d\d){_TIME}",
         lambda m: _day(m[3], _MONTHS[m[2]], int(m[1]))),
        (rf"{_WEEKDAY}({_WORD})\.?[ -](\d{{1,2}})(?:st|nd|rd|th)?,?[ -](\d{{4}}){_TIME}",
         lambda m: _day(m[3], _MONTHS[m[1]], int(m[2]))),
        (rf"({_WORD})\.?,?[ -](?:de )?(\d{{4}})", lambda m: _month(m[2], _MONTHS[m[1]])),
        (r"(\d{10})(?:\.\d+)?", _epoch),
        (r"(\d{10})\d{3}", _epoch),
    )
)  # fmt: skip
