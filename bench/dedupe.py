"""
How fast dedupe is: bare signatures, `prepare`, the whole stage with its database, one new ad; and
its recall per kind where the corpus knows its repeats.

    python bench/dedupe.py --corpus corpus.sqlite3 --rows 5000
    python bench/dedupe.py --corpus corpus.sqlite3 --rows 3000 --orders

`cpu_s` is the CPU time of this process and of its server process, which other work changes less
than the wall clock. `--orders` compares instead: the ads come in 1, 10 and 1000 parts, shuffled
over all sources, a third of them first in another version and another third closed in between; the
digests of all tables must be equal.

Everything is measured in one run on one core (the stage's two halves one after the other), so that
the ratios hold on a busy machine too. The corpus is a SQLite file with a table `jobs`. The database
is the embedded server in a temporary folder, or the empty one that DATABASE_URL names.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nextstep.db import embedded, pools
from nextstep.db.migrate import migrate
from nextstep.events.io.writes import Writer
from nextstep.processors.dedupe import DEDUPE
from nextstep.processors.shared.company import normalize_company
from nextstep.processors.shared.dedupe_rules import RULES
from nextstep.processors.shared.dedupe_text import words
from nextstep.processors.shared.dedupe_titles import (
    extra_words,
    level_conflict,
    read_title,
    stated_title,
)
from nextstep.processors.shared.minhash import Sketcher, sign
from nextstep.processors.shared.place import parse_place
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_line, clean_text
from nextstep.settings import Settings

_COLUMNS = (
    "job_id", "source", "title", "company", "company_norm", "location_raw", "city", "region",
    "country", "description_clean", "sections", "content_hash", "first_seen_at", "last_seen_at",
    "status", "position",
)  # fmt: skip
#: Rows a batch, as the runner takes them.
_BATCH = DEDUPE.batch_size or 500


def read_corpus(path: Path, rows: int) -> list[tuple[Any, ...]]:
    """Return clean rows as the clean stage would write them, positions from 1."""
    with contextlib.closing(sqlite3.connect(path)) as corpus:
        found = corpus.execute(
            "SELECT id, source, title, company, location, description_html, converted_to_text"
            " FROM jobs ORDER BY id LIMIT ?",
            (rows,),
        ).fetchall()
    return [_clean(number, *row) for number, row in enumerate(found, 1)]


def read_truth(path: Path) -> list[tuple[int, int, str]]:
    """Return which rows of the corpus repeat which; none where it has no such table."""
    with contextlib.closing(sqlite3.connect(path)) as corpus:
        if not corpus.execute("SELECT 1 FROM sqlite_master WHERE name = 'repost_truth'").fetchone():
            return []
        return corpus.execute("SELECT id, original_id, kind FROM repost_truth").fetchall()


def recall(
    truth: list[tuple[int, int, str]], rows: list[tuple[Any, ...]], canonical: dict[Any, Any]
) -> dict[str, Any]:
    """
    Return per kind how many known repeats are in one cluster.

    Counted are pairs whose known towns, countries and stated levels agree (decisions.md 20); the
    others are in `elsewhere`, and `merged` of them should not be. `vetoed` are those of the counted
    that are not found and whose titles state two subjects, or that state two regions.
    """
    ids = {row[0]: row for row in rows}
    made: dict[str, Any] = {}
    for first, second, kind in truth:
        pair = [ids.get(_job_id(number)) for number in (first, second)]
        if pair[0] is None or pair[1] is None:
            continue
        counts = made.setdefault(
            kind, {"pairs": 0, "found": 0, "elsewhere": 0, "merged": 0, "vetoed": 0}
        )
        together = canonical[pair[0][0]] == canonical[pair[1][0]]
        if _agree(pair[0], pair[1]):
            counts["pairs"] += 1
            counts["found"] += together
            counts["vetoed"] += not together and _speaks_against(pair[0], pair[1])
        else:
            counts["elsewhere"] += 1
            counts["merged"] += together
    for counts in made.values():
        counts["recall"] = round(counts["found"] / counts["pairs"], 4) if counts["pairs"] else None
    return made


def _agree(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    places = all(not (a[at] and b[at]) or a[at] == b[at] for at in (6, 8))
    return places and not level_conflict(*(read_title(stated_title(row[2])) for row in (a, b)))


def _speaks_against(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    places = " ".join(words(" ".join((*a[6:9], *b[6:9]))))
    extra = extra_words(*(read_title(stated_title(row[2]), places) for row in (a, b)), RULES)
    return all(extra) or (bool(a[7] and b[7]) and not (a[6] and b[6]) and a[7] != b[7])


def _job_id(corpus_id: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"corpus/{corpus_id}")


def _clean(  # noqa: PLR0917 - one argument per column
    number: int,
    corpus_id: int,
    source: str,
    title: str,
    company: str,
    location: str,
    html: str,
    text: str,
) -> tuple[Any, ...]:
    description = clean_text(html or "", text or "").text
    place = parse_place(location or "")
    # Spread first sights over a year, not in the order of arrival.
    seen = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number * 7919 % 525_600)
    return (
        _job_id(corpus_id), source, clean_line(title or ""),
        clean_line(company or ""), normalize_company(company or ""), clean_line(location or ""),
        place.city, place.region, place.country, description,
        [msgspec.to_builtins(section) for section in find_sections(description)], b"", seen, seen,
        "open", number,
    )  # fmt: skip


class Clock:
    """Seconds per named part."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - start


