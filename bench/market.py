"""
A database of many jobs for the match benches: real posts through the line, then copies of them.

    python bench/market.py corpus.sqlite3 --home DIR [--jobs 100000]

The corpus is bootstrapped as it is. Each of its open clusters is then copied until there are
`--jobs`: a copy has an id, an employer and a date of its own, and a vector that lies at a cosine
of about 0.85 to that of its original (seeded noise, as in the first measurements of pgvector).
So texts, titles, places and skills are distributed as in the corpus, near neighbours are many, and
a recall taken here is one of real vectors with noise, not of 100,000 encoded posts.

Copies have the source "one-in-20", "one-in-200" or "rest", in those shares and without regard to
their content: filters of a known size. The log itself is not copied: a match does not read it.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import say

from nextstep.db import embedded, pools
from nextstep.db.migrate import connected, migrate
from nextstep.db.vector_index import ensure_vector_index
from nextstep.processors.embed import recipe_name
from nextstep.processors.io.model_files import short_name
from nextstep.settings import Settings

#: Length of the noise against that of the vector: cosine 1 / sqrt(1 + 0.62²) = 0.85.
NOISE = 0.62

_ORIGINALS = """
SELECT vector.job_id, vector.dim, vector.embedding FROM job_embeddings AS vector
JOIN job_clusters AS cluster ON cluster.canonical_job_id = vector.job_id
WHERE vector.model_name = $1 AND vector.recipe = $2 AND cluster.status = 'open'
ORDER BY vector.job_id
"""

#: Of every copy: id, original, number. What else differs follows from the id.
_COPIES = "CREATE TEMP TABLE copies (job_id uuid, original uuid, number int)"

_TABLES = (
    """
INSERT INTO jobs_normalized (job_id, source, source_job_id, url, title, title_norm, title_cluster,
  company, company_norm, location_raw, city, region, country, work_mode, date_posted,
  employment_type, employment_type_raw, salary_raw, description_clean, sections, date_precision,
  language, content_hash, first_seen_at, last_seen_at, status, position)
SELECT copies.job_id,
  CASE WHEN draw.share < 0.05 THEN 'one-in-20' WHEN draw.share < 0.055 THEN 'one-in-200'
       ELSE 'rest' END,
  copies.job_id::text, url, title, title_norm, title_cluster,
  company || ' ' || number, company_norm || ' ' || number, location_raw, city, region, country,
  work_mode, date_posted - (draw.share * 60)::int, employment_type, employment_type_raw,
  salary_raw, description_clean, sections, date_precision, language, content_hash, first_seen_at,
  last_seen_at, 'open', job.position
FROM copies
JOIN job_clusters AS cluster ON cluster.canonical_job_id = copies.original
JOIN jobs_normalized AS job ON job.job_id = cluster.latest_open_job_id,
LATERAL (SELECT ('x' || substr(md5(copies.job_id::text), 1, 7))::bit(28)::int / 268435456.0) AS
  draw (share)
""",
    """
INSERT INTO job_dedupe_map (job_id, canonical_job_id, similarity, rule, position)
SELECT copies.job_id, copies.job_id, 1, 'alone', position
FROM copies JOIN job_dedupe_map AS map ON map.job_id = original
""",
    """
INSERT INTO job_clusters (canonical_job_id, status, latest_open_job_id, members)
SELECT job_id, 'open', job_id, 1 FROM copies
""",
    """
INSERT INTO job_entities (job_id, skills, tools, education, experience_min, experience_max,
  salary_min, salary_max, salary_currency, salary_period, seniority, employment_type, title_norm,
  title_cluster, city, region, country, work_mode, confidence, evidence, position)
SELECT copies.job_id, skills, tools, education, experience_min, experience_max,
  salary_min, salary_max, salary_currency, salary_period, seniority, employment_type, title_norm,
  title_cluster, city, region, country, work_mode, confidence, evidence, position
FROM copies JOIN job_entities AS entity ON entity.job_id = original
""",
)


async def multiply(url: str, settings: Settings, jobs: int, *, seed: int = 5) -> int:
    """Copy the open clusters of a database until it has `jobs` vectors; return how many it has."""
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    connection = await pools.connect(url, None, settings)
    try:
        rows = await connection.fetch(_ORIGINALS, model, recipe)
        dim = rows[0]["dim"]
        originals = np.stack([row["embedding"].to_numpy() for row in rows])
        wanted = max(0, jobs - len(rows))
        numbers = np.arange(wanted)
        which, copy = numbers % len(rows), numbers // len(rows) + 1
        draw = np.random.default_rng(seed)
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(_COPIES)
        ids = await connection.fetch(
            "SELECT md5(original::text || number)::uuid AS job_id, original, number"
            " FROM unnest($1::uuid[], $2::int[]) AS one (original, number)",
            [rows[i]["job_id"] for i in which],
            copy.tolist(),
        )
        await connection.copy_records_to_table("copies", records=ids)
        await connection.execute("ANALYZE copies")
        for statement in _TABLES:
            await connection.execute(statement)
        for start in range(0, wanted, 5000):
            part = originals[which[start : start + 5000]]
            noise = draw.standard_normal(part.shape, dtype=np.float32) * (NOISE / np.sqrt(dim))
            moved = part + noise
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            await connection.copy_records_to_table(
                "job_embeddings",
                columns=["job_id", "model_name", "recipe", "dim", "text_hash", "embedding"],
                records=[
                    (ids[start + i]["job_id"], model, recipe, dim, b"copy", vector)
                    for i, vector in enumerate(moved)
                ],
            )
        return len(rows) + wanted
    finally:
        await connection.close()


def build_index(url: str, settings: Settings) -> float:
    """Build the planned vector index and the statistics; return seconds."""
    started = time.perf_counter()
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    with connected(url) as connection:
        found = connection.execute("SELECT max(dim) FROM job_embeddings").fetchone()
        dim = int(str(found[0])) if found else 0
    ensure_vector_index(url, settings, model, recipe, dim)
    with connected(url) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return time.perf_counter() - started


def main() -> None:
    """Fill the database under `--home` and print its size."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("corpus", type=Path)
    flags.add_argument("--home", type=Path, required=True)
    flags.add_argument("--jobs", type=int, default=100_000)
    args = flags.parse_args()
    settings = Settings(home=args.home)
    line = [sys.executable, "-m", "nextstep", "--home", str(args.home)]
    subprocess.run(
        [*line, "bootstrap", str(args.corpus), "--source", "real"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with embedded.running(settings) as url:
        migrate(url)
        started = time.perf_counter()
        jobs = asyncio.run(multiply(url, settings, args.jobs))
        copied_s = time.perf_counter() - started
        figures: dict[str, Any] = {"jobs": jobs, "copied_s": copied_s}
        say("market", **figures, index_s=build_index(url, settings))


if __name__ == "__main__":
    main()
