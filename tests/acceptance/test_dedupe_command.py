"""`dedupe explain|verdict` and `eval dedupe` as a person meets them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
TEXT = " ".join(f"duty{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]} needs care" for i in range(60))


@pytest.mark.req("N-36")
def test_a_merge_is_explained_and_undone(command: Command, database: str, tmp_path: Path) -> None:
    posts = [
        {"source": "test", "source_job_id": str(number), "title": "Data Engineer",
         "company": "Acme", "location": "Leeds, United Kingdom", "description_text": text,
         "scraped_at": f"2026-01-0{number}T00:00:00Z"}
        for number, text in ((1, TEXT), (2, f"{TEXT} apply soon"))
    ]  # fmt: skip
    corpus = tmp_path / "posts.jsonl"
    corpus.write_text("".join(json.dumps(post) + "\n" for post in posts), encoding="utf-8")
    done = command("ingest", str(corpus), url=database)
    assert done.returncode == 0, done.stderr
    run = ("run", "--once", "--stages", "clean,dedupe")
    assert command(*run, url=database).returncode == 0
    shown = command("log", "show", "--json", url=database)
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    ids = sorted({event["job_id"] for event in events if event["kind"] == "job.posted"})
    assert len(ids) == 2

    told = json.loads(command("dedupe", "explain", ids[0], "--json", url=database).stdout)
    assert told["cluster"]["members"] == 2
    assert [(pair["job_id"], pair["relation"]) for pair in told["pairs"]] == [(ids[1], "duplicate")]
    said = command("dedupe", "explain", ids[1], url=database)
    assert f"duplicate {ids[0]}  text" in said.stdout
    assert "agree: city, company" in said.stdout

    done = command("dedupe", "verdict", *ids, "not-same", "--why", "two openings", url=database)
    assert (done.returncode, "not-same at position " in done.stdout) == (0, True), done.stderr
    assert command(*run, url=database).returncode == 0
    told = json.loads(command("dedupe", "explain", ids[0], "--json", url=database).stdout)
    assert told["cluster"]["members"] == 1
    assert (told["pairs"][0]["relation"], told["pairs"][0]["rule"]) == ("apart", "verdict")
    again = command("dedupe", "verdict", *ids, "not-same", "--why", "two openings", url=database)
    assert "already said" in again.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["dedupe", "explain", "7"], "is not a job id"),
        (["dedupe", "explain", "00000000-0000-0000-0000-000000000007"], "knows no job"),
        (["eval", "dedupe", "/no/such/pairs.jsonl"], "cannot read"),
    ],
)
def test_a_mistake_ends_with_2(command: Command, database: str, args: list[str], said: str) -> None:
    done = command(*args, url=database)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_the_labelled_set_is_scored_without_a_database(command: Command) -> None:
    told = json.loads(command("eval", "dedupe", "--json").stdout)
    by_kind = {score["kind"]: score for score in told["scores"]}
    assert by_kind["all"]["pairs"] >= 200
    assert by_kind["all"]["false_merges"] + by_kind["all"]["missed"] == len(told["wrong"])
    assert "held out" in by_kind
    printed = command("eval", "dedupe", "--wrong")
    assert printed.returncode == 0
    assert printed.stdout.count("\n") == 1 + len(told["scores"]) + len(told["wrong"])
