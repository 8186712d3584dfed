"""
Cleaning: ads per second and core against the naive way, on the same ads in one run.

    python bench/clean.py FILE.csv.gz [FILE.csv.gz ...] [--ads 600]

The naive way is ftfy.fix_text on every ad and lexbor's own text(), which loses lists and breaks.
With beautifulsoup4 installed, its get_text() + fix_text is measured too. The files have the columns
description_html and description_text. Rates are of CPU time, the best of three rounds, each over
ads of its own, so that nothing is fast because it was just seen; compare only within one run.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib
import importlib.util
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ftfy
from selectolax.lexbor import LexborHTMLParser

from nextstep.events.model import JobPost
from nextstep.processors.clean import CLEAN
from nextstep.processors.shared.language import detect_language, load_model
from nextstep.processors.shared.normal import normalize_post
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Settings

Ad = dict[str, str]
ROUNDS = 3
bs4: Any = importlib.import_module("bs4") if importlib.util.find_spec("bs4") else None


def naive(ad: Ad) -> str:
    """What a first draft does: parse, take the text, repair whatever it is."""
    if not ad["description_html"]:
        return str(ftfy.fix_text(ad["description_text"]))
    body = LexborHTMLParser(ad["description_html"]).body
    return str(ftfy.fix_text(body.text() if body else ""))


def naive_soup(ad: Ad) -> str:
    """The most used way; no dependency of ours, so it is there only where someone installed it."""
    html = ad["description_html"]
    soup = bs4.BeautifulSoup(html, "html.parser") if html else None
    return str(ftfy.fix_text(soup.get_text("\n") if soup else ad["description_text"]))


def ours(ad: Ad) -> str:
    return clean_text(ad["description_html"], ad["description_text"]).text


def rate(work: Callable[[Any], Any], items: list[Any]) -> float:
    """
    Items per CPU second: the best of ROUNDS parts, no ad of which was seen before.

    One more part goes first: what a process learns once (towns of a country) is no cost of an ad.
    """
    best = float("inf")
    for item in items[ROUNDS :: ROUNDS + 1]:
        work(item)
    for part in (items[first :: ROUNDS + 1] for first in range(ROUNDS)):
        start = time.process_time()
        for item in part:
            work(item)
        best = min(best, (time.process_time() - start) / len(part))
    return 1 / best


def read(paths: list[Path], ads: int) -> list[Ad]:
    csv.field_size_limit(16 * 1024 * 1024)
    rows: list[Ad] = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
            rows += itertools.islice(csv.DictReader(handle), -(-ads // len(paths)))
    return rows[:ads]


def _post(ad: Ad) -> JobPost:
    return JobPost(
        source=ad["source"],
        identity_rule="source_job_id",
        title=ad["title"],
        company=ad["company"],
        location=ad["location"],
        date_posted=ad["date_posted"],
        salary=ad["salary"],
        employment_type=ad["employment_type"],
        html=ad["description_html"],
        text="" if ad["description_html"] else ad["description_text"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--ads", type=int, default=1500, help="in each of three rounds")
    options = parser.parse_args()
    ads = read(options.files, (ROUNDS + 1) * options.ads)
    assert CLEAN.setup is not None
    context, model = CLEAN.setup(Settings()), load_model()
    posts = [_post(ad) for ad in ads]
    texts = [ours(ad) for ad in ads]
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    size = sum(len(ad["description_html"] or ad["description_text"]) for ad in ads) / len(ads)
    print(f"{len(ads)} ads, {size:.0f} characters each")
    if bs4 is None:
        print("naive with BeautifulSoup: not measured, beautifulsoup4 is not installed")
    base = rate(naive, ads)
    for name, found in (
        *([("naive: BeautifulSoup + ftfy.fix_text", rate(naive_soup, ads))] if bs4 else []),
        ("naive: lexbor text() + ftfy.fix_text", base),
        ("ours: text with lines, lists and repairs", rate(ours, ads)),
        ("sections", rate(find_sections, texts)),
        ("language", rate(lambda text: detect_language(text, model), texts)),
        ("whole row: all of the above, names, place, date",
         rate(lambda post: normalize_post(post, context, seen), posts)),
    ):  # fmt: skip
        print(f"{name:50} {found:8.0f} ads/core-s {found / base:6.2f} x naive")


if __name__ == "__main__":
    main()
