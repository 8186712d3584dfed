"""
Reports of daily runs on disk: a folder per run with a JSON report and its summary.

Source: issue 9 item 4, J-46.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from nextstep.errors import UsageError
from nextstep.ops.daily_report import RunReport, markdown
from nextstep.settings import Settings

REPORT, SUMMARY = "report.json", "summary.md"


def runs_folder(settings: Settings) -> Path:
    """Return the folder with one folder per run."""
    return settings.home.expanduser() / "runs"


def write(folder: Path, report: RunReport) -> Path:
    """Write a report and its summary; the report appears whole."""
    place = folder / report.run_id
    place.mkdir(parents=True, exist_ok=True)
    (place / SUMMARY).write_text(markdown(report), encoding="utf-8")
    fresh = place / f".{REPORT}"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return fresh.rename(place / REPORT)


def read(folder: Path, run_id: str) -> RunReport:
    """
    Return the report of a run; `latest` means the newest.

    Raises:
        UsageError: no such run, or its report cannot be read.
    """
    if run_id == "latest":
        runs = [path.parent.name for path in sorted(folder.glob(f"*/{REPORT}"))]
        run_id = runs[-1] if runs else run_id
    path = folder / Path(run_id).name / REPORT
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunReport)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"there is no report of a run {run_id}",
            detail=str(error),
            hint=f"runs: {', '.join(sorted(p.name for p in folder.glob('*'))[-5:]) or 'none'}",
        ) from error


def latest(folder: Path) -> RunReport | None:
    """Return the newest report of a run that came to its end, None without one."""
    for path in sorted(folder.glob(f"*/{REPORT}"), reverse=True):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            report = msgspec.json.decode(path.read_bytes(), type=RunReport)
            if report.status != "failed":
                return report
    return None
