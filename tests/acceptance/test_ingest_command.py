"""`nextstep ingest`, as a command: counts, exit codes, what it says, and its memory."""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.conftest import command_environment

Command = Callable[..., "subprocess.CompletedProcess[str]"]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ingest.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of docs/ingest.md in one language."""
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def head(url: str) -> int:
    with psycopg.connect(url) as connection:
        return int(connection.execute("SELECT count(*) FROM job_events").fetchone()[0])  # type: ignore[index]


def write_csv(path: Path, rows: int) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["source", "job_id", "title", "text", "scraped_at"])
        for n in range(rows):
            writer.writerow(["s", n, f"Job {n}", "word " * 400, "2024-05-01"])
    return path


@pytest.mark.req("D-02", "J-10")
def test_the_first_example_of_the_docs_prints_what_they_say(
    command: Command, database: str, tmp_path: Path
) -> None:
    (tmp_path / "jobs.csv").write_text(blocks("csv")[0], encoding="utf-8")
    done = command("ingest", str(tmp_path / "jobs.csv"), "--source", "demo", url=database)
    assert done.returncode == 0, done.stderr
    said = [line.rstrip() for line in done.stdout.splitlines() if "rows/s" not in line]
    assert said == blocks("text")[0].splitlines()
    with psycopg.connect(database) as connection:
        rows = connection.execute(blocks("sql")[0]).fetchall()
        assert rows == [("jobs.csv", 3, "", "no_title_and_text", "neither a title nor a text")]
        payload = connection.execute(
            "SELECT payload FROM job_events WHERE payload->>'title' = 'Data Engineer'"
        ).fetchone()[0]  # type: ignore[index]
    assert payload["html"].startswith("<p>We build")
    assert (payload["location"], payload["extra"]) == ("Berlin", {"Views": "12"})


def test_the_map_of_the_docs_reads_the_table_it_speaks_of(
    command: Command, database: str, tmp_path: Path
) -> None:
    (tmp_path / "map.yml").write_text(blocks("yaml")[0], encoding="utf-8")
    path = tmp_path / "a.sqlite3"
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE stellen (Stelle, Aufgaben, Profil, ort, land, Entgeltgruppe)")
        store.execute(
            "INSERT INTO stellen VALUES ('Pflegekraft', 'Pflegen.', 'Geduld.', 'Bonn', 'DE', 'E7')"
        )
    store.close()
    done = command("ingest", str(path), "--map", str(tmp_path / "map.yml"), "--json", url=database)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sources"]["bund"]["new"] == 1


def test_the_json_report_adds_up_and_a_second_run_appends_nothing(
    command: Command, database: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", 50)
    first = json.loads(command("ingest", str(path), "--json", url=database).stdout)
    assert (first["rows"], first["new"], first["rejected"]) == (50, 50, 0)
    before = head(database)
    second = json.loads(command("ingest", str(path), "--json", url=database).stdout)
    assert (second["rows"], second["unchanged"]) == (50, 50)
    assert head(database) == before


def make_bad(folder: Path, name: str) -> list[str]:
    """Write one kind of bad input and return the arguments that name it."""
    path = folder / name
    if name == "cut-off.sqlite3":
        with sqlite3.connect(path) as store:
            store.execute("CREATE TABLE jobs (source TEXT, title TEXT, text TEXT)")
            store.executemany("INSERT INTO jobs VALUES ('s', 't', ?)", [("x" * 900,)] * 200)
        store.close()
        path.write_bytes(path.read_bytes()[:-60_000])
    elif name == "binary.csv":
        path.write_bytes(os.urandom(20_000))
    elif name == "header.csv":
        path.write_text('source,"title\nbroken', encoding="utf-8")
    elif name == "columns.csv":
        path.write_text("a,b\n1,2\n", encoding="utf-8")
    elif name == "source.csv":
        path.write_text("title,text\na,b\n", encoding="utf-8")
    elif name == "map.yml":
        path.write_text("columns: {headline: [x]}\n", encoding="utf-8")
        return [str(write_csv(folder / "good.csv", 2)), "--map", str(path)]
    elif name == "time":
        return [str(write_csv(folder / "good.csv", 2)), "--observed-at", "soonish"]
    return [str(path)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cut-off.sqlite3", "is cut off"),
        ("binary.csv", "is a binary file"),
        ("header.csv", "no header that can be read"),
        ("columns.csv", "no column that is known as a title or a text"),
        ("source.csv", "does not say which source"),
        ("map.yml", "maps fields that do not exist: headline"),
        ("missing.csv", "does not exist"),
        ("time", "is no time that is known"),
    ],
)
def test_bad_input_is_exit_2_with_a_hint_and_an_unchanged_log(
    command: Command, database: str, tmp_path: Path, name: str, says: str
) -> None:
    done = command("ingest", *make_bad(tmp_path, name), url=database)
    assert done.returncode == 2
    assert says in done.stderr
    assert "HINT: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert head(database) == 0


def test_broken_rows_are_shown_and_the_others_are_taken(
    command: Command, database: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"source,title,text\ns,a,one\n"
        b's,"bro"ken,x\n'
        b"s,b\0c,two\n"
        b"s,d," + b"x" * 50_000_000 + b"\n"
        b"s,\xff\xfe,x\n"
        b"s,e,three,too,many\n"
        b"s,f,four\n"
    )
    done = command("ingest", str(path), url=database)
    assert done.returncode == 0, done.stderr
    assert head(database) == 4  # three posts and the scan
    assert "4 row(s) rejected" in done.stdout
    for line in ("row 2: broken_quoting", "row 4: too_large", "row 5 title: undecodable"):
        assert line in done.stdout
    assert "row 6: wrong_columns (line 7 has 5 columns, the header 3)" in done.stdout


def test_a_refused_scan_is_exit_2_after_its_report(
    command: Command, database: str, tmp_path: Path
) -> None:
    command("ingest", str(write_csv(tmp_path / "a.csv", 10)), url=database)
    half = write_csv(tmp_path / "b.csv", 5)
    done = command("ingest", str(half), "--complete-scan", "--json", url=database)
    assert done.returncode == 2
    assert "would close 5 of 10" in done.stderr and "--yes" in done.stderr
    assert json.loads(done.stdout)["closed"] == 0
    done = command("ingest", str(half), "--complete-scan", "--yes", "--json", url=database)
    assert (done.returncode, json.loads(done.stdout)["closed"]) == (0, 5)


@pytest.mark.req("N-12")
def test_pending_migrations_are_refused(
    command: Command, empty_database: str, tmp_path: Path
) -> None:
    done = command("ingest", str(write_csv(tmp_path / "a.csv", 1)), url=empty_database)
    assert done.returncode == 3
    assert "nextstep db migrate" in done.stderr


def test_a_dead_database_and_a_wrong_password_are_exit_3(command: Command, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 1)
    done = command("ingest", str(path), url="postgresql://u:sesame@127.0.0.1:1/d")
    assert done.returncode == 3
    assert "cannot reach" in done.stderr and "sesame" not in done.stderr


def test_a_kill_leaves_whole_batches_and_the_next_run_appends_the_rest(
    database: str, tmp_path: Path, home: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", 6000)
    arguments = [sys.executable, "-m", "nextstep", "ingest", str(path), "--json"]
    env = command_environment(home, database) | {"NEXTSTEP_INGEST_BATCH": "100"}
    process = subprocess.Popen(arguments, env=env, cwd="/", stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while head(database) < 500 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait(timeout=20)
    taken = head(database)
    assert 500 <= taken < 6000 and taken % 100 == 0
    done = subprocess.run(arguments, env=env, cwd="/", capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["unchanged"] + report["new"] == 6000
    assert report["unchanged"] >= taken


def peak_bytes(arguments: list[str], env: dict[str, str]) -> int:
    """The highest resident size of a command while it runs."""
    process = subprocess.Popen(arguments, env=env, cwd="/", stdout=subprocess.DEVNULL)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.01)
    assert process.wait(timeout=60) == 0
    return peak


def test_memory_does_not_grow_with_the_file(database: str, tmp_path: Path, home: Path) -> None:
    env = command_environment(home, database) | {"NEXTSTEP_INGEST_BATCH": "200"}
    peaks = [
        peak_bytes(
            [sys.executable, "-m", "nextstep", "ingest", str(write_csv(tmp_path / f"{n}.csv", n))],
            env,
        )
        for n in (1500, 9000)
    ]
    grown: Any = peaks[1] - peaks[0]
    assert grown < 15 * 1024 * 1024  # the second file is 15 MB larger than the first


def test_a_terminal_gets_a_bar_on_stderr_and_stdout_stays_clean(
    database: str, tmp_path: Path, home: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", 3000)
    reading, writing = os.openpty()
    env = command_environment(home, database) | {"TERM": "xterm", "NEXTSTEP_INGEST_BATCH": "200"}
    process = subprocess.Popen(
        [sys.executable, "-m", "nextstep", "ingest", str(path), "--json"],
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writing,
    )
    os.close(writing)
    shown = b""
    while chunk := read_terminal(reading):
        shown += chunk
    os.close(reading)
    assert process.stdout is not None
    with process.stdout as stdout:
        assert json.loads(stdout.read())["new"] == 3000
    assert process.wait(timeout=60) == 0
    assert re.search(rb"[1-3],?\d00 rows", shown) and b"a.csv" in shown and b"/s" in shown


def read_terminal(descriptor: int) -> bytes:
    """What a terminal was sent; nothing once its last writer is gone."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
