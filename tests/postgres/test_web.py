"""What is made for others: the API's description, metrics, tags, gzip; and a job's page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from nextstep.http.openapi import document
from nextstep.http.web.highlight import Piece, evidence_spans, excerpt, pieces
from nextstep.http.web.render import web_url
from nextstep.settings import Settings
from nextstep.share import share
from tests.match_data import Job, fill, job_id
from tests.web_client import web_client

HTML = {"Accept": "text/html"}
HOSTILE = '<script>x()</script><img src=x onerror="x()">\u202e'


@pytest.fixture
async def client(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    async with web_client(database, settings, monkeypatch) as opened:
        yield opened


async def test_the_document_describes_every_route_and_none_else(client: Any) -> None:
    api = await (await client.get("/v1/openapi.json")).json()
    assert api["openapi"] == "3.1.0" and api == json.loads(json.dumps(document()))
    told = {(method, path) for path, methods in api["paths"].items() for method in methods}
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in client.app.router.routes()
        if route.method != "HEAD" and route.resource is not None
        and route.resource.canonical.startswith(("/v1/", "/metrics", "/healthz", "/readyz"))
    }  # fmt: skip
    assert told == served
    known = set(api["components"]["schemas"])
    text = json.dumps(api)
    named = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= known and {"Profile", "Problem", "JobDetail"} <= known
    page = await client.get("/api", headers=HTML)
    assert page.status == 200 and "POST /v1/match" in await page.text()


@pytest.mark.req("J-165")
async def test_metrics_give_lag_letters_and_latencies(connection: Any, client: Any) -> None:
    head = await fill(connection, [Job(name="a"), Job(name="b")])
    await connection.execute("UPDATE stage_offsets SET position = 1 WHERE stage = 'extract'")
    await connection.execute(
        "INSERT INTO dead_letters (stage, job_id, position, error) VALUES ('clean', $1, 1, 'x')",
        job_id("a"),
    )
    await client.get("/v1/jobs/nothing")
    scraped = await client.get("/metrics")
    assert scraped.status == 200 and scraped.content_type == "text/plain"
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(await scraped.text())
        for sample in family.samples
    }
    assert found["nextstep_head_position",] == head == 2
    assert found["nextstep_stage_lag_events", "extract"] == 1
    assert found["nextstep_stage_lag_events", "clean"] == 0
    assert found["nextstep_dead_letters", "clean", "parked"] == 1
    assert found["nextstep_dead_letters", "extract", "parked"] == 0
    counted = ("nextstep_http_request_seconds_count", *sorted(("GET", "/v1/jobs/{job_id}", "404")))
    assert found[counted] == 1
    # What the files of deploy/ ask for is what is here.
    names = {name for name, *_ in found}
    rules = yaml.safe_load((share("deploy") / "monitoring" / "alerts.yml").read_text())
    board = json.loads((share("deploy") / "monitoring" / "grafana.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 15
    for expression in asked:
        for word in (
            expression.replace("(", " ")
            .replace(")", " ")
            .replace("{", " ")
            .replace("[", " ")
            .split()
        ):
            if word.startswith("nextstep_"):
                assert word in names, expression


async def test_a_tag_holds_until_the_line_moves(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name="a")])
    path = f"/v1/jobs/{job_id('a')}"
    first = await client.get(path)
    tag = first.headers["ETag"]
    assert "no-cache" in first.headers["Cache-Control"]
    again = await client.get(path, headers={"If-None-Match": tag})
    assert again.status == 304 and await again.read() == b""
    assert again.headers["ETag"] == tag
    await connection.execute("UPDATE stage_offsets SET epoch = epoch + 1 WHERE stage = 'clean'")
    moved = await client.get(path, headers={"If-None-Match": tag})
    assert moved.status == 200 and moved.headers["ETag"] != tag
    unknown = await client.get(f"/v1/jobs/{job_id('z')}")
    assert unknown.status == 404 and "ETag" not in unknown.headers


async def test_long_answers_go_as_gzip_where_it_is_taken(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name="a", text="Python and SQL. " * 500)])
    path = f"/v1/jobs/{job_id('a')}"
    for encoding in ("gzip", "identity"):
        answer = await client.get(path, headers={"Accept-Encoding": encoding})
        assert answer.headers.get("Content-Encoding") == (encoding if encoding == "gzip" else None)
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert (await answer.json())["job"]["description_clean"].startswith("Python")
    small = await client.get("/healthz", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


async def test_a_job_shows_its_evidence_and_hostile_text_as_text(
    connection: Any, client: Any
) -> None:
    text = f"We use Python and SQL. {HOSTILE}"
    await fill(
        connection,
        [
            Job(name="a", title=HOSTILE, company=HOSTILE, text=text, city=HOSTILE),
            Job(name="b", cluster="a", text=text),
        ],
    )
    await connection.execute("UPDATE jobs_normalized SET url = 'javascript:x()'")
    answer = await client.get(f"/jobs/{job_id('a')}", headers=HTML)
    assert answer.status == 200
    page = await answer.text()
    assert '<mark title="Python">Python</mark>' in page
    assert "<script>x" not in page and "<img" not in page and "javascript:" not in page
    assert "&lt;script&gt;x()" in page and f"/jobs/{job_id('b')}" in page
    assert "job.posted" in page
    copy = await (await client.get(f"/jobs/{job_id('b')}", headers=HTML)).text()
    assert f"/jobs/{job_id('a')}" in copy and "<mark" not in copy
    missing = await client.get(f"/jobs/{job_id('z')}", headers=HTML)
    assert missing.status == 404 and missing.content_type == "text/html"
    asked = await client.get("/", headers=HTML)
    assert asked.status == 200 and "<form" in await asked.text()


def test_pieces_put_together_are_the_text() -> None:
    text = "Python and SQL"
    spans = [(0, 6, "Python"), (0, 14, "stack"), (11, 14, "SQL"), (11, 99, "outside")]
    found = pieces(text, spans)
    assert "".join(piece.text for piece in found) == text
    assert found == [
        Piece("Python", "Python, stack"),
        Piece(" and ", "stack"),
        Piece("SQL", "stack, SQL"),
    ]
    assert pieces("", []) == []
    evidence = {
        "skills": [{"name": "SQL", "start": 11, "end": 14, "spans": [{"start": 11, "end": 14}]}],
        "location": [{"field": "location", "start": 0, "end": 3}],
        "salary": [{"start": 1, "end": 2}],
    }
    assert evidence_spans(evidence) == [(1, 2, "salary"), (11, 14, "SQL")]


def test_an_excerpt_is_cut_at_words() -> None:
    text = "one two three Python four five six"
    found = excerpt(text, 14, 20, "Python", reach=8)
    assert (found.before, found.hit, found.after) == ("…three ", "Python", " four…")
    whole = excerpt(text, 14, 20, "Python")
    assert whole.before + whole.hit + whole.after == text


@pytest.mark.parametrize(
    ("address", "is_kept"),
    [
        ("https://jobs.example/1", True),
        (" http://jobs.example", True),
        ("javascript:x()", False),
        ("JavaScript://jobs.example/%0ax()", False),
        ("data:text/html,<b>", False),
        ("//jobs.example", False),
        ("http:jobs", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_linked(address: str, is_kept: bool) -> None:
    assert bool(web_url(address)) == is_kept
