"""The whole line on a test encoder, and what its tables hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from nextstep.db import pools
from nextstep.events.io.line import run_line
from nextstep.events.stage import Stage
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ops.stages import line_stages
from nextstep.projections.io.digests import digest_all
from nextstep.settings import Settings
from tests.encoder import load_bag_of_words

SAMPLE = Path(__file__).resolve().parents[1] / "nextstep" / "sample" / "jobs.jsonl"


def test_stages(settings: Settings) -> tuple[Stage, ...]:
    """All stages; the vector stage encodes bags of words."""
    return tuple(
        msgspec.structs.replace(stage, setup=load_bag_of_words)
        if stage.name.startswith("embed:")
        else stage
        for stage in line_stages(settings)
    )


test_stages.__test__ = False  # type: ignore[attr-defined]


async def append_sample(settings: Settings, url: str, file: Path = SAMPLE, **how: Any) -> None:
    """Append the shipped sample, or another file."""
    await ingest_files(settings, url, [file], IngestOptions(**how))


async def drain(settings: Settings, url: str, stages: Sequence[Stage] | None = None) -> None:
    """Run every stage to the head."""
    await run_line(url, settings, stages or test_stages(settings), once=True)


async def digests(settings: Settings, url: str) -> dict[str, Any]:
    """Rows and digest of every projection table."""
    connection = await pools.connect(url, "worker", settings)
    try:
        return dict(await digest_all(connection, test_stages(settings)))
    finally:
        await connection.close()
