"""
Amounts of money in a text: number, currency, multiplier, and the period that is said of them.

All patterns are bounded, so that scanning stays linear on any text.
"""

from __future__ import annotations

import re

import msgspec

#: Written form (lower case, no blanks) -> ISO 4217; "$" and "kr" need the country.
CURRENCIES = {
    "us$": "USD",
    "usd": "USD",
    "usd$": "USD",
    "$usd": "USD",
    "$us": "USD",
    "dollars": "$",
    "dollar": "$",
    "$": "$",
    "ca$": "CAD",
    "c$": "CAD",
    "cad": "CAD",
    "cad$": "CAD",
    "cdn$": "CAD",
    "cdn": "CAD",
    "$cad": "CAD",
    "$ca": "CAD",
    "a$": "AUD",
    "au$": "AUD",
    "aud": "AUD",
    "aud$": "AUD",
    "nz$": "NZD",
    "nzd": "NZD",
    "nzd$": "NZD",
    "s$": "SGD",
    "sg$": "SGD",
    "sgd": "SGD",
    "sgd$": "SGD",
    "hk$": "HKD",
    "hkd": "HKD",
    "hkd$": "HKD",
    "r$": "BRL",
    "brl": "BRL",
    "reais": "BRL",
    "mx$": "MXN",
    "mxn": "MXN",
    "mxn$": "MXN",
    "$mxn": "MXN",
    "£": "GBP",
    "gbp": "GBP",
    "gbp£": "GBP",
    "pounds": "GBP",
    "ukpounds": "GBP",
    "poundssterling": "GBP",
    "stg": "GBP",
    "€": "EUR",
    "eur": "EUR",
    "eur€": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "₹": "INR",
    "inr": "INR",
    "rs": "INR",
    "rs.": "INR",
    "rupees": "INR",
    "chf": "CHF",
    "sfr": "CHF",
    "fr.": "CHF",
    "sek": "SEK",
    "nok": "NOK",
    "dkk": "DKK",
    "kr": "kr",
    "kr.": "kr",
    "pln": "PLN",
    "zł": "PLN",
    "zl": "PLN",
    "czk": "CZK",
    "kč": "CZK",
    "huf": "HUF",
    "ron": "RON",
    "lei": "RON",
    "¥": "¥",
    "jpy": "JPY",
    "cny": "CNY",
    "rmb": "CNY",
    "円": "JPY",
    "₩": "KRW",
    "krw": "KRW",
    "aed": "AED",
    "sar": "SAR",
    "qar": "QAR",
    "zar": "ZAR",
    "myr": "MYR",
    "rm": "MYR",
    "php": "PHP",
    "₱": "PHP",
    "thb": "THB",
    "฿": "THB",
    "idr": "IDR",
    "rp": "IDR",
    "vnd": "VND",
    "try": "TRY",
    "₺": "TRY",
    "ils": "ILS",
    "₪": "ILS",
    "nis": "ILS",
    "ngn": "NGN",
    "₦": "NGN",
    "kes": "KES",
    "egp": "EGP",
    "pkr": "PKR",
    "twd": "TWD",
    "nt$": "TWD",
    "bgn": "BGN",
    "uah": "UAH",
    "cop": "COP",
    "clp": "CLP",
    "ars": "ARS",
}
_OF_COUNTRY = {
    "$": {"CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "HK": "HKD", "MX": "MXN"},
    "kr": {"SE": "SEK", "NO": "NOK", "DK": "DKK", "IS": "ISK"},
    "¥": {"CN": "CNY"},
}
_ELSE = {"$": "USD", "kr": "", "¥": "JPY"}

_SIGN = (
    r"(?:USD?\s?\$|CAD?\s?\$|CDN\$?|AUD?\s?\$|NZD?\s?\$|SGD?\s?\$|HKD?\s?\$|MXN?\s?\$|NT\$|"
    r"[CASR]\$|"
    r"\$\s?(?:USD?|CAD?|MXN)\b|GBP\s?£|EUR\s?€|[$£€₹¥₩₱฿₺₪₦]|円|"
    r"\b(?:USD|CAD|AUD|NZD|SGD|HKD|MXN|GBP|EUR|INR|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|JPY|CNY|RMB|KRW|"
    r"AED|SAR|QAR|ZAR|MYR|PHP|THB|IDR|VND|ILS|NIS|NGN|KES|EGP|PKR|TWD|BRL|BGN|UAH|COP|CLP|ARS|"
    r"STG|SFr)(?![A-Za-z])|"
    r"\b(?:Rs\.?|Fr\.)(?=\s?\d)|\bRM(?=\s?\d)|\bRp\.?(?=\s?\d))"
)
_AFTER = (
    r"(?:[$£€₹]|\b(?:USD|CAD|AUD|NZD|SGD|HKD|MXN|GBP|EUR|INR|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|"
    r"JPY|CNY|"
    r"RMB|AED|SAR|QAR|ZAR|MYR|PHP|THB|ILS|BRL|TWD|kr|zł|lei|"
    r"euros?|dollars?|(?:UK\s+)?pounds(?:\s+sterling)?|rupees|reais)\b)"
)
_NUMBER = (
    r"(?:\d{1,2}(?:,\d{2}){1,3},\d{3}(?!\d)(?:\.\d{1,2})?|"  # 6,00,000
    r"\d{1,3}(?:[,.'’]\d{3}){1,3}(?![\d])(?:[.,]\d{1,2}(?!\d))?|"  # 45,000.00 45.000,00 45'000
    r"\d{1,3}(?:[ \u00a0\u202f]\d{3}){1,2}(?![\d])(?:[.,]\d{1,2}(?!\d))?|"  # 45 000
    r"\d{1,9}(?:[.,]\d{1,2}(?!\d))?)"
)
_BEFORE = re.compile(rf"{_SIGN}[\s:]{{0,2}}$", re.IGNORECASE)
_HEAD = re.compile(r"\d+")
_TAIL = re.compile(
    rf"(?P<number>{_NUMBER})(?![\d*])(?:,-+|\.-+|,–)?"
    r"(?:[ \u00a0]?(?P<times>k(?:ilo)?\b|k(?=[€$£+])|k(?=EUR|CHF|USD|GBP|CAD)|thousand\b|tsd\b\.?|"
    r"mila\b|lakhs?\b|lacs?\b|lpa\b|l(?=\s?(?:pa|p\.a|per|/)\b)|crores?\b|cr\b|"
    r"m(?:illi?on\w*|io|n|m|rd)?\b|b(?:illion|n)?\b|trillion\b|million[ea]n?\b|milliarden?\b))?"
    rf"(?:[ \u00a0]?(?P<post>{_AFTER}))?",
    re.IGNORECASE,
)  # fmt: skip
#: Times of day, dates, versions, phone numbers: never money.
_NO_MONEY = re.compile(
    r"\s?(?::\d\d|[-/.]\d{1,2}[-/.]\d|%|\s?percent\b|(?:st|nd|rd|th)\b|[-/]\d\d[-/])", re.IGNORECASE
)

_TIMES = {
    "k": 1_000.0,
    "kilo": 1_000.0,
    "thousand": 1_000.0,
    "tsd": 1_000.0,
    "tsd.": 1_000.0,
    "mila": 1_000.0,
    "lakh": 1e5,
    "lakhs": 1e5,
    "lac": 1e5,
    "lacs": 1e5,
    "lpa": 1e5,
    "l": 1e5,
    "crore": 1e7,
    "crores": 1e7,
    "cr": 1e7,
}

#: Period words; the first that hits nearest to the amount counts.
PERIODS = re.compile(
    r"(?P<hour>\b(?:per|an|each|par|pro|por|per)\s+(?:hour|hr|heure|stunde|std|uur|hora|ora)\b|"
    r"/\s?(?:hour|hr|h|std|stunde|heure|uur|hora)\b|\bhourly\b|\bp\.?\s?h\b\.?|\d\s?ph\b|"
    r"\bst[üu]ndlich\b|\bstundenlohn\b|\buurloon\b|\ball['’]ora\b|\bde\s+l['’]heure\b|"
    r"\bhours?ly?\b(?=\s*(?:rate|pay|wage)))|"
    r"(?P<day>\b(?:per|a|each|par|pro|por|al)\s+(?:day|jour|tag|dag|d[íi]a|giorno)\b|"
    r"/\s?(?:day|d|jour|tag|dag|d[íi]a)\b|\bdaily\b|\bper\s+diem\b|\bp\.?\s?d\b\.?|\bday\s+rate\b|"
    r"\btagessatz\b|\btjm\b|\bdagtarief\b)|"
    r"(?P<week>\b(?:per|a|each|par|pro|por)\s+(?:week|semaine|woche|semana)\b|/\s?(?:week|wk|w)\b|"
    r"\bweekly\b|\bp\.?\s?w\b\.?)|"
    r"(?P<month>\b(?:per|a|each|par|pro|por|al|im|di)\s+(?:month|mois|monat|maand|mes|m[êe]s|"
    r"mese)\b|"
    r"/\s?(?:month|mth|mo|m|mois|monat|maand|mes|m[êe]s|mese)\b|monthly\b|\bpcm\b|\bp\.\s?m\b\.?|"
    r"\bmonatlich\w*\b|\bmonats\w*|\bmensu\w+|\bmensa(?:l|is)\b|\bmensil[ei]\b|\bmaandelijks\b|"
    r"\bmaandsalaris\b|\bbruttomonats\w*)|"
    r"(?P<year>\b(?:per|a|each|par|pro|por|al|im)\s+(?:year|annum|anno|an|jahr|jaar|a[ñn]o|ano)\b|"
    r"/\s?(?:year|yr|y|annum|annual|jahr|jaar|an|a[ñn]o|ano)\b|\bannual\w*|annually\b|"
    r"\byearly\b|\bp\.?\s?a\b\.?|"
    r"\bj[äa]hrlich\w*|\bjahres\w*|\bbruttojahres\w*|\bannuel\w*|\banual\w*|\bannu[io]\b|"
    r"\blord[aio]\s+annu\w+|\ball['’]anno\b|"
    r"\bjaarsalaris\b|\bral\b|\bctc\b|\blpa\b|\bl\s?pa\b|\bp/?a\b|\bpy\b)",
    re.IGNORECASE,
)  # fmt: skip


class Amount(msgspec.Struct):
    """
    One amount as it stands in the text.

    `value` is multiplied out; `times` is 1 without a suffix, 0 for millions and more (never pay);
    `marked` says that the currency stands before the number.
    """

    start: int
    end: int
    value: float
    raw: float
    times: float
    currency: str
    marked: bool


def amounts(text: str, begin: int = 0, stop: int | None = None) -> list[Amount]:
    """Return the numbers between `begin` and `stop` that can be money, in order."""
    found: list[Amount] = []
    done = 0
    for head in _HEAD.finditer(text, begin, len(text) if stop is None else stop):
        start = head.start()
        if start < done:
            continue
        before = text[max(0, start - 7) : start]
        sign = (
            _BEFORE.search(before)
            if (before and not before[-1].isalpha()) or before[-3:].isalpha()
            else None
        )
        last = before[-1:]
        if sign is None and (last.isalnum() or last in ("_", ".", ",") or before[-2:] == "**"):
            continue
        if (
            sign is None
            and last in "-/–"
            and last
            and before[-2:-1].isdigit()
            and done != start - 1
        ):
            continue  # the middle of a date or of a telephone number
        match = _TAIL.match(text, start)
        if match is None or (sign is None and _NO_MONEY.match(text, match.end("number"))):
            continue
        done = match.end()
        if len(before) > 1 and last == ":" and before[-2].isdigit():
            continue
        found.append(_amount(match, sign, start - len(before)))
    return found


def _amount(match: re.Match[str], sign: re.Match[str] | None, offset: int) -> Amount:
    raw = read_number(match["number"])
    suffix = (match["times"] or "").lower()
    times = 1.0 if not suffix else _TIMES.get(suffix, 0.0)
    marks = ["".join((sign.group() if sign else "").lower().replace(":", "").split()),
             "".join((match["post"] or "").lower().split())]  # fmt: skip
    known = [CURRENCIES[mark] for mark in marks if mark in CURRENCIES]
    if not known and times >= 1e5:
        known = ["INR"]
    return Amount(
        offset + sign.start() if sign else match.start(),
        match.end(),
        raw * times if times else raw,
        raw,
        times,
        # "$50 USD": the code says which dollar.
        next((mark for mark in known if mark not in _OF_COUNTRY), known[0] if known else ""),
        sign is not None,
    )


def read_number(text: str) -> float:
    """Return the value of a written number: "45,000.00", "45.000,00", "6,00,000", "14,5"."""
    digits = "".join(char for char in text if char.isdigit() or char in ".,")
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return float(digits)
    after = len(digits) - last - 1
    mark = digits[last]
    # Three digits after the only kind of mark are thousands; one or two are cents.
    if after == 3 or digits.count(mark) > 1:
        return float(digits.replace(".", "").replace(",", ""))
    whole = digits[:last].replace(".", "").replace(",", "")
    return float(f"{whole or '0'}.{digits[last + 1 :] or '0'}")


def iso_currency(mark: str, country: str) -> tuple[str, bool]:
    """Return the ISO code of a mark and whether the mark alone proves it."""
    if mark in _OF_COUNTRY:
        return _OF_COUNTRY[mark].get(country, _ELSE[mark]), False
    return mark, True


def nearest_period(text: str, *, backwards: bool = False) -> str:
    """Return the first period word of a text; the last one when looking backwards."""
    found = ""
    for match in PERIODS.finditer(text):
        found = match.lastgroup or ""
        if not backwards:
            return found
    return found
