"""Artifacts: packed, checked, loaded elsewhere; damaged or mixed-up ones change nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from nextstep.errors import DatabaseError, FileError, NextStepError
from nextstep.ops.artifacts import layout
from nextstep.ops.artifacts.load import LoadReport, load
from nextstep.ops.artifacts.pack import pack
from nextstep.projections.io.rebuild import Options, rebuild
from nextstep.settings import Settings
from tests.whole_line import digests, test_stages

Clone = Callable[[], str]


@pytest.fixture(scope="module")
def artifact(drained: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The drained database as CSV; nobody writes into it."""
    folder = tmp_path_factory.mktemp("artifacts") / "2026-01-31"
    pack(drained, folder, test_stages(Settings()))
    yield folder


@pytest.fixture
def copied(artifact: Path, tmp_path: Path) -> Path:
    """A copy of it to do harm to."""
    return Path(shutil.copytree(artifact, tmp_path / "copy"))


def put_in(url: str, folder: Path, settings: Settings, **how: Any) -> LoadReport:
    small = msgspec.structs.replace(settings, vector_index_min_rows=10)
    return load(url, folder, small, test_stages(settings), **how)


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
 ORDER BY 1
"""


def all_counts(url: str) -> dict[str, int]:
    """How many rows every table has."""
    names = [name for (name,) in rows_of(url, _TABLES)]
    assert len(names) > 20
    return {name: rows_of(url, f'SELECT count(*) FROM public."{name}"')[0][0] for name in names}


_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index
 WHERE indrelid::regclass::text IN (SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
   AND indexrelid::regclass::text NOT LIKE '%hnsw%'
 ORDER BY 1
"""


@pytest.mark.req("N-13", "N-79", "N-82", "N-91", "N-94", "N-95", "N-97", "C-21")
async def test_a_loaded_artifact_is_the_packed_database_and_equals_a_replay(
    artifact: Path, drained: str, database: str, line_settings: Settings
) -> None:
    manifest = layout.verify(artifact)
    report = await asyncio.to_thread(put_in, database, artifact, line_settings)

    assert await digests(line_settings, database) == await digests(line_settings, drained)
    assert (
        report.head
        == manifest.head
        == rows_of(drained, "SELECT max(position) FROM job_events")[0][0]
    )
    log = "SELECT position, chain, recorded_at, payload::text FROM job_events ORDER BY 1"
    assert rows_of(database, log) == rows_of(drained, log)
    vectors = "SELECT job_id, embedding::text FROM job_embeddings ORDER BY 1"
    assert rows_of(database, vectors) == rows_of(drained, vectors)
    assert all_counts(database) == all_counts(drained)
    assert rows_of(database, _INDEXES) == rows_of(drained, _INDEXES)
    offsets = "SELECT stage, position, version, status FROM stage_offsets ORDER BY 1"
    assert rows_of(database, offsets) == rows_of(drained, offsets)
    assert [
        name for name in report.vector_indexes if name.endswith(("_hnsw_idx", "_hnsw_half_idx"))
    ]
    assert {check.name for check in report.checks} == {
        "digests", "null rates", "vectors", "similarity", "indexes",
    }  # fmt: skip
    assert all(check.ok for check in report.checks)
    assert not report.stale

    replayed = await rebuild(
        database, line_settings, test_stages(line_settings), Options(mode="verify")
    )
    assert replayed.is_equal and not replayed.live


