"""Each fault that the doctor knows is found, and comes with the command that mends it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import psycopg
import pytest

from nextstep.ops import doctor_server
from nextstep.ops.doctor import CHECKS, Report, examine
from nextstep.ops.finding import Finding, Target
from nextstep.settings import Settings


def break_it(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def serious(report: Report) -> list[Finding]:
    # Notices depend on the server under test: an old minor version, an old pgvector.
    return [found for found in report.findings if found.severity != "notice"]


@pytest.mark.req("N-04", "N-56")
def test_a_migrated_database_is_healthy(database: str, settings: Settings) -> None:
    report = examine(database, settings)
    assert serious(report) == []
    assert report.verdict == "ok"
    assert report.checks == [name for name, _ in CHECKS]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "GRANT UPDATE ON job_events TO nextstep_worker",
            (
                "grants",
                "error",
                "nextstep_worker may UPDATE in the log",
                "REVOKE UPDATE ON job_events FROM nextstep_worker",
            ),
        ),
        (
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            (
                "roles",
                "warning",
                "everybody may make objects",
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            ),
        ),
        (
            "CREATE TABLE stray (a int)",
            ("grants", "warning", "stray belong to", "ALTER TABLE stray OWNER TO nextstep_owner"),
        ),
        (
            "DELETE FROM schema_migrations WHERE version = '20261121000007'",
            ("migrations", "error", "1 pending, from 20261121000007", "nextstep db migrate"),
        ),
        (
            "INSERT INTO schema_migrations VALUES ('29990101000000')",
            ("migrations", "warning", "29990101000000 was applied by a newer", "install"),
        ),
        (
            "INSERT INTO stage_offsets (stage, position) VALUES ('clean', 9)",
            ("offsets", "error", "clean stands at 9, beyond the head 0", "nextstep log verify"),
        ),
        (
            "INSERT INTO stage_offsets (stage, status, reason) VALUES ('clean', 'halted', 'why')",
            ("offsets", "warning", "clean is halted: why", "nextstep resume clean"),
        ),
        (
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'job_entities_skills_idx'::regclass",
            (
                "indexes",
                "warning",
                "job_entities_skills_idx is invalid",
                "DROP INDEX CONCURRENTLY job_entities_skills_idx",
            ),
        ),
        (
            "INSERT INTO stage_offsets (stage, version) VALUES ('clean', '0-of-old')",
            ("versions", "warning", "clean is stale: made by 0-of-old", "nextstep rebuild clean"),
        ),
        (
            "DROP EXTENSION vector CASCADE",
            ("extensions", "error", "vector is not made", "nextstep db migrate"),
        ),
    ],
)
def test_a_fault_is_found_with_its_mending(
    database: str, settings: Settings, statement: str, expected: tuple[str, str, str, str]
) -> None:
    check, severity, message, fix = expected
    break_it(database, statement)
    report = examine(database, settings)
    found = [one for one in report.findings if one.check == check]
    assert len(found) >= 1
    assert found[0].severity == severity
    assert message in found[0].message
    assert fix in found[0].fix
    assert report.verdict == "findings"


def test_an_empty_database_is_told_to_migrate(empty_database: str, settings: Settings) -> None:
    report = examine(empty_database, settings)
    assert {found.fix for found in report.findings if found.check == "migrations"} == {
        "nextstep db migrate"
    }


def test_many_vectors_without_index_are_worth_a_notice(database: str, settings: Settings) -> None:
    break_it(
        database,
        "INSERT INTO job_embeddings SELECT md5(n::text)::uuid, 'm', 'r', 2, 'h', '[1,2]'"
        " FROM generate_series(1, 20) AS n",
    )
    few = msgspec.structs.replace(settings, vector_index_min_rows=10)
    report = examine(database, few)
    assert [found.fix for found in report.findings if found.check == "indexes"] == [
        "nextstep db plan-index --apply"
    ]
    assert report.verdict == "ok"


def test_a_server_out_of_reach_is_a_finding(settings: Settings) -> None:
    report = examine("postgresql://u:sesame@127.0.0.1:1/d", settings)
    assert [found.check for found in report.findings] == ["connection"]
    assert report.checks == []
    assert "sesame" not in repr(report)


def test_lost_notifications_are_found(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A listener that forgot what it listens to, as behind a transaction pooler.
    monkeypatch.setattr(doctor_server, "_NOTIFY_S", 0.2)
    monkeypatch.setattr(doctor_server, "_LISTEN", "UNLISTEN *")
    report = examine(database, settings)
    assert [found.check for found in serious(report)] == ["notify"]


def test_a_clock_that_is_off_is_found(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = doctor_server.our_clock.now
    monkeypatch.setattr(doctor_server.our_clock, "now", lambda: true() - timedelta(seconds=90))
    report = examine(database, settings)
    assert [found.check for found in serious(report)] == ["clock"]
    assert float(serious(report)[0].message.split()[4]) == pytest.approx(90, abs=1)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (140002, "CREATE INDEX CONCURRENTLY"),
        (180002, "substring() fails"),
        (150009, "extensions built for another minor"),
    ],
)
def test_a_minor_version_that_is_known_to_be_bad_is_a_warning(
    number: int, said: str, settings: Settings
) -> None:
    class Server:
        class info:
            server_version = number

    target = Target(url="", settings=settings)
    found = [one for one in doctor_server.version(Server(), target) if one.severity == "warning"]  # type: ignore[arg-type]
    assert len(found) == 1
    assert said in found[0].message
    Server.info.server_version = 140020
    good = list(doctor_server.version(Server(), target))  # type: ignore[arg-type]
    assert {one.severity for one in good} == {"notice"}


def test_what_rebuilds_left_is_worth_a_notice(database: str, settings: Settings) -> None:
    break_it(database, "CREATE TABLE nextstep_old.job_entities (a int)")
    break_it(database, "CREATE TABLE nextstep_shadow.rebuild_plan (a int)")
    found = [one for one in examine(database, settings).findings if one.check == "rebuilds"]
    assert [one.fix for one in found] == ["nextstep rebuild", "nextstep rebuild --drop-old"]
    assert {one.severity for one in found} == {"notice"}


def test_a_missing_model_is_a_finding(database: str, settings: Settings) -> None:
    lost = msgspec.structs.replace(settings, embedding_model="./no-such-model")
    found = [one for one in examine(database, lost).findings if one.check == "model"]
    assert [one.severity for one in found] == ["error"]
    assert found[0].fix
