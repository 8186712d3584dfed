"""What is said beside an amount: pay, its ends, and all that is no pay."""

from __future__ import annotations

import re

#: What may stand between the two ends of a range.
RANGE_GAP = re.compile(
    r"\s*(?:per|/|an|a)?\s*(?:hour|hr|ph|year|yr|annum|month|day|week|annually|monthly|hourly)?\s*"
    r"(?:[-–—−‑~]{1,3}|to|up\s+to|until|till|through|and|bis|bis\s+zu|und|à|a|e|et|y|tot|en|"
    r"al?|thru)\s*"
    r"(?:up\s+to|a\s+maximum\s+of)?\s*$",
    re.IGNORECASE,
)

LONG_GAP = re.compile(
    r"[^.;\n\d$£€]{0,70}\b(?:up\s+to|to|and)\s*(?:a\s+maximum\s+of|around)?\s*$", re.IGNORECASE
)

BETWEEN = re.compile(
    r"\b(?:between|from|range[sd]?|ranging|entre|zwischen|tussen|von|de|tra|da)\b", re.IGNORECASE
)

ONLY_MAX = re.compile(
    r"(?:\b(?:up\s?to|upto|max(?:imum)?|bis(?:\s+zu)?|jusqu['’][àa]|hasta|tot|fino\s+a|até|"
    r"^\s*(?:basic\s+)?to)\s*:?\s*(?:of\s+)?|<\s?)$",
    re.IGNORECASE,
)

ONLY_MIN = re.compile(
    r"(?:\b(?:from|min(?:imum)?|starting\s+(?:at|from|salary\s+(?:of|is))|starts?\s+(?:at|"
    r"from)|at\s+least|ab|mindestens|desde|[àa]\s+partir\s+d[eu]|vanaf|da|a\s+partire\s+da|"
    r"mindestgehalt\s+von|more\s+than|over)\s*:?\s*(?:of\s+)?|>\s?)$",
    re.IGNORECASE,
)

PLUS = re.compile(
    r"\s?(?:\+(?!\s*\w)|\+(?=\s*https?:)|\+\s*$|and\s+(?:up|above)|or\s+more|upwards|plus\s*$)",
    re.IGNORECASE,
)

#: What stands before an amount that opens its line, and what may follow one that ends a part.
BULLET = re.compile(
    r"^[\s*•·>–-]+|\b(?:up\s?to|upto|from|circa|c\.|approx\.?|around|about)\s*$", re.IGNORECASE
)

AND_MORE = re.compile(
    r"\s*\+?\s*(?:\+|https?:|plus\b|\(|,|/|doe\b|dep(?:ending|\b)|base[d]?\b|basic\b|negotiable|gross\b|brutto\b|ote\b)",
    re.IGNORECASE,
)

DATE = re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d|\b\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d\d|\d\d:\d\d")

OTE = re.compile(r"\bote\b|on[\s-]target|^\s*(?:commission|bonus|uncapped)\b", re.IGNORECASE)

BONUS = re.compile(r"bonus|commission|ote\b", re.IGNORECASE)

SALARY_IS = re.compile(
    r"(?:salar\w+|pay|rate|compensation|gehalt\w*|remun\w+|r[ée]mun\w+|salaire|ral|wage|salário|salarial)"
    r"\s*(?:range)?\s*(?:is|of|von|:|-|–|up to|from)?\s*(?:[a-z]+\s+){0,2}$",
    re.IGNORECASE,
)

BASE_PAY = re.compile(
    r"\s*\(?(?:base|gross|brutto|bruto|bruts?|lord[io]|salary|per annum|annualised)", re.IGNORECASE
)

SALARY_WORD = re.compile(
    r"\b(?:salar(?:y|ies|is|io|ié|ial)|salário|sal[áa]rio|pay|wages?|compensation|remunerat\w+|"
    r"remuner\w+|"
    r"rémunération|earn(?:ings?|s)?|rate|stipends?(?=\s*:)|base|gehalt\w*|jahresgehalt|"
    r"bruttogehalt|"
    r"mindestgehalt\w*|entgelt|verg[üu]tung|jahresbrutto\w*|bruttojahres\w*|lohn|salaire|paquete|"
    r"retribuci[óo]n|retribuzione|sueldo|stipendio|ral|bolsa|vencimento|loon|salaris\w*|"
    r"brutosalaris|"
    r"ctc|package|tjm|tarief|tagessatz|hourly|annual(?:ly)?|per\s+annum|pay\s?range|lön|løn|"
    r"einkommen|fixum|brutto|bruto|brut)\b|gehalt\b|lohn\b",
    re.IGNORECASE,
)

