"""
Trends over a whole corpus: recompute, one day's events, random cells recounted, endpoint times.

    python bench/trends.py corpus.sqlite3 [--url URL] [--copies N] [--facts]

The corpus goes through clean, dedupe and extract (without vectors), unless the database that --url
names already holds posts. Then trends is reset and drained (full recompute), a day of postings is
appended and drained (one day), cells drawn with a fixed seed are recounted from the tables that
feed trends, and every endpoint answers many different questions, none of them twice.

`--copies N` does not add posts to the log: it copies the rows that feed trends under other ids,
each copy a month later than the one before, for a size that the line would take long to reach.
CPU seconds are those of this process and its children; the server's are not in them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient, TestServer
from common import database, parser, say

from nextstep import logs
from nextstep.db import pools
from nextstep.db.migrate import migrate
from nextstep.events.io import offsets
from nextstep.events.io.line import run_line
from nextstep.http.app import make_app
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ops.stages import line_stages
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings

_CELLS = """
SELECT title_cluster, country, month, skill, count, jobs FROM skill_trends_monthly
 ORDER BY title_cluster COLLATE "C", country COLLATE "C", month, skill COLLATE "C"
"""
# From the tables that feed trends, without any of trends' own.
_RECOUNT = """
SELECT count(*) FILTER (WHERE $4 = ANY (e.skills) OR $4 = ANY (e.tools)), count(*),
       array_agg(m.job_id ORDER BY m.job_id)
         FILTER (WHERE $4 = ANY (e.skills) OR $4 = ANY (e.tools))
  FROM job_dedupe_map m
  JOIN jobs_normalized j USING (job_id)
  JOIN job_entities e USING (job_id)
 WHERE m.canonical_job_id = m.job_id AND j.date_precision IN ('day', 'month')
   AND date_trunc('month', j.date_posted)::date = $3
   AND ($1 = '*' OR e.title_cluster = $1) AND ($2 = '*' OR e.country = $2)
"""
_COPY = """
INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object(
         'job_id', md5(t.job_id::text || $1::text)::uuid, 'position', t.position + $2::bigint
         {more}))).*
  FROM {table} AS t WHERE t.position <= $3
"""
_COPIED = {
    "jobs_normalized": ", 'date_posted', (t.date_posted + make_interval(months => $1))::date",
    "job_entities": "",
    "job_dedupe_map": (", 'canonical_job_id', md5(t.canonical_job_id::text || $1::text)::uuid"),
}


def cpu_s() -> float:
    """Return CPU seconds of this process and of its ended children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in (own, ended))


async def fill(url: str, settings: Settings, corpus: Path, copies: int) -> None:
    """Bring the corpus as far as extract, and multiply the rows that feed trends."""
    connection = await pools.connect(url, None, settings)
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM job_entities)"):
        started = time.perf_counter()
        await ingest_files(settings, url, [corpus], IngestOptions())
        stages = [s for s in line_stages(settings) if s.name in ("clean", "dedupe", "extract")]
        await run_line(url, settings, stages, once=True)
        say("clean, dedupe, extract", s=time.perf_counter() - started)
    head = await connection.fetchval("SELECT max(position) FROM job_dedupe_map")
    for copy in range(1, copies):
        for table, more in _COPIED.items():
            sql = _COPY.format(table=table, more=more)
            await connection.execute(sql, copy, copy * head, head)
    if copies > 1:
        await connection.execute(
            "UPDATE stage_offsets SET position = $1 WHERE stage IN ('clean', 'dedupe', 'extract')",
            copies * head,
        )
        await connection.execute("ANALYZE")
    await connection.close()


async def drain(url: str, settings: Settings) -> tuple[float, float]:
    """Run trends to the end of what there is; return wall and CPU seconds."""
    trends = [stage for stage in line_stages(settings) if stage.name == "trends"]
    started, spent = time.perf_counter(), cpu_s()
    await run_line(url, settings, trends, once=True)
    return time.perf_counter() - started, cpu_s() - spent


