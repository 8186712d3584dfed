"""
What a person asks: the request of `POST /v1/match` and `nextstep match`, checked and bounded.

Source: interface.md "match in", decisions.md 24.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from nextstep.errors import InputError

WorkMode = Literal["remote", "hybrid", "onsite"]
Seniority = Literal[
    "intern", "entry", "junior", "mid", "senior", "lead", "staff",
    "principal", "manager", "head", "director", "vp", "executive",
]  # fmt: skip
Period = Literal["hour", "day", "week", "month", "year"]

#: A long CV is 20,000 characters; what is longer is not a profile.
MAX_TEXT_CHARS = 50_000
MAX_LIMIT = 100

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Names = Annotated[list[Name], msgspec.Meta(max_length=200)]
Few = Annotated[list[Name], msgspec.Meta(max_length=50)]


class ProfileRefused(InputError):
    """The profile is not one that can be matched; the message names the field."""


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a person wants to work; `country` is a code or a name."""

    city: Annotated[str, msgspec.Meta(max_length=120)] = ""
    country: Annotated[str, msgspec.Meta(max_length=120)] = ""


class SalaryFloor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least a person accepts, in its own currency (ISO 4217) and period."""

    amount: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Za-z]{3}$")]
    period: Period = "year"


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What a result must be; a job that does not say it does not pass.

    `salary_min` asks for pay in its own currency that reaches the floor. `exclude` holds job ids
    or company names.
    """

    country: Few | None = None
    city: Few | None = None
    work_mode: Annotated[list[WorkMode], msgspec.Meta(max_length=3)] | None = None
    seniority: Annotated[list[Seniority], msgspec.Meta(max_length=13)] | None = None
    employment_type: Few | None = None
    posted_since: date | None = None
    source: Few | None = None
    exclude: Annotated[list[Name], msgspec.Meta(max_length=500)] | None = None
    salary_min: SalaryFloor | None = None


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's profile: free text, structured wishes, or both."""

    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)] = ""
    skills: Names = []
    titles: Annotated[list[Name], msgspec.Meta(max_length=20)] = []
    location: Place | None = None
    work_mode: WorkMode | None = None
    seniority: Seniority | None = None
    salary_min: SalaryFloor | None = None
    filters: Filters = Filters()
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = 20
    cursor: Annotated[str, msgspec.Meta(max_length=400)] | None = None
    explain: Literal["short", "full"] = "short"
    exact: bool = False


def decode_profile(body: bytes) -> Profile:
    """
    Return the profile in a JSON text; a field that is null counts as not given.

    Raises:
        msgspec.DecodeError: not JSON.
        ProfileRefused: JSON, but not a profile; the message names the place in it.
    """
    try:
        return convert_profile(msgspec.json.decode(body))
    except RecursionError as error:
        raise msgspec.DecodeError("JSON is nested too deeply") from error


def convert_profile(value: Any) -> Profile:
    """Return the profile in plain data; raises ProfileRefused with the place of the fault."""
    try:
        profile = msgspec.convert(_without_nulls(value), Profile)
    except msgspec.ValidationError as error:
        raise ProfileRefused(
            f"profile refused: {error}",
            hint="the fields of a profile are listed in docs/match.md",
        ) from error
    for floor in (profile.salary_min, profile.filters.salary_min):
        if floor is not None and not math.isfinite(floor.amount):
            raise ProfileRefused("profile refused: salary_min.amount is not a number")
    stated = profile.text.strip() or any(s.strip() for s in (*profile.skills, *profile.titles))
    if not stated:
        raise ProfileRefused(
            "profile refused: it states no text, no skills and no titles",
            detail="a place or a salary alone says nothing about the work",
            hint='give at least one of "text", "skills" and "titles"',
        )
    return profile


def split_exclusions(entries: list[str] | None) -> tuple[list[UUID], list[str]]:
    """Return the job ids and the company names among the entries, each in the order given."""
    ids: list[UUID] = []
    companies: list[str] = []
    for entry in entries or []:
        try:
            ids.append(UUID(entry.strip()))
        except ValueError:
            companies.append(entry.strip().casefold())
    return ids, companies


def _without_nulls(value: Any) -> Any:
    # NUL is a character that no table can hold, nor a post.
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value.replace("\0", "") if isinstance(value, str) else value
