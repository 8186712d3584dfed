"""
Damage per source: ads with at least one mark of it, as the source had them and once cleaned.

    python bench/damage.py FILE.csv.gz [FILE.csv.gz ...] [--show KIND]

The files have the columns source, description_html and description_text. `--show` prints what is
left of one kind, with the characters around it. A mark is a pattern, not a judgement: what is left
of it was often written so by a person ("AT&amp;T" in a text about HTML, "iOSRequirements").
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
from collections import Counter
from pathlib import Path

from nextstep.processors.shared.text import clean_text

_HEADS = "Responsibilities|Requirements|Qualifications|Benefits|Overview|Skills|Description"
_TAGS = "p|br|div|li|ul|ol|span|strong|b|em|i|u|h[1-6]|a|font|table|tr|td|img"
#: An ad without a line break is damaged from this length.
_ONE_LINE = 1500
MARKS = {
    "reference": re.compile(r"&(?:[a-z]{2,6}|#\d{2,5});"),
    "tag": re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,80}})?/?>", re.IGNORECASE),
    "wrapper": re.compile(r"show-more-less|show more\s+show less", re.IGNORECASE),
    "mojibake": re.compile(r"â€|Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰¡-¿]|Â[\xa0-\xbf]|ï»¿|ðŸ"),
    "bullet": re.compile(r"€¢|•\s*•"),
    "replacement": re.compile("\N{REPLACEMENT CHARACTER}"),
    "control": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\ufeff]"),
    "placeholder": re.compile(r"#[A-Z]+_[0-9a-fA-F]{6,}#"),
    "glued head": re.compile(rf"[a-z.;:](?:{_HEADS})(?:$|[\s:])"),
    "one line": re.compile(rf"\A[^\n]{{{_ONE_LINE},}}\Z"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--show", choices=sorted(MARKS))
    options = parser.parse_args()
    csv.field_size_limit(16 * 1024 * 1024)
    ads: Counter[str] = Counter()
    before: Counter[tuple[str, str]] = Counter()
    after: Counter[tuple[str, str]] = Counter()
    for path in options.files:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
            for ad in csv.DictReader(handle):
                source = ad["source"]
                ads[source] += 1
                # The scraper's text stands for the ad where there is no HTML, as in the line.
                raw = ad["description_html"] or ad["description_text"]
                text = clean_text(ad["description_html"], ad["description_text"]).text
                for kind, mark in MARKS.items():
                    # Tags and references are how HTML is written: there they are no damage.
                    is_html = bool(ad["description_html"]) and kind in ("tag", "reference")
                    before[source, kind] += bool(not is_html and mark.search(raw))
                    if found := mark.search(text):
                        after[source, kind] += 1
                        if options.show == kind:
                            around = text[max(0, found.start() - 40) : found.end() + 40]
                            print(f"{source:18} {around!r}")
    if options.show:
        return
    print(f"{'source':18} {'ads':>6} " + " ".join(f"{kind:>13}" for kind in MARKS))
    for source, count in sorted(ads.items()):
        cells = (f"{before[source, kind]:,} > {after[source, kind]:,}" for kind in MARKS)
        print(f"{source:18} {count:6,} " + " ".join(f"{cell:>13}" for cell in cells))


if __name__ == "__main__":
    main()
