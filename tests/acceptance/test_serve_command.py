"""`nextstep serve`, `match` and `similar` as commands: start, answers, signals, exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nextstep.processors.embed import EMBED
from tests.conftest import command_environment
from tests.match_data import Job, fill, job_id

JOBS = [
    Job(name="engineer", text="Pipelines in Python and SQL.", salary=(70e3, 80e3, "EUR", "year")),
    Job(name="nurse", title="Nurse", title_norm="Registered Nurse", text="Care.", tools=()),
]


@pytest.fixture
def serving(database: str, home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A function that starts `nextstep serve` on a free port and returns its process."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "nextstep", "serve", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=command_environment(home, database),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    """Wait until the server says where it listens."""
    assert process.stderr is not None
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        if "listening on" in line:
            return line.split()[-1]
        if not line and process.poll() is not None:
            break
    raise AssertionError("the server did not start")


def get(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.req("D-10")
async def test_the_server_answers_with_the_real_encoder_and_drains_on_sigterm(
    connection: Any, serving: Callable[..., subprocess.Popen[str]]
) -> None:
    await fill(connection, JOBS)
    process = serving("--port", "0")
    base = await asyncio.to_thread(address, process)
    assert await asyncio.to_thread(get, f"{base}/readyz") == (
        200,
        {"ready": True, "checks": {"database": "ok", "migrations": "ok", "model": "ok"}},
    )
    profile = {"skills": ["Python"], "titles": ["Data Engineer"], "text": "pipelines"}
    status, body = await asyncio.to_thread(get, f"{base}/v1/match", profile)
    assert status == 200
    assert body["results"][0]["job_id"] == str(job_id("engineer"))
    status, body = await asyncio.to_thread(get, f"{base}/v1/offsets")
    assert status == 200 and EMBED.name in {stage["stage"] for stage in body["stages"]}
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0


def test_a_taken_port_is_exit_3(serving: Callable[..., subprocess.Popen[str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = serving("--port", str(port))
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 3
    assert f"127.0.0.1:{port}" in stderr and "HINT" in stderr


async def test_an_address_that_others_reach_is_refused_until_a_token_exists(
    connection: Any,
    database: str,
    command: Callable[..., subprocess.CompletedProcess[str]],
    serving: Callable[..., subprocess.Popen[str]],
) -> None:
    refused = await asyncio.to_thread(
        command, "serve", "--host", "0.0.0.0", "--port", "0", url=database
    )
    assert refused.returncode == 2
    assert "not a loopback address" in refused.stderr and "token create" in refused.stderr
    made = await asyncio.to_thread(command, "token", "create", "--name", "ci", url=database)
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    listed = await asyncio.to_thread(command, "token", "list", url=database)
    assert "ci\tread\tin force" in listed.stdout and text not in listed.stdout
    process = serving("--host", "0.0.0.0", "--port", "0")
    port = (await asyncio.to_thread(address, process)).rpartition(":")[2]
    base = f"http://127.0.0.1:{port}"
    assert (await asyncio.to_thread(get, f"{base}/v1/offsets"))[0] == 401
    told = urllib.request.Request(f"{base}/v1/offsets", headers={"Authorization": f"Bearer {text}"})
    with await asyncio.to_thread(urllib.request.urlopen, told) as answer:
        assert answer.status == 200


def test_serve_without_tables_names_the_command(
    empty_database: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = command("serve", "--port", "0", url=empty_database)
    assert done.returncode == 3
    assert "nextstep db migrate" in done.stderr


async def test_match_prints_a_list_or_json_and_similar_the_neighbours(
    connection: Any, database: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    await fill(connection, JOBS)

    async def run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(command, *args, url=database, stdin=stdin)

    shown = await run("match", "--skill", "Python", "--title", "Data Engineer", "--limit", "1")
    assert shown.returncode == 0, shown.stderr
    assert "1. 0." in shown.stdout and "Data Engineer" in shown.stdout
    assert "has: Python" in shown.stdout and "Nurse" not in shown.stdout
    piped = await run("match", "--json", stdin='{"text": "python pipelines", "limit": 2}')
    assert piped.returncode == 0, piped.stderr
    assert len(json.loads(piped.stdout)["results"]) == 2
    near = await run("similar", str(job_id("nurse")), "--json")
    assert near.returncode == 0, near.stderr
    found = json.loads(near.stdout)["results"]
    assert [one["job_id"] for one in found] == [str(job_id("engineer"))]


@pytest.mark.parametrize(
    ("args", "stdin", "words"),
    [
        (("match",), "{", "not JSON"),
        (("match",), "[]", "profile refused"),
        (("match",), '{"skils": []}', "skils"),
        (("match", "--city", "Berlin"), "", "no text, no skills and no titles"),
        (("match", "--profile", "/no/such/file"), "", "cannot read the profile"),
        (("match", "--text", "x", "--salary-min", "a lot"), "", "salary-min"),
        (("match", "--text", "x", "--limit", "0"), "", "limit"),
        (("match", "--text", "x", "--seniority", "boss"), "", "seniority"),
        (("similar", "x"), "", "no job id"),
        (("similar", str(job_id("x")), "--k", "0"), "", "--k"),
    ],
)
def test_bad_input_is_exit_2_and_says_what(
    database: str,
    command: Callable[..., subprocess.CompletedProcess[str]],
    args: tuple[str, ...],
    stdin: str,
    words: str,
) -> None:
    done = command(*args, url=database, stdin=stdin)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr and done.stdout == ""
