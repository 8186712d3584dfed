"""
The report of a daily run: one JSON document with a schema version, and a summary for a person.

What it says of the log lies between `since` and `head`, so that it can be made again at any time;
the summary is a function of the document.

Source: J-18, J-19, J-24, J-46, J-51, J-54, issue 9 item 4.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nextstep.ops.inbox import Input

#: Raised when a field changes its meaning; fields are added without.
SCHEMA = 1
#: Posts that the document names of each kind of change.
NAMED = 20


class StageRun(msgspec.Struct):
    """A stage at the end of the run: where, made by what, and its counts since the run began."""

    stage: str
    offset: int
    version: str
    counts: dict[str, Any] = {}


class Named(msgspec.Struct, frozen=True):
    """A post as the log had it at the head; texts are empty where it was erased."""

    job_id: str
    title: str = ""
    company: str = ""
    location: str = ""


class Changes(msgspec.Struct):
    """Posts by what became of them, and the first of each kind in the order of the log."""

    counts: dict[str, int] = {}
    named: dict[str, list[Named]] = {}


class Top(msgspec.Struct):
    """The best jobs of a saved profile, or why there are none."""

    profile: str
    sha256: str
    results: list[dict[str, Any]] = []
    error: str = ""


class RunReport(msgspec.Struct):
    """
    Everything about one run; written also when it failed. Times are UTC, durations seconds.

    Attributes:
        status: done; rejected (an input could not be read, the rest was done); failed.
        since: head of the run before, 0 for the first one; `since_reason` says why that.
        chain: hash of the log at the head.
        digests: table -> sha256 of every compared table with all stages at the head.
    """

    run_id: str
    started_at: str
    nextstep: str
    schema: int = SCHEMA
    status: str = "failed"
    exit_code: int = 3
    error: str = ""
    finished_at: str = ""
    folder: str = ""
    since: int = 0
    since_reason: str = ""
    head: int = 0
    chain: str = ""
    inputs: list[Input] = []
    stages: list[StageRun] = []
    tables: dict[str, int] = {}
    digests: dict[str, str] = {}
    changes: Changes = msgspec.field(default_factory=Changes)
    profiles: list[Top] = []
    timings: dict[str, float] = {}


def markdown(report: RunReport) -> str:
    """Return the summary of a report."""
    lines = [
        f"# Run {report.run_id}: {report.status}",
        "",
        f"{report.started_at} to {report.finished_at or 'its end by a fault'}; events "
        f"{report.since + 1} to {report.head} ({report.since_reason}).",
    ]
    if report.error:
        lines += ["", f"**{report.error}**"]
    counts = report.changes.counts
    lines += [
        "",
        ", ".join(f"{kind} {counts.get(kind, 0):,}" for kind in ("new", "changed", "closed"))
        + f", reopened {counts.get('reopened', 0):,}.",
    ]
    lines += ["", "## Files", ""]
    lines += [f"- {_cell(each.name)}: {_outcome(each)}" for each in report.inputs] or ["none"]
    for kind in ("new", "changed", "closed", "reopened"):
        named = report.changes.named.get(kind, [])
        if named:
            more = counts.get(kind, 0) - len(named)
            lines += ["", f"## {kind.capitalize()}", ""]
            lines += [f"- {_post(post)}" for post in named]
            lines += [f"- and {more:,} more"] if more > 0 else []
    for top in report.profiles:
        lines += ["", f"## Top jobs for {_cell(top.profile)}", ""]
        lines += [top.error] if top.error else []
        lines += [
            f"{place}. {job['score']:.4f} {_cell(job['title'])}, {_cell(job['company'])}, "
            f"{_cell(job['location'])} `{job['job_id']}`"
            for place, job in enumerate(top.results, 1)
        ] or ([] if top.error else ["none"])
    lines += ["", "## Stages", "", "| stage | offset | in | out | dead |", "|---|---|---|---|---|"]
    lines += [
        f"| {run.stage} | {run.offset:,} | {run.counts.get('in', 0):,} | "
        f"{run.counts.get('out', 0):,} | {run.counts.get('dead', 0):,} |"
        for run in report.stages
    ]
    lines += ["", f"Made again and compared by: nextstep replay {report.run_id}", ""]
    return "\n".join(lines)


def _outcome(each: Input) -> str:
    if each.error:
        return f"refused: {_cell(each.error)}"
    if not each.counts:
        return each.reason
    return ", ".join(f"{name} {count:,}" for name, count in each.counts.items() if count) or "empty"


def _post(post: Named) -> str:
    words = [_cell(text) for text in (post.title, post.company, post.location) if text]
    return f"{', '.join(words) or '(erased)'} `{post.job_id}`"


def _cell(text: str) -> str:
    """Texts of sources are shown, never obeyed: no markup, no line of their own."""
    plain = " ".join(str(text).split())
    for mark in "\\`*_[]<>#|":
        plain = plain.replace(mark, "\\" + mark)
    return plain[:200]
