"""A supervisor like systemd: starts a unit's command, hears what it tells, restarts, stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from nextstep.ops.install import PROGRAM, render

UNITS = {place.name: text for place, text in render() if place.suffix == ".service"}
#: Patience on a machine that does other things too.
WAIT_S = 120.0


def unit_value(unit: str, name: str) -> str:
    """The value of a line such as `ExecStart=` in a shipped unit."""
    lines = UNITS[unit].splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))


class Supervised:
    """One unit under supervision. `told` is every datagram so far, with the time it came."""

    def __init__(self, unit: str, folder: Path, env: dict[str, str], replaced: dict[str, str]):
        words = unit_value(unit, "ExecStart").split()
        assert words[0] == PROGRAM
        self.command = [sys.executable, "-m", "nextstep"]
        self.command += [replaced.get(word, word) for word in words[1:]]
        self.unit, self.env = unit, env
        self.errors = folder / f"{unit}.log"
        self.address = folder / f"{unit}.sock"
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(str(self.address))
        self.channel.settimeout(0.2)
        self.told: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.told.clear()
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                self.command, stderr=errors, stdout=errors, cwd="/",
                env=self.env | {"NOTIFY_SOCKET": str(self.address), "WATCHDOG_USEC": "3000000"},
            )  # fmt: skip

    def hear(self, word: str) -> None:
        """Wait until that was told."""
        deadline = time.monotonic() + WAIT_S
        while not any(word in lines.split("\n") for lines in self.told):
            try:
                self.told.append(self.channel.recv(4096).decode())
            except TimeoutError:
                assert self.process is not None
                code = self.process.poll()
                assert code is None, f"{self.unit} ended with {code}: {self.said()}"
                assert time.monotonic() < deadline, f"{self.unit} never told {word}: {self.said()}"

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        assert self.process.wait(timeout=WAIT_S) == -signal.SIGKILL

    def stop(self) -> int:
        """SIGTERM, as a stop of the unit; its exit code, within the unit's own limit."""
        assert self.process is not None
        self.process.terminate()
        limit_s = float(unit_value(self.unit, "TimeoutStopSec"))
        return self.process.wait(timeout=limit_s)

    def said(self) -> str:
        return self.errors.read_text(errors="replace")[-1500:]

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.channel.close()