def test_what_is_loaded_can_be_appended_to(
    artifact: Path, database: str, line_settings: Settings
) -> None:
    put_in(database, artifact, line_settings)
    with psycopg.connect(database) as connection:
        connection.execute("SET ROLE nextstep_ingest")
        row = connection.execute(
            "SELECT outcome, position FROM append_job_events(ARRAY[gen_random_uuid()],"
            " ARRAY['job.observed'], ARRAY['board'], ARRAY[1::smallint],"
            " ARRAY['{\"source\": \"board\"}'::jsonb], ARRAY[sha256('x')], ARRAY[now()])"
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT load_job_events(1, '')")
    assert row == ("new", layout.verify(artifact).head + 1)


@pytest.mark.req("N-91", "N-82")
def test_the_folder_is_what_the_plan_names_and_other_tools_read_it(artifact: Path) -> None:
    names = {path.name for path in artifact.iterdir()}
    assert names >= {
        "job_events.csv", "jobs_normalized.csv", "job_dedupe_map.csv", "job_entities.csv",
        "job_embeddings.csv", "embedding_meta.json", "manifest.json", "checksums.txt",
    }  # fmt: skip
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "--strict", "checksums.txt"],
        cwd=artifact, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    meta = json.loads((artifact / "embedding_meta.json").read_text())
    assert (meta["model_name"], meta["dim"]) == ("all-MiniLM-L6-v2", 384)
    assert meta["corpus_size"] == layout.verify(artifact).rows("jobs_normalized") == 60
    line = (artifact / "job_embeddings.csv").read_text().splitlines()[1]
    assert '"[' in line and line.endswith(']"')
    assert (artifact / "job_embeddings.csv").stat().st_mode & 0o077 == 0 or (
        artifact.stat().st_mode & 0o077 == 0
    )


def test_packing_twice_gives_the_same_files(artifact: Path, drained: str, tmp_path: Path) -> None:
    again = pack(drained, tmp_path / "again", test_stages(Settings()))
    assert again.artifact_id == layout.verify(artifact).artifact_id
    with pytest.raises(FileError, match="is there already"):
        pack(drained, tmp_path / "again", test_stages(Settings()))


@pytest.mark.req("N-23")
async def test_parquet_loads_to_the_same_tables(
    drained: str, database: str, line_settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "parquet"
    stages = test_stages(line_settings)
    await asyncio.to_thread(lambda: pack(drained, folder, stages, format="parquet"))
    await asyncio.to_thread(put_in, database, folder, line_settings)
    assert await digests(line_settings, database) == await digests(line_settings, drained)
    for query in (
        "SELECT job_id, embedding::text FROM job_embeddings ORDER BY 1",
        "SELECT * FROM job_heads ORDER BY 1",
        "SELECT position, chain, recorded_at, payload::text FROM job_events ORDER BY 1",
    ):
        assert rows_of(database, query) == rows_of(drained, query)


# --- what is refused ------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def reseal(folder: Path) -> None:
    """Write checksums that fit: what somebody would do who knows the form."""
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "checksums.txt"
    }
    layout.write_checksums(folder, sums)


def swapped(folder: Path) -> None:
    one, other = folder / "job_entities.csv", folder / "job_embeddings.csv"
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    reseal(folder)


def foreign(folder: Path) -> None:
    (folder / "job_heads.csv").write_text((folder / "job_heads.csv").read_text() + "\n")
    reseal(folder)


def other_meta(folder: Path) -> None:
    path = folder / "embedding_meta.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "artifact_id": "0" * 32}))
    reseal(folder)


HARM: dict[str, Callable[[Path], Any]] = {
    "a flipped bit": lambda folder: flip(folder / "jobs_normalized.csv"),
    "a cut file": lambda folder: truncate(folder / "job_events.csv"),
    "a missing file": lambda folder: (folder / "job_entities.csv").unlink(),
    "a file more": lambda folder: (folder / "jobs_normalized.old.csv").write_text("x"),
    "a damaged manifest": lambda folder: flip(folder / "manifest.json"),
    "damaged checksums": lambda folder: truncate(folder / "checksums.txt"),
    "no checksums": lambda folder: (folder / "checksums.txt").unlink(),
    "two files exchanged, sealed anew": swapped,
    "a file of another artifact, sealed anew": foreign,
    "meta of another artifact, sealed anew": other_meta,
}


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_or_mixed_up_artifact_is_refused_before_anything_is_asked_of_a_server(
    copied: Path, harm: str
) -> None:
    HARM[harm](copied)
    with pytest.raises(FileError) as refused:
        load("postgresql://nobody@127.0.0.1:1/none", copied, Settings(), ())
    assert refused.value.exit_code == 2