async def recompute(url: str, settings: Settings, name: str) -> None:
    """Make all of trends anew. The start of its worker process counts too."""
    connection = await pools.connect(url, None, settings)
    await connection.execute(
        "INSERT INTO stage_offsets (stage) VALUES ('trends') ON CONFLICT DO NOTHING"
    )
    await offsets.reset(connection, line_stages(settings), "trends", 0)
    wall, cpu = await drain(url, settings)
    batches = await connection.fetchval(
        "SELECT counts FROM pipeline_runs WHERE stage = 'trends' ORDER BY started_at DESC LIMIT 1"
    )
    rows = await connection.fetchval("SELECT count(*) FROM trend_contributions")
    groups = await connection.fetchrow(
        "SELECT count(*), (SELECT count(*) FROM skill_trends_monthly) FROM trend_groups"
    )
    say(name, postings=rows, wall_s=wall, cpu_s=cpu, groups=groups[0], cells=groups[1],
        counts=msgspec.to_builtins(batches))  # fmt: skip
    await connection.close()


async def one_day(url: str, settings: Settings, posts: int) -> None:
    """Touch as many postings of the last month as a day brings, and drain trends."""
    connection = await pools.connect(url, None, settings)
    log = await connection.fetchval("SELECT max(position) FROM job_events")
    # Nothing is read beyond the log's head: the touched postings take its last positions, and
    # trends goes back that far. What stands there already is read again and changes nothing.
    end = log - posts
    await connection.execute(
        "WITH day AS (SELECT job_id, row_number() OVER (ORDER BY job_id) AS n FROM (SELECT m.job_id"
        " FROM job_dedupe_map m JOIN jobs_normalized j USING (job_id)"
        " WHERE m.job_id = m.canonical_job_id AND j.date_precision = 'day'"
        " ORDER BY j.date_posted DESC, m.job_id LIMIT $1) AS latest),"
        " dated AS (UPDATE jobs_normalized j SET date_posted = j.date_posted - 31 FROM day"
        " WHERE j.job_id = day.job_id)"
        " UPDATE job_dedupe_map m SET position = $2 + day.n FROM day WHERE m.job_id = day.job_id",
        posts,
        end,
    )
    await connection.execute("UPDATE stage_offsets SET position = $1 WHERE stage = 'trends'", end)
    wall, cpu = await drain_to(url, settings, log)
    say("one day's events", posts=posts, wall_s=wall, cpu_s=cpu)
    await connection.close()


async def drain_to(url: str, settings: Settings, _: int) -> tuple[float, float]:
    """Drain with a worker that is warm, as a live line's is: the start of a process is no event."""
    warm = msgspec.structs.replace(settings, executor="inline")
    return await drain(url, warm)


async def cells(url: str, settings: Settings, number: int) -> None:
    """Recount random cells, with their job ids."""
    connection = await pools.connect(url, "worker", settings)
    found = [tuple(row) for row in await connection.fetch(_CELLS)]
    drawn = random.Random(7).sample(found, min(number, len(found)))
    wrong = untraced = 0
    for cluster, country, month, skill, count, jobs in drawn:
        row = await connection.fetchrow(_RECOUNT, cluster, country, month, skill)
        wrong += (row[0], row[1]) != (count, jobs)
        ids = await connection.fetchval(
            "SELECT array_agg(job_id ORDER BY job_id) FROM trend_contributions WHERE is_counted"
            " AND month = $3 AND ($1 = '*' OR cluster = $1) AND ($2 = '*' OR country = $2)"
            " AND $4 = ANY (skills)",
            cluster,
            country,
            month,
            skill,
        )
        untraced += ids != row[2]
    say("cells recounted", cells=len(drawn), of=len(found), wrong=wrong, untraced=untraced)
    await connection.close()


