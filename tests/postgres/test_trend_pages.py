"""The trends pages over HTTP: every number leads to as many postings, hostile names stay text."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from nextstep.db import pools
from nextstep.http.trends import KEPT
from nextstep.projections import adjacency
from nextstep.projections.months import months_between
from nextstep.projections.trends import TrendRow
from nextstep.settings import Settings
from tests.conftest import notifications
from tests.trend_batches import apply_batch
from tests.web_client import web_client

HTML = {"Accept": "text/html"}
HOSTILE = '=<script>x()</script><img src=x onerror="x()">'
PAGES = (
    "/trends",
    "/trends?span=5&from=2023-01",
    "/trends?skill=Python&skill=SQL",
    "/trends?skill=Python&cluster=&country=US",
    "/trends/roles?title=Data%20Analyst&span=3",
    "/trends/roles?title=Data%20Analyst&skill=Python",
    "/trends/adjacent",
    "/trends/adjacent?title=Data%20Analyst",
    "/trends/salaries",
    "/trends/employers",
    "/trends/employers?employer=acme",
    "/trends/coverage",
    "/trends/coverage?source=linkedin",
)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {}


def _row(number: int, month: date) -> TrendRow:
    job = UUID(int=number)
    has_pay = number % 4 == 0
    return TrendRow(
        position=number,
        job_id=job,
        canonical_job_id=job,
        source="linkedin" if number % 3 else "hn",
        date_posted=month.replace(day=1 + number % 28),
        date_precision="day",
        company_norm=HOSTILE if number % 7 == 0 else "acme",
        posted_cluster="data" if number % 2 else "",
        first_seen_at=datetime(2025, 1, 1, tzinfo=UTC),
        title_norm="Data Analyst" if number % 2 else "Business Analyst",
        title_cluster="data" if number % 2 else "",
        country="US" if number % 7 else "",
        skills=["SQL"],
        tools=["Python"] if number % 3 == 0 or month.year > 2023 else [],
        salary_min=Decimal(50_000) if has_pay else None,
        salary_max=Decimal(60_000 + number) if has_pay else None,
        salary_currency="USD" if has_pay else "",
        salary_period="year" if has_pay else "",
    )


@pytest.fixture
async def client(
    made: dict[str, str],
    make_database: Callable[..., str],
    template: str,
    home: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Any]:
    """A client on 160 postings of ten months with a gap; all tests of this module share them."""
    monkeypatch.setattr(adjacency, "LEAST_JOBS", 5)
    if "url" not in made:
        made["url"] = make_database(template)
    settings = Settings(
        database_url=made["url"], home=home, executor="inline", notifications=notifications()
    )
    if "is_filled" not in made:
        months = [
            *months_between(date(2023, 1, 1), date(2023, 5, 1)),
            *months_between(date(2024, 7, 1), date(2024, 11, 1)),
        ]
        connection = await pools.connect(made["url"], None, settings)
        rows = [_row(1 + n, months[n % 10]) for n in range(160)]
        await apply_batch(connection, rows, [])
        await connection.execute(
            "INSERT INTO jobs_normalized (job_id, source, source_job_id, url, title, title_norm,"
            " company, company_norm, location_raw, city, country, description_clean, content_hash,"
            " first_seen_at, last_seen_at, status, position)"
            " SELECT job_id, source, job_id::text, '', $1, title_norm, $1, employer, '', '', '',"
            " '', '\\x00', now(), now(), 'open', 1 FROM trend_contributions WHERE skills <> '{}'",
            HOSTILE,
        )
        await connection.close()
        made["is_filled"] = "yes"
    async with web_client(made["url"], settings, monkeypatch) as opened:
        opened.app[KEPT]._names = {"python": "Python", "sql": "SQL"}
        yield opened


async def _page(client: Any, path: str, status: int = 200) -> str:
    answer = await client.get(path, headers=HTML)
    text: str = await answer.text()
    assert answer.status == status, text
    assert "<script>x" not in text and "<img" not in text
    return text


async def test_every_number_leads_to_as_many_postings(client: Any) -> None:
    followed = 0
    for path in PAGES:
        text = await _page(client, path)
        assert '<nav class="tabs" aria-label="Trends">' in text
        # A count, alone or before its share; a share alone has no count to compare.
        cells = re.findall(
            r'<a href="(/trends/[a-z]+/jobs\?[^"]*)"><bdi>([\d,]+)(?: \([^<]*)?</bdi>', text
        )
        assert cells, path
        for href, number in sorted(set(cells))[:12]:
            listed = await _page(client, html.unescape(href))
            (total,) = re.findall(r"<h1>([\d,]+) posting", listed)
            assert total == number, (path, href)
            shown = listed.count('<article class="result">')
            assert shown == min(50, int(number.replace(",", ""))), href
            followed += 1
    assert followed > 60


async def test_points_of_charts_lead_to_their_postings_and_say_their_value(client: Any) -> None:
    text = await _page(client, "/trends?skill=Python&skill=SQL")
    marks = re.findall(
        r'<a href="([^"]+)" tabindex="-1"><circle[^>]*><title>(\w+), ([\d-]+): ([\d.]+) % \[[^<]*'
        r" of (\d+) jobs</title>",
        text,
    )
    assert len(marks) == 20
    assert 'class="grey"' in text and "not crawled: 2023-06 to 2024-06" in text
    assert text.count('class="band"') == 4  # two skills, before the gap and after it
    for href, skill, month, share, jobs in marks[::7]:
        listed = await _page(client, html.unescape(href))
        (total,) = re.findall(r"<h1>([\d,]+) posting", listed)
        assert round(100 * int(total) / int(jobs), 1) == float(share), (skill, month)
        assert f"skill <bdi>{skill}</bdi>" in listed and f"month <bdi>{month}</bdi>" in listed
    for path in ("/trends", "/trends/employers", "/trends/coverage"):
        bars = re.findall(
            r'<a href="(/trends/\w+/jobs[^"]*)" tabindex="-1"><rect', await _page(client, path)
        )
        assert bars
        listed = await _page(client, html.unescape(bars[0]))
        assert "No posting stands behind" not in listed


async def test_a_page_goes_on_where_the_list_was_cut(client: Any) -> None:
    seen: list[str] = []
    path = "/trends/skills/jobs?skill=SQL"
    while path:
        text = await _page(client, path)
        seen += re.findall(r'href="/jobs/([0-9a-f-]{36})"', text)
        more = re.findall(r'<a href="([^"]+)" rel="next">', text)
        path = html.unescape(more[0]) if more else ""
    assert len(seen) == len(set(seen)) == 160


async def test_the_file_holds_the_rows_and_no_formula(client: Any) -> None:
    answer = await client.get("/trends/skills.csv?skill=Python")
    assert answer.content_type == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert len(rows) == 23 and [r["state"] for r in rows].count("gap") == 13
    assert sum(int(r["count"] or 0) for r in rows) > 0
    listed = list(csv.reader(io.StringIO(await (await client.get("/trends/employers.csv")).text())))
    assert any(row[0].startswith("'=<script>") for row in listed)
    assert not any(cell[:1] in ("=", "@") for row in listed for cell in row)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/trends?skill=Pythn", "no skill or tool is called"),
        ("/trends?from=0001-01", "not a month"),
        ("/trends?skil=SQL", "no parameter is called"),
        ("/trends?span=0", "not a whole number"),
        ("/trends/coverage?from=2024-01&to=2023-01", "to lies before from"),
        ("/trends?cluster=%00", "holds NUL"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_beside_the_form(
    client: Any, path: str, said: str
) -> None:
    text = await _page(client, path, 422)
    assert said in html.unescape(text) and '<form method="get"' in text


async def test_what_is_not_known_and_what_is_thin_is_said(
    client: Any, made: dict[str, str]
) -> None:
    assert "Trends have read nothing yet" in await _page(client, "/trends/roles?title=Astronaut")
    with psycopg.connect(made["url"]) as connection:
        connection.execute("INSERT INTO stage_offsets (stage, position) VALUES ('trends', 160)")
    assert "Nothing is known of that" in await _page(client, "/trends/roles?title=Astronaut")
    assert "Nothing is known of that" in await _page(client, "/trends?country=FR&skill=SQL")
    titles = await _page(client, "/trends/roles")
    assert 'href="/trends/roles?title=Data+Analyst"' in titles
    assert "No posting stands behind that" in await _page(
        client, "/trends/skills/jobs?skill=SQL&month=2020-01"
    )
    thin = await _page(client, "/trends?skill=SQL&country=")
    assert 'class="thin"' in thin and "a month of few jobs" in thin
    blank = await _page(
        client, "/trends?skill=&from=&to=&span=&limit=&verdict=&cluster=*&country=*"
    )
    assert "Skills by share of postings" in blank
    start = await _page(client, "/")
    assert '<a href="/trends"' in start
