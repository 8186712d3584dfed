"""Profiles: what is taken, what is refused, and with which words."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import msgspec
import pytest

from nextstep.match.cursor import Cursor, StaleCursor, profile_digest, read_offset, write_cursor
from nextstep.match.profile import (
    Profile,
    ProfileRefused,
    convert_profile,
    decode_profile,
    split_exclusions,
)

FULL = {
    "text": "Data engineer in Berlin",
    "skills": ["Python"],
    "titles": ["Data Engineer"],
    "location": {"city": "Berlin", "country": "DE"},
    "work_mode": "remote",
    "seniority": "senior",
    "salary_min": {"amount": 60000, "currency": "EUR", "period": "year"},
    "filters": {"country": ["DE"], "posted_since": "2026-01-01", "exclude": ["Acme"]},
    "limit": 5,
    "explain": "full",
    "exact": True,
}


def test_a_full_profile_is_taken_as_it_is() -> None:
    profile = decode_profile(json.dumps(FULL).encode())
    assert profile.skills == ["Python"]
    assert profile.location is not None and profile.location.city == "Berlin"
    assert profile.filters.posted_since is not None
    assert profile.filters.posted_since.isoformat() == "2026-01-01"


def test_null_means_not_given() -> None:
    assert convert_profile({"text": "nurse", "skills": None, "location": None}) == Profile("nurse")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"skils": ["Python"]}, "skils"),
        ({"skills": "Python"}, "$.skills"),
        ({"skills": [1]}, "$.skills[0]"),
        ({"skills": [""]}, "$.skills[0]"),
        ({"skills": ["x"] * 201}, "$.skills"),
        ({"text": "x" * 50_001}, "$.text"),
        ({"limit": 0}, "$.limit"),
        ({"limit": 101}, "$.limit"),
        ({"limit": 1.5}, "$.limit"),
        ({"limit": "5"}, "$.limit"),
        ({"work_mode": "moon"}, "$.work_mode"),
        ({"seniority": "boss"}, "$.seniority"),
        ({"location": "Berlin"}, "$.location"),
        ({"location": {"planet": "Mars"}}, "planet"),
        ({"salary_min": 60000}, "$.salary_min"),
        ({"salary_min": {"amount": -1, "currency": "EUR"}}, "$.salary_min.amount"),
        ({"salary_min": {"amount": 1, "currency": "Euro"}}, "$.salary_min.currency"),
        ({"salary_min": {"amount": float("nan"), "currency": "EUR"}}, "salary_min.amount"),
        ({"salary_min": {"amount": 1e300, "currency": "EUR"}}, "$.salary_min.amount"),
        ({"filters": {"posted_since": "yesterday"}}, "$.filters.posted_since"),
        ({"filters": {"work_mode": ["moon"]}}, "$.filters.work_mode"),
        ({"filters": {"town": ["Berlin"]}}, "town"),
        ({"explain": "loud"}, "$.explain"),
        ({"exact": "yes"}, "$.exact"),
    ],
)
def test_a_fault_is_refused_and_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ProfileRefused) as refused:
        convert_profile({**FULL, **change})
    assert named in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("value", [[], 1, "text", None, [FULL]])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ProfileRefused):
        convert_profile(value)


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": NaN}', b"\xff", b'{"a": 1} x'])
def test_what_is_no_json_is_told_apart(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_profile(body)


@pytest.mark.parametrize(
    "empty", [{}, {"text": "  "}, {"location": {"city": "Berlin"}}, {"skills": [], "titles": []}]
)
def test_a_profile_without_any_work_in_it_is_refused(empty: dict[str, Any]) -> None:
    with pytest.raises(ProfileRefused, match="no text, no skills and no titles"):
        convert_profile(empty)


def test_exclusions_are_ids_or_companies() -> None:
    one = UUID(int=7)
    assert split_exclusions([str(one), " Acme GmbH "]) == ([one], ["acme gmbh"])


def test_a_cursor_gives_its_offset_at_its_head_only() -> None:
    profile = convert_profile(FULL)
    text = write_cursor(Cursor(10, 5, profile_digest(profile)))
    following = msgspec.structs.replace(profile, cursor=text, limit=7)
    assert read_offset(profile, 10) == (0, profile.limit)
    assert read_offset(following, 10) == (5, 7)
    text = write_cursor(Cursor(10, 5, profile_digest(profile), 20))
    assert read_offset(msgspec.structs.replace(following, cursor=text), 10) == (5, 20)
    with pytest.raises(StaleCursor, match="head 10, the head is 11"):
        read_offset(following, 11)
    other = msgspec.structs.replace(following, text="another")
    with pytest.raises(ProfileRefused, match="another profile"):
        read_offset(other, 10)


@pytest.mark.parametrize(
    "cursor", ["x", "!!!", "AAAA", base64.urlsafe_b64encode(b'["a",1,"b"]').decode()]
)
def test_a_cursor_of_another_make_is_refused(cursor: str) -> None:
    profile = convert_profile({**FULL, "cursor": cursor})
    with pytest.raises(ProfileRefused, match="cursor not understood"):
        read_offset(profile, 1)
