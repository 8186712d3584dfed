"""`nextstep backup`: encrypted copies of the database; made, checked, restored, pruned."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nextstep.cli.common import add_json, print_json
from nextstep.db import embedded
from nextstep.db.dsn import where
from nextstep.db.migrate import require_migrated
from nextstep.errors import UsageError
from nextstep.ops import backup, backup_files
from nextstep.ops.stages import line_stages
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add `backup` and its verbs."""
    about = "encrypted backups: create, verify, restore, prune"
    group = verbs.add_parser("backup", help=about, description=about)
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    create = actions.add_parser("create", help="write a new backup into a folder")
    create.add_argument("folder", type=Path, metavar="DIR")
    create.add_argument("--recipient", action="append", default=[], metavar="age1…")
    create.add_argument(
        "--artifacts", action="store_true", help="for any server from 14 on, instead of pg_dump"
    )
    add_json(create)
    create.set_defaults(run=_create)

    verify = actions.add_parser("verify", help="check every byte; with a key, decrypt it too")
    verify.add_argument("file", type=Path, metavar="FILE")
    verify.add_argument("--identity", type=Path, metavar="FILE", help="as age-keygen wrote it")
    add_json(verify)
    verify.set_defaults(run=_verify)

    restore = actions.add_parser("restore", help="restore into the empty database of DATABASE_URL")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--identity", type=Path, metavar="FILE", required=True)
    restore.add_argument(
        "--drill", action="store_true", help="into a scratch cluster that is thrown away"
    )
    add_json(restore)
    restore.set_defaults(run=_restore)

    prune = actions.add_parser("prune", help="remove what need not be kept")
    prune.add_argument("folder", type=Path, metavar="DIR")
    prune.add_argument("--daily", type=int, default=backup_files.DAILY, metavar="N")
    prune.add_argument("--weekly", type=int, default=backup_files.WEEKLY, metavar="N")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    add_json(prune)
    prune.set_defaults(run=_prune)


def _create(args: argparse.Namespace, settings: Settings) -> int:
    to = backup_files.recipients(args.recipient or [settings.backup_recipient])
    with embedded.running(settings) as url:
        require_migrated(url)
        kind: backup_files.Kind = "artifacts" if args.artifacts else "dump"
        path, found = backup.create(url, args.folder, to, line_stages(settings), kind=kind)
    if args.json:
        print_json(found)
    else:
        print(f"{path}: {found.size_bytes / 1e6:,.1f} MB, head {found.head:,}, {found.server}")
    return 0


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    data, found = backup_files.check(args.file)
    if args.identity:
        backup.readable(data, backup_files.identities(args.identity))
    if args.json:
        print_json(found)
    else:
        how = "whole and readable" if args.identity else "whole; --identity would decrypt it too"
        print(f"{data}: {how}; head {found.head:,} of {found.made_at}")
    return 0


def _restore(args: argparse.Namespace, settings: Settings) -> int:
    keys = backup_files.identities(args.identity)
    stages = line_stages(settings)
    if args.drill:
        done = backup.drill(args.file, keys, settings, stages)
    elif settings.database_url is None:
        raise UsageError(
            "name the empty database to restore into in DATABASE_URL",
            hint="or rehearse: nextstep backup restore FILE --identity KEY --drill",
        )
    else:
        done = backup.restore(args.file, keys, settings.database_url, settings, stages)
    if args.json:
        print_json(done)
        return 0
    place = "a scratch cluster" if args.drill else where(settings.database_url or "")
    print(
        f"restored {done.file} into {place} in {done.seconds} s: head {done.head:,}, "
        f"{done.tables} tables with equal digests, {done.found:,} jobs found by a query"
    )
    return 0


def _prune(args: argparse.Namespace, settings: Settings) -> int:
    if args.daily < 1 or args.weekly < 0:
        raise UsageError("--daily takes a number from 1 on, --weekly from 0 on")
    gone = backup_files.prune(
        args.folder, daily=args.daily, weekly=args.weekly, dry_run=args.dry_run
    )
    if args.json:
        print_json({"removed": gone, "dry_run": args.dry_run})
    else:
        for name in gone:
            print(f"{'would remove' if args.dry_run else 'removed'} {name}")
        print(f"{len(backup_files.stamps(args.folder))} backups in {args.folder}")
    return 0
