"""
The sums of trends: what a contribution adds to which row, and the rows a batch changes.

A book is a table whose rows are sums over contributions: whole numbers, and bags (name -> count).
A batch works out differences per row, adds them to what is stored and writes the rows that changed;
a row whose main number comes to zero goes. So any cut into batches ends in the same rows.

Source: decisions.md 21 and 22, N-67, N-68, issue 7 item 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from nextstep.errors import StageError
from nextstep.projections.quantiles import nearest_rank

#: Stands for every cluster or every country in a row; '' is a value that is not known.
ALL = "*"

Key = tuple[Any, ...]


class Contribution(msgspec.Struct, frozen=True):
    """
    What one posting adds; the fields are those of `trend_contributions` behind the job id.

    `month` is the first of its month; `skills` is sorted, without repeats, empty unless counted.
    """

    source: str
    month: date | None
    day: int
    is_canonical: bool
    is_counted: bool
    employer: str
    posted_cluster: str
    days_to_close: int | None
    title_norm: str = ""
    cluster: str = ""
    country: str = ""
    skills: tuple[str, ...] = ()
    salary_currency: str = ""
    salary_period: str = ""
    salary_amount: Decimal | None = None


class Sums(msgspec.Struct):
    """The sums of one row, or differences of them."""

    numbers: Counter[str]
    bags: dict[str, Counter[str]]


class Addition(msgspec.Struct, frozen=True):
    """Numbers that a contribution raises by one, and names that it puts into bags."""

    numbers: tuple[str, ...]
    bags: dict[str, tuple[str, ...]]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """
    A table of sums.

    Attributes:
        key: columns of the primary key with their types.
        numbers: columns with whole numbers; the first is zero only in a row that must go.
        bags: jsonb columns.
        adds: the rows a contribution belongs to, and what it adds to each of them.
        derived: columns worked out from the sums, with their function.
    """

    table: str
    key: tuple[tuple[str, str], ...]
    numbers: tuple[str, ...]
    bags: tuple[str, ...]
    adds: Callable[[Contribution], tuple[list[Key], Addition] | None]
    derived: tuple[str, ...] = ()
    derive: Callable[[Sums], tuple[Any, ...]] | None = None

    @property
    def key_columns(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.key)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is digested, in the order of `row`."""
        return (*self.key_columns, *self.numbers, *self.bags, *self.derived)

    def stored_sql(self) -> str:
        """Return the query of the rows with the keys $1, $2, ... (an array per key column)."""
        names = ", ".join(self.key_columns)
        sums = ", ".join(f"t.{name}" for name in (*self.key_columns, *self.numbers, *self.bags))
        arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(self.key, 1))
        return (
            f"SELECT {sums} FROM unnest({arrays}) AS k ({names})"
            f" JOIN {self.table} AS t USING ({names})"
        )

    def read(self, rows: Iterable[Sequence[Any]]) -> dict[Key, Sums]:
        """Return what `stored_sql` found, by key."""
        keys, numbers = len(self.key), len(self.numbers)
        return {
            tuple(row[:keys]): Sums(
                Counter(dict(zip(self.numbers, row[keys:], strict=False))),
                dict(zip(self.bags, map(Counter, row[keys + numbers :]), strict=True)),
            )
            for row in rows
        }

    def row(self, key: Key, sums: Sums) -> tuple[Any, ...]:
        """Return the values of a row in the order of `columns`."""
        return (
            *key,
            *(sums.numbers[name] for name in self.numbers),
            *(dict(sums.bags[name]) for name in self.bags),
            *(self.derive(sums) if self.derive is not None else ()),
        )


def touched(book: Book, contributions: Iterable[Contribution]) -> list[Key]:
    """Return the keys of all rows that these contributions belong to, each once, in order."""
    keys: set[Key] = set()
    for one in contributions:
        if (added := book.adds(one)) is not None:
            keys.update(added[0])
    return sorted(keys)


def as_arrays(book: Book, keys: Sequence[Key]) -> tuple[list[Any], ...]:
    """Return the keys as the parameters of `stored_sql`."""
    return tuple(map(list, zip(*keys, strict=True))) if keys else tuple([] for _ in book.key)


