"""
What an operator should know before trusting a database: one finding per fault, with its mending.

Source: N-04, N-56, N-57, N-60, N-61.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from nextstep.db.migrate import connected
from nextstep.db.prepare import Connection
from nextstep.errors import DatabaseError
from nextstep.ops import doctor_contents, doctor_server, doctor_stages
from nextstep.ops.finding import Finding, Target
from nextstep.settings import Settings

#: Every check, in the order they are run and shown.
CHECKS: tuple[tuple[str, Callable[[Connection, Target], Iterator[Finding]]], ...] = (
    ("server", doctor_server.version),
    ("extensions", doctor_server.extensions),
    ("encoding", doctor_server.encoding),
    ("roles", doctor_server.roles),
    ("clock", doctor_server.clock),
    ("notify", doctor_server.notifications),
    ("disk", doctor_server.disk),
    ("migrations", doctor_contents.migrations),
    ("grants", doctor_contents.grants),
    ("offsets", doctor_contents.offsets),
    ("indexes", doctor_contents.indexes),
    ("model", doctor_stages.model),
    ("versions", doctor_stages.versions),
    ("rebuilds", doctor_stages.rebuilds),
)


class Report(msgspec.Struct, frozen=True):
    """
    All findings, and the checks that were carried through.

    `verdict` is "findings" when one of them is a warning or an error.
    """

    verdict: Literal["ok", "findings"]
    checks: list[str]
    findings: list[Finding]


def examine(url: str, settings: Settings) -> Report:
    """
    Run every check against a database; changes nothing.

    A server that cannot be reached is a finding, not an exception.
    """
    target = Target(url=url, settings=settings)
    findings: list[Finding] = []
    done: list[str] = []
    try:
        with connected(url) as connection:
            for name, check in CHECKS:
                findings += check(connection, target)
                done.append(name)
    except DatabaseError as error:
        findings.append(
            Finding("connection", "error", f"{error.message}: {error.detail}", error.hint)
        )
    bad = any(finding.severity in ("warning", "error") for finding in findings)
    return Report(
        verdict="findings" if bad else "ok",
        checks=done,
        findings=findings,
    )