async def endpoints(url: str, settings: Settings, each: int) -> None:
    """Ask every endpoint many different questions; none is answered from what was kept."""
    pool = await pools.create_pool(url, "api", settings, max_size=4)
    owner = await pools.connect(url, "api", settings)
    choose = random.Random(11)
    drawn = [tuple(r) for r in await owner.fetch(_CELLS)]
    titles = [r[0] for r in await owner.fetch(
        "SELECT title_norm FROM trend_titles ORDER BY jobs DESC, title_norm LIMIT 300"
    )]  # fmt: skip
    bosses = [r[0] for r in await owner.fetch(
        "SELECT employer FROM employer_activity WHERE title_cluster = '*' AND employer NOT IN"
        " ('', '*') ORDER BY postings DESC, employer LIMIT 300"
    )]  # fmt: skip
    groups = sorted({cell[:2] for cell in drawn})
    await owner.close()

    def asked(kind: str) -> tuple[str, dict[str, Any]]:
        cluster, country, month, skill, *_ = choose.choice(drawn)
        group = choose.choice(groups)
        return {
            "series of the whole": ("skills", {"skill": skill}),
            "series of a group": (
                "skills",
                {"skill": skill, "cluster": cluster, "country": country},
            ),
            "leading of the whole": (
                "skills",
                {"to": f"{month:%Y-%m}", "span": choose.randint(1, 24)},
            ),
            "leading of a group": ("skills", {"cluster": group[0], "country": group[1]}),
            "jobs of a cell": ("skills/jobs", {
                "skill": skill, "cluster": cluster, "country": country, "month": f"{month:%Y-%m}",
            }),
            "role": ("roles", {"title": choose.choice(titles)}),
            "adjacent": ("adjacent", {"title": choose.choice(titles)}),
            "salaries": ("salaries", {"cluster": group[0], "country": group[1]}),
            "employers": ("employers", {"employer": choose.choice(bosses)}),
            "coverage": ("coverage", {"from": f"{month:%Y-%m}"}),
        }[kind]  # fmt: skip

    async def encode(_: list[str]) -> Any:
        raise NotImplementedError

    app = make_app(settings, pool, encode, load_taxonomies())
    async with TestClient(TestServer(app)) as client:
        for kind in (
            "series of the whole", "series of a group", "leading of the whole",
            "leading of a group", "jobs of a cell", "role", "adjacent", "salaries", "employers",
            "coverage",
        ):  # fmt: skip
            seen: set[str] = set()
            times, sizes = [], []
            for _ in range(20 * each):
                path, query = asked(kind)
                key = json.dumps([path, query])
                if key in seen or len(times) >= each:
                    continue
                seen.add(key)
                started = time.perf_counter()
                answer = await client.get(f"/v1/trends/{path}", params=query)
                body = await answer.read()
                times.append((time.perf_counter() - started) * 1000)
                sizes.append(len(body))
                assert answer.status == 200, body
            times = sorted(times[1:])  # the first one plans its statements
            say(
                kind, questions=len(times), p50_ms=statistics.median(times),
                p99_ms=times[min(len(times) - 1, int(0.99 * len(times)))], kb=max(sizes) / 1000,
            )  # fmt: skip
    await pool.close()


async def measure(url: str, settings: Settings, args: argparse.Namespace) -> None:
    migrate(url)
    await fill(url, settings, args.corpus, args.copies)
    await recompute(url, settings, "full recompute")
    await cells(url, settings, args.cells)
    await endpoints(url, settings, args.questions)
    await one_day(url, settings, args.day)
    await cells(url, settings, args.cells)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("corpus", type=Path)
    flags.add_argument("--copies", type=int, default=1, help="rows that feed trends, so many times")
    flags.add_argument("--cells", type=int, default=100)
    flags.add_argument("--questions", type=int, default=200, help="per endpoint")
    flags.add_argument("--day", type=int, default=300, help="postings that a day changes")
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        quiet = msgspec.structs.replace(settings, log_level="warning", http_rate_per_min=0)
        logs.configure(quiet)
        asyncio.run(measure(url, quiet, args))


if __name__ == "__main__":
    main()
