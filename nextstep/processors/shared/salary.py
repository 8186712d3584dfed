"""
Pay: the structured field first, else what the description says of this job's pay.

Amounts stay in their own period and currency. Benefits, bonuses, funding and revenue are not pay.

Source: issue 5 item 3, interface.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from nextstep.processors.shared.money import Amount, amounts, iso_currency, nearest_period
from nextstep.processors.shared.salary_words import (
    AND_MORE,
    BASE_PAY,
    BETWEEN,
    BIG_ENOUGH,
    BONUS,
    BULLET,
    COUNTED,
    DATE,
    LIMITS,
    LONG_GAP,
    MOST_AMOUNTS,
    NEVER_PAY,
    NOT_PAY,
    ONLY_MAX,
    ONLY_MIN,
    OTE,
    PLUS,
    RANGE_GAP,
    SALARY_IS,
    SALARY_WORD,
    SMALL_UNITS,
)
from nextstep.processors.shared.spans import DESCRIPTION, SALARY, TITLE, Span, confidence, span
from nextstep.processors.shared.spotting import BIT, Spot, spot, windows


class Salary(msgspec.Struct, frozen=True):
    """
    Pay as stated; `min` or `max` is None where only one end is said, both when nothing is.

    `text` keeps the original words; `source` is salary, description_clean or title, or empty.
    """

    min: float | None = None
    max: float | None = None
    currency: str = ""
    period: str = ""
    text: str = ""
    source: str = ""
    confidence: float = 0.0
    spans: tuple[Span, ...] = ()


class _Candidate(msgspec.Struct):
    low: float | None
    high: float | None
    start: int
    end: int
    mark: str
    is_range: bool
    has_times: bool
    between: str


def salary_of(
    raw: str, text: str, country: str = "", title: str = "", spots: Sequence[Spot] | None = None
) -> Salary:
    """
    Return the pay of an ad.

    Args:
        raw: the structured field; it wins whenever it holds an amount.
        text: the description.
        title: read last; some ads state the pay only there.
        country: settles what "$" and "kr" mean; it never adds a currency to a bare number.
    """
    found = salary_in_field(raw, country)
    if not found.source:
        found = salary_in_text(text, country, spots)
    return found if found.source or not title else salary_in_title(title, country)


def salary_in_field(raw: str, country: str = "") -> Salary:
    """Return the pay that a salary field states; every number there can be pay."""
    text = DATE.sub(lambda match: " " * len(match.group()), raw[:400])
    candidates = _candidates(text, amounts(text), lenient=True)
    usable = [c for c in candidates if _of_use(c, text)]
    if not usable:
        return Salary()
    best = next((c for c in usable if c.is_range), usable[0])
    if not best.is_range and (joined := _joined(usable, text)):
        best = joined
    period = nearest_period(text[best.end : best.end + 30]) or nearest_period(best.between)
    period = period or nearest_period(text) or _period_of_size(best)
    mark = best.mark or next((c.mark for c in usable if c.mark), "")
    currency, proven = iso_currency(mark, country)
    sure = 0.97 if best.is_range else 0.93
    sure -= 0.0 if proven or country else 0.05
    if best.low and best.high and best.high > best.low * 20:
        sure = 0.5
    return _made(best, (currency, period), SALARY, raw, sure)


def _of_use(candidate: _Candidate, text: str) -> bool:
    top = candidate.high or candidate.low or 0.0
    if top < 2:
        return False
    after = text[candidate.end : candidate.end + 14]
    if re.match(
        r"\s*(?:%|percent|hours?\b|days?\b|weeks?\b|x\b|months?\b|years?\b(?!\s*$))",
        after,
        re.IGNORECASE,
    ):
        return False
    before = text[max(0, candidate.start - 10) : candidate.start].lower()
    return not (candidate.start and re.search(r"\+\s*$", before) and BONUS.match(after.strip()))


def _joined(usable: Sequence[_Candidate], text: str) -> _Candidate | None:
    """Read "7.46 plus enhancements to 9.25 per hour" as one range."""
    if len(usable) != 2 or usable[0].is_range:
        return None
    first, second = usable
    gap = text[first.end : second.start]
    if re.search(r"\bto\s*$", gap) and first.low and second.high and first.low <= second.high:
        return _Candidate(
            first.low,
            second.high,
            first.start,
            second.end,
            first.mark or second.mark,
            True,
            first.has_times or second.has_times,
            gap,
        )
    return None


def salary_in_text(text: str, country: str = "", spots: Sequence[Spot] | None = None) -> Salary:
    """Return the pay that a description states of the job; the surest statement counts."""
    best: tuple[float, Salary] | None = None
    pieces = windows(text, spot(text) if spots is None else spots, BIT["money"], 60, 130)
    found: list[Amount] = []
    for piece in pieces:
        if len(found) < MOST_AMOUNTS:
            found += amounts(text, piece.start, piece.end)
    for candidate in _candidates(text, found[:MOST_AMOUNTS], lenient=False):
        scored = _scored(candidate, text, country)
        # An earlier statement wins unless a later one is clearly better.
        if scored is not None and (best is None or scored[0] > best[0] + 1.0):
            best = scored
    return best[1] if best else Salary()


def salary_in_title(title: str, country: str = "") -> Salary:
    """Return the pay that a title states: an amount with a currency, or a range in thousands."""
    for candidate in _candidates(title, amounts(title), lenient=False):
        period = nearest_period(title[candidate.end : candidate.end + 20]) or _period_of_size(
            candidate
        )
        currency, proven = iso_currency(candidate.mark, country)
        marked = candidate.mark or (candidate.is_range and candidate.has_times)
        if not (marked and period and _is_sane(candidate, currency, period)):
            continue
        around = title[max(0, candidate.start - 20) : candidate.end + 20]
        if not NOT_PAY.search(around) or SALARY_WORD.search(around):
            return _made(candidate, (currency, period), TITLE, title, 0.85 if proven else 0.8)
    return Salary()


def _candidates(text: str, found: Sequence[Amount], *, lenient: bool) -> list[_Candidate]:
    out: list[_Candidate] = []
    index = 0
    while index < len(found):
        first = found[index]
        second = found[index + 1] if index + 1 < len(found) else None
        gap = text[first.end : second.start] if second else ""
        if second is not None and len(gap) <= 90 and _is_range(text, first, second, gap):
            made = _range(first, second, gap)
            if made is not None:
                out.append(made)
                index += 2
                continue
        if first.times and (lenient or first.currency or first.times > 1 or first.raw >= 1_000):
            out.append(_single(text, first))
        index += 1
    return out


def _is_range(text: str, first: Amount, second: Amount, gap: str) -> bool:
    if RANGE_GAP.match(gap):
        if second.marked and not first.currency and first.times == 1 and first.raw < 1_000:
            return False  # "Level 2 - $90,000"
        word = gap.strip().lower()
        if word in ("a", "e", "y", "en", "al", "et", "und", "and", "tot", "à"):
            return word in ("tot", "à", "a") or bool(
                BETWEEN.search(text[max(0, first.start - 30) : first.start])
            )
        return True
    if gap == "/":
        return second.times > 1 and first.raw < second.raw < first.raw * 2
    return bool(
        first.currency
        and second.currency
        and first.value < second.value < first.value * 8
        and LONG_GAP.match(gap)
    )


def _range(first: Amount, second: Amount, gap: str) -> _Candidate | None:
    if not (first.times and second.times):
        return None
    low, high = first.value, second.value
    if first.times == 1 and second.times > 1 and first.raw < 1_000:
        low = first.raw * second.times
    elif second.times == 1 and first.times > 1 and second.raw < 1_000:
        high = second.raw * first.times
    elif (
        first.times == second.times == 1 and low < 1_000 and high >= 10_000 and low * 1_000 <= high
    ):
        low *= 1_000
    if low > high:
        # "80-5": not two ends of one range, unless somebody swapped them.
        if not high or low > high * 1.5:
            return None
        low, high = high, low
    marks = [mark for mark in (first.currency, second.currency) if mark]
    mark = next((m for m in marks if len(m) == 3), marks[0] if marks else "")
    return _Candidate(low or None, high, first.start, second.end, mark, True,
                      first.times > 1 or second.times > 1, gap)  # fmt: skip


def _single(text: str, amount: Amount) -> _Candidate:
    before = text[max(0, amount.start - 40) : amount.start]
    low: float | None = amount.value
    high: float | None = amount.value
    if ONLY_MAX.search(before):
        low = None
    elif ONLY_MIN.search(before) or PLUS.match(text[amount.end : amount.end + 12]):
        high = None
    return _Candidate(
        low, high, amount.start, amount.end, amount.currency, False, amount.times > 1, ""
    )


class _Around(msgspec.Struct, frozen=True):
    """What stands beside a candidate: `before` reaches far back, `line_*` end with the line."""

    before: str
    after: str
    line_before: str
    line_after: str
    named: bool
    period: str
    far_period: str


def _around(candidate: _Candidate, text: str) -> _Around:
    before = text[max(0, candidate.start - 110) : candidate.start]
    after = text[candidate.end : candidate.end + 45]
    line_before = re.split(r"[\n.!?;•]\s", before[-45:])[-1]
    line_after = re.split(r"\n|[.!?;•]\s", after)[0]
    named = bool(SALARY_WORD.search(before) or SALARY_WORD.search(line_after[:25]))
    period = nearest_period(line_after[:32]) or nearest_period(candidate.between)
    far = "" if period else nearest_period(line_before, backwards=True)
    if not far and not period and named:
        far = nearest_period(before, backwards=True)
    return _Around(before, after, line_before, line_after, named, period, far)


def _scored(candidate: _Candidate, text: str, country: str) -> tuple[float, Salary] | None:
    """Return how much speaks for a candidate being the job's pay, None when something denies it."""
    around = _around(candidate, text)
    if _is_something_else(candidate, around):
        return None
    stated = _stated_country(around.before, around.after) or country
    currency, proven = iso_currency(candidate.mark, stated)
    period = around.period or around.far_period or _period_of_size(candidate)
    if not _is_sane(candidate, currency, period):
        period = "" if around.period else _period_of_size(candidate)
        if not period or not _is_sane(candidate, currency, period):
            return None
    score = _score(candidate, around, text)
    if score < (4.0 if candidate.is_range else 5.0):
        return None
    sure = min(0.95, 0.45 + 0.06 * score) - (0.0 if proven or country else 0.03)
    return score, _made(candidate, (currency, period), DESCRIPTION, text, sure)


