"""
Whether a run's report can be made again: from the log, with today's program.

Source: D-08, J-38, J-57 to J-59, issue 9 item 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from nextstep.db import pools
from nextstep.events.stage import Stage, stage_version
from nextstep.ops.daily import changes
from nextstep.ops.daily_files import SUMMARY
from nextstep.ops.daily_report import Changes, RunReport, markdown
from nextstep.projections.io.rebuild import Options, rebuild
from nextstep.settings import Settings

_CHAIN = "SELECT encode(chain, 'hex') FROM job_events WHERE position = $1"
_ERASED = "SELECT job_id::text FROM job_events WHERE kind = 'job.erased' AND position > $1"


class Made(msgspec.Struct, frozen=True):
    """One part of a report, made again."""

    part: str
    ok: bool
    detail: str


async def replay(
    url: str, settings: Settings, stages: Sequence[Stage], report: RunReport, folder: Path
) -> list[Made]:
    """
    Make a report's parts again and compare them; changes nothing.

    Args:
        folder: that of the run, with its summary.

    Raises:
        RebuildFailed: the tables could not be made as of the run's head.
    """
    connection = await pools.connect(url, "api", settings)
    try:
        chain = await connection.fetchval(_CHAIN, report.head) or ""
        again = await changes(connection, report.since, report.head)
        erased = {row[0] for row in await connection.fetch(_ERASED, report.head)}
    finally:
        await connection.close()
    same_log = chain == report.chain
    made = [
        Made("log", same_log, f"hash at position {report.head}: {chain[:16] or 'none'}"),
        _changes(report.changes, again, erased),
    ]
    if same_log:
        made.append(await _digests(url, settings, stages, report))
    made.append(_summary(report, folder))
    return made


def _changes(then: Changes, now: Changes, erased: set[str]) -> Made:
    # What was erased by law since is gone from the log, and from what can be made again.
    def plain(found: Changes) -> object:
        return {
            kind: [(p.job_id, "" if p.job_id in erased else (p.title, p.company, p.location))
                   for p in posts]
            for kind, posts in found.named.items()
        }  # fmt: skip

    same = then.counts == now.counts and plain(then) == plain(now)
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(now.counts.items())) or "none"
    return Made("changes", same, counts)


async def _digests(
    url: str, settings: Settings, stages: Sequence[Stage], report: RunReport
) -> Made:
    now = {stage.name: stage_version(stage, settings) for stage in stages}
    other = [run.stage for run in report.stages if now.get(run.stage) != run.version]
    rebuilt = await rebuild(url, settings, stages, Options(at=report.head))
    found = {table.table: table.rebuilt_sha256 for table in rebuilt.tables}
    wrong = sorted(name for name in report.digests if found.get(name) != report.digests[name])
    if not wrong:
        return Made("digests", True, f"{len(found)} tables made again as of {report.head}")
    why = f"; made then by other versions of {', '.join(other)}" if other else ""
    return Made("digests", False, f"{', '.join(wrong)} differ{why}")


def _summary(report: RunReport, folder: Path) -> Made:
    try:
        kept = (folder / SUMMARY).read_text(encoding="utf-8")
    except OSError as error:
        return Made("summary", False, f"{SUMMARY} cannot be read: {error.strerror}")
    same = kept == markdown(report)
    return Made("summary", same, f"{SUMMARY} {'is' if same else 'is not'} that of the report")
