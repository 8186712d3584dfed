"""`nextstep eval titles`: how well titles find their like, with the encoder in force."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from nextstep.cli.common import add_json, labelled_file, print_json
from nextstep.settings import Settings

#: What the mean average precision of `title_norm` has to reach.
GATE = 0.50


def register(subjects: Any) -> None:
    """Add the subject."""
    parser = subjects.add_parser("titles", help="mean average precision of like titles")
    parser.add_argument(
        "file", nargs="?", type=Path, help="labelled titles, JSONL; default: the checkout's own"
    )
    parser.add_argument("--queries", action="store_true", help="list each query, the worst first")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the mean per way to compare; exit 3 where that of `title_norm` misses the gate."""
    # Imported here: taxonomies and the encoder take seconds that other verbs must not pay.
    from nextstep.ops import evaluate_titles as measure  # noqa: PLC0415
    from nextstep.processors.io.encoder import load_query_encoder  # noqa: PLC0415
    from nextstep.processors.io.taxonomy_files import load_taxonomies  # noqa: PLC0415
    from nextstep.processors.shared.titles import normalize_title  # noqa: PLC0415

    labelled = measure.read_titles(labelled_file(args.file, measure.GOLDEN, "titles"))
    concepts = load_taxonomies(settings.taxonomies).titles
    made = measure.judge_titles(
        labelled,
        lambda title: normalize_title(title, concepts).title_norm,
        load_query_encoder(settings).passages,
    )
    if args.json:
        print_json(
            {
                "titles": len(labelled.titles),
                "scores": [msgspec.structs.asdict(one) for one in made],
            }
        )
    else:
        print(f"{len(labelled.queries)} queries on {len(labelled.titles)} titles")
        for one in made:
            print(f"{one.way:12} {one.mean:.3f}")
    normed = next(one for one in made if one.way == "title_norm")
    for query, share in sorted(normed.by_query.items(), key=_worst) if args.queries else ():
        print(f"{share:.3f} {query}", file=sys.stderr)
    return 0 if normed.mean >= GATE else 3


def _worst(one: tuple[str, float]) -> tuple[float, str]:
    return one[1], one[0]
