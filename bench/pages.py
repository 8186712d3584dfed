"""
Server time and transferred bytes of the main pages, as a browser asks for them.

    python bench/pages.py --serve http://127.0.0.1:8080 [--token TOKEN] [--rounds 40]
    python bench/pages.py [--url postgresql://...] [--rounds 40]

Without `--serve` a server of its own is started, on the database of `--url` or the configured one
(DATABASE_URL, else the embedded server under NEXTSTEP_HOME), and stopped at the end. Every round
asks each page a question of its own where it has questions, one after the other, so that no answer
is one that is kept (but for the sources, which are read once a minute). Times are those of
Server-Timing, bytes those on the wire (gzip); stylesheet and scripts, which browsers keep, are
added before the sum is held against its bound.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice, pairwise
from urllib.parse import quote

import aiohttp
from common import say
from load import serving

from nextstep.db import embedded
from nextstep.settings import load_settings

#: What was asked of a page at 100,000 jobs.
MOST_MS, MOST_BYTES = 100, 150_000
_WORDS = (
    "engineer", "data", "nurse", "python developer", "analyst berlin", "manager", "react",
    "machine learning", "sales", "remote devops", "accountant", "security", "java", "marketing",
    "product manager", "kubernetes", "teacher", "sql", "driver", "research scientist",
)  # fmt: skip
_SKILLS = (
    "Python", "SQL", "React", "JavaScript", "Java", "Docker", "Kubernetes", "Excel",
    "Machine Learning", "Statistics", "Communication", "AWS", "Linux", "Git", "Tableau",
    "Power BI", "Spark", "Angular", "jQuery", "Project Management",
)  # fmt: skip
_TITLES = ("Data Engineer", "Data Analyst", "Data Scientist", "Software Engineer")
_ID = re.compile(r'href="/jobs/([0-9a-f-]{36})"')
_STATIC = re.compile(r'(?:href|src)="(/static/[^"]+)"')
_TOTAL = re.compile(r"total;dur=([\d.]+)")


def main() -> None:
    """Print a line per page, and one that says whether all of them keep the bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--serve", help="the address of a running server")
    parser.add_argument("--url", help="start a server on this database")
    parser.add_argument("--token", help="where the server needs one: of the scopes read, match")
    parser.add_argument("--rounds", type=int, default=40, help="requests per page (default 40)")
    args = parser.parse_args()
    if args.serve:
        asyncio.run(measure(args.serve.rstrip("/"), args.token, args.rounds))
    else:
        with running(args.url) as url, serving(url, "auto") as (address, _):
            asyncio.run(measure(address, args.token, args.rounds))


@contextmanager
def running(url: str | None) -> Iterator[str]:
    """Yield the database: the one named, else that of the settings."""
    if url:
        yield url
        return
    with embedded.running(load_settings(environ=os.environ)) as found:
        yield found


async def measure(address: str, token: str | None, rounds: int) -> None:
    """Ask every page `rounds` times, and say what it took."""
    headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    # Not unpacked: what is counted is what travels.
    async with aiohttp.ClientSession(headers=headers, auto_decompress=False) as session:
        await ready(session, address)
        jobs = await some_jobs(address, headers)
        results = []
        for name, paths in pages(jobs).items():
            await ask(session, address + paths[0])  # what the first request reads once
            asked = list(islice(cycle(paths[1:] or paths), rounds))
            found = [await ask(session, address + path) for path in asked]
            times, sizes = sorted(ms for ms, _ in found), [size for _, size in found]
            p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
            results.append((name, statistics.median(times), p95, max(sizes)))
        static = await shared_bytes(session, address, headers)
    for name, p50, p95, size in results:
        say(name, p50_ms=round(p50, 1), p95_ms=round(p95, 1), bytes=size)
    slow = [name for name, _, p95, _ in results if p95 > MOST_MS]
    large = [name for name, _, _, size in results if size + static > MOST_BYTES]
    say("all", rounds=rounds, static_bytes=static, over_100_ms=slow, over_150_kB=large)


async def ready(session: aiohttp.ClientSession, address: str) -> None:
    """Wait until the model is warm."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        async with session.get(f"{address}/readyz") as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.5)
    raise SystemExit("the server is not ready: see /readyz")


async def some_jobs(address: str, headers: dict[str, str]) -> list[str]:
    """Return ids of jobs that a search finds."""
    found: dict[str, None] = {}
    async with aiohttp.ClientSession(headers=headers) as session:
        for words in _WORDS:
            async with session.get(f"{address}/search", params={"q": words}) as answer:
                found |= dict.fromkeys(_ID.findall(await answer.text()))
    if not found:
        raise SystemExit("no search finds a job: is the database filled, and does the token match?")
    return list(found)


def pages(jobs: list[str]) -> dict[str, list[str]]:
    """Return each page with addresses of it; the first one is asked to warm up."""
    return {
        "match form": ["/"],
        "match": [f"/?skill={quote(a)}&skill={quote(b)}" for a in _SKILLS for b in _SKILLS[:4]],
        "search": ["/search?q=warm", *(f"/search?q={quote(words)}" for words in _WORDS)],
        "job": [f"/jobs/{job}" for job in jobs],
        "trends: leading skills": [f"/trends?span={span}" for span in range(3, 25)],
        "trends: two series": [
            f"/trends?skill={quote(a)}&skill={quote(b)}"
            for a, b in pairwise(_SKILLS)
        ],
        "trends: a role": [f"/trends/roles?title={quote(t)}&span={s}"
                           for s in range(6, 18) for t in _TITLES],
        "trends: pay": [f"/trends/salaries?from=20{year}-01" for year in range(10, 25)],
        "trends: employers": [f"/trends/employers?limit={most}" for most in range(10, 50)],
        "trends: coverage": ["/trends/coverage"],
        "trends: postings": [f"/trends/skills/jobs?skill={quote(skill)}" for skill in _SKILLS],
        "console": ["/console"],
        "dead letters": ["/console/dead-letters"],
        "sources": ["/console/sources"],
        "API": ["/api"],
    }  # fmt: skip


async def ask(session: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    """Return milliseconds in the server and bytes of the body on the wire."""
    async with session.get(url) as answer:
        body = await answer.read()
        if answer.status != 200:
            raise SystemExit(f"{url}: {answer.status}")
        total = _TOTAL.search(answer.headers["Server-Timing"])
    assert total is not None
    return float(total[1]), len(body)


async def shared_bytes(
    session: aiohttp.ClientSession, address: str, headers: dict[str, str]
) -> int:
    """Return the bytes of the files that pages share."""
    async with aiohttp.ClientSession(headers=headers) as plain:
        texts = []
        for path in ("/search", "/console"):
            async with plain.get(address + path) as answer:
                texts.append(await answer.text())
    files = sorted({file for text in texts for file in _STATIC.findall(text)})
    return sum([(await ask(session, address + file))[1] for file in files])


if __name__ == "__main__":
    main()
