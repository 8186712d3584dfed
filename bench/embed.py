"""
The embed stage against the bare encoder, on the same texts, in one run.

The stage reads its rows from the database, hashes them, encodes in a worker process, and commits
vectors and offset; the bare encoder is one call of sentence-transformers in such a process. They
take turns at the same texts, a round each, first the one and then the other, so that a box that
speeds up or slows down meanwhile does not decide. The target is a median ratio of 0.9.

    python bench/embed.py [--url URL] [--rounds 7] [--rows 256] [--csv ADS.csv.gz]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import itertools
import logging
import multiprocessing
import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import anyio
import msgspec
import structlog
from common import database, parser, say, sentences, spread

from nextstep.db import pools
from nextstep.events.io.executor import make_executor
from nextstep.events.io.runner import StageRunner
from nextstep.events.io.wake import Wake
from nextstep.processors.embed import EMBED, passage_text
from nextstep.processors.io.encoder import Encoder
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Settings

_NORMALIZED = """
INSERT INTO jobs_normalized (job_id, source, title, description_clean, sections, content_hash,
  first_seen_at, last_seen_at, status, position)
VALUES ($1, 'bench', $2, $3, $4, '\\x00', $5, $5, 'open', $6)
"""
_MAPPED = """
INSERT INTO job_dedupe_map (job_id, canonical_job_id, rule, position) VALUES ($1, $1, 'bench', $2)
"""
_UPSTREAM = "INSERT INTO stage_offsets (stage, position, version) VALUES ('extract', 0, '1')"
_ADVANCE = "UPDATE stage_offsets SET position = $1 WHERE stage = 'extract'"


@lru_cache(maxsize=1)
def encoder(settings: Settings) -> Encoder:
    """Return the worker's encoder."""
    return Encoder(settings)


def encode_bare(settings: Settings, texts: list[str]) -> float:
    """Return the seconds that the bare encoder takes for the texts; runs in a worker."""
    made = encoder(settings)
    started = time.perf_counter()
    made.passages(texts)
    return time.perf_counter() - started


def read_ads(path: Path | None, rows: int) -> list[tuple[str, str]]:
    """Return (title, clean description) of real ads, else of sentences of the sample corpus."""
    if path is None:
        draw, pool = random.Random(1), sentences()
        return [
            (f"Role {number}", ". ".join(draw.choice(pool) for _ in range(25)))
            for number in range(rows)
        ]
    csv.field_size_limit(16 * 1024 * 1024)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
        return [
            (ad["title"], clean_text(ad["description_html"], ad["description_text"]).text)
            for ad in itertools.islice(csv.DictReader(handle), rows)
        ]


async def fill(url: str, settings: Settings, ads: Sequence[tuple[str, str]]) -> list[str]:
    """Write the ads as the stages in front would have; return the texts to be embedded."""
    connection = await pools.connect(url, None, settings)
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    sections: list[Any] = [msgspec.to_builtins(find_sections(text)) for _, text in ads]
    places = [(uuid5(NAMESPACE_URL, f"bench:{n}"), n) for n in range(1, len(ads) + 1)]
    await connection.executemany(
        _NORMALIZED,
        [
            (job, *ad, parts, seen, place)
            for (job, place), ad, parts in zip(places, ads, sections, strict=True)
        ],
    )
    await connection.executemany(_MAPPED, places)
    await connection.execute(_UPSTREAM)
    await connection.close()
    return [passage_text(*ad, parts) for ad, parts in zip(ads, sections, strict=True)]


async def measure(url: str, settings: Settings, args: argparse.Namespace) -> None:
    """Let both take turns and print the figures."""
    texts = await fill(url, settings, read_ads(args.csv, args.rows * args.rounds))
    pool = await pools.create_pool(url, "worker", settings, max_size=4)
    await pool.execute(
        "INSERT INTO stage_offsets (stage, epoch, version) VALUES ($1, 1, '1')", EMBED.name
    )
    executor = make_executor(settings)
    await executor.warm(EMBED)
    runner = StageRunner(EMBED, pool, executor, Wake(url, settings, [EMBED]), settings)
    runner.epoch = 1
    bare: list[float] = []
    stage: list[float] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as other:
        await asyncio.wrap_future(other.submit(encode_bare, settings, texts[:32]))
        for number in range(args.rounds):
            first, last = number * args.rows, (number + 1) * args.rows
            for turn in (0, 1):
                if turn == number % 2:
                    work = other.submit(encode_bare, settings, texts[first:last])
                    bare.append(args.rows / await asyncio.wrap_future(work))
                else:
                    await pool.execute(_ADVANCE, last)
                    started = time.perf_counter()
                    await runner.drain(anyio.Event())
                    stage.append(args.rows / (time.perf_counter() - started))
    written = await pool.fetchval("SELECT count(*) FROM job_embeddings")
    await executor.close()
    await pool.close()
    say(
        "embed",
        rows=written,
        bare_per_s=spread(bare),
        stage_per_s=spread(stage),
        ratio=spread([mine / base for mine, base in zip(stage, bare, strict=True)]),
    )


def main() -> None:
    """Run the bench and print one line of JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    flags = parser(__doc__)
    flags.add_argument("--rows", type=int, default=256, help="texts a round (default 256)")
    flags.add_argument("--csv", type=Path, help="real ads, a .csv.gz")
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        asyncio.run(measure(url, settings, args))


if __name__ == "__main__":
    main()
