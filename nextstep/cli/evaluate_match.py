"""`nextstep eval match`: probes of which one post must come first, with the encoder in force."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from nextstep.cli.common import add_json, labelled_file, print_json
from nextstep.settings import Settings

#: What each kind of probe has to reach.
GATE = 0.95

_SAMPLE = Path(__file__).resolve().parents[1] / "sample"


def register(subjects: Any) -> None:
    """Add the subject."""
    parser = subjects.add_parser("match", help="order of posts that differ in one thing")
    parser.add_argument(
        "file", nargs="?", type=Path, help="probes, JSONL; default: the checkout's own"
    )
    parser.add_argument("--wrong", action="store_true", help="list the probes that came out wrong")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print right and all per kind; exit 3 where a kind misses the gate."""
    # Imported here: taxonomies and the encoder take seconds that other verbs must not pay.
    from nextstep.match.reading import make_lexicon  # noqa: PLC0415
    from nextstep.ops import evaluate_match as measure  # noqa: PLC0415
    from nextstep.processors.io.encoder import load_query_encoder  # noqa: PLC0415
    from nextstep.processors.io.taxonomy_files import load_taxonomies  # noqa: PLC0415
    from nextstep.processors.shared.extraction import build_kit  # noqa: PLC0415

    probes = measure.read_probes(labelled_file(args.file, measure.GOLDEN, "match"))
    taxonomies = load_taxonomies(settings.taxonomies)
    lexicon, kit = make_lexicon(taxonomies), build_kit(taxonomies)
    encoder = load_query_encoder(settings)
    judged = measure.judge_probes(probes, encoder.passages, lexicon, kit, settings.weights)
    made = measure.scores(judged)
    profiles, posts = _sample(measure.Post)
    moved = measure.displacement(profiles, posts, encoder.passages, lexicon, kit)
    wrong = [one for one in judged if not one.is_right]
    if args.json:
        print_json({
            "scores": [{**msgspec.structs.asdict(one), "share": one.share} for one in made],
            "moved": moved,
            "wrong": [one.probe.id for one in wrong],
        })  # fmt: skip
    else:
        _print(made, moved)
    for one in wrong if args.wrong else ():
        print(
            f"{one.probe.id:4} {one.probe.kind}: {one.better} before {one.worse}? "
            f"{one.probe.reason}\n     {one.parts[0]}\n     {one.parts[1]}",
            file=sys.stderr,
        )
    return 0 if all(one.share >= GATE for one in made) else 3


def _print(made: Any, moved: int) -> None:
    print(f"{'kind':10} {'probes':>6} {'right':>6} {'share':>6}")
    for one in made:
        print(f"{one.kind:10} {one.probes:6} {one.right:6} {one.share:6.3f}")
    print(f"an irrelevant sentence moves one of the first ten by {moved} places at most")


def _sample(post: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    profiles = json.loads((_SAMPLE / "profiles.json").read_text("utf-8"))
    lines = (_SAMPLE / "jobs.jsonl").read_text("utf-8").splitlines()
    jobs = [json.loads(line) for line in lines]
    posts = [
        post(
            title=job["title"],
            text=job["converted_to_text"] or job["description_html"],
            location=job["location"],
            company=job["company"],
            posted_on=None,
        )
        for job in jobs
    ]
    return list(profiles.values()), posts
