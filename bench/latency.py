"""
From one appended event on an idle line to the clean table, and to the last stage.

    python bench/latency.py [--events 200]

The sample corpus is loaded and every model is warm. Prints one JSON line with p50 and p99 in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from nextstep.db import embedded, pools
from nextstep.events import kinds
from nextstep.events.io import log
from nextstep.events.io.line import Line
from nextstep.events.model import Draft
from nextstep.ingest.io.append import IngestOptions
from nextstep.ops.bootstrap import bootstrap
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings

SAMPLE = Path(__file__).resolve().parents[1] / "nextstep" / "sample" / "jobs.jsonl"


def observation(number: int) -> Draft:
    """A post that no other post resembles."""
    words = " ".join(hashlib.sha256(f"{number} {i}".encode()).hexdigest()[:8] for i in range(60))
    payload = {
        "source": "bench",
        "identity_rule": "source_job_id",
        "source_job_id": str(number),
        "title": f"Python developer {number}",
        "company": f"Company {number}",
        "text": f"We look for someone who knows Python and PostgreSQL. {words}",
    }
    return Draft(
        job_id=uuid.uuid5(uuid.NAMESPACE_URL, f"bench {number}"),
        kind=kinds.OBSERVED,
        source="bench",
        schema_version=1,
        payload=json.dumps(payload).encode(),
        content_hash=hashlib.sha256(str(number).encode()).digest(),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
    )


async def measure(url: str, settings: Settings, events: int) -> dict[str, Any]:
    """Return latencies in ms; each event is sent when the line is idle again."""
    stages = line_stages(settings)
    await bootstrap(url, settings, stages, [SAMPLE], IngestOptions())
    writer = await pools.connect(url, "ingest", settings)
    reader = await pools.connect(url, "api", settings)
    stop, ready = anyio.Event(), asyncio.Event()
    clean_ms: list[float] = []
    all_ms: list[float] = []
    async with anyio.create_task_group() as group:

        async def run() -> None:
            await Line(url, settings, stages).run(stop, on_ready=ready.set)

        group.start_soon(run)
        await ready.wait()
        for number in range(-20, events):  # the first twenty warm plans and caches
            draft = observation(number)
            started = time.perf_counter()
            position = (await log.append(writer, [draft]))[0].position
            while not await reader.fetchval(
                "SELECT count(*) FROM jobs_normalized WHERE job_id = $1", draft.job_id
            ):
                pass
            cleaned = time.perf_counter()
            while await reader.fetchval("SELECT min(position) FROM stage_offsets") < position:
                await asyncio.sleep(0.001)
            done = time.perf_counter()
            if number >= 0:
                clean_ms.append((cleaned - started) * 1000)
                all_ms.append((done - started) * 1000)
            await asyncio.sleep(0.05)
        stop.set()
    await writer.close()
    await reader.close()
    return {"events": events, "clean_ms": spread(clean_ms), "every_stage_ms": spread(all_ms)}


def spread(values: list[float]) -> dict[str, float]:
    """Return p50, p99 and the largest."""
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.99)]
    return {"p50": round(at[0], 1), "p99": round(at[1], 1), "max": round(ordered[-1], 1)}


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as scratch:
        Path(scratch).chmod(0o711)
        settings = Settings(home=Path(scratch), log_level="warning")
        with embedded.running(settings) as url:
            print(json.dumps(asyncio.run(measure(url, settings, args.events))))


if __name__ == "__main__":
    main()