def differences(
    book: Book, old: Iterable[Contribution], new: Iterable[Contribution]
) -> dict[Key, Sums]:
    """Return by how much rows change, those that come to nothing included."""
    found: dict[Key, Sums] = {}
    for contributions, sign in ((new, 1), (old, -1)):
        for one in contributions:
            if (added := book.adds(one)) is None:
                continue
            keys, what = added
            for key in keys:
                sums = found.get(key)
                if sums is None:
                    sums = found[key] = Sums(Counter(), {name: Counter() for name in book.bags})
                for name in what.numbers:
                    sums.numbers[name] += sign
                for bag, names in what.bags.items():
                    # update() of a Counter with a sequence counts in C.
                    change = sums.bags[bag].update if sign > 0 else sums.bags[bag].subtract
                    change(names)
    return found


def settled(book: Book, stored: Mapping[Key, Sums], diffs: Mapping[Key, Sums]) -> dict[Key, Sums]:
    """
    Return the rows after a batch by key, in key order: those that change, and no others.

    Raises:
        StageError: a sum would fall below zero; what is stored is not the sum it should be.
    """
    after: dict[Key, Sums] = {}
    for key in sorted(diffs):
        diff = diffs[key]
        if not any(diff.numbers.values()) and not any(any(b.values()) for b in diff.bags.values()):
            continue
        before = stored.get(key)
        if before is None:
            sums = Sums(Counter(), {name: Counter() for name in book.bags})
        else:
            sums = Sums(before.numbers.copy(), {n: bag.copy() for n, bag in before.bags.items()})
        sums.numbers.update(diff.numbers)
        for name, bag in diff.bags.items():
            sums.bags[name].update(bag)
        after[key] = _checked(book, key, sums)
    return after


def _checked(book: Book, key: Key, sums: Sums) -> Sums:
    numbers = {name: count for name, count in sums.numbers.items() if count}
    bags = {name: {n: c for n, c in bag.items() if c} for name, bag in sums.bags.items()}
    low = min([*numbers.values(), *(c for bag in bags.values() for c in bag.values())], default=0)
    if low < 0 or (not numbers.get(book.numbers[0]) and (numbers or any(bags.values()))):
        raise StageError(
            f"{book.table} {key}: the sums stored are not those of trend_contributions",
            detail="taking a posting off would leave less than nothing",
            hint="nextstep rebuild trends --swap",
        )
    return Sums(Counter(numbers), {name: Counter(bag) for name, bag in bags.items()})


def is_empty(book: Book, sums: Sums) -> bool:
    """Whether the row goes."""
    return not sums.numbers[book.numbers[0]]


# --- the books ----------------------------------------------------------------------------------


def _both(cluster: str, country: str) -> Iterator[tuple[str, str]]:
    """A posting counts in its own group, in both totals and in the whole; in each of them once."""
    for one in dict.fromkeys((cluster, ALL)):
        for other in dict.fromkeys((country, ALL)):
            yield one, other


def _to_groups(one: Contribution) -> tuple[list[Key], Addition] | None:
    if not one.is_counted or one.month is None:
        return None
    keys: list[Key] = [(*pair, one.month) for pair in _both(one.cluster, one.country)]
    return keys, Addition(("jobs",), {"sources": (one.source,), "skills": one.skills})


def _to_roles(one: Contribution) -> tuple[list[Key], Addition] | None:
    if not one.is_counted or one.month is None or not one.title_norm:
        return None
    bags = {"sources": (one.source,), "skills": one.skills}
    return [(one.title_norm, one.month)], Addition(("jobs",), bags)


def _to_titles(one: Contribution) -> tuple[list[Key], Addition] | None:
    if not one.is_counted or not one.title_norm:
        return None
    return [(one.title_norm,)], Addition(("jobs",), {"skills": one.skills})


