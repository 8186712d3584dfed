"""Verbs, exit codes and messages as a person meets them."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nextstep.cli.main import GROUPS, build_parser
from tests.conftest import ROOT

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_every_verb_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Commands")[1].split("##")[0]
    named = {
        word.strip("`,").split()[0]
        for line in table.splitlines()
        if line.startswith("| `")
        for word in line.split("|")[1].replace("`, `", "`|`").split("`")
        if word.strip("|, ")
    }
    parser = build_parser()
    verbs = next(action for action in parser._actions if action.dest == "verb").choices
    assert verbs is not None
    assert named
    assert {name for name in named if name[0].isalpha()} <= set(verbs)


def test_the_list_of_verbs_is_that_of_the_files() -> None:
    for group, verbs in GROUPS.items():
        subparsers = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(f"nextstep.cli.{group}").register(subparsers)
        assert tuple(subparsers.choices) == verbs


@pytest.mark.req("J-20", "J-17")
@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["status", "--no-such-flag"], 2, "unrecognized arguments"),
        (["up", "--corpus", "/no/such/file.sqlite3", "--once"], 2, "no/such/file"),
        (["run", "--stages", "polish"], 2, "no stage is named polish"),
        (["pause", "polish"], 2, "no stage is named polish"),
        (["serve", "--host", "0.0.0.0"], 2, "not a loopback address"),
        (["dead-letters", "show", "7"], 2, "is not a job id"),
        (["log", "show", "--job", "x"], 2, "is not a job id"),
    ],
)
def test_a_mistake_ends_with_2_and_says_what_to_do(
    command: Command, database: str, args: list[str], code: int, said: str
) -> None:
    done = command(*args, url=database)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", [["status"], ["run", "--once"], ["log", "verify"]])
def test_a_dead_database_ends_with_3(command: Command, tmp_path: Path, verb: list[str]) -> None:
    url = f"postgresql://nobody@/nextstep?host={tmp_path}&port=5432"
    done = command(*verb, url=url)
    assert done.returncode == 3, done.stderr
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", [["status"], ["run", "--once"], ["ingest", __file__]])
def test_pending_migrations_are_refused_with_the_command_that_cures_them(
    command: Command, empty_database: str, verb: list[str]
) -> None:
    done = command(*verb, url=empty_database)
    assert done.returncode in (2, 3)
    if verb[0] != "ingest":
        assert done.returncode == 3
        assert "nextstep db migrate" in done.stderr


@pytest.mark.req("D-09")
def test_status_log_and_letters_speak_json(command: Command, database: str) -> None:
    status = json.loads(command("status", "--json", url=database).stdout)
    assert status["head"] == 0
    assert set(status) == {"head", "sources", "stages", "wakeup"}
    keys = {
        "stage", "offset", "lag", "oldest_age_s", "rate_per_s", "eta_s", "status", "holder",
        "epoch", "version", "stale", "dead_letters", "last_error",
    }  # fmt: skip
    assert all(keys <= set(stage) for stage in status["stages"])
    assert json.loads(command("log", "head", "--json", url=database).stdout) == {"head": 0}
    assert json.loads(command("log", "verify", "--json", url=database).stdout)["faults"] == []
    assert json.loads(command("dead-letters", "list", "--json", url=database).stdout) == []


def test_a_reset_asks_and_yes_answers(command: Command, database: str) -> None:
    command("run", "--once", "--stages", "clean", url=database)
    asked = command("reset", "clean", "--to", "0", url=database)
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    done = command("reset", "clean", "--to", "0", "--yes", "--json", url=database)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["clean"] == {"before": 0, "after": 0}
