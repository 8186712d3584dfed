"""
Loading a packed database against the bare ceiling: COPY of the same files, nothing else.

    python bench/artifacts.py corpus.sqlite3 [--rows N]

The corpus is appended and drained (without vectors; those are made up, one per canonical job), then
packed, and loaded into a second database. The ceiling copies the same CSV files into tables of the
same columns and keys, in one transaction: no checks of files or chain, no other indexes, no
digests. Both print their rows.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import psycopg
from common import database, parser, say
from psycopg import sql

from nextstep.db.dsn import with_database
from nextstep.db.migrate import migrate
from nextstep.events.io.line import run_line
from nextstep.events.stage import Stage
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ops.artifacts.layout import Manifest
from nextstep.ops.artifacts.load import load
from nextstep.ops.artifacts.pack import pack
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings

_VECTORS = """
INSERT INTO job_embeddings (job_id, model_name, recipe, dim, text_hash, embedding)
SELECT job_id, 'bench', 'bench', 384, sha256(uuid_send(job_id)),
       (SELECT array_agg(sin(m.position * g)::real) FROM generate_series(1, 384) g)::vector
  FROM job_dedupe_map m WHERE job_id = canonical_job_id
"""


def new_database(url: str, name: str) -> str:
    """Make a migrated database beside the given one and return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    made = with_database(url, name)
    migrate(made)
    return made


def ceiling(url: str, manifest: Manifest, folder: Path) -> tuple[int, float]:
    """Return (rows, seconds) of copying every file into its table, keys only."""
    rows = 0
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = public")
        for name in cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index i"
            " WHERE indrelid = ANY (%s::regclass[]) AND NOT EXISTS"
            " (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)",
            [[table.name for table in manifest.tables]],
        ).fetchall():
            cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name[0])))
        started = time.perf_counter()
        for table in manifest.tables:
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            target = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER)").format(
                sql.Identifier(table.name), columns
            )
            with cursor.copy(target) as copy, (folder / table.file).open("rb") as handle:
                while block := handle.read(1024 * 1024):
                    copy.write(block)
            rows += cursor.rowcount
        connection.commit()
    return rows, time.perf_counter() - started


def measure(url: str, settings: Settings, args: argparse.Namespace) -> None:
    stages: list[Stage] = [s for s in line_stages(settings) if not s.name.startswith("embed:")]
    asyncio.run(ingest_files(settings, url, [args.corpus], IngestOptions(rows=args.rows)))
    asyncio.run(run_line(url, settings, stages, once=True))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_VECTORS)
    with tempfile.TemporaryDirectory(prefix="nextstep-bench-") as held:
        folder = Path(held) / "artifact"
        started = time.perf_counter()
        manifest = pack(url, folder, line_stages(settings))
        size = sum(table.size_bytes for table in manifest.tables)
        say("pack", posts=manifest.rows("jobs_normalized"), mb=size / 1e6,
            s=time.perf_counter() - started)  # fmt: skip
        for round_number in range(args.rounds):
            target = new_database(url, f"loaded_{round_number}")
            report = load(target, folder, settings, line_stages(settings), accept_nulls=True)
            bare = new_database(url, f"bare_{round_number}")
            rows, seconds = ceiling(bare, manifest, folder)
            say("load", rows=sum(report.rows.values()), verify_s=report.verify_s,
                copy_s=report.copy_s, index_s=report.index_s, check_s=report.check_s)  # fmt: skip
            say("ceiling", rows=rows, s=seconds, ratio=seconds / report.copy_s)


def main() -> None:
    flags = parser(__doc__)
    flags.set_defaults(rounds=3)
    flags.add_argument("corpus", type=Path)
    flags.add_argument("--rows", type=int, help="read at most so many posts")
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        measure(url, settings, args)


if __name__ == "__main__":
    main()
