"""`rebuild` and `verify` as an operator calls them, on a line that ran with the real encoder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nextstep.projections.trends import TRENDS
from tests.conftest import command_environment

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def drained(make_database: Any, template: str) -> Iterator[str]:
    """The name of a database with the sample through every stage, to be cloned."""
    url = make_database(template)
    home = Path(tempfile.mkdtemp())
    done = subprocess.run(
        [sys.executable, "-m", "nextstep", "up", "--once", "--json"],
        env=command_environment(home, url),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.rmtree(home, ignore_errors=True)
    yield str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@pytest.fixture
def live(drained: str, make_database: Any) -> str:
    """The URL of a fresh clone of it."""
    return str(make_database(drained))


def damage(url: str, statement: str) -> None:
    """Do what only the owner of the server can do."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no triggers
        connection.execute(statement)


@pytest.mark.req("D-01", "D-05", "D-08")
def test_verify_names_a_flipped_byte_a_removed_event_and_an_edited_row(
    command: Command, live: str, make_database: Any, drained: str
) -> None:
    sound = command("verify", "--json", url=live, timeout_s=300)
    report = json.loads(sound.stdout)
    assert (sound.returncode, report["sound"], report["failure"]) == (0, True, "")
    assert len(report["rebuild"]["tables"]) == 20

    damage(live, "UPDATE job_entities SET seniority = 'vp' WHERE seniority = 'senior'")
    damage(
        live,
        "UPDATE job_events SET payload = jsonb_set(payload, '{title}', to_jsonb("
        "overlay(payload ->> 'title' placing '#' from 1 for 1))) WHERE position = 7",
    )
    damage(live, "DELETE FROM job_events WHERE position = 99")
    found = command("verify", url=live, timeout_s=300)
    assert found.returncode == 3
    assert "position 7" in found.stdout
    assert "99" in "".join(line for line in found.stdout.splitlines() if line.startswith("log:"))
    assert "job_entities: key ranges" in found.stdout
    assert "seniority: 'vp' -> 'senior'" in found.stdout


def test_a_preview_a_past_and_wrong_words(command: Command, live: str) -> None:
    made = command("rebuild", "extract", "--without-vectors", "--json", url=live, timeout_s=300)
    assert made.returncode == 0, made.stderr[-2000:]
    report = json.loads(made.stdout)
    assert report["mode"] == "preview"
    assert [table["table"] for table in report["tables"]] == [
        "job_entities", *TRENDS.tables,
    ]  # fmt: skip
    past = command("rebuild", "--at", "50", "--without-vectors", url=live, timeout_s=300)
    assert past.returncode == 0, past.stderr[-2000:]
    assert "rebuilt to position 50" in past.stdout
    for words, said in (
        (("rebuild", "nothing"), "no stage is named nothing"),
        (("rebuild", "--at", "5", "--swap"), "neither swapped nor compared"),
        (("rebuild", "--at", "100000", "--without-vectors"), "the log has positions"),
    ):
        wrong = command(*words, url=live, timeout_s=300)
        assert wrong.returncode == 2
        assert said in wrong.stderr
    assert command("rebuild", "--drop-old", url=live).stdout.startswith("dropped 0")


@pytest.mark.req("D-04", "D-08")
def test_a_rebuild_that_was_killed_leaves_the_live_tables_and_the_next_one_goes_on(
    command: Command, live: str, home: Path
) -> None:
    before = _entities(live)
    words = ["rebuild", "clean", "--swap", "--without-vectors"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nextstep", *words],
        env=command_environment(home, live) | {"NEXTSTEP_BATCH_SIZE": "2"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    try:
        while not 0 < _shadow_offset(live) < before["head"]:
            assert process.poll() is None, "the rebuild was through before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert _entities(live) == before
    # Another batch size is the same plan.
    again = command(*words, "--json", url=live, timeout_s=300)
    assert again.returncode == 0, again.stderr[-2000:]
    report = json.loads(again.stdout)
    assert (report["resumed"], report["swapped"]) == (True, True)
    assert all(table["live_sha256"] == table["rebuilt_sha256"] for table in report["tables"])
    assert _shadow_offset(live) == -1


def _shadow_offset(url: str) -> int:
    """How far the shadow's clean is; -1 where there is no shadow."""
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT to_regclass('nextstep_shadow.stage_offsets')").fetchone()
        if there == (None,):
            return -1
        row = connection.execute(
            "SELECT position FROM nextstep_shadow.stage_offsets WHERE stage = 'clean'"
        ).fetchone()
    return int(row[0]) if row else -1


def _entities(url: str) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*), sum(hashtext(job_id::text || skills::text)), "
            " (SELECT max(position) FROM job_events), (SELECT sum(position) FROM stage_offsets)"
            " FROM job_entities"
        ).fetchone()
    assert row is not None
    return dict(zip(("rows", "sum", "head", "offsets"), row, strict=True))
