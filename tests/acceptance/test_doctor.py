"""`nextstep doctor` and `nextstep db`, as commands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import psycopg
import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.req("N-56", "N-93")
def test_doctor_is_content_with_a_migrated_database(command: Command, database: str) -> None:
    done = command("doctor", "--json", url=database)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "ok"


@pytest.mark.req("N-93")
def test_doctor_exits_3_on_findings_and_migrate_mends_them(
    command: Command, empty_database: str
) -> None:
    sick = command("doctor", url=empty_database)
    assert sick.returncode == 3
    assert "fix: nextstep db migrate" in sick.stdout
    assert command("db", "migrate", url=empty_database).returncode == 0
    assert command("doctor", url=empty_database).returncode == 0


def test_a_server_out_of_reach_is_exit_3_without_the_password(command: Command) -> None:
    url = "postgresql://u:sesame@127.0.0.1:1/d"
    for arguments in (("doctor",), ("db", "migrate"), ("db", "status")):
        done = command(*arguments, url=url)
        assert done.returncode == 3
        assert "sesame" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_url_starts_a_server_that_stays_until_it_is_stopped(command: Command) -> None:
    try:
        url = command("db", "url").stdout.strip()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("nextstep",)
        assert json.loads(command("db", "status", "--json").stdout)["running"] is True
        assert command("db", "url").stdout.strip() == url
    finally:
        done = command("db", "stop", "--now")
    assert done.returncode == 0 and done.stdout == "stopped\n"
    assert json.loads(command("db", "status", "--json").stdout)["running"] is False


def test_migrate_and_rollback_say_what_they_did(command: Command, empty_database: str) -> None:
    applied = json.loads(command("db", "migrate", "--json", url=empty_database).stdout)["applied"]
    done = command("db", "rollback", "--json", url=empty_database)
    assert json.loads(done.stdout) == {"rolled_back": applied[-1]}
    assert (
        json.loads(command("db", "status", "--json", url=empty_database).stdout)["pending"]
        == (applied[-1:])
    )


@pytest.mark.req("N-75")
def test_plan_index_and_explain_search_name_the_index(command: Command, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO job_embeddings SELECT md5(n::text)::uuid, 'm', 'r', 32, 'h',"
            " (SELECT array_agg(sin(n * k)) FROM generate_series(1, 32) AS k)::vector"
            " FROM generate_series(1, 20000) AS n"
        )
    before = json.loads(command("db", "explain-search", "--json", url=database).stdout)
    assert before["index"] is None
    planned = json.loads(command("db", "plan-index", "--json", url=database).stdout)["indexes"]
    assert [(one["method"], one["rows"], one["state"]) for one in planned] == [
        ("hnsw", 20000, "absent")
    ]
    done = command("db", "plan-index", "--apply", "--json", url=database)
    built = json.loads(done.stdout)["indexes"]
    assert built[0]["state"] == "valid"
    after = json.loads(command("db", "explain-search", "--json", url=database).stdout)
    assert after["index"] == built[0]["name"]
