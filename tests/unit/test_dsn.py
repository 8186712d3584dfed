"""One canonical URL that every client takes, and no password in anything a person reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from nextstep.db.dsn import (
    canonical,
    for_asyncpg,
    masked,
    parse,
    socket_url,
    where,
    with_database,
    with_options,
)
from nextstep.db.reach import unreachable
from nextstep.errors import UsageError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@h:5433/d", "postgresql://u:p@/d?host=h&port=5433"),
        ("postgresql+asyncpg://u@h/d", "postgresql://u@/d?host=h"),
        ("postgresql://u@%2Ftmp%2Fa%20b:5432/d", "postgresql://u@/d?host=/tmp/a%20b&port=5432"),
        ("postgresql:///d?host=/run/pg", "postgresql:///d?host=/run/pg"),
        ("postgresql://u@[::1]:5432/d", "postgresql://u@/d?host=%3A%3A1&port=5432"),
        ("postgresql://u@a:1,b:2/d", "postgresql://u@/d?host=a,b&port=1,2"),
        (
            "postgresql://u@h/d?search_path=x&lock_timeout=5s",
            "postgresql://u@/d?host=h&options=-clock_timeout%3D5s%20-csearch_path%3Dx",
        ),
        ("postgresql://h/d?sslmode=require", "postgresql:///d?host=h&sslmode=require"),
    ],
)
def test_every_form_becomes_the_canonical_one(given: str, expected: str) -> None:
    assert canonical(given) == expected
    assert canonical(expected) == expected
    conninfo_to_dict(expected)  # libpq understands it


def test_a_password_with_signs_survives() -> None:
    url = "postgresql://u:a%40b%2F%3A%25@h/d"
    assert parse(url).password == "a@b/:%"
    assert parse(canonical(url)).password == "a@b/:%"
    assert conninfo_to_dict(canonical(url))["password"] == "a@b/:%"


def test_asyncpg_is_spared_what_it_would_send_as_a_setting() -> None:
    url = "postgresql://u@h/d?connect_timeout=3&keepalives_idle=5&sslmode=require"
    assert for_asyncpg(url) == "postgresql://u@/d?host=h&sslmode=require"


def test_settings_join_the_options_that_are_there() -> None:
    url = with_options("postgresql://h/d?options=-cjit%3Doff", role="nextstep_owner")
    assert parse(url).params["options"] == "-cjit=off -crole=nextstep_owner"


def test_another_database_keeps_everything_else() -> None:
    assert with_database("postgresql://u:p@h:1/a", "b") == "postgresql://u:p@/b?host=h&port=1"


def test_a_folder_with_spaces_makes_a_url() -> None:
    url = socket_url("postgres", Path("/a b/c"), 5432, "d")
    assert url == "postgresql://postgres@/d?host=/a%20b/c&port=5432"


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "secret", "", "host=h password=secret"])
def test_another_kind_of_text_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@h/d", "postgresql://h/d?user=u&password=secret"]
)
def test_a_password_is_never_shown(url: str) -> None:
    assert "secret" not in where(url) + masked(url)
    error = unreachable(url, OSError('connection to "secret" failed'))
    assert "secret" not in str(error)
    assert "database d at h as u" in str(error)
