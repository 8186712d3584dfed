"""`eval`: precision and recall on labelled sets; here of pairs, beside it of extracted fields."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from nextstep.cli import evaluate_extraction, evaluate_match, evaluate_titles
from nextstep.cli.common import add_json, labelled_file, print_json
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add the verb."""
    group = verbs.add_parser("eval", help="measure decisions on labelled sets")
    subjects = group.add_subparsers(dest="subject", metavar="SUBJECT", required=True)

    dedupe = subjects.add_parser("dedupe", help="precision and recall per kind of pair")
    dedupe.add_argument(
        "file", nargs="?", type=Path, help="labelled pairs, JSONL; default: the checkout's own"
    )
    dedupe.add_argument(
        "--wrong", action="store_true", help="list the pairs that were decided wrong"
    )
    add_json(dedupe)
    dedupe.set_defaults(run=_dedupe)
    evaluate_extraction.register(subjects)
    evaluate_match.register(subjects)
    evaluate_titles.register(subjects)


def _dedupe(args: argparse.Namespace, _: Settings) -> int:
    # Imported here: the gazetteer and datasketch take a second that other verbs must not pay.
    from nextstep.ops import evaluate  # noqa: PLC0415

    judged = evaluate.judge_pairs(
        evaluate.read_pairs(labelled_file(args.file, evaluate.GOLDEN, "dedupe"))
    )
    made, wrong = evaluate.scores(judged), evaluate.wrong(judged)
    if args.json:
        print_json({"scores": [msgspec.structs.asdict(one) for one in made], "wrong": wrong})
        return 0
    print(f"{'kind':10} {'pairs':>5} {'dup':>4} {'merged':>6} {'false':>5} {'missed':>6} "
          f"{'precision':>9} {'recall':>6}  variants linked")  # fmt: skip
    for one in made:
        precision, recall = (
            "-" if share is None else f"{share:.3f}" for share in (one.precision, one.recall)
        )
        print(
            f"{one.kind:10} {one.pairs:5} {one.duplicates:4} {one.merged:6} {one.false_merges:5} "
            f"{one.missed:6} {precision:>9} {recall:>6}  {one.linked} of {one.variants}"
        )
    if args.wrong:
        for pair in wrong:
            print(
                f"{pair['id']:4} {pair['kind']:9} {pair['label']} but {pair['said']} by "
                f"{pair['rule']}, {pair['similarity']}, veto {', '.join(pair['veto']) or '-'}: "
                f"{pair['reason']}"
            )
    return 0
