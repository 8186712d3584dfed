"""The plan and the runbooks: their commands run, their parts are there, their SQL is valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nextstep.cli.main import build_parser
from nextstep.share import share
from tests.conftest import ROOT

PLAN = ROOT / "docs" / "ml-db-production-plan.md"
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
_SERVER = "# server"
#: Commands whose arguments hold our name without calling us.
_FOREIGN = ("mv", "python3", "rm", "rsync", "scp", "curl", "systemctl", "journalctl")


def commands(path: Path) -> list[str]:
    """Every line of the console blocks, without its prompt."""
    blocks = re.findall(r"```console\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines), path.name
    return [line.removeprefix("$ ").strip() for line in lines]


def runnable(path: Path) -> list[str]:
    return [line for line in commands(path) if not line.endswith(_SERVER)]


@pytest.mark.req("N-15", "N-92", "N-107", "J-128")
@pytest.mark.parametrize("path", [PLAN, *RUNBOOKS], ids=lambda path: path.stem)
def test_every_command_of_ours_is_one_that_there_is(path: Path) -> None:
    assert commands(path)
    for line in commands(path):
        words = shlex.split(line.removesuffix(_SERVER), comments=True)
        # After `sudo -u nextstep`, a variable or a folder; the rest of a chain is not looked at.
        at = [i for i, word in enumerate(words) if re.fullmatch(r"(\S*/)?nextstep", word)]
        at = [i for i in at if words[i - 1 : i] != ["-u"] and words[0] not in _FOREIGN]
        if not at or (words[0] == "sudo" and words[2] == "postgres"):
            assert line.endswith(_SERVER), f"{path.name}: {line}"
            continue
        args = words[at[-1] + 1 :]
        args = args[: args.index("&&")] if "&&" in args else args
        assert callable(build_parser(args).parse_args(args).run), line


#: Beginnings of commands that see the server's database; the others see the laptop's.
_ON_SERVER = ("artifacts load", "db ", "status", "doctor", "install")
#: They need the encoder; test_daily runs them with the test's own.
_ENCODED = ("run-daily", "replay")


@pytest.mark.req("N-15", "N-80", "N-93")
def test_the_commands_of_the_plan_run(
    command: Any, clone: Any, make_database: Any, tmp_path: Path
) -> None:
    laptop, server = clone(), make_database(None)
    lines = [line.removeprefix("nextstep ") for line in runnable(PLAN)]
    # The schema comes before the load; the plan tells of the load first.
    lines.sort(key=lambda line: line != "db migrate")
    done = {}
    for line in lines:
        if line.startswith(_ENCODED):
            continue
        words = [
            str(tmp_path / word) if word.startswith(("artifacts/", "stage")) else word
            for word in shlex.split(line)
        ]
        done[line] = command(*words, url=server if line.startswith(_ON_SERVER) else laptop)
        assert done[line].returncode == 0, (line, done[line].stderr[-1500:])
    assert "ok        digests" in done["artifacts load artifacts/2026-01-31"].stdout
    assert (tmp_path / "stage/etc/systemd/system/nextstep.target").is_file()


@pytest.mark.req("J-128", "J-107")
@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbook_has_its_four_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads == ["Preflight", "Steps", "Success", "If it fails"]
    assert f"runbooks/{path.name}" in PLAN.read_text(encoding="utf-8")


def test_the_nine_runbooks_of_the_issue_are_there() -> None:
    assert {path.stem for path in RUNBOOKS} >= {
        "install", "deploy", "upgrade", "secrets", "restore", "move", "lag", "dead-letters",
        "disk-full",
    }  # fmt: skip


@pytest.mark.req("N-57", "N-58", "N-95")
def test_the_sql_files_hold_what_they_say(drained: str) -> None:
    with psycopg.connect(drained, autocommit=True) as connection:
        query = (share("sql") / "ops" / "verify.sql").read_bytes()
        rows = connection.execute(query).fetchall()
        assert len(rows) == 9
        assert [row for row in rows if row[1] is not True] == []
        login = (share("sql") / "ops" / "login.sql").read_bytes()
        with connection.transaction(force_rollback=True):
            connection.execute(login)
            connection.execute(login)
            owned = connection.execute(
                "SELECT count(*) FROM pg_class WHERE relowner = 'nextstep'::regrole"
            ).fetchone()
            assert owned == (0,)
    for line in (share("sql") / "ops" / "pg_hba.conf.template").read_text().splitlines():
        assert line.startswith("#") or len(line.split()) in (0, 4), line


def test_verify_sql_finds_a_stray_vector_and_a_gap(clone: Any) -> None:
    with psycopg.connect(clone(), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM job_events WHERE position = 3")
        connection.execute(
            "DELETE FROM job_dedupe_map WHERE job_id IN (SELECT job_id FROM job_embeddings LIMIT 1)"
        )
        rows = connection.execute((share("sql") / "ops" / "verify.sql").read_bytes()).fetchall()
    assert {row[0] for row in rows if not row[1]} == {
        "log has no gap", "every job is in the dedupe map", "vectors of canonical jobs only",
    }  # fmt: skip
