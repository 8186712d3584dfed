"""What the benches share: a throwaway server or the one asked for, drafts of real size, figures."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nextstep
from nextstep.db import embedded
from nextstep.db.migrate import migrate
from nextstep.events import kinds
from nextstep.events.model import Draft
from nextstep.settings import Settings

_START = datetime(2026, 1, 1, tzinfo=UTC)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the flags that every bench has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--url", help="an empty database; default: a throwaway embedded server")
    made.add_argument("--rounds", type=int, default=7, help="alternating rounds (default 7)")
    return made


@contextmanager
def database(url: str | None) -> Iterator[tuple[str, Settings]]:
    """Yield the URL of a migrated, empty database and settings for it."""
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as folder:
        Path(folder).chmod(0o711)  # root's server runs under another account
        home = Settings(database_url=url, home=Path(folder) / "home")
        with embedded.running(home) as found:
            migrate(found)
            yield found, Settings(database_url=found, home=home.home)


def drafts(count: int, *, seed: int, payload_bytes: int = 2048) -> list[Draft]:
    """Return observations of different jobs whose payloads are about that long."""
    texts = sentences()
    draw = random.Random(seed)
    return [_draft(seed, number, draw, texts, payload_bytes) for number in range(count)]


def _draft(
    seed: int, number: int, draw: random.Random, texts: Sequence[str], payload_bytes: int
) -> Draft:
    # Pieces of different posts: a repeated text would be compressed to nothing.
    text = " ".join(draw.choice(texts) for _ in range(40))
    post = {
        "source": "bench",
        "identity_rule": "source_job_id",
        "source_job_id": f"{seed}-{number}",
        "url": f"https://bench.example/jobs/{seed}/{number}",
        "title": f"Data Engineer {number}",
        "company": f"Company {draw.randrange(5000)}",
        "location": "Berlin, Germany",
        "date_posted": "2026-03-14",
    }
    post["text"] = text[: payload_bytes - len(json.dumps(post)) - 12]
    payload = json.dumps(post, sort_keys=True, ensure_ascii=False).encode()
    return Draft(
        job_id=uuid.uuid5(uuid.NAMESPACE_URL, post["url"]),
        kind=kinds.OBSERVED,
        source="bench",
        schema_version=1,
        payload=payload,
        content_hash=hashlib.sha256(payload).digest(),
        occurred_at=_START,
    )


def sentences() -> list[str]:
    """Return the sentences of the sample corpus."""
    lines = (Path(nextstep.__file__).parent / "sample" / "jobs.jsonl").read_text("utf-8")
    jobs = [json.loads(line) for line in lines.splitlines()]
    return [
        sentence.strip()
        for job in jobs
        for sentence in (job["converted_to_text"] or job["description_html"]).split(".")
        if 30 < len(sentence) < 200
    ]


def say(name: str, **figures: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps({"bench": name, **_rounded(figures)}), flush=True)


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(value)
        if isinstance(value, dict)
        else round(value, 3)
        if isinstance(value, float)
        else value
        for name, value in figures.items()
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