async def run_stage(
    connection: Any, sketcher: Sketcher, offset: int, head: int, clock: Clock
) -> None:
    """Bring the stage from `offset` to `head` in the runner's batches."""
    writer = Writer()
    while offset < head:
        with clock.part("database"):
            records = await connection.fetch(DEDUPE.read, offset, head, _BATCH)
        rows = [DEDUPE.row(*record) for record in records]
        offset = rows[-1].position
        with clock.part("prepare"):
            prepared = DEDUPE.prepare(sketcher, rows)
        found: dict[str, list[tuple[Any, ...]]] = {}
        for lookup in DEDUPE.lookups:
            with clock.part("decide"):
                args = lookup.args(rows, prepared, found)
            with clock.part("database"):
                found[lookup.name] = [tuple(r) for r in await connection.fetch(lookup.sql, *args)]
        with clock.part("decide"):
            writes = DEDUPE.decide(None, rows, prepared, found)
        with clock.part("database"):
            async with connection.transaction():
                await writer.apply(connection, writes.ops)


async def measure(
    url: str, settings: Settings, rows: list[tuple[Any, ...]], truth: list[tuple[int, int, str]]
) -> dict[str, Any]:
    """Return every figure of one run; the last ads are added one by one."""
    assert DEDUPE.setup is not None
    sketcher = DEDUPE.setup(settings)
    folded = [words(row[9]) for row in rows]
    clock = Clock()
    with clock.part("signatures"):
        for found in folded:
            sign(sketcher, found)
    single = min(200, len(rows) // 10)
    bulk, late = rows[:-single], rows[-single:]
    connection = await pools.connect(url, "worker", settings)
    try:
        await connection.copy_records_to_table("jobs_normalized", records=bulk, columns=_COLUMNS)
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        served = _cpu_s(backend)
        start, spent = time.perf_counter(), time.process_time()
        await run_stage(connection, sketcher, 0, len(bulk), clock)
        whole = time.perf_counter() - start
        client_s, now = time.process_time() - spent, _cpu_s(backend)
        server_s = now - served if now is not None and served is not None else None
        each = []
        for row in late:
            await connection.copy_records_to_table(
                "jobs_normalized", records=[row], columns=_COLUMNS
            )
            start = time.perf_counter()
            await run_stage(connection, sketcher, row[-1] - 1, row[-1], Clock())
            each.append((time.perf_counter() - start) * 1000)
        counted = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM dedupe_groups),"
            " (SELECT count(*) FROM job_duplicate_pairs), (SELECT count(*) FROM job_clusters)"
        )
        assert counted is not None  # one row, always
        groups, pairs, clusters = counted
        mapped = await connection.fetch("SELECT job_id, canonical_job_id FROM job_dedupe_map")
        canonical = {row["job_id"]: row["canonical_job_id"] for row in mapped}
    finally:
        await connection.close()
    signatures_s = len(rows) / clock.spent["signatures"]
    prepare_s = len(bulk) / clock.spent["prepare"]
    stage_s = len(bulk) / whole
    return {
        "ads": len(rows),
        "groups": groups,
        "pairs": pairs,
        "clusters": clusters,
        "bare_signatures_per_s": round(signatures_s),
        "prepare_per_s": round(prepare_s),
        "prepare_to_bare": round(prepare_s / signatures_s, 2),
        "stage_per_s": round(stage_s),
        "stage_to_bare": round(stage_s / signatures_s, 2),
        "recall": recall(truth, rows, canonical),
        "cpu_s": {"client": client_s, "server": server_s},
        "parts_s": {name: round(spent, 2) for name, spent in clock.spent.items()},
        "one_ad_ms": {
            "p50": round(statistics.median(each), 1),
            "p99": round(sorted(each)[int(len(each) * 0.99) - 1], 1),
        },
    }


