"""One bad post at the first, middle and last place of a batch, at every stage of the real line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from nextstep.db import pools
from nextstep.events.io import dead_letters
from nextstep.events.stage import Stage
from nextstep.settings import Settings
from tests.whole_line import append_sample, digests, drain, test_stages

BATCH = 25
#: A table of each stage that has no row of a job that is dead there, and that job's column.
_ROWS = {
    "clean": ("jobs_normalized", "job_id"),
    "extract": ("job_entities", "job_id"),
    "embed": ("job_embeddings", "job_id"),
    "trends": ("trend_contributions", "job_id"),
}
_PLACES = {"first": 0, "middle": BATCH // 2, "last": BATCH - 1}


class Poisoned:
    """Makes one row of each stage bad: the one at `place` of the stage's second batch."""

    def __init__(self, place: int, inside: str) -> None:
        self._place = place
        self._inside = inside
        self.victims: dict[str, UUID] = {}

    def stage(self, stage: Stage) -> Stage:
        return msgspec.structs.replace(
            stage,
            **{
                self._inside: getattr(self, f"_{self._inside}")(stage, getattr(stage, self._inside))
            },
        )

    def _choose(self, stage: Stage, rows: list[Any], alive: list[Any]) -> None:
        # The first time that a whole batch comes: halves of it come later.
        if stage.name not in self.victims and len(rows) == BATCH:
            self.victims[stage.name] = alive[min(self._place, len(alive) - 1)].job_id

    def _prepare(self, stage: Stage, prepare: Any) -> Any:
        def poisoned(context: Any, rows: list[Any]) -> list[Any]:
            self._choose(stage, rows, rows)
            self._fail(stage, rows)
            return list(prepare(context, rows))

        return poisoned

    def _decide(self, stage: Stage, decide: Any) -> Any:
        def poisoned(context: Any, rows: list[Any], prepared: list[Any], found: Any) -> Any:
            # A stage without `absent` gets a parked row once more, with nothing prepared.
            asked = zip(rows, prepared, strict=True)
            alive = [row for row, value in asked if value is not None or stage.absent]
            self._choose(stage, rows, alive)
            self._fail(stage, alive)
            return decide(context, rows, prepared, found)

        return poisoned

    def _fail(self, stage: Stage, rows: list[Any]) -> None:
        if any(row.job_id == self.victims.get(stage.name) for row in rows):
            raise ValueError("nobody can read this")


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    """The digests of a line without poison; one log, so one answer for all."""
    return {}


@pytest.mark.req("X-04", "N-35")
@pytest.mark.parametrize(
    ("place", "inside"), [*((place, "prepare") for place in _PLACES), ("middle", "decide")]
)
async def test_one_bad_post_of_a_batch_is_parked_and_the_rest_is_there(  # noqa: PLR0917
    place: str,
    inside: str,
    calm: dict[str, Any],
    database: str,
    settings: Settings,
    make_database: Any,
    template: str,
) -> None:
    if not calm:
        url = make_database(template)
        await append_sample(settings, url)
        await drain(settings, url)
        calm.update(await digests(settings, url))
    sized = msgspec.structs.replace(settings, batch_size=BATCH)
    await append_sample(settings, database)
    poison = Poisoned(_PLACES[place], inside)
    await drain(sized, database, [poison.stage(stage) for stage in test_stages(sized)])
    assert len(poison.victims) == len(test_stages(sized))

    owner = await pools.connect(database, None, settings)
    try:
        letters = await dead_letters.letters(owner)
        assert {(e["stage"], e["job_id"]) for e in letters} == set(poison.victims.items())
        assert {e["error"] for e in letters} == {"ValueError: see detail for the place"}
        assert _rows_of_the_dead(database, poison.victims) == []
        status = await owner.fetch(
            "SELECT position = (SELECT max(position) FROM job_events), status FROM stage_offsets"
        )
        assert {tuple(row) for row in status} == {(True, "running")}
        # Mended and sent through again, nothing is left of it all.
        await dead_letters.retry(owner, letters, datetime(2026, 1, 1, tzinfo=UTC), "mended")
    finally:
        await owner.close()
    await drain(sized, database)
    with psycopg.connect(database) as look:
        left = look.execute("SELECT DISTINCT status FROM dead_letters").fetchall()
    assert left == [("resolved",)]
    assert await digests(settings, database) == calm


def _rows_of_the_dead(url: str, victims: dict[str, UUID]) -> list[Any]:
    found = []
    with psycopg.connect(url) as look:
        for stage, job_id in victims.items():
            table, column = _ROWS.get(stage.partition(":")[0], ("", ""))
            if table:
                query = f"SELECT %s, {column} FROM {table} WHERE {column} = %s"
                found += look.execute(query.encode(), [stage, job_id]).fetchall()
    return found
