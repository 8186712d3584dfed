"""The two promises of the README: from nothing to matches, from a checkout and from the wheel."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, command_environment

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.req("N-05", "N-98", "S-15", "D-06")
def test_up_once_ends_with_matches_and_a_second_run_appends_nothing(command: Command) -> None:
    first = command("up", "--once", timeout_s=400)
    assert first.returncode == 0, first.stderr[-2000:]
    for profile in ("data-engineer-berlin", "intensive-care-nurse", "warehouse-planner"):
        assert f"matches for the sample profile {profile}" in first.stdout
    shown = re.split(r"=== matches for the sample profile (\S+) ===", first.stdout)
    best = {shown[i]: shown[i + 1].strip().splitlines()[0] for i in range(1, len(shown), 2)}
    assert "Data Engineer" in best["data-engineer-berlin"]
    assert "Nurse" in best["intensive-care-nurse"]
    assert "Planner" in best["warehouse-planner"]
    assert "How to go on" in first.stdout

    second = command("up", "--once", "--json", timeout_s=400)
    assert second.returncode == 0, second.stderr[-2000:]
    report = json.loads(second.stdout)
    totals = report["ingest"]["totals"]
    assert (totals["new"], totals["changed"], totals["unchanged"]) == (0, 0, totals["rows"])
    counts = report["counts"]
    assert counts["canonical"] == counts["entities"] == counts["embeddings"] > 0
    assert counts["canonical"] + counts["duplicates"] == counts["jobs"] == totals["rows"]
    assert {stage["offset"] for stage in report["stages"]} == {report["head"]}
    assert counts["dead_letters"] == 0

    verified = command("log", "verify")
    assert verified.returncode == 0
    assert f"{report['head']} events verified" in verified.stdout
    status = json.loads(command("status", "--json").stdout)
    assert [stage["lag"] for stage in status["stages"]] == [0] * len(status["stages"])
    assert not any(stage["stale"] for stage in status["stages"])


@pytest.mark.parametrize("verb", [("up", "--once", "--corpus"), ("bootstrap",)])
def test_a_corpus_that_is_not_there_is_said_before_anything_is_started(
    command: Command, home: Path, verb: tuple[str, ...]
) -> None:
    made = command(*verb, "gone.sqlite3")
    assert made.returncode == 2
    assert "gone.sqlite3 does not exist" in made.stderr
    assert not (home / "postgres").exists()


@pytest.mark.req("D-07", "D-10")
def test_up_serves_until_sigterm_and_takes_another_port_where_its_own_is_taken(
    home: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few.jsonl"
    sample = (ROOT / "nextstep" / "sample" / "jobs.jsonl").read_text(encoding="utf-8")
    few.write_text("\n".join(sample.splitlines()[:25]) + "\n", encoding="utf-8")
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "nextstep", "up", "--corpus", str(few)],
        env=command_environment(home) | {"NEXTSTEP_HTTP_PORT": str(port)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd="/",
    )
    assert process.stderr is not None
    try:
        address = ""
        for line in process.stderr:
            if found := re.search(r"NextStep is up: (http://\S+)", line):
                address = found[1]
                break
        assert address, "it ended before it was up"
        assert not address.endswith(f":{port}")
        end = time.monotonic() + 180
        while True:
            stages = _get(f"{address}/v1/offsets")["stages"]
            if all(stage["offset"] and not stage["lag"] for stage in stages):
                break
            assert time.monotonic() < end, stages
            time.sleep(0.5)
        answer = _get(f"{address}/v1/match", {"text": "work with people", "limit": 3})
        assert len(answer["results"]) == 3
        for result in answer["results"]:
            assert round(sum(result["parts"].values()), 4) == result["score"]
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(timeout=60) == 0
    finally:
        taken.close()
        process.kill()
        process.communicate()


def _get(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def test_the_wheel_alone_does_the_same_in_an_empty_folder(home: Path, tmp_path: Path) -> None:
    wheels, site, empty = tmp_path / "wheels", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT],
        check=True,
        cwd=empty,
    )
    [wheel] = wheels.glob("nextstep-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True, cwd=empty)
    environment = command_environment(home) | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "nextstep", "up", "--once", "--json"],
        env=environment,
        cwd=empty,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["counts"]["embeddings"] == report["counts"]["canonical"] > 100
    where = subprocess.run(
        [sys.executable, "-c", "import nextstep; print(nextstep.__file__)"],
        env=environment,
        cwd=empty,
        capture_output=True,
        text=True,
        check=True,
    )
    assert os.path.commonpath([where.stdout.strip(), str(site)]) == str(site)
