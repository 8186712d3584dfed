"""
Matches against a database that holds a corpus: latency with the real encoder, part by part.

Every profile is asked twice: with a text not seen before (encoder included) and again (its vector
is kept). Times are taken in the server's process, without HTTP.

    python bench/match.py --url URL [--questions 200]
"""

from __future__ import annotations

import asyncio
import logging
import random
import statistics
import time
from typing import Any

import structlog
from common import parser, say, sentences

from nextstep.db import pools
from nextstep.http.encoding import QueryEncoder
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.horizon import Horizon
from nextstep.match.io.service import match
from nextstep.match.profile import convert_profile
from nextstep.match.reading import make_lexicon, read_profile
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings

_SKILLS = ("Python", "SQL", "Java", "Excel", "AWS", "Docker", "Spark", "Tableau", "R", "React")
_TITLES = ("Data Engineer", "Data Scientist", "Software Engineer", "Accountant", "Sales Manager")
_FILTERS: tuple[dict[str, Any], ...] = ({}, {"country": ["GB"]}, {"work_mode": ["remote"]})


def profiles(count: int, *, seed: int = 7) -> list[dict[str, Any]]:
    """Return that many different profiles, the same ones in every run of a seed."""
    draw, pool = random.Random(seed), sentences()
    return [
        {
            "text": f"{draw.choice(pool)}. {draw.choice(pool)}.",
            "skills": draw.sample(_SKILLS, 4),
            "titles": [draw.choice(_TITLES)],
            "filters": draw.choice(_FILTERS),
        }
        for _ in range(count)
    ]


def quantiles(values: list[float]) -> dict[str, float]:
    """Return median and 99th percentile."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98]}


async def measure(url: str, questions: int) -> None:
    """Ask every profile twice and print the figures."""
    settings = Settings(database_url=url)
    lexicon = make_lexicon(load_taxonomies())
    encoder = QueryEncoder(settings)
    await encoder.start()
    connection = await pools.connect(url, "api", settings)
    spent: dict[str, list[float]] = {}
    horizon: Horizon | None = None
    board = LiveBoard(lexicon.soft)
    try:
        for turn in ("fresh", "kept"):
            for number, asked in enumerate(profiles(questions)):
                marks = [time.perf_counter()]
                reading = read_profile(convert_profile(asked), lexicon)
                marks.append(time.perf_counter())
                vector = (await encoder.encode([reading.query_text]))[0]
                marks.append(time.perf_counter())
                answer, horizon = await match(
                    connection, reading, vector,
                    lexicon=lexicon, settings=settings, known=horizon, board=board,
                )  # fmt: skip
                marks.append(time.perf_counter())
                if number < questions // 10:
                    continue  # plans and caches are still cold
                parts = ("read", "encode", "database and ranking")
                for name, a, b in zip(parts, marks, marks[1:], strict=False):
                    spent.setdefault(f"{turn} {name}", []).append((b - a) * 1000)
                spent.setdefault(f"{turn} whole", []).append((marks[-1] - marks[0]) * 1000)
        jobs = await connection.fetchval("SELECT count(*) FROM job_clusters WHERE status = 'open'")
    finally:
        await connection.close()
        await encoder.close()
    figures: dict[str, Any] = {name: quantiles(values) for name, values in spent.items()}
    say("match, ms", open_clusters=jobs, candidates=answer.candidates, **figures)


def main() -> None:
    """Run the bench and print one line of JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    flags = parser(__doc__)
    flags.add_argument("--questions", type=int, default=200)
    args = flags.parse_args()
    if not args.url:
        flags.error("--url is needed: a database that a line has filled")
    asyncio.run(measure(args.url, args.questions))


if __name__ == "__main__":
    main()