#: Words that make an amount something other than pay; looked for beside it.
NOT_PAY = re.compile(
    r"\b(?:sign[\s-]?(?:on|ing)|referr\w+|retention|relocation|raised|raise[sd]?\s|funding|"
    r"funded|series\s+[a-e]|"
    r"seed|revenues?|arr|turnover|valu(?:ed|ation)|investments?|invest(?:ed|s|ing)|\w*budgets?|"
    r"\w*budgett\w*|"
    r"opleiding\w*|weiterbildung\w*|fortbildung\w*|formaci[óo]n|formazione|onkosten\w*|"
    r"leaseauto|buoni|portfolio|assets|aum|"
    r"allowance|reimburs\w+|insurance|401\(?k\)?|contribut\w+|savings?|tuition|equity|rsus?|"
    r"stocks?|"
    r"shares|grants?|prize|awards?|fees?|transactions?|donat\w+|gifts?|vouchers?|credits?|"
    r"wellness|learning|pension|market\s+cap|capital|billion|million|customers?|"
    r"clients?|fine[sd]?|penalt\w+|cost\w*|sales\s+of|spend\w*|deals?|loan|mortgage|discounts?|"
    r"coverage|stipends?(?!\s*:)|vale|vales|alimenta\w+|refei\w+|aux[íi]lio|subsid\w+|perks?|"
    r"laptop|equipment|phone|internet|"
    r"meal|lunch|food|gym|transport\w*|commut\w*|travel|spesen|zuschuss|bonus(?:es)?|prime|"
    r"chèque|tickets?|"
    r"company\s+with|generat\w+|volunteer\w*|charit\w+|downloads?|users|employees|deductible|"
    r"copay|premium|childcare|education|certification|course|trainings?|conference|"
    r"professional\s+development|home\s+office|setup|monthly\s+budget|application\s+fee)\b",
    re.IGNORECASE,
)

#: These say so even beside the word pay.
NEVER_PAY = re.compile(
    r"\b(?:referr\w+|sign[\s-]?on|hired\b|raised|funding|start-?up\s+package|scholarship\w*|"
    r"revenues?|allowance)\b",
    re.IGNORECASE,
)

LIMITS = {
    "hour": (2, 600),
    "day": (20, 6_000),
    "week": (60, 25_000),
    "month": (150, 120_000),
    "year": (3_000, 3_000_000),
}

#: Currencies whose units are small: limits are wider.
SMALL_UNITS = {
    "INR": 60,
    "JPY": 130,
    "KRW": 1_300,
    "HUF": 350,
    "IDR": 15_000,
    "VND": 24_000,
    "CZK": 22,
    "PHP": 55,
    "THB": 35,
    "RUB": 80,
    "CLP": 900,
    "COP": 4_000,
    "ARS": 900,
    "SEK": 10,
    "NOK": 10,
    "DKK": 7,
    "MXN": 18,
    "TWD": 30,
    "NGN": 1_000,
    "KES": 130,
    "PKR": 280,
    "TRY": 30,
    "UAH": 38,
    "ZAR": 18,
    "PLN": 4,
    "CNY": 7,
    "EGP": 45,
}

#: No honest ad names so many amounts.
MOST_AMOUNTS = 150

#: Nouns that an amount may count: then it is no money.
COUNTED = re.compile(
    r"\s*(?:\(?k\)?\)|%|percent\b|(?:years?|employees|people|users|hours|words|wpm|days|points|"
    r"times|locations|countries)\b)",
    re.IGNORECASE,
)

#: One amount with this period is pay even where nobody says so.
BIG_ENOUGH = {"hour": 5, "day": 50, "month": 1_000, "year": 10_000}