def _cpu_s(process: int) -> float | None:
    """Return the CPU seconds of a process of this machine; None where it is none."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text("ascii").split()[0]) / 1e9
    except OSError:
        return None


async def compare_orders(
    url: str, settings: Settings, rows: list[tuple[Any, ...]]
) -> dict[str, Any]:
    """Return one digest of all tables per number of parts, and whether they are equal."""
    assert DEDUPE.setup is not None
    sketcher = DEDUPE.setup(settings)
    connection = await pools.connect(url, "worker", settings)
    digests: dict[str, str] = {}
    try:
        for parts in (1, 10, 1000):
            for table in (*DEDUPE.tables, "jobs_normalized"):
                await connection.execute(f"DELETE FROM {table}")
            await _arrive(connection, sketcher, rows, parts)
            digests[str(parts)] = await _digest(connection)
    finally:
        await connection.close()
    return {"ads": len(rows), "equal": len(set(digests.values())) == 1, "digests": digests}


async def _arrive(
    connection: Any, sketcher: Sketcher, rows: list[tuple[Any, ...]], parts: int
) -> None:
    chance = random.Random(parts)
    late = [(row[0], row) for row in rows]
    early = []
    for number, row in enumerate(rows):
        values = dict(zip(_COLUMNS, row, strict=True))
        if number % 3 == 0:  # another ad's text and town first, then revised
            other = dict(zip(_COLUMNS, rows[number - 1], strict=True))
            values |= {name: other[name] for name in ("description_clean", "sections", "city")}
        elif number % 3 == 1:  # closed, then opened again
            values["status"] = "closed"
        else:
            continue
        early.append((row[0], tuple(values[name] for name in _COLUMNS)))
    chance.shuffle(early)
    chance.shuffle(late)
    # Both halves mixed; a job's own early version stands before its late one.
    last = {job_id: place for place, (job_id, _) in enumerate(late)}
    keyed = [(float(place), row) for place, (_, row) in enumerate(late)]
    keyed += [(chance.random() * last[job_id] - 0.5, row) for job_id, row in early]
    steps = [row for _, row in sorted(keyed, key=lambda step: step[0])]
    size = -(-len(steps) // parts)
    position = 0
    for start in range(0, len(steps), size):
        part = steps[start : start + size]
        begin = position
        newest = {row[0]: row for row in part}  # of two versions in one file clean leaves the later
        await connection.execute(
            "DELETE FROM jobs_normalized WHERE job_id = ANY($1::uuid[])", list(newest)
        )
        stamped = []
        for row in newest.values():
            position += 1
            stamped.append((*row[:-1], position))
        await connection.copy_records_to_table("jobs_normalized", records=stamped, columns=_COLUMNS)
        await run_stage(connection, sketcher, begin, position, Clock())


async def _digest(connection: Any) -> str:
    made = hashlib.sha256()
    for table, columns in DEDUPE.digest_columns.items():
        names = ", ".join(columns)
        records = await connection.fetch(f"SELECT {names} FROM {table} ORDER BY {names}")
        for record in records:
            made.update(repr((table, *record)).encode())
    return made.hexdigest()


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--orders", action="store_true", help="compare orders of arrival instead")
    options = parser.parse_args()
    rows, truth = read_corpus(options.corpus, options.rows), read_truth(options.corpus)
    home = Path(tempfile.mkdtemp(prefix="nextstep-bench-"))
    home.chmod(0o711)
    settings = Settings(home=home, database_url=os.environ.get("DATABASE_URL"))
    try:
        with embedded.running(settings) as url:
            migrate(url, settings)
            work = (
                compare_orders(url, settings, rows)
                if options.orders
                else measure(url, settings, rows, truth)
            )
            print(json.dumps(asyncio.run(work), indent=2))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
