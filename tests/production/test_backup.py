"""Backups: encrypted, whole, restored and compared; tampered ones give no plaintext."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pyrage
import pytest

from nextstep.errors import DatabaseError, FileError, UnsupportedServer, UsageError
from nextstep.ops import backup, backup_files
from nextstep.ops.backup_files import Described, kept
from nextstep.settings import Settings
from tests.whole_line import test_stages

KEY = pyrage.x25519.Identity.generate()
STAGES = test_stages(Settings())


@pytest.fixture(scope="module")
def dumped(drained: str) -> str:
    """A database whose own major version's pg_dump is here: always so for the embedded server."""
    with psycopg.connect(drained) as connection:
        major = connection.info.server_version // 10_000
    try:
        backup.tool("pg_dump", major)
    except UnsupportedServer:
        if not os.environ.get("NEXTSTEP_TEST_DATABASE_URL"):
            raise
        pytest.skip("no pg_dump of the named server's version is here")
    return drained


@pytest.fixture(scope="module")
def made(dumped: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Described]]:
    """A dump of the drained database; nobody writes into its folder."""
    folder = tmp_path_factory.mktemp("backups")
    yield backup.create(dumped, folder, [KEY.to_public()], STAGES)


@pytest.fixture
def held(made: tuple[Path, Described], tmp_path: Path) -> Path:
    """A copy of it to do harm to."""
    for path in made[0].parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / made[0].name


def reseal(data: Path) -> None:
    """Make the description fit what the file is now."""
    description = data.parent / f"{data.name.split('.')[0]}.json"
    found = msgspec.json.decode(description.read_bytes(), type=Described)
    size, sha256, _ = backup_files._hashed(data)
    backup_files.describe(
        data.parent, msgspec.structs.replace(found, size_bytes=size, sha256=sha256)
    )


@pytest.mark.req("J-120", "J-122", "J-124")
def test_the_drill_restores_a_dump_into_a_cluster_of_its_own_and_compares_it(
    made: tuple[Path, Described], home: Path
) -> None:
    path, described = made
    assert path.read_bytes().startswith(b"age-encryption.org/v1\n")
    assert len(described.digests) >= 13
    done = backup.drill(path, [KEY], Settings(home=home), STAGES)
    assert (done.kind, done.head, done.tables) == ("dump", described.head, len(described.digests))
    assert done.found > 0


