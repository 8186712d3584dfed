"""`nextstep eval extraction`: precision, recall and F1 of every extracted field."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from nextstep.cli.common import add_json, print_json
from nextstep.errors import UsageError
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.evaluation import DEV, HELD_OUT, JUDGES, Figure, Report, evaluate
from nextstep.processors.shared.extraction import build_kit
from nextstep.settings import Settings

#: What issue 5 asks of the held-out third: field, measure, figure ("precision" of mentions apart).
ASKED: tuple[tuple[str, str, str, float], ...] = (
    ("mentions", "overlap", "F1", 0.55),
    ("mentions", "overlap", "precision", 0.70),
    ("ambiguous", "accuracy", "share", 0.93),
    ("ambiguous", "traps left out", "share", 0.96),
    ("salary", "rows right", "share", 0.95),
    ("salary", "ranges", "share", 0.97),
    ("salary", "currency and period", "share", 0.97),
    ("salary", "empty left empty", "share", 0.97),
    ("location", "rows right", "share", 0.92),
    ("location", "no city invented", "share", 1.00),
    ("work_mode", "accuracy", "share", 0.92),
    ("years", "years", "F1", 0.95),
    ("years", "empty left empty", "share", 0.93),
    ("education", "levels", "share", 0.88),
    ("titles", "seniority", "share", 0.95),
    ("titles", "concept", "share", 0.65),
)

#: Where a checkout has its labelled set; a wheel has none.
SHIPPED = Path(__file__).resolve().parents[2] / "tests" / "golden" / "extraction"


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs.add_parser("extraction", help="fields of ads on a labelled set")
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE",
        help=f"labelled rows, one file per kind: {', '.join(f'{k}.jsonl' for k in JUDGES)}",
    )  # fmt: skip
    parser.add_argument("--errors", action="store_true", help="show the faults of the dev part")
    parser.add_argument(
        "--reliability", action="store_true", help="confidence against precision, by field"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the figures of every field, of the dev part beside the held-out one."""
    sets = read_sets(args.files or sorted(SHIPPED.glob("*.jsonl")))
    report = evaluate(sets, build_kit(load_taxonomies(settings.taxonomies)))
    if args.json:
        print_json(report if args.errors or args.reliability else report.figures)
    else:
        sys.stdout.write(_table(report, errors=args.errors) + "\n" + _asked(report))
        if args.reliability:
            sys.stdout.write("\n" + _reliability(report))
    return 0


def read_sets(files: Iterable[Path]) -> dict[str, list[dict[str, Any]]]:
    """
    Return the rows of each file by its kind, the stem of its name.

    Raises:
        UsageError: no file, a file that cannot be read, or a kind that is not known.
    """
    sets: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        if file.stem not in JUDGES:
            raise UsageError(
                f"{file.name} is no labelled set",
                hint="name it after what its rows hold: " + ", ".join(f"{k}.jsonl" for k in JUDGES),
            )
        sets[file.stem] = _rows(file)
    if not sets:
        raise UsageError(
            "there is no labelled set here",
            hint="name its files, or run this in a checkout that has tests/golden/extraction",
        )
    return {kind: sets[kind] for kind in JUDGES if kind in sets}


def _rows(file: Path) -> list[dict[str, Any]]:
    try:
        lines = file.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{file.name} cannot be read", detail=str(error)) from error


def _table(report: Report, *, errors: bool) -> str:
    parts: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in report.figures:
        parts.setdefault((figure.field, figure.measure), {})[figure.part] = figure
    lines = [f"{'field':<12} {'measure':<20} {DEV:>6} {'of':>4}   {HELD_OUT:>8} {'of':>4}  p / r"]
    for (field, measure), found in parts.items():
        dev, held = found.get(DEV), found.get(HELD_OUT)
        both = (
            f"{held.precision:.3f} / {held.recall:.3f}" if held and held.recall is not None else ""
        )
        lines.append(
            f"{field:<12} {measure:<20} {_cell(dev, 6)}   {_cell(held, 8)}  {both}".rstrip()
        )
    if errors:
        lines += [
            f"{fault.field} {fault.measure} {fault.id}: {fault.text!r}: {fault.shown}"
            for fault in report.faults
        ]
    return "\n".join(lines) + "\n"


def held_out(report: Report, field: str, measure: str, name: str) -> tuple[float, int] | None:
    """Return the held-out figure of one line of ASKED and what it is of; None if it is absent."""
    for one in report.figures:
        if (one.field, one.measure, one.part) == (field, measure, HELD_OUT):
            return (one.precision or 0.0) if name == "precision" else one.value, one.of
    return None


def _asked(report: Report) -> str:
    lines = [f"{'asked of the held-out third':<44} {'asked':>6} {'reached':>8} {'of':>4}"]
    for field, measure, name, asked in ASKED:
        found = held_out(report, field, measure, name)
        if found is None:
            continue
        value, of = found
        mark = "" if value >= asked else "  below"
        label = f"{field} {measure} ({name})"
        lines.append(f"{label:<44} {asked:>6.3f} {value:>8.3f} {of:>4}{mark}")
    return "\n".join(lines) + "\n"


def _reliability(report: Report) -> str:
    lines = [f"{'field':<12} {'part':<9} {'confidence':<12} {'of':>5} {'mean':>6} {'right':>6}"]
    lines += [
        f"{one.field:<12} {one.part:<9} {one.low:.2f} - {one.high:.2f}  {one.of:>5}"
        f" {one.confidence:>6.3f} {one.precision:>6.3f}"
        for one in report.reliability
    ]
    return "\n".join(lines) + "\n"


def _cell(figure: Figure | None, width: int) -> str:
    if figure is None:
        return " " * (width + 5)
    return f"{figure.value:>{width}.3f} {figure.of:>4}"
