"""
Encoders and the embed stage on the same texts, in one run.

Three take turns at the same texts, a round each, in an order that changes from round to round, so
that a box that speeds up or slows down meanwhile does not decide: the reference (sentence-
transformers, one process, a thread per core), the prepared model bare (a process of one thread per
core), and the stage with the prepared model, which reads its rows from the database, hashes them,
encodes in workers, and commits vectors and offset. Asked: fast / reference 2.0, stage / fast 0.95.
Memory is the PSS of the processes that encode.

    nextstep models prepare
    python bench/embed.py [--rounds 7] [--rows 256] [--csv ADS.csv.gz] [--encoders FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import itertools
import logging
import multiprocessing
import os
import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import anyio
import msgspec
import structlog
from common import database, parser, say, sentences, spread

from nextstep.db import pools
from nextstep.events.io.executor import Processes
from nextstep.events.io.runner import StageRunner
from nextstep.events.io.wake import Wake
from nextstep.processors.embed import embed_stage, passage_text
from nextstep.processors.io.encoder import TextEncoder, load_encoder
from nextstep.processors.io.prepared import encoders_folder, find_prepared
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
def encoder(settings: Settings) -> TextEncoder:
    """Return the worker's encoder."""
    return load_encoder(settings)


def encode_bare(settings: Settings, texts: list[str]) -> None:
    """Encode in a worker."""
    encoder(settings).passages(texts)


class Bare:
    """An encoder in processes of its own, without a stage."""

    def __init__(self, settings: Settings, processes: int) -> None:
        self._settings = settings
        self._processes = processes
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, context)

    async def encode(self, texts: list[str]) -> None:
        """Encode the texts, cut over the processes as the executor cuts a batch."""
        size = -(-len(texts) // self._processes)
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        work = [self._pool.submit(encode_bare, self._settings, part) for part in parts]
        await asyncio.gather(*map(asyncio.wrap_future, work))

    def close(self) -> float:
        """End the processes; return their memory in MB."""
        used = pss_mb(self._pool._processes)
        self._pool.shutdown()
        return used


def pss_mb(processes: Iterable[int]) -> float:
    """Return the processes' proportional set size in MB."""
    total_kb = 0
    for process in processes:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1024


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
    """Let the three take turns and print the figures."""
    texts = await fill(url, settings, read_ads(args.csv, args.rows * args.rounds))
    cores = os.cpu_count() or 1
    fast = msgspec.structs.replace(settings, encoder="fast", encoder_folder=args.encoders)
    find_prepared(fast)
    stage = embed_stage(fast)
    pool = await pools.create_pool(url, "worker", fast, max_size=4)
    await pool.execute(
        "INSERT INTO stage_offsets (stage, epoch, version) VALUES ($1, 1, '1')", stage.name
    )
    executor = Processes(fast)
    await executor.warm(stage)
    runner = StageRunner(stage, pool, executor, Wake(url, fast, [stage]), fast)
    runner.epoch = 1
    reference = Bare(msgspec.structs.replace(settings, encoder="reference"), 1)
    bare = Bare(fast, cores)

    async def through_stage(last: int) -> None:
        await pool.execute(_ADVANCE, last)
        await runner.drain(anyio.Event())

    for warm in (reference, bare):
        await warm.encode(texts[: 32 * cores])
    rates: dict[str, list[float]] = {"reference": [], "fast": [], "stage": []}
    for number in range(args.rounds):
        first, last = number * args.rows, (number + 1) * args.rows
        turns = {
            "reference": partial(reference.encode, texts[first:last]),
            "fast": partial(bare.encode, texts[first:last]),
            "stage": partial(through_stage, last),
        }
        order = list(turns)
        for name in order[number % 3 :] + order[: number % 3]:
            started = time.perf_counter()
            await turns[name]()
            rates[name].append(args.rows / (time.perf_counter() - started))
    written = await pool.fetchval("SELECT count(*) FROM job_embeddings")
    workers = pss_mb(executor._pools[stage.name]._processes)
    await executor.close()
    await pool.close()
    say(
        "embed",
        rows=written,
        **{f"{name}_per_s": spread(values) for name, values in rates.items()},
        fast_by_reference=spread(divided(rates["fast"], rates["reference"])),
        stage_by_fast=spread(divided(rates["stage"], rates["fast"])),
        reference_pss_mb=round(reference.close()),
        fast_pss_mb=round(bare.close()),
        stage_workers_pss_mb=round(workers),
    )


def divided(these: Sequence[float], those: Sequence[float]) -> list[float]:
    """Return the ratios of the rounds."""
    return [one / other for one, other in zip(these, those, strict=True)]


def main() -> None:
    """Run the bench and print one line of JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    flags = parser(__doc__)
    flags.add_argument("--rows", type=int, default=256, help="texts a round (default 256)")
    flags.add_argument("--csv", type=Path, help="real ads, a .csv.gz")
    flags.add_argument(
        "--encoders", type=Path, default=encoders_folder(Settings()), help="prepared models"
    )
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        asyncio.run(measure(url, settings, args))


if __name__ == "__main__":
    main()