@pytest.mark.req("J-124")
def test_artifacts_restore_into_an_empty_database_and_a_dump_only_into_one(
    drained: str, empty_database: str, line_settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    path, described = backup.create(drained, folder, [KEY.to_public()], STAGES, kind="artifacts")
    assert {each.name for each in folder.iterdir()} == {
        path.name,
        f"{path.name.split('.')[0]}.json",
    }
    done = backup.restore(path, [KEY], empty_database, line_settings, STAGES)
    assert (done.kind, done.head) == ("artifacts", described.head)
    with pytest.raises(DatabaseError, match="not empty"):
        backup.restore(path, [KEY], empty_database, line_settings, STAGES)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE job_entities SET seniority = 'vp'")
    with pytest.raises(DatabaseError, match="job_entities"):
        backup.compare(empty_database, described)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_a_tampered_backup_gives_no_plaintext(held: Path, tmp_path: Path, harm: str) -> None:
    flip(held) if harm == "flipped" else os.truncate(held, held.stat().st_size - 100)
    with pytest.raises(FileError, match="damaged"):
        backup_files.check(held)
    reseal(held)  # who could change it could do that as well
    backup_files.check(held)
    place = tmp_path / "out"
    place.mkdir()
    with pytest.raises(FileError, match="cannot be decrypted"):
        backup_files.decrypt(held, place / "plain", [KEY])
    with pytest.raises(FileError, match="cannot be decrypted"):
        # No server is asked: the database would not be touched.
        backup.restore(held, [KEY], "postgresql://nobody@127.0.0.1:1/none", Settings(), STAGES)
    assert list(place.iterdir()) == []


def test_another_key_opens_nothing(made: tuple[Path, Described], tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be decrypted"):
        backup_files.decrypt(made[0], tmp_path / "plain", [pyrage.x25519.Identity.generate()])
    assert list(tmp_path.iterdir()) == []


def test_a_backup_without_its_file_or_with_a_foreign_one_is_refused(held: Path) -> None:
    assert backup_files.check(held)[0] == held
    held.write_bytes(b"not age at all")
    with pytest.raises(FileError, match="damaged"):
        backup_files.check(held)
    reseal(held)
    with pytest.raises(FileError, match="damaged"):
        backup_files.check(held)
    held.unlink()
    with pytest.raises(FileError, match="no backup"):
        backup_files.check(held)


def test_a_failed_dump_leaves_nothing(
    dumped: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_DUMP", (*backup._DUMP, "--table=no_such_table"))
    with pytest.raises(DatabaseError, match="pg_dump failed"):
        backup.create(dumped, tmp_path, [KEY.to_public()], STAGES)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tool_is_named_with_its_package() -> None:
    with pytest.raises(UnsupportedServer) as refused:
        backup.tool("pg_dump", 99)
    assert "postgresql-client-99" in refused.value.hint


def test_the_password_is_in_no_argument() -> None:
    where, secret = backup._place("postgresql://me:s3cret@db.example:5433/jobs?sslmode=require")
    assert "s3cret" not in where
    assert secret["PGPASSWORD"] == "s3cret"
    assert "db.example" in where and "sslmode=require" in where


@pytest.mark.req("J-121")
def test_fourteen_days_and_eight_weeks_are_kept() -> None:
    start = datetime(2026, 1, 1, 4, 30, tzinfo=UTC)
    daily = [start + timedelta(days=n) for n in range(120)]
    keep = kept([*daily, *(at - timedelta(hours=2) for at in daily)])
    assert set(daily[-14:]) <= keep <= set(daily)
    weeks = {at.isocalendar()[:2] for at in keep}
    assert len(weeks) == 8
    sundays = [at for at in daily if at.isocalendar()[2] == 7]
    assert set(sundays[-7:]) <= keep
    assert len(keep) == 14 + 5  # the newest of three weeks are among the fourteen days
    assert kept(keep) == keep
    assert kept([start]) == {start}
    assert kept([]) == set()
    # A server that stood still for a year loses nothing by its age.
    assert kept(daily[:3]) == set(daily[:3])


def test_pruning_removes_files_with_their_descriptions_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    for day in range(1, 6):
        stem = backup_files.stem(datetime(2026, 3, day, 4, tzinfo=UTC))
        (tmp_path / f"{stem}.json").write_text("{}")
        (tmp_path / f"{stem}.dump.age").write_text("x")
    said = backup_files.prune(tmp_path, daily=2, weekly=0, dry_run=True)
    assert len(said) == 3 and len(list(tmp_path.iterdir())) == 11
    assert backup_files.prune(tmp_path, daily=2, weekly=0) == said
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "mine.txt",
        "nextstep-20260304T040000Z.dump.age", "nextstep-20260304T040000Z.json",
        "nextstep-20260305T040000Z.dump.age", "nextstep-20260305T040000Z.json",
    ]  # fmt: skip


def test_recipients_and_identities_are_read_or_refused(tmp_path: Path) -> None:
    text = str(KEY.to_public())
    assert len(backup_files.recipients([f"{text},{text}"])) == 2
    for wrong in ([], [""], ["age1nonsense"]):
        with pytest.raises(UsageError):
            backup_files.recipients(wrong)
    path = tmp_path / "key.txt"
    path.write_text(f"# created: today\n# public key: {text}\n{KEY}\n")
    assert [str(each) for each in backup_files.identities(path)] == [str(KEY)]
    path.write_text("AGE-SECRET-KEY-1NONSENSE\n")
    with pytest.raises(FileError) as refused:
        backup_files.identities(path)
    assert "NONSENSE" not in str(refused.value)


def test_the_commands(dumped: str, command: Any, tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    key.write_text(f"{KEY}\n")
    folder = tmp_path / "backups"
    refused = command("backup", "create", str(folder), url=dumped)
    assert (refused.returncode, refused.stdout) == (2, "")
    done = command(
        "backup", "create", str(folder), url=dumped,
        NEXTSTEP_BACKUP_RECIPIENT=str(KEY.to_public()),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.age")
    whole = command("backup", "verify", str(path), "--identity", str(key))
    assert (whole.returncode, "whole and readable" in whole.stdout) == (0, True), whole.stderr
    assert command("backup", "restore", str(path), "--identity", str(key)).returncode == 2
    pruned = command("backup", "prune", str(folder))
    assert (pruned.returncode, pruned.stdout) == (0, f"1 backups in {folder}\n")
