"""
How fast extract is: the bare automaton scan, skills and tools alone, and the whole stage; beside
them flashtext and spaCy's PhraseMatcher with the same written forms (those that are installed:
pip install flashtext spacy).

    python bench/extract.py --corpus corpus.sqlite3 --rows 1000

One core, all in one run and in turn, so that the ratios hold on a busy machine too. The corpus is
a SQLite file with a table `jobs`. Start-up and memory are those of this process.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import json
import resource
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec

from nextstep.processors.extract import EXTRACT, EntityRow
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared import titles
from nextstep.processors.shared.extraction import Kit, build_kit
from nextstep.processors.shared.folding import fold
from nextstep.processors.shared.mentions import extract_skills_tools
from nextstep.processors.shared.place import parse_place
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_line, clean_text
from nextstep.processors.shared.titles import normalize_title

#: So many ads of 500 words are asked a second and core; ads of about that length are measured,
#: since part of the work (title, place) is the same for a short ad.
WORDS = 500
SPREAD = 100
ASKED = 800


def main() -> None:
    """Print the figures as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="SQLite file with a table jobs")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    start = time.perf_counter()
    taxonomies = load_taxonomies()
    loaded = time.perf_counter()
    kit = build_kit(taxonomies)
    built = time.perf_counter()
    parse_place("Berlin")  # reads the gazetteer
    normalize_title("Data Analyst", kit.titles)
    ready = time.perf_counter()
    rows = read_rows(args.corpus, args.rows)
    words = sum(len((row.description_clean or "").split()) for row in rows)
    figures = measure(kit, rows, args.rounds)
    per_ad = {name: seconds / len(rows) for name, seconds in figures.items()}
    of_500 = WORDS / (words / len(rows))
    print(
        json.dumps(
            {
                "ads": len(rows),
                "words_an_ad": round(words / len(rows)),
                "ads_per_s": {name: round(1 / seconds) for name, seconds in per_ad.items()},
                "ads_of_500_words_per_s": round(1 / (per_ad["stage"] * of_500)),
                "asked": ASKED,
                "stage_to_bare_scan": round(figures["stage"] / figures["bare scan"], 2),
                "start_s": {
                    "taxonomies": round(loaded - start, 2),
                    "automaton": round(built - loaded, 2),
                    "gazetteer and titles": round(ready - built, 2),
                },
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            },
            indent=1,
        )
    )


def read_rows(corpus: Path, count: int) -> list[EntityRow]:
    """Return ads of about WORDS words, evenly from the corpus, cleaned as the clean stage does."""
    with contextlib.closing(sqlite3.connect(corpus)) as connection:
        total = connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
        found = connection.execute(
            "SELECT title, location, salary, employment_type, description_html, converted_to_text"
            " FROM jobs WHERE id % ? = 0 ORDER BY id",
            (max(1, total // (8 * count)),),
        )
        rows: list[EntityRow] = []
        for number, fields in enumerate(found, 1):
            row = _row(number, *fields)
            if abs(len((row.description_clean or "").split()) - WORDS) <= SPREAD:
                rows.append(row)
            if len(rows) == count:
                break
    return rows


def _row(  # noqa: PLR0917 - one argument per column
    number: int, title: str, place: str, pay: str, kind: str, html: str, text: str
) -> EntityRow:
    clean = clean_text(html or "", text or "").text
    sections = [msgspec.to_builtins(section) for section in find_sections(clean)]
    job = UUID(int=number)
    return EntityRow(
        number, job, job, "open", clean_line(title or ""), clean_line(place or ""),
        clean_line(pay or ""), clean_line(kind or ""), clean, sections,
    )  # fmt: skip


def measure(kit: Kit, rows: Sequence[EntityRow], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each way over all rows, the ways taken in turn."""
    texts = [row.description_clean or "" for row in rows]
    ways: dict[str, Callable[[], object]] = {
        "bare scan": lambda: [kit.matcher.scan(fold(text).text) for text in texts],
        "skills and tools": lambda: [
            extract_skills_tools(row.description_clean or "", row.sections or [], kit.matcher)
            for row in rows
        ],
        "stage": lambda: _stage(kit, rows),
    }
    if importlib.util.find_spec("flashtext"):
        processor = _flashtext(kit)
        ways["flashtext, forms only"] = lambda: [
            processor.extract_keywords(fold(text).text, span_info=True) for text in texts
        ]
    if importlib.util.find_spec("spacy"):
        find = _phrase_matcher(kit)
        ways["spaCy PhraseMatcher, forms only"] = lambda: [find(text) for text in texts]
    # flashtext's tree of dictionaries would slow the collector for all of them.
    gc.collect()
    gc.freeze()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _flashtext(kit: Kit) -> Any:
    """Return a flashtext processor that knows every written form; it takes no rules."""
    processor = importlib.import_module("flashtext").KeywordProcessor()
    for text, pattern in zip(kit.matcher.texts, kit.matcher.patterns, strict=True):
        if pattern.forms and not pattern.pad:
            processor.add_keyword(text)
    return processor


def _phrase_matcher(kit: Kit) -> Callable[[str], object]:
    """Return a blank pipeline's PhraseMatcher over lower-cased words; it takes no rules either."""
    nlp = importlib.import_module("spacy").blank("en")
    nlp.max_length = 10_000_000
    matcher = importlib.import_module("spacy.matcher").PhraseMatcher(nlp.vocab, attr="LOWER")
    forms = [
        text
        for text, pattern in zip(kit.matcher.texts, kit.matcher.patterns, strict=True)
        if pattern.forms and not pattern.pad
    ]
    matcher.add("form", list(nlp.tokenizer.pipe(forms)))
    return lambda text: matcher(nlp.make_doc(text))


def _stage(kit: Kit, rows: Sequence[EntityRow]) -> object:
    # As on a corpus seen for the first time: only repeats within it are remembered.
    parse_place.cache_clear()
    titles.forget()
    return EXTRACT.prepare(kit, list(rows))


if __name__ == "__main__":
    main()