def _is_something_else(candidate: _Candidate, around: _Around) -> bool:
    top = candidate.high or candidate.low or 0.0
    if not candidate.mark:
        told = candidate.has_times or around.period or candidate.is_range
        if not around.named or not (told or SALARY_IS.search(around.line_before)):
            return True
        if 1_900 <= top <= 2_100 and not around.period:
            return True  # a year
    if candidate.has_times and top == 401_000:  # "401 k"
        return True
    return bool(COUNTED.match(around.after)) or _is_no_pay(
        around.line_before, around.line_after, candidate, around.named
    )


def _score(candidate: _Candidate, around: _Around, text: str) -> float:
    top = candidate.high or candidate.low or 0.0
    score = 3.0 * around.named + 2.0 * candidate.is_range
    score += 2.0 * bool(around.period or around.far_period)
    score += bool(candidate.mark) + (candidate.has_times or top >= 1_000)
    score += bool(SALARY_IS.search(around.line_before)) + bool(BASE_PAY.match(around.line_after))
    if candidate.mark and not candidate.is_range:
        score += 3.0 * (top >= 10_000 and _stands_alone(text, candidate))
        big = BIG_ENOUGH.get(around.period)
        score += 2.0 * (big is not None and top >= big)
    if OTE.search(around.line_after[:14]) or OTE.search(around.line_before[-14:]):
        score -= 1.5
    return score


