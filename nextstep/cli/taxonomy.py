"""`nextstep taxonomy`: check, describe and compare the taxonomies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from nextstep.cli.common import add_json, print_json
from nextstep.errors import UsageError
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.taxonomy import build_matcher
from nextstep.processors.shared.taxonomy_report import compare, describe, never_hit
from nextstep.settings import Settings


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb with its sub-verbs."""
    group = verbs.add_parser("taxonomy", help="check, describe and compare the taxonomies")
    below = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    check = below.add_parser("check", help="load the files as the line does; says what is wrong")
    check.add_argument("folder", nargs="?", type=Path, help="default: the configured taxonomies")
    check.set_defaults(run=_check)

    stats = below.add_parser("stats", help="count concepts and forms; list forms that never hit")
    stats.add_argument("folder", nargs="?", type=Path, help="default: the configured taxonomies")
    stats.add_argument(
        "--texts", type=Path, metavar="FILE",
        help="ads as JSON lines with a key text: list the forms that none of them holds",
    )  # fmt: skip
    add_json(stats)
    stats.set_defaults(run=_stats)

    diff = below.add_parser("diff", help="what changed from one folder to another")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", nargs="?", type=Path, help="default: the configured taxonomies")
    add_json(diff)
    diff.set_defaults(run=_diff)


def _check(args: argparse.Namespace, settings: Settings) -> int:
    taxonomies = load_taxonomies(args.folder or settings.taxonomies)
    matcher = build_matcher(taxonomies)
    print(
        f"{len(taxonomies.skills)} skills, {len(taxonomies.tools)} tools, "
        f"{len(taxonomies.titles)} titles, {len(matcher.texts)} patterns, "
        f"digest {taxonomies.digest}: sound"
    )
    return 0


def _stats(args: argparse.Namespace, settings: Settings) -> int:
    taxonomies = load_taxonomies(args.folder or settings.taxonomies)
    stats = describe(taxonomies)
    unused = never_hit(taxonomies, _texts(args.texts)) if args.texts else None
    if args.json:
        print_json({**msgspec.structs.asdict(stats), "never_hit": unused})
        return 0
    lines = [f"{name} version {version}" for name, version in sorted(stats.versions.items())]
    lines += [f"digest {stats.digest}", ""]
    for group in ("skill", "tool", "title"):
        kinds = {k: n for k, n in stats.concepts.items() if k.startswith(group)}
        lines.append(f"{sum(kinds.values()):>6} {group} concepts")
        lines += [f"{count:>12} {kind.partition(' ')[2]}" for kind, count in kinds.items()]
    lines += ["", *(f"{count:>6} forms of {name}" for name, count in stats.forms.items())]
    lines.append(f"{stats.ruled:>6} forms with a rule (capitals, context, blockers)")
    if unused is not None:
        lines += ["", f"{len(unused)} forms never hit:", *(f"  {n}: {form}" for n, form in unused)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _diff(args: argparse.Namespace, settings: Settings) -> int:
    found = compare(load_taxonomies(args.old), load_taxonomies(args.new or settings.taxonomies))
    if args.json:
        print_json(found)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in found) or "no difference\n")
    return 0


def _texts(file: Path) -> Iterator[str]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _text(line, number, file)
    except OSError as error:
        raise UsageError(f"{file.name} cannot be read", detail=str(error)) from error


def _text(line: bytes, number: int, file: Path) -> str:
    try:
        row = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageError(f"{file.name} line {number} is no JSON object") from error
    return str(row.get("text") or "")