def _to_salaries(one: Contribution) -> tuple[list[Key], Addition] | None:
    if not one.is_counted or one.month is None or one.salary_amount is None:
        return None
    money = (one.salary_currency, one.salary_period)
    keys: list[Key] = [(*pair, one.month, *money) for pair in _both(one.cluster, one.country)]
    return keys, Addition(("jobs",), {"amounts": (str(one.salary_amount),)})


def _to_employers(one: Contribution) -> tuple[list[Key], Addition] | None:
    numbers = ["postings"]
    if one.is_canonical:
        numbers.append("unique_postings")
    days: tuple[str, ...] = ()
    if one.days_to_close is not None:
        numbers.append("closed")
        days = (str(one.days_to_close),)
    keys: list[Key] = [*_both(one.employer, one.posted_cluster)]
    return keys, Addition(tuple(numbers), {"close_days": days})


def _to_source_months(one: Contribution) -> tuple[list[Key], Addition] | None:
    if one.month is None:
        return None
    numbers = ("postings", "jobs") if one.is_counted else ("postings",)
    return [(one.source, one.month)], Addition(numbers, {"by_day": (str(one.day),)})


def _to_sources(one: Contribution) -> tuple[list[Key], Addition] | None:
    numbers = ["postings"]
    if one.is_counted:
        numbers.append("jobs")
    if one.month is None:
        numbers.append("undated")
    return [(one.source,)], Addition(tuple(numbers), {})


def _quantiles(sums: Sums) -> tuple[Any, ...]:
    amounts = {Decimal(text): count for text, count in sums.bags["amounts"].items()}
    return nearest_rank(amounts, (10, 25, 50, 75, 90))


def _activity(sums: Sums) -> tuple[Any, ...]:
    unique = sums.numbers["unique_postings"]
    intensity = round(sums.numbers["postings"] / unique, 3) if unique else None
    days = {int(text): count for text, count in sums.bags["close_days"].items()}
    return (intensity, *(nearest_rank(days, (25, 50, 75)) if days else (None, None, None)))


def _days(sums: Sums) -> tuple[Any, ...]:
    return (len(sums.bags["by_day"].keys() - {"0"}),)


GROUPS = Book(
    table="trend_groups",
    key=(("title_cluster", "text"), ("country", "text"), ("month", "date")),
    numbers=("jobs",),
    bags=("sources", "skills"),
    adds=_to_groups,
)
#: Its further columns need the month before; see `roles.py`.
ROLES = Book(
    table="role_evolution",
    key=(("title_norm", "text"), ("month", "date")),
    numbers=("jobs",),
    bags=("sources", "skills"),
    adds=_to_roles,
)
#: Its further columns need the taxonomies; see `adjacency.py`.
TITLES = Book(
    table="trend_titles",
    key=(("title_norm", "text"),),
    numbers=("jobs",),
    bags=("skills",),
    adds=_to_titles,
)
SALARIES = Book(
    table="salary_quantiles_monthly",
    key=(
        ("title_cluster", "text"), ("country", "text"), ("month", "date"), ("currency", "text"),
        ("period", "text"),
    ),
    numbers=("jobs",),
    bags=("amounts",),
    adds=_to_salaries,
    derived=("p10", "p25", "p50", "p75", "p90"),
    derive=_quantiles,
)  # fmt: skip
EMPLOYERS = Book(
    table="employer_activity",
    key=(("employer", "text"), ("title_cluster", "text")),
    numbers=("postings", "unique_postings", "closed"),
    bags=("close_days",),
    adds=_to_employers,
    derived=("repost_intensity", "days_to_close_p25", "days_to_close_p50", "days_to_close_p75"),
    derive=_activity,
)
SOURCE_MONTHS = Book(
    table="trend_source_months",
    key=(("source", "text"), ("month", "date")),
    numbers=("postings", "jobs"),
    bags=("by_day",),
    adds=_to_source_months,
    derived=("days",),
    derive=_days,
)
SOURCES = Book(
    table="trend_sources",
    key=(("source", "text"),),
    numbers=("postings", "jobs", "undated"),
    bags=(),
    adds=_to_sources,
)

BOOKS = (GROUPS, ROLES, TITLES, SALARIES, EMPLOYERS, SOURCE_MONTHS, SOURCES)
