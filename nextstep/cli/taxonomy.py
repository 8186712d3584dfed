"""`nextstep taxonomy`: check, describe, compare and import the taxonomies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from nextstep import share
from nextstep.cli.common import add_json, print_json
from nextstep.errors import UsageError
from nextstep.processors.io.taxonomy_files import FILES, load_taxonomies
from nextstep.processors.io.taxonomy_sources import Target, read_esco, read_onet, write_taxonomy
from nextstep.processors.shared.concepts import Taxonomies
from nextstep.processors.shared.taxonomy import build_matcher
from nextstep.processors.shared.taxonomy_import import (
    CONTEXTS,
    Imported,
    Label,
    import_concepts,
    import_titles,
)
from nextstep.processors.shared.taxonomy_report import compare, describe, never_hit
from nextstep.processors.shared.taxonomy_schema import parse_concepts
from nextstep.settings import Settings


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb with its sub-verbs."""
    group = verbs.add_parser("taxonomy", help="check, describe, compare and import the taxonomies")
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

    imported = below.add_parser("import", help="make taxonomy files of ESCO or O*NET files")
    imported.add_argument("source", choices=("esco", "onet"))
    imported.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files as downloaded")
    imported.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="a .yml file where the input makes one; else a folder, filled up with the"
        " configured files so that it is whole",
    )  # fmt: skip
    imported.set_defaults(run=_import)


def _check(args: argparse.Namespace, settings: Settings) -> int:
    taxonomies = load_taxonomies(args.folder or settings.taxonomies)
    matcher = build_matcher(taxonomies)
    print(
        f"{len(taxonomies.skills)} skills, {len(taxonomies.tools)} tools, "
        f"{len(taxonomies.titles)} titles, {len(matcher.texts)} patterns, "
        f"digest {taxonomies.digest}: sound"
    )
    return 0


def _import(args: argparse.Namespace, settings: Settings) -> int:
    read = read_esco if args.source == "esco" else read_onet
    labels = read(args.paths)
    is_file = args.out.suffix in (".yml", ".yaml")
    if is_file and len(labels) > 1:
        raise UsageError(
            f"these files make {' and '.join(sorted(labels))}: {args.out.name} can hold one",
            hint="name a folder, without .yml",
        )
    base = load_taxonomies(settings.taxonomies)
    made = _imported(labels, base)
    if not is_file:
        _fill(args.out, settings.taxonomies or share.share("taxonomies"))
    for target, found in made.items():
        path = args.out if is_file else args.out / f"{target}.yml"
        write_taxonomy(path, target, found, f"import-{args.source}")
        print(f"{path}: {len(found.concepts)} concepts, {found.ruled} forms with rules")
        for reason, count in found.left_out.items():
            print(f"  left out: {count} {reason}")
    if not is_file:
        build_matcher(load_taxonomies(args.out))
        print(f"sound; use it with NEXTSTEP_TAXONOMIES={args.out}")
    return 0


def _imported(labels: dict[Target, list[Label]], base: Taxonomies) -> dict[Target, Imported]:
    """Return what becomes of each target; the two files of names never claim the same form."""
    known = (*base.skills, *base.tools)
    made: dict[Target, Imported] = {}
    if "tools" in labels:
        others = () if "skills" in labels else base.skills
        made["tools"] = import_concepts(labels["tools"], known, others)
    if "skills" in labels:
        tools = base.tools
        if "tools" in made:
            content = {"contexts": CONTEXTS, "concepts": made["tools"].concepts}
            tools = parse_concepts(content, "tool", file="tools.yml")
        made["skills"] = import_concepts(labels["skills"], known, tools)
    if "titles" in labels:
        made["titles"] = import_titles(labels["titles"])
    return made


def _fill(folder: Path, base: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if not (folder / name).exists():
                (folder / name).write_bytes((base / name).read_bytes())
    except OSError as error:
        raise UsageError(f"{folder} cannot be made", detail=str(error)) from error


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
