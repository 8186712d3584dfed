"""
Cleaning: ads per second and core against the naive way, on the same ads in one run.

    python bench/clean.py FILE.csv.gz [FILE.csv.gz ...] [--ads 600]

The naive way is ftfy.fix_text on every ad behind BeautifulSoup's get_text(), or behind lexbor's own
text(), which loses lists and breaks. The files have the columns description_html and
description_text. Rates are of CPU time over ads not seen before; all contenders take turns, so
compare only within one run.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ftfy
from bs4 import BeautifulSoup
from selectolax.lexbor import LexborHTMLParser

from nextstep.events.model import JobPost
from nextstep.processors.clean import CLEAN
from nextstep.processors.shared.language import detect_language, load_model
from nextstep.processors.shared.normal import normalize_post
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Settings

Ad = dict[str, str]
#: Parts of the ads; the first one is not counted.
PARTS = 4
#: Ads that one contender cleans before the next one's turn.
CHUNK = 20


def naive(ad: Ad) -> str:
    """What a first draft does: parse, take the text, repair whatever it is."""
    if not ad["description_html"]:
        return str(ftfy.fix_text(ad["description_text"]))
    body = LexborHTMLParser(ad["description_html"]).body
    return str(ftfy.fix_text(body.text() if body else ""))


def naive_soup(ad: Ad) -> str:
    """The most used way."""
    html = ad["description_html"]
    soup = BeautifulSoup(html, "html.parser") if html else None
    return str(ftfy.fix_text(soup.get_text("\n") if soup else ad["description_text"]))


def ours(ad: Ad) -> str:
    return clean_text(ad["description_html"], ad["description_text"]).text


def rates(works: list[tuple[str, Callable[[Any], Any], list[Any]]]) -> list[tuple[str, float]]:
    """
    Items per CPU second of each work, over ads that none saw before.

    All take turns, CHUNK ads each, so that a busy neighbour slows all of them alike and the ratios
    hold; a first part goes uncounted: what a process learns once (towns of a country) is no cost of
    an ad.
    """
    spent = [0.0] * len(works)
    count = len(works[0][2])
    warm = count // PARTS
    for begin in range(0, count, CHUNK):
        for place, (_, work, items) in enumerate(works):
            start = time.process_time()
            for item in items[begin : begin + CHUNK]:
                work(item)
            if begin >= warm:
                spent[place] += time.process_time() - start
    counted = count - -(-warm // CHUNK) * CHUNK
    return [(name, counted / cpu_s) for (name, _, _), cpu_s in zip(works, spent, strict=True)]


def read(paths: list[Path], ads: int) -> list[Ad]:
    """The first ads of each file, the files by turns, so that every part is of all sources."""
    csv.field_size_limit(16 * 1024 * 1024)
    files: list[list[Ad]] = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
            files.append(list(itertools.islice(csv.DictReader(handle), -(-ads // len(paths)))))
    turns = itertools.chain.from_iterable(itertools.zip_longest(*files))
    return [ad for ad in turns if ad is not None][:ads]


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
    parser.add_argument("--ads", type=int, default=1500, help="a quarter of what is read")
    options = parser.parse_args()
    ads = read(options.files, PARTS * options.ads)
    assert CLEAN.setup is not None
    context, model = CLEAN.setup(Settings()), load_model()
    posts = [_post(ad) for ad in ads]
    texts = [ours(ad) for ad in ads]
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    size = sum(len(ad["description_html"] or ad["description_text"]) for ad in ads) / len(ads)
    print(f"{len(ads)} ads, {size:.0f} characters each")
    found = rates([
        ("naive: BeautifulSoup get_text() + ftfy.fix_text", naive_soup, ads),
        ("naive: lexbor text() + ftfy.fix_text", naive, ads),
        # Before its parts, so that it does not find their memos of heads and footers filled.
        ("ours: whole row, with names, place, date",
         lambda post: normalize_post(post, context, seen), posts),
        ("of it: text with lines, lists and repairs", ours, ads),
        ("of it: sections, memo filled", find_sections, texts),
        ("of it: language", lambda text: detect_language(text, model), texts),
    ])  # fmt: skip
    base = found[0][1]
    for name, rate in found:
        print(f"{name:50} {rate:8.0f} ads/core-s {rate / base:6.2f} x BeautifulSoup")


if __name__ == "__main__":
    main()
