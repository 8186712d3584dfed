"""The embed stage under the real runner, with the tests' encoder."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from nextstep.events.io.line import run_line
from nextstep.events.stage import Stage
from nextstep.processors.embed import EMBED, passage_text
from nextstep.settings import Settings
from tests.encoder import bag, load_bag_of_words
from tests.match_data import Job, fill, job_id

STAGE: Stage = msgspec.structs.replace(EMBED, setup=load_bag_of_words, fingerprint=None)
JOBS = [
    *(Job(name=f"j{i}", text=f"Pipelines number {i}.", vector=False) for i in range(20)),
    Job(name="copy", cluster="j3", vector=False),
    Job(name="empty", title="", text="", vector=False),
]


async def start(connection: Any) -> None:
    """Fill the tables in front of the stage; the stage itself has done nothing."""
    await fill(connection, JOBS)
    await connection.execute("DELETE FROM stage_offsets WHERE stage = $1", STAGE.name)


async def run(database: str, settings: Settings) -> None:
    await run_line(database, settings, (STAGE,), once=True)


async def vectors(connection: Any) -> dict[Any, tuple[bytes, list[float]]]:
    rows = await connection.fetch("SELECT * FROM job_embeddings ORDER BY job_id")
    return {row["job_id"]: (row["text_hash"], list(row["embedding"].to_numpy())) for row in rows}


async def restamp(connection: Any, name: str, canonical: str | None) -> None:
    """Move a job to the next position of the line, as dedupe does."""
    head = await connection.fetchval("SELECT max(position) + 1 FROM job_dedupe_map")
    await connection.execute(
        "UPDATE job_dedupe_map SET position = $2, canonical_job_id = $3 WHERE job_id = $1",
        job_id(name), head, job_id(canonical) if canonical else None,
    )  # fmt: skip
    await connection.execute("UPDATE stage_offsets SET position = $1 WHERE stage = 'extract'", head)


async def encoded(connection: Any) -> int:
    """How many vectors the last run made."""
    counts = await connection.fetchval(
        "SELECT counts FROM pipeline_runs WHERE stage = $1 ORDER BY started_at DESC LIMIT 1",
        STAGE.name,
    )
    return int(counts.get("encoded", 0))


@pytest.mark.req("S-15", "N-97")
@pytest.mark.parametrize("batch_size", [1, 7, 500])
async def test_every_canonical_job_has_its_vector_whatever_the_batch_size(
    connection: Any, database: str, settings: Settings, batch_size: int
) -> None:
    await start(connection)
    await run(database, msgspec.structs.replace(settings, batch_size=batch_size))
    found = await vectors(connection)
    canonical = {job.id: job for job in JOBS if not job.cluster}
    assert set(found) == set(canonical)
    for job, (_, vector) in found.items():
        one = canonical[job]
        expected = bag(passage_text(one.title, one.text, [], [*one.tools, *one.skills]))
        assert np.allclose(vector, expected, atol=1e-6)


@pytest.mark.req("N-86", "S-09")
async def test_a_job_that_only_moved_is_not_encoded_again(
    connection: Any, database: str, settings: Settings
) -> None:
    await start(connection)
    await run(database, settings)
    assert await encoded(connection) == 21
    before = await vectors(connection)
    await restamp(connection, "j1", "j1")
    await run(database, settings)
    assert await encoded(connection) == 0
    assert await vectors(connection) == before


async def test_a_changed_text_has_another_vector_and_a_lost_canonical_none(
    connection: Any, database: str, settings: Settings
) -> None:
    await start(connection)
    await run(database, settings)
    before = await vectors(connection)
    await connection.execute(
        "UPDATE jobs_normalized SET description_clean = 'Care.' WHERE job_id = $1", job_id("j1")
    )
    await restamp(connection, "j1", "j1")
    await restamp(connection, "j2", "j3")
    await restamp(connection, "copy", "copy")
    await restamp(connection, "j4", None)
    await run(database, settings)
    after = await vectors(connection)
    assert after[job_id("j1")] != before[job_id("j1")]
    assert set(after) == set(before) - {job_id("j2"), job_id("j4")} | {job_id("copy")}
    unchanged = set(before) & set(after) - {job_id("j1")}
    assert all(after[job] == before[job] for job in unchanged)


async def test_another_recipe_replaces_the_vectors_of_the_last(
    connection: Any, database: str, settings: Settings
) -> None:
    await start(connection)
    await run(database, settings)
    await connection.execute("UPDATE job_embeddings SET recipe = 'older'")
    await connection.execute("UPDATE stage_offsets SET position = 0 WHERE stage = $1", STAGE.name)
    await run(database, settings)
    recipes = await connection.fetch("SELECT recipe, count(*) FROM job_embeddings GROUP BY recipe")
    assert [tuple(row) for row in recipes] == [("title-skills-role@128", 21)]