def _stated_country(before: str, after: str) -> str:
    """The country whose dollar is meant, where the sentence itself says it."""
    if re.match(r"[^\n$]{0,16}\bUSD?\b", after) or re.search(
        r"\bU\.?S\.?A?\b|United States", before
    ):
        return "US"
    if re.match(r"[^\n$]{0,16}\bC(?:AD|DN|AN)\b", after):
        return "CA"
    return ""


def _stands_alone(text: str, candidate: _Candidate) -> bool:
    """Whether the amount is a line of its own, or a part between bars."""
    before = re.split(r"[\n|]", text[max(0, candidate.start - 12) : candidate.start])
    after = re.split(r"[\n|]", text[candidate.end : candidate.end + 14])
    is_first = len(before) > 1 or candidate.start <= 12
    is_last = len(after) > 1 or candidate.end + 14 > len(text)
    if not is_first or BULLET.sub("", before[-1]).strip():
        return False
    return (is_last and len(after[0].strip()) <= 12) or bool(AND_MORE.match(after[0]))


def _is_no_pay(before: str, after: str, candidate: _Candidate, named: bool) -> bool:
    """Whether the words beside the amount say that it is something else."""
    wrong_before = _last_end(NOT_PAY, before)
    if wrong_before >= 0:
        pay_before = _last_end(SALARY_WORD, before)
        if pay_before < wrong_before:
            return True
    if NEVER_PAY.search(before[-30:]) or NEVER_PAY.search(after[:25]):
        return True
    tail = re.split(r"[+,(]|\bplus\b|\band\b|\bwith\b|\bdepending\b", after)[0]
    if (hit := NOT_PAY.search(tail[:32])) and not SALARY_WORD.search(tail[: hit.start()]):
        return not (candidate.is_range and named)
    return False


def _last_end(pattern: re.Pattern[str], text: str) -> int:
    end = -1
    for match in pattern.finditer(text):
        end = match.end()
    return end


def _period_of_size(candidate: _Candidate) -> str:
    """Guess the period where none is said; sizes in between stay open."""
    top = candidate.high or candidate.low or 0.0
    if top >= (12_000 if candidate.has_times else 10_000):
        return "year"
    if top <= 150 and not candidate.has_times:
        return "hour"
    return ""


def _is_sane(candidate: _Candidate, currency: str, period: str) -> bool:
    low, high = candidate.low, candidate.high
    top, bottom = high or low or 0.0, low or high or 0.0
    if bottom > 0 and top / bottom > 8:
        return False
    if not period:
        return 150 <= top <= 12_000
    floor, ceiling = LIMITS[period]
    scale = SMALL_UNITS.get(currency, 1)
    return bottom >= floor and top <= ceiling * scale


def _made(
    candidate: _Candidate, unit: tuple[str, str], field: str, text: str, sure: float
) -> Salary:
    currency, period = unit
    found = span(field, text, candidate.start, candidate.end)
    return Salary(
        None if candidate.low is None else round(candidate.low, 2),
        None if candidate.high is None else round(candidate.high, 2),
        currency,
        period,
        found.snippet,
        field,
        confidence(sure),
        (found,),
    )