def forge(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Make an artifact whose every hash fits and whose contents do not."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    for table in document["tables"]:
        data = (folder / table["file"]).read_bytes()
        table["sha256"] = hashlib.sha256(data).hexdigest()
    manifest = msgspec.convert(document, layout.Manifest)
    made = layout.artifact_id(manifest.tables, manifest.head, manifest.chain)
    path.write_text(json.dumps({**document, "artifact_id": made}))
    meta = folder / "embedding_meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "artifact_id": made}))
    reseal(folder)
    layout.verify(folder)


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def shorten_log(folder: Path) -> None:
    lines = (folder / "job_events.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "job_events.csv").write_text("".join(lines[:-1]), encoding="utf-8")


def fewer(document: dict[str, Any]) -> None:
    for table in document["tables"]:
        if table["name"] == "job_events":
            table["rows"] -= 1


FORGED: dict[str, tuple[Callable[[Path], None], Callable[[dict[str, Any]], None], str]] = {
    "an edited payload": (
        lambda f: edit(f, "job_events.csv", '""title"": ""', '""title"": ""X'),
        lambda _: None,
        "payload is not what was appended",
    ),
    "a log without its end": (shorten_log, fewer, "its head should be"),
    "a head that is wrong": (
        lambda f: edit(f, "job_heads.csv", ",t,", ",f,"),
        lambda _: None,
        "head does not agree",
    ),
    "an edited projection": (
        lambda f: edit(f, "job_entities.csv", ",senior,", ",junior,"),
        lambda _: None,
        "digests: job_entities differ",
    ),
    "rows counted wrongly": (lambda _: None, fewer, "changed while it was loaded"),
    "a damaged row": (
        lambda f: edit(f, "job_dedupe_map.csv", "-", "+"),
        lambda _: None,
        "the server refused job_dedupe_map at line 2",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_artifact_leaves_nothing_in_the_database(
    copied: Path, database: str, line_settings: Settings, name: str
) -> None:
    harm, change, said = FORGED[name]
    harm(copied)
    forge(copied, change)
    before = all_counts(database), rows_of(database, _INDEXES)
    with pytest.raises(NextStepError, match=said):
        put_in(database, copied, line_settings)
    assert (all_counts(database), rows_of(database, _INDEXES)) == before


def test_a_database_with_rows_or_with_someone_at_work_is_refused(
    artifact: Path, clone: Clone, database: str, line_settings: Settings
) -> None:
    full = clone()
    before = all_counts(full)
    with pytest.raises(DatabaseError, match="not empty: job_events"):
        put_in(full, artifact, line_settings)
    assert all_counts(full) == before

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO stage_offsets (stage, holder, heartbeat_at)"
            " VALUES ('clean', 'other:1', clock_timestamp())"
        )
    with pytest.raises(DatabaseError, match="a process works on clean"):
        put_in(database, artifact, line_settings)


@pytest.mark.req("N-96")
def test_too_many_missing_values_are_refused_unless_accepted(
    clone: Clone, database: str, line_settings: Settings, tmp_path: Path
) -> None:
    source = clone()
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("UPDATE jobs_normalized SET title = '' WHERE company < 'M'")
    pack(source, tmp_path / "poor", test_stages(line_settings))
    with pytest.raises(DatabaseError, match=r"null rates: jobs_normalized\.title"):
        put_in(database, tmp_path / "poor", line_settings)
    report = put_in(database, tmp_path / "poor", line_settings, accept_nulls=True)
    assert [check.detail for check in report.checks if not check.ok]


def test_the_commands(
    clone: Clone, make_database: Any, template: str, command: Any, tmp_path: Path
) -> None:
    folder = str(tmp_path / "packed")
    packed = command("artifacts", "pack", folder, "--json", url=clone())
    assert packed.returncode == 0, packed.stderr
    assert json.loads(packed.stdout)["head"] >= 60
    loaded = command("artifacts", "load", folder, url=make_database(template))
    assert loaded.returncode == 0, loaded.stderr
    assert "ok        digests: " in loaded.stdout
    flip(Path(folder) / "job_heads.csv")
    bad = command("artifacts", "verify", folder)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "job_heads.csv is not what was packed" in bad.stderr
