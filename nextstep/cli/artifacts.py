"""`nextstep artifacts`: pack a database into a folder, check one, load it elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from nextstep.cli.common import add_json, print_json
from nextstep.db import embedded
from nextstep.db.migrate import require_migrated
from nextstep.ops.artifacts import layout
from nextstep.ops.artifacts.layout import Manifest
from nextstep.ops.artifacts.load import LoadReport, load
from nextstep.ops.artifacts.pack import pack
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add `artifacts` and its verbs."""
    about = "the whole database as plain files: pack, verify, load"
    group = verbs.add_parser("artifacts", help=about, description=about)
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    packing = actions.add_parser("pack", help="write log and tables into a new folder")
    packing.add_argument("folder", type=Path, metavar="DIR")
    packing.add_argument("--format", choices=("csv", "parquet"), default="csv")
    add_json(packing)
    packing.set_defaults(run=_pack)

    verify = actions.add_parser("verify", help="check every byte of a folder")
    verify.add_argument("folder", type=Path, metavar="DIR")
    add_json(verify)
    verify.set_defaults(run=_verify)

    loading = actions.add_parser("load", help="load a folder into an empty, migrated database")
    loading.add_argument("folder", type=Path, metavar="DIR")
    loading.add_argument(
        "--accept-nulls", action="store_true", help="also with more missing values than allowed"
    )
    add_json(loading)
    loading.set_defaults(run=_load)


def _say(table: str, rows: int) -> None:
    print(f"{rows:>12,}  {table}", file=sys.stderr, flush=True)


def _pack(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        require_migrated(url)
        manifest = pack(url, args.folder, line_stages(settings), format=args.format, on_table=_say)
    return _answer(args, manifest, f"packed {args.folder}")


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    return _answer(args, layout.verify(args.folder), f"{args.folder} is whole")


def _answer(args: argparse.Namespace, manifest: Manifest, what: str) -> int:
    if args.json:
        print_json(manifest)
        return 0
    size = sum(table.size_bytes for table in manifest.tables)
    print(
        f"{what}: {manifest.rows('jobs_normalized'):,} posts, {manifest.head:,} events, "
        f"{len(manifest.tables)} tables, {size / 1e6:,.0f} MB; artifact {manifest.artifact_id}"
    )
    behind = [state for state in manifest.stages if state.position < manifest.head]
    for state in behind:
        print(f"{state.stage} was at {state.position:,}: it goes on from there after the load")
    return 0


def _load(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        report = load(
            url,
            args.folder,
            settings,
            line_stages(settings),
            accept_nulls=args.accept_nulls,
            on_table=_say,
        )
    if args.json:
        print_json(report)
    else:
        _print(report)
    return 0


def _print(report: LoadReport) -> None:
    for check in report.checks:
        print(f"{'ok' if check.ok else 'accepted':<9} {check.name}: {check.detail}")
    print(
        f"loaded {sum(report.rows.values()):,} rows, head {report.head:,}: files checked in "
        f"{report.verify_s} s, copied in {report.copy_s} s, indexes "
        f"({', '.join(report.vector_indexes) or 'no vector index'}) in {report.index_s} s, "
        f"checks in {report.check_s} s"
    )
    for stage in report.stale:
        print(f"{stage} was made by other code; cure: nextstep rebuild {stage} --swap")
