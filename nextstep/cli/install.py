"""`nextstep install`: the systemd units under a prefix, rendered and checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nextstep.cli.common import add_json, print_json
from nextstep.ops.install import PROGRAM, install
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add `install`."""
    about = "write the systemd units, account and folders of the services, and check them"
    parser = verbs.add_parser("install", help=about, description=about)
    parser.add_argument("--prefix", type=Path, default=Path("/"), help="root to write under")
    parser.add_argument("--program", default=PROGRAM, help=f"the command (default {PROGRAM})")
    add_json(parser)
    parser.set_defaults(run=_install)


def _install(args: argparse.Namespace, settings: Settings) -> int:
    report = install(args.prefix, args.program)
    if args.json:
        print_json(report)
        return 3 if report.faults else 0
    for path in report.written:
        print(f"written {path}")
    for path in report.kept:
        print(f"kept    {path}")
    for name, exposure in report.exposure.items():
        print(f"checked {name}: exposure {exposure}")
    for fault in report.faults:
        print(f"fault   {fault}")
    if report.skipped:
        print(f"not checked: {report.skipped}")
    if not report.faults:
        print(
            "next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && "
            "systemctl enable --now nextstep.target"
        )
    return 3 if report.faults else 0
