"""Trends as they are asked for: recounted in SQL, traced to postings, over HTTP and the command."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer

from nextstep.cli import trends as command
from nextstep.cli.main import build_parser
from nextstep.db import pools
from nextstep.db.queries import read_queries
from nextstep.errors import UsageError
from nextstep.http.app import make_app
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.projections import adjacency
from nextstep.projections.io import trend_reads
from nextstep.projections.months import months_between
from nextstep.projections.trend_answers import Asked, Cell
from nextstep.projections.trends import TrendRow
from nextstep.settings import Settings
from tests.encoder import encode_queries
from tests.trend_batches import apply_batch
from tests.whole_line import append_sample, drain, test_stages

# From the tables that feed trends; none of trends' own takes part.
_RECOUNT = """
SELECT count(*) FILTER (WHERE $4 = ANY (e.skills) OR $4 = ANY (e.tools)), count(*),
       array_agg(m.job_id ORDER BY m.job_id)
         FILTER (WHERE $4 = ANY (e.skills) OR $4 = ANY (e.tools))
  FROM job_dedupe_map m
  JOIN jobs_normalized j USING (job_id)
  JOIN job_entities e USING (job_id)
 WHERE m.canonical_job_id = m.job_id AND j.date_precision IN ('day', 'month')
   AND date_trunc('month', j.date_posted)::date = $3
   AND ($1 = '*' OR e.title_cluster = $1) AND ($2 = '*' OR e.country = $2)
