"""`nextstep doctor`: what is wrong with the database, and the command that mends it."""

from __future__ import annotations

import argparse

import msgspec

from nextstep.db import embedded
from nextstep.ops.doctor import Report, examine
from nextstep.settings import Settings


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor`."""
    about = "check server, roles, migrations, offsets, indexes; exit 3 on findings"
    parser = verbs.add_parser("doctor", help=about, description=about)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        report = examine(url, settings)
    print(msgspec.json.encode(report).decode() if args.json else _text(report))
    return 0 if report.verdict == "ok" else 3


def _text(report: Report) -> str:
    lines = []
    for check in dict.fromkeys([*report.checks, *(found.check for found in report.findings)]):
        found = [finding for finding in report.findings if finding.check == check]
        if not found:
            lines.append(f"ok       {check}")
        for finding in found:
            lines.append(f"{finding.severity:<8} {check}: {finding.message}")
            lines.append(f"         fix: {finding.fix}")
    return "\n".join(lines)
