"""
Which text to embed: retrieval quality per second of recipes, on real posts, in one run.

Three measures, all on the same jobs and with the encoder that the settings choose:

- `reposts`: the text of a post as the query; mean reciprocal rank (at 10) of the known repost of it
  (`repost_truth` of the corpus), every other post in between. Recall of what is the same job.
- `wanted`: what a post asks for (its requirement part, from the clean text) as a profile;
  reciprocal rank of that post among all, where the recipe saw the posts *without* that part. It is
  what a profile does: it says what somebody can, and has to find the work.
- `cluster`: of a post's ten nearest by other employers, the part of the same title cluster, over
  posts whose cluster has eleven or more such; a cluster is made of the title alone.

    python bench/recipes.py CORPUS.sqlite3 [--rows 800] [--home FOLDER]
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from common import say

from nextstep.cli.extract import AdLine, clean_ad
from nextstep.processors.io.encoder import TextEncoder, load_encoder
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.extraction import Kit, build_kit, extract
from nextstep.processors.shared.language import load_model
from nextstep.processors.shared.normal import Context
from nextstep.processors.shared.recipes import title_body, title_skills_role
from nextstep.processors.shared.sections import REQUIREMENTS
from nextstep.settings import Settings

Text = Callable[[str, str, Sequence[dict[str, Any]], Sequence[str]], str]
#: Name, how the text is made, and where it is cut, in tokens.
RECIPES: tuple[tuple[str, Text, int], ...] = (
    ("title-body-1000@128", title_body, 128),
    ("title-body-1000@256", title_body, 256),
    ("title-skills-role@128", title_skills_role, 128),
    ("title-skills-role@256", title_skills_role, 256),
)
#: Characters of a requirement part that make a profile of some length.
_LEAST_WANTED = 200
_NEAREST = 10
_PAIRS = "SELECT id, original_id FROM repost_truth WHERE id <= ? AND original_id <= ? ORDER BY id"
_JOBS = """
SELECT id, title, company, location, description_html, converted_to_text FROM jobs
 WHERE id <= ? ORDER BY id
"""


class Job(msgspec.Struct, frozen=True):
    """A real post as the stage in front would hand it on."""

    id: int
    title: str
    company: str
    text: str
    sections: list[dict[str, Any]]
    skills: list[str]
    cluster: str

    def wanted(self) -> str:
        """Return what the post asks for."""
        parts = (self.text[s["start"] : s["end"]] for s in self._requirements())
        return " ".join(" ".join(parts).split())

    def without_wanted(self) -> tuple[str, list[dict[str, Any]]]:
        """Return text and sections with the requirement part blanked, offsets kept."""
        text = self.text
        for section in self._requirements():
            gap = " " * (section["end"] - section["start"])
            text = text[: section["start"]] + gap + text[section["end"] :]
        return text, [s for s in self.sections if s["kind"] != REQUIREMENTS]

    def _requirements(self) -> list[dict[str, Any]]:
        return [s for s in self.sections if s["kind"] == REQUIREMENTS]


def read_jobs(corpus: Path, rows: int) -> tuple[list[Job], list[tuple[int, int]]]:
    """Return so many posts, those with a known repost first, and the pairs as places."""
    connection = sqlite3.connect(corpus)
    reach = rows * 5
    pairs = connection.execute(_PAIRS, (reach, reach)).fetchall()
    paired = {number for pair in pairs for number in pair}
    found = connection.execute(_JOBS, (reach,)).fetchall()
    ordered = sorted(found, key=lambda row: (row[0] not in paired, row[0]))[:rows]
    taxonomies = load_taxonomies(None)
    kit, context = build_kit(taxonomies), Context(taxonomies, load_model())
    jobs = [_job(row, kit, context) for row in ordered]
    place = {job.id: number for number, job in enumerate(jobs)}
    return jobs, [(place[a], place[b]) for a, b in pairs if a in place and b in place]


def _job(row: tuple[Any, ...], kit: Kit, context: Context) -> Job:
    number, title, company, location, html, text = row
    ad = clean_ad(
        AdLine(
            id=number, title=title, company=company, location=location, html=html or None, text=text
        ),
        context,
    )
    said = extract(ad, kit)
    return Job(
        id=number,
        title=ad.title,
        company=ad.company,
        text=ad.description_clean,
        sections=[msgspec.to_builtins(section) for section in ad.sections],
        skills=[value.name for value in (*said.tools, *said.skills)],
        cluster=said.title_cluster or "",
    )


def reciprocal(similar: Any, right: int) -> float:
    """Return 1 / rank of the right place, 0 where it is not among the first ten."""
    rank = int((similar > similar[right]).sum()) + 1
    return 1 / rank if rank <= _NEAREST else 0.0


def measure(
    encoder: TextEncoder, make: Text, jobs: Sequence[Job], pairs: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    """Return the figures of one recipe; seconds are CPU time of this process."""
    texts = [make(job.title, job.text, job.sections, job.skills) for job in jobs]
    started = time.process_time()
    vectors = encoder.passages(texts)
    seconds = time.process_time() - started
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -1)
    reposts = [reciprocal(similar[a], b) for pair in pairs for a, b in (pair, pair[::-1])]

    asked = [n for n, job in enumerate(jobs) if len(job.wanted()) >= _LEAST_WANTED]
    # Skills named in the requirement part would give it away.
    blind = [jobs[n].without_wanted() for n in asked]
    seen = vectors.copy()
    seen[asked] = encoder.passages(
        [
            make(
                jobs[n].title, text, parts, [s for s in jobs[n].skills if s.lower() in text.lower()]
            )
            for n, (text, parts) in zip(asked, blind, strict=True)
        ]
    )
    profiles = encoder.queries([jobs[n].wanted() for n in asked])
    wanted = [reciprocal(line, n) for line, n in zip(profiles @ seen.T, asked, strict=True)]
    return {
        "per_cpu_s": round(len(jobs) / seconds, 1),
        "reposts": round(float(np.mean(reposts)), 4) if reposts else None,
        "wanted": round(float(np.mean(wanted)), 4),
        "cluster": round(clusters(similar, jobs), 4),
        "of": [len(reposts), len(wanted)],
    }


def clusters(similar: Any, jobs: Sequence[Job]) -> float:
    """Return the mean part of the same cluster among a job's ten nearest of other employers."""
    names = np.array([job.cluster for job in jobs])
    companies = np.array([job.company for job in jobs])
    sizes = Counter(names.tolist())
    shares = []
    for number, job in enumerate(jobs):
        if not job.cluster or sizes[job.cluster] <= _NEAREST:
            continue
        line = np.where(companies == job.company, -1, similar[number])
        nearest = np.argsort(-line, kind="stable")[:_NEAREST]
        shares.append(float((names[nearest] == job.cluster).mean()))
    return float(np.mean(shares)) if shares else 0.0


def main() -> None:
    """Measure every recipe on the same posts and print a line of JSON for each."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("corpus", type=Path)
    flags.add_argument("--rows", type=int, default=800)
    flags.add_argument("--home", type=Path, help="where the prepared model lies")
    args = flags.parse_args()
    jobs, pairs = read_jobs(args.corpus, args.rows)
    base = Settings(executor="inline", embedding_threads=1)
    if args.home:
        base = msgspec.structs.replace(base, home=args.home)
    for name, make, tokens in RECIPES:
        encoder = load_encoder(msgspec.structs.replace(base, embedding_max_tokens=tokens))
        encoder.passages([job.title for job in jobs[:32]])
        say("recipe", recipe=name, posts=len(jobs), **measure(encoder, make, jobs, pairs))


if __name__ == "__main__":
    main()