"""
_EMPLOYERS = """
SELECT count(*) FROM (
  SELECT a.employer, a.postings, a.unique_postings,
         (SELECT count(*) FROM jobs_normalized j JOIN job_dedupe_map m USING (job_id)
           WHERE j.company_norm = a.employer AND m.canonical_job_id IS NOT NULL) AS every,
         (SELECT count(*) FROM jobs_normalized j JOIN job_dedupe_map m USING (job_id)
           WHERE j.company_norm = a.employer AND m.canonical_job_id = m.job_id) AS distinct_ones
    FROM employer_activity a WHERE a.title_cluster = '*' AND a.employer <> '*'
) AS counted WHERE (postings, unique_postings) <> (every, distinct_ones)
"""


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {}


@pytest.fixture
async def sample(
    made: dict[str, str], make_database: Callable[..., str], template: str, settings: Settings
) -> AsyncIterator[Any]:
    """A connection on the sample, drained without vectors; all tests of this module share it."""
    if "url" not in made:
        url = make_database(template)
        await append_sample(settings, url)
        stages = [s for s in test_stages(settings) if not s.name.startswith("embed")]
        await drain(settings, url, stages)
        made["url"] = url
    connection = await pools.connect(made["url"], "worker", settings)
    yield connection
    await connection.close()


@pytest.fixture
async def client(sample: Any, made: dict[str, str], settings: Settings) -> AsyncIterator[Any]:
    pool = await pools.create_pool(made["url"], "api", settings, max_size=2)
    app = make_app(settings, pool, encode_queries, load_taxonomies())
    async with TestClient(TestServer(app)) as opened:
        yield opened
    await pool.close()


async def test_every_query_is_valid(connection: Any) -> None:
    path = Path(trend_reads.__file__).with_name("trend_queries.sql")
    queries = read_queries(path)
    assert len(queries) > 10
    for sql in queries.values():
        await connection.prepare(sql)


@pytest.mark.req("N-52", "N-67")
async def test_a_hundred_cells_equal_a_recount_and_their_job_ids_recount_to_them(
    sample: Any,
) -> None:
    cells = await sample.fetch(
        "SELECT title_cluster, country, month, skill, count, jobs, share FROM skill_trends_monthly"
        ' ORDER BY title_cluster COLLATE "C", country COLLATE "C", month, skill COLLATE "C"'
    )
    for cluster, country, month, skill, count, jobs, share in random.Random(7).sample(cells, 100):
        named, inside, ids = await sample.fetchrow(_RECOUNT, cluster, country, month, skill)
        assert (count, jobs) == (named, inside)
        assert share == pytest.approx(count / jobs, abs=5e-7)
        cell = Cell(
            month=month,
            cluster=None if cluster == "*" else cluster,
            country=None if country == "*" else country,
            skill=skill,
            is_counted=True,
        )
        traced = await trend_reads.jobs(sample, cell)
        assert (traced["total"], traced["job_ids"], traced["after"]) == (count, ids, None)


async def test_pay_roles_employers_and_sources_equal_a_recount(sample: Any) -> None:
    pay = await sample.fetch(
        "SELECT title_cluster, country, month, currency, period, jobs, p50"
        " FROM salary_quantiles_monthly"
    )
    assert len(pay) > 20
    for cluster, country, month, currency, period, jobs, median in pay:
        amounts = await sample.fetch(
            "SELECT round((coalesce(salary_min, salary_max)"
            " + coalesce(salary_max, salary_min)) / 2, 2)"
            " FROM job_entities e JOIN job_dedupe_map m USING (job_id)"
            " JOIN jobs_normalized j USING (job_id) WHERE m.canonical_job_id = m.job_id"
            " AND j.date_precision IN ('day', 'month')"
            " AND date_trunc('month', j.date_posted)::date = $3"
            " AND ($1 = '*' OR e.title_cluster = $1) AND ($2 = '*' OR e.country = $2)"
            " AND salary_currency = $4 AND salary_period = $5"
            " AND coalesce(salary_min, salary_max) IS NOT NULL ORDER BY 1",
            cluster, country, month, currency, period,
        )  # fmt: skip
        assert len(amounts) == jobs
        assert amounts[(jobs + 1) // 2 - 1][0] == median
    assert await sample.fetchval(_EMPLOYERS) == 0
    roles = await sample.fetchrow(
        "SELECT sum(r.jobs), (SELECT count(*) FROM trend_contributions WHERE is_counted"
        " AND month IS NOT NULL AND title_norm <> '') FROM role_evolution r"
    )
    assert roles[0] == roles[1] > 50
    sources = await sample.fetch(
        "SELECT s.source, s.postings, s.undated, (SELECT count(*) FROM jobs_normalized j"
        " JOIN job_dedupe_map m USING (job_id) WHERE m.canonical_job_id IS NOT NULL"
        " AND j.source = s.source), (SELECT coalesce(sum(p.postings), 0) FROM trend_source_months p"
        " WHERE p.source = s.source) FROM trend_sources s"
    )
    assert sources
    for _, postings, undated, every, dated in sources:
        assert (postings, undated) == (every, every - dated)


async def _ok(client: Any, path: str, **query: str) -> Any:
    answer = await client.get(f"/v1/trends/{path}", params=query)
    assert answer.status == 200, await answer.text()
    return await answer.json()


@pytest.mark.req("N-55")
async def test_every_endpoint_answers_with_coverage_and_its_position(
    client: Any, sample: Any
) -> None:
    offset, head, _ = await trend_reads.state(sample)
    for path, query in (
        ("skills", {}),
        ("skills", {"skill": "sql", "country": "gb"}),
        ("skills", {"verdict": "rising", "span": "3"}),
        ("roles", {"title": "Data Engineer"}),
        ("roles", {"title": "Data Engineer", "skill": "SQL"}),
        ("adjacent", {}),
        ("salaries", {"currency": "eur"}),
        ("employers", {"limit": "3"}),
        ("coverage", {}),
    ):
        body = await _ok(client, path, **query)
        assert (body["head"], body["log_head"]) == (offset, head)
        assert {"asked", "compared", "gaps", "warnings", "coverage", "data"} <= set(body)
    series = (await _ok(client, "skills", skill="sql"))["data"][0]
    assert series["skill"] == "SQL"
    named = [point for point in series["points"] if point["count"]]
    assert all(p["low"] <= p["share"] <= p["high"] for p in named)
    traced = await _ok(client, "skills/jobs", skill="SQL", month=named[0]["month"])
    assert traced["total"] == len(traced["job_ids"]) == named[0]["count"]
    covered = (await _ok(client, "coverage"))["coverage"]
    assert all(one["months"] or one["undated"] for one in covered)
    employer = (await _ok(client, "employers", limit="1"))["data"][0]
    traced = await _ok(client, "employers/jobs", employer=employer["employer"])
    assert traced["total"] == employer["postings"]


async def test_an_answer_is_sent_once_per_state_of_the_log(
    client: Any, made: dict[str, str], settings: Settings
) -> None:
    first = await client.get("/v1/trends/skills", params={"skill": "SQL"})
    tag = first.headers["ETag"]
    again = await client.get(
        "/v1/trends/skills", params={"skill": "SQL"}, headers={"If-None-Match": tag}
    )
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    kept = await client.get("/v1/trends/skills", params={"skill": "SQL"})
    assert await kept.read() == await first.read()
    owner = await pools.connect(made["url"], None, settings)
    try:
        async with owner.transaction():
            await owner.execute("UPDATE stage_offsets SET position = position - 1 WHERE stage = $1",
                                "trends")  # fmt: skip
        moved = await client.get(
            "/v1/trends/skills", params={"skill": "SQL"}, headers={"If-None-Match": tag}
        )
        assert moved.status == 200
        assert moved.headers["ETag"] != tag
        assert (await moved.json())["head"] == (await first.json())["head"] - 1
    finally:
        await owner.execute(
            "UPDATE stage_offsets SET position = position + 1 WHERE stage = 'trends'"
        )
        await owner.close()


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("skills", {"skil": "SQL"}, "no parameter"),
        ("skills", {"skill": "Pythn"}, "no skill or tool"),
        ("skills", {"from": "soon"}, "not a month"),
        ("skills", {"span": "0"}, "whole number"),
        ("roles", {}, "title is missing"),
        ("skills/jobs", {"after": "7"}, "not a job id"),
        ("employers", {"employer": "\x00"}, "NUL"),
    ],
)
async def test_a_question_that_makes_no_sense_is_a_422_with_a_hint(
    client: Any, path: str, query: dict[str, str], said: str
) -> None:
    answer = await client.get(f"/v1/trends/{path}", params=query)
    assert answer.status == 422
    assert said in (await answer.json(content_type=None))["title"] + await answer.text()


async def _say(connection: Any, settings: Settings, *argv: str) -> int:
    args = build_parser(argv).parse_args(argv)
    return int(await command._run(connection, args, settings))


@pytest.mark.req("N-54")
async def test_the_command_prints_tables_json_csv_and_job_ids(
    sample: Any, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in (
        ("skills",),
        ("skills", "SQL", "Python"),
        ("roles", "Data Engineer"),
        ("roles", "Data Engineer", "--skill", "sql"),
        ("adjacent",),
        ("salaries",),
        ("employers",),
        ("coverage",),
    ):
        assert await _say(sample, settings, "trends", *argv) == 0
        assert "trends at position" in capsys.readouterr().out
        await _say(sample, settings, "trends", *argv, "--json")
        answer = json.loads(capsys.readouterr().out)
        assert {"head", "coverage", "data"} <= set(answer)
        await _say(sample, settings, "trends", *argv, "--csv")
        rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
        assert rows and all(len(row) == len(rows[0]) for row in rows)
    await _say(sample, settings, "trends", "skills", "SQL", "--csv")
    counts = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (month,) = [r for r in counts if r["count"] == max((r["count"] for r in counts), key=len)][:1]
    await _say(sample, settings, "trends", "skills", "SQL", "--jobs", "--month", month["month"][:7])
    printed = capsys.readouterr()
    assert len([UUID(line) for line in printed.out.split()]) == int(month["count"])
    for wrong in (
        ("skills", "--plot", "chart.pdf"),
        ("skills", "--change-points"),
        ("skills", "SQL", "Python", "--jobs"),
    ):
        with pytest.raises(UsageError):
            await _say(sample, settings, "trends", *wrong)


def _crawled() -> list[date]:
    return [
        *months_between(date(2022, 12, 1), date(2023, 4, 1)),
        *months_between(date(2024, 7, 1), date(2024, 12, 1)),
    ]


def _post(number: int, month: date, **fields: Any) -> TrendRow:
    job = UUID(int=number)
    return TrendRow(
        position=number,
        job_id=job,
        canonical_job_id=job,
        source="linkedin",
        date_posted=month.replace(day=1 + number % 28),
        date_precision="day",
        first_seen_at=datetime(2025, 1, 1, tzinfo=UTC),
        title_cluster="data analysis",
        country="US",
        **fields,
    )


@pytest.mark.req("N-52")
async def test_a_crawl_gap_is_a_gap_in_answer_and_chart_and_no_fall(
    database: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adjacency, "LEAST_JOBS", 5)
    rows = []
    for month in _crawled():
        named = 3 if month < date(2024, 1, 1) else 15
        for place in range(20):
            number = len(rows) + 1
            title = "Data Analyst" if place % 2 else "Business Analyst"
            tools = ["Large Language Models"] if place < named else []
            rows.append(_post(number, month, title_norm=title, skills=["SQL"], tools=tools))
    connection = await pools.connect(database, "worker", settings)
    try:
        await apply_batch(connection, rows[:100], [], has_more=True)
        assert await connection.fetchval("SELECT count(*) FROM title_adjacency") == 0
        await apply_batch(connection, rows[100:], [])
        asked = Asked(skills=("Large Language Models",), span=5, first=date(2022, 12, 1))
        answer = await trend_reads.skills(connection, asked)
        (series,) = answer.data
        gap = months_between(date(2023, 5, 1), date(2024, 6, 1))
        assert [p.month for p in series.points if p.state == "gap"] == gap
        assert [(g.first, g.last) for g in answer.gaps] == [(gap[0], gap[-1])]
        assert all(p.share in (0.15, 0.75) for p in series.points if p.state == "crawled")
        assert series.change.verdict == "rising"
        assert [w[:31] for w in answer.warnings] == ["no crawl in 2023-05 to 2024-06:"]
        assert answer.coverage[0].gaps == answer.gaps
        pairs = await connection.fetch("SELECT * FROM title_adjacency ORDER BY title_a")
        assert [(p["title_a"], p["title_b"]) for p in pairs] == [
            ("Business Analyst", "Data Analyst"), ("Data Analyst", "Business Analyst"),
        ]  # fmt: skip
        assert pairs[0]["similarity"] == pairs[1]["similarity"]
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
        chart = tmp_path / "chart.svg"
        words = ("trends", "skills", "LLM", "--span", "5", "--plot", str(chart), "--json")
        await _say(connection, settings, *words)
        assert "not crawled" in chart.read_text(encoding="utf-8")
        first = chart.read_bytes()
        await _say(connection, settings, *words)
        assert chart.read_bytes() == first
        for kind in (("skills",), ("roles", "Data Analyst"), ("adjacent",), ("coverage",)):
            picture = tmp_path / f"{kind[0]}.png"
            await _say(connection, settings, "trends", *kind, "--plot", str(picture), "--csv")
            assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    finally:
        await connection.close()
