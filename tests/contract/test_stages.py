"""What every stage and projection promises; a new one is held to it by being listed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextstep.db import pools
from nextstep.events.io import log, offsets
from nextstep.events.stage import Stage
from nextstep.processors import STAGES
from nextstep.projections import PROJECTIONS
from nextstep.settings import Settings
from tests.whole_line import SAMPLE, append_sample, digests, drain, test_stages

ALL: tuple[Stage, ...] = (*STAGES, *PROJECTIONS)
GOLDEN = Path(__file__).parents[1] / "golden" / "versions.json"

each_stage = pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.name)


@pytest.fixture(scope="module")
def once() -> dict[str, Any]:
    """The digests of the undisturbed run, made by the first test that asks."""
    return {}


async def undisturbed(once: dict[str, Any], settings: Settings, database: str) -> dict[str, Any]:
    if not once:
        await append_sample(settings, database)
        await drain(settings, database)
        once.update(await digests(settings, database))
    return dict(once)


@pytest.mark.req("N-35")
def test_the_line_is_clean_dedupe_extract_embed_and_no_stage_passes_its_upstream() -> None:
    names = [stage.name.partition(":")[0] for stage in ALL]
    assert names[:4] == ["clean", "dedupe", "extract", "embed"]
    known: set[str | None] = {None}
    for stage in ALL:
        assert stage.upstream in known
        known.add(stage.name)


@each_stage
def test_a_stages_functions_travel_to_a_worker(stage: Stage) -> None:
    for function in (stage.prepare, stage.decide, stage.absent, stage.setup):
        pickle.loads(pickle.dumps(function))


@each_stage
async def test_a_stages_statements_are_valid_and_its_tables_are_there(
    stage: Stage, database: str, settings: Settings
) -> None:
    connection = await pools.connect(database, "worker", settings)
    try:
        prepared = await connection.prepare(stage.read)
        names = [attribute.name for attribute in prepared.get_attributes()]
        assert names[:2] == ["position", "job_id"]
        assert len(names) == len(stage.row.__struct_fields__)
        assert await prepared.fetch(0, 10, 5) == []
        for lookup in stage.lookups:
            await connection.prepare(lookup.sql)
        for table in stage.tables:
            assert await connection.fetchval("SELECT to_regclass($1)", table) is not None
        for table, columns in stage.digest_columns.items():
            await connection.prepare(f"SELECT {', '.join(columns)} FROM {table}")
        assert set(stage.digest_columns) <= set(stage.tables)
    finally:
        await connection.close()


@pytest.mark.req("D-05", "N-89", "J-02")
@pytest.mark.parametrize("batch_size", [1, 7, 500])
async def test_any_batch_size_gives_the_same_tables(
    batch_size: int, once: dict[str, Any], settings: Settings, make_database: Any, template: str
) -> None:
    expected = await undisturbed(once, settings, make_database(template))
    url = make_database(template)
    sized = msgspec.structs.replace(settings, database_url=url, batch_size=batch_size)
    await append_sample(sized, url)
    await drain(sized, url)
    assert await digests(sized, url) == expected


async def test_worker_processes_give_the_same_tables(
    once: dict[str, Any], settings: Settings, make_database: Any, template: str
) -> None:
    expected = await undisturbed(once, settings, make_database(template))
    url = make_database(template)
    workers = msgspec.structs.replace(settings, database_url=url, executor="processes", workers=2)
    await append_sample(workers, url)
    await drain(workers, url)
    assert await digests(workers, url) == expected


@pytest.mark.req("D-06", "N-84")
async def test_tailing_in_pieces_equals_one_replay_and_the_same_file_twice_equals_once(
    once: dict[str, Any],
    settings: Settings,
    make_database: Any,
    template: str,
    tmp_path: Path,
) -> None:
    expected = await undisturbed(once, settings, make_database(template))
    url = make_database(template)
    lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, part in enumerate(_cut(lines, 60)):
        piece = tmp_path / f"piece-{number}.jsonl"
        piece.write_text("".join(part), encoding="utf-8")
        await append_sample(settings, url, piece)
        await drain(settings, url)
    connection = await pools.connect(url, "worker", settings)
    head = await log.head(connection)
    await append_sample(settings, url)
    assert await log.head(connection) <= head + len({json.loads(line)["source"] for line in lines})
    await drain(settings, url)
    jobs = await connection.fetchval("SELECT count(*) FROM job_events WHERE kind LIKE 'job.%'")
    assert jobs == len(lines)
    await connection.close()
    assert await digests(settings, url) == expected


def _cut(lines: list[str], size: int) -> list[list[str]]:
    return [lines[start : start + size] for start in range(0, len(lines), size)]


@pytest.mark.req("D-08")
@each_stage
async def test_replaying_a_stage_from_the_log_gives_the_same_tables(
    stage: Stage, once: dict[str, Any], settings: Settings, replayed: Callable[..., Any]
) -> None:
    url, expected = await replayed()
    connection = await pools.connect(url, "worker", settings)
    stages = test_stages(settings)
    name = next(s.name for s in stages if s.name.partition(":")[0] == stage.name.partition(":")[0])
    moved = await offsets.reset(connection, stages, name, 0)
    assert name in moved
    await connection.close()
    await drain(settings, url)
    assert await digests(settings, url) == expected


@pytest.fixture(scope="module")
def shared_url() -> dict[str, str]:
    return {}


@pytest.fixture
def replayed(
    shared_url: dict[str, str],
    once: dict[str, Any],
    settings: Settings,
    make_database: Any,
    template: str,
) -> Callable[..., Any]:
    """A drained database that the replays of this module share, with its digests."""

    async def ready() -> tuple[str, dict[str, Any]]:
        if "url" not in shared_url:
            shared_url["url"] = make_database(template)
            await append_sample(settings, shared_url["url"])
            await drain(settings, shared_url["url"])
        return shared_url["url"], await undisturbed(once, settings, shared_url["url"])

    return ready


async def test_changed_output_raises_its_stages_code_version(
    once: dict[str, Any], settings: Settings, make_database: Any, template: str
) -> None:
    """The digests of the sample are pinned beside the version that made them."""
    found = await undisturbed(once, settings, make_database(template))
    made = {
        stage.name.partition(":")[0]: {
            "code_version": stage.code_version,
            "tables": {table: str(found[table]) for table in sorted(stage.digest_columns)},
        }
        for stage in ALL
    }
    pinned = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, entry in made.items():
        if entry != pinned.get(name):
            assert entry["code_version"] > pinned.get(name, {"code_version": 0})["code_version"], (
                f"stage {name} gives other rows for the sample under the same code_version: "
                "raise it, then write the new digests with tests/golden/pin.py"
            )
            pytest.fail(f"stage {name} has a new version: pin it with tests/golden/pin.py")
