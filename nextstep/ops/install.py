"""
The units of deploy/systemd put under a prefix, and looked at by systemd's own tools.

Source: N-102 to N-106, issue 9 item 3.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nextstep.errors import FileError, UsageError
from nextstep.share import share

#: Where the shipped units say the program is.
PROGRAM = "/opt/nextstep/venv/bin/nextstep"
#: Most exposure that `systemd-analyze security` may find, in tenths.
EXPOSURE = 15
_UNITS = Path("etc/systemd/system")
_PLACES = {
    "nextstep.sysusers": Path("etc/sysusers.d/nextstep.conf"),
    "nextstep.tmpfiles": Path("etc/tmpfiles.d/nextstep.conf"),
    "nextstep.env": Path("etc/nextstep/nextstep.env"),
}
#: Secrets come to stand there; it is never overwritten.
_KEPT = "nextstep.env"
_DISTRIBUTION = Path("/usr/lib/systemd/system")


class Installed(msgspec.Struct):
    """What was written and left, and what the checks said; `skipped`: why there were none."""

    written: list[str] = []
    kept: list[str] = []
    faults: list[str] = []
    exposure: dict[str, float] = {}
    skipped: str = ""


def install(prefix: Path, program: str = PROGRAM) -> Installed:
    """
    Write all files under a prefix (`/` for the machine itself) and check the units.

    Raises:
        UsageError: the program is no absolute path, or systemd could not read it.
        FileError: a file cannot be written.
    """
    if not re.fullmatch(r"/[A-Za-z0-9._/+-]+", program):
        raise UsageError(
            f"--program {program!r} is no absolute path of letters, digits and ._/+-",
            hint=f"the default is {PROGRAM}",
        )
    report = Installed()
    try:
        for target, text in render(program):
            path = prefix / target
            path.parent.mkdir(parents=True, exist_ok=True)
            if target == _PLACES[_KEPT]:
                if path.exists():
                    report.kept.append(str(path))
                    continue
                path.touch(mode=0o640)
            path.write_text(text, encoding="utf-8")
            report.written.append(str(path))
    except OSError as error:
        raise FileError(
            f"cannot write under {prefix}: {error.strerror}", hint="run it as root, or name another"
        ) from error
    check(report, program)
    return report


def render(program: str = PROGRAM) -> Iterator[tuple[Path, str]]:
    """Yield every file's place under the prefix and its text, by name."""
    folder = share("deploy") / "systemd"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = _PLACES.get(path.name, _UNITS / path.relative_to(folder))
            yield place, path.read_text(encoding="utf-8").replace(PROGRAM, program)


def check(report: Installed, program: str = PROGRAM) -> None:
    """
    Add to the report what `systemd-analyze verify` and `security` find in the rendered units.

    They look at a root of their own: the units, the distribution's targets, a stub of the program.
    verify exits 0 also where it ignores a misspelt key, so every line it prints is a fault.
    """
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        report.skipped = "systemd-analyze is not here; run `nextstep install` again on the server"
        return
    with tempfile.TemporaryDirectory(prefix="nextstep-units-") as folder:
        root = Path(folder)
        names = _fill(root, program)
        for name in names:
            done = _run(analyze, "verify", "--man=no", f"--root={root}", name)
            report.faults += [f"{name}: {line}" for line in done.stderr.splitlines() if line]
            if done.returncode and not done.stderr:
                report.faults.append(f"{name}: systemd-analyze verify exits {done.returncode}")
        for name in names:
            if name.endswith(".service"):
                _expose(report, analyze, root, name)


def _fill(root: Path, program: str) -> list[str]:
    stub = root / program.lstrip("/")
    stub.parent.mkdir(parents=True)
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    known = root / _DISTRIBUTION.relative_to("/")
    known.mkdir(parents=True)
    for kind in ("target", "slice", "socket"):
        for path in sorted(_DISTRIBUTION.glob(f"*.{kind}")):
            shutil.copy(path, known / path.name)
    names = []
    for target, text in render(program):
        path = root / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if target.parent == _UNITS:
            names.append(target.name)
    return names


def _expose(report: Installed, analyze: str, root: Path, name: str) -> None:
    done = _run(
        analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager",
        f"--root={root}", name,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        report.faults.append(f"{name}: systemd-analyze security says nothing: {done.stderr[:200]}")
        return
    report.exposure[name] = float(found[1])
    if done.returncode != 0:
        report.faults.append(f"{name}: exposure {found[1]}, at most {EXPOSURE / 10}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={"LC_ALL": "C"}
    )
