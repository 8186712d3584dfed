"""Letters in full, fill rates and alarms, previews of a rebuild, the command's actions."""

from __future__ import annotations

import asyncio
import html
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextstep.cli import dead_letters as command
from nextstep.cli.main import build_parser
from nextstep.errors import UsageError
from nextstep.events.io.log import append
from nextstep.events.kinds import OBSERVED
from nextstep.events.model import Draft
from nextstep.http.web.rebuild import PREVIEWS
from nextstep.ops import actions, tokens
from nextstep.ops.preview import Previews
from nextstep.processors.shared.fill import FIELDS
from nextstep.projections.compare import TableChange
from nextstep.projections.io.rebuild import RebuildReport
from nextstep.settings import Settings
from tests.match_data import job_id
from tests.web_client import web_client

HTML = {"Accept": "text/html"}
HOSTILE = '</pre><script>x()</script><img src=x onerror="x()">'


@pytest.fixture
async def client(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    async with web_client(database, settings, monkeypatch) as opened:
        yield opened


def _draft(name: str, **payload: Any) -> Draft:
    return Draft(
        job_id=job_id(name),
        kind=OBSERVED,
        source="board",
        schema_version=1,
        payload=msgspec.json.encode({"source": "board", "source_job_id": name, **payload}),
        content_hash=name.encode().ljust(32, b"."),
        occurred_at=datetime(2026, 1, 31, tzinfo=UTC),
    )


async def _park(connection: Any, *letters: tuple[str, str, int]) -> None:
    await connection.executemany(
        "INSERT INTO dead_letters (stage, job_id, position, error, detail)"
        " VALUES ($1, $2, $3, $4, $5)",
        [
            (stage, job_id(name), position, f"ValueError: {HOSTILE}", f"clean.py:7 in {HOSTILE}")
            for stage, name, position in letters
        ],
    )


async def _sign_in(connection: Any, client: Any) -> str:
    _, text = await tokens.create(connection, "test", ("read", "operate"))
    answer = await client.post("/login", data={"token": text}, allow_redirects=False)
    return tokens.csrf_token(answer.cookies["nextstep_session"].value)


async def _page(client: Any, path: str, status: int = 200) -> str:
    answer = await client.get(path, headers=HTML)
    text: str = await answer.text()
    assert answer.status == status, text
    assert "<script>x" not in text and "<img" not in text
    return text


async def test_a_letter_shows_post_error_and_trace_and_the_whole_as_a_file(
    connection: Any, client: Any
) -> None:
    text = HOSTILE + "é" * 30_000
    await append(connection, [_draft("a", title=HOSTILE, text=text)])
    later = _draft("a", title="later")
    month_on = datetime(2026, 2, 28, tzinfo=UTC)
    await append(
        connection,
        [msgspec.structs.replace(later, content_hash=b"l" * 32, occurred_at=month_on)],
    )
    await _park(connection, ("clean", "a", 1), ("extract", "b", 1))
    path = f"/console/dead-letters/clean/{job_id('a')}"
    listed = await _page(client, "/console/dead-letters")
    assert f'href="{path}"' in listed
    page = await _page(client, path)
    shown = html.unescape(page)
    assert "later" not in shown  # the post as it was at the letter's position
    assert f"ValueError: {HOSTILE}" in shown and f"clean.py:7 in {HOSTILE}" in shown
    assert '"source_job_id": "a"' in shown and "more characters are in the file" in shown
    assert len(page) < 60_000
    assert "Discard" not in page  # nobody is signed in
    whole = await client.get(f"{path}/payload")
    assert "attachment" in whole.headers["Content-Disposition"]
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(await whole.read())["text"] == text
    none = await _page(client, f"/console/dead-letters/extract/{job_id('b')}")
    assert "The log has no post of this job" in none
    assert (await client.get(f"/console/dead-letters/extract/{job_id('b')}/payload")).status == 404
    for wrong in (f"/console/dead-letters/dedupe/{job_id('a')}", "/console/dead-letters/clean/7"):
        assert "No such dead letter" in await _page(client, wrong, 404)
    csrf = await _sign_in(connection, client)
    assert f'value="{csrf}"' in await _page(client, path)
    form = {"csrf": csrf, "stage": "clean", "job": str(job_id("a")), "reach": "chosen"}
    done = await client.post("/console/dead-letters/retry", data=form, allow_redirects=False)
    assert done.status == 303 and "requeued" in done.headers["Location"]


async def test_a_field_that_a_source_lost_is_an_alarm(connection: Any, client: Any) -> None:
    every = (1 << len(FIELDS)) - 1
    without = every & ~(1 << FIELDS.index("salary_raw"))
    await connection.executemany(
        "INSERT INTO job_fill (job_id, source, observed_on, filled) VALUES ($1, $2, $3, $4)",
        [
            (job_id(f"{source}{n}"), source, date(2026, 1, 1 + n // 60), mask)
            for source, later in ((HOSTILE, without), ("steady", every))
            for n, mask in enumerate([every] * 60 + [later] * 60)
        ],
    )
    page = html.unescape(await _page(client, "/console/sources"))
    assert f"{HOSTILE}: salary_raw fell from 100% to 0% of posts since 2026-01-02" in page
    assert page.count("fell 100\u00a0% → 0\u00a0%") == 1
    assert page.count('role="alert"') == 1
    rows = [row for row in page.split("<tr>") if 'scope="row">salary raw' in row]
    assert len(rows) == 1 and rows[0].count("100\u00a0%</span>") == 1


async def test_the_commands_actions_stand_in_the_log_of_actions(
    connection: Any, client: Any, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await append(connection, [_draft(name) for name in "abc"])
    await _park(connection, ("clean", "a", 1), ("clean", "b", 2), ("extract", "c", 3))

    async def say(*argv: str) -> int:
        args = build_parser(("dead-letters", *argv)).parse_args(("dead-letters", *argv))
        return int(await command._settle(connection, args, settings))

    await say("retry", str(job_id("a")), "--why", "mended")
    await say("discard", "--all", "--stage", "clean", "--yes", "--json", "--why", "spam")
    assert capsys.readouterr().out.splitlines() == ["requeued 1 job(s)", '{"discarded":2}']
    first, second = (await actions.action_log(connection, 9))[::-1]
    assert (first.action, first.why) == ("retry", "mended")
    assert first.target == f"every stage; {job_id('a')}"
    assert (first.before, first.after) == ({"parked": 1}, {"requeued": 1})
    assert first.actor.endswith("(command line)")
    assert (second.action, second.target) == ("discard", "clean")
    assert (second.before, second.after) == ({"parked": 2}, {"discarded": 2})
    kinds = await connection.fetch("SELECT kind FROM job_events WHERE position > 3 ORDER BY 1")
    assert sorted(row[0] for row in kinds) == [
        "dead_letter.discarded", "dead_letter.discarded", "job.requeued",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no parked letter"):
        await say("discard", str(job_id("a")))
    # What fails leaves neither a row nor an event.
    await connection.execute("ALTER TABLE operator_actions ADD CHECK (action <> 'retry') NOT VALID")
    with pytest.raises(Exception, match="operator_actions"):
        await say("retry", "--all", "--yes")
    assert await connection.fetchval("SELECT max(position) FROM job_events") == 6
    page = await _page(client, "/console/actions")
    assert "(command line)" in page and "spam" in page
    assert await say("discard", "--all", "--stage", "dedupe", "--yes") == 0
    assert len(await actions.action_log(connection, 9)) == 2


async def test_more_letters_than_one_action_takes_go_in_parts(
    connection: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(connection, [_draft(name) for name in "abcde"])
    await _park(connection, *(("clean", name, 1) for name in "abcde"), ("extract", "a", 1))
    monkeypatch.setattr(actions, "MOST_LETTERS", 4)
    monkeypatch.setattr(command, "_JOBS_AT_ONCE", 2)
    argv = ("dead-letters", "discard", "--all", "--yes")
    assert await command._settle(connection, build_parser(argv).parse_args(argv), settings) == 0
    log = await actions.action_log(connection, 9)
    assert sum(one.after["discarded"] for one in log) == 6 and len(log) == 3
    assert await connection.fetchval("SELECT count(*) FROM dead_letters WHERE status='parked'") == 0


def _stub(tmp_path: Path, body: str) -> list[str]:
    path = tmp_path / "stub.py"
    path.write_text("import json, sys, time\n" + body)
    return [sys.executable, str(path)]


async def _finished(previews: Previews) -> Any:
    for _ in range(400):
        if previews.latest is not None and not previews.latest.is_running:
            return previews.latest
        await asyncio.sleep(0.05)
    raise AssertionError("the preview does not end")


async def test_a_preview_is_asked_for_once_shown_and_noted(
    connection: Any, client: Any, settings: Settings, tmp_path: Path
) -> None:
    change = TableChange(
        table="job_entities", stage="extract", live_rows=5, rebuilt_rows=6, live_sha256="a",
        rebuilt_sha256="b", added=1, changed=2, columns={"seniority": 2},
        samples=[{"key": "k", "change": "changed", "columns": {"seniority": [HOSTILE, None]}}],
    )  # fmt: skip
    report = msgspec.json.encode(RebuildReport("preview", 9, tables=[change])).decode()
    told = tmp_path / "told.json"
    stub = _stub(
        tmp_path,
        "import os\n"
        f"json.dump([sys.argv[1:], os.environ['DATABASE_URL']], open({str(told)!r}, 'w'))\n"
        f"time.sleep(0.5)\nprint({report!r})",
    )
    client.app[PREVIEWS]._command = tuple(stub)
    assert "No preview since this server started" in await _page(client, "/console/rebuild")
    path = "/console/rebuild/preview"
    assert (await client.post(path, data={"stage": "extract"})).status == 401
    csrf = await _sign_in(connection, client)
    assert (await client.post(path, data={"stage": "extract"})).status == 403
    form = {"csrf": csrf, "stage": "extract"}
    assert (await client.post(path, data=form, allow_redirects=False)).status == 303
    assert "is being rebuilt beside the live tables" in await _page(client, "/console/rebuild")
    again = await client.post(path, data=form)
    assert again.status == 422 and "is at work" in await again.text()
    await _finished(client.app[PREVIEWS])
    page = await _page(client, "/console/rebuild")
    assert "Tables would change" in page and "seniority 2" in page and HOSTILE not in page
    assert HOSTILE in html.unescape(page)
    words, url = json.loads(told.read_text())
    assert words[-5:] == ["rebuild", "extract", "--preview", "--json", "--without-vectors"]
    assert url == settings.database_url and url not in " ".join(words)
    (row,) = await connection.fetch("SELECT * FROM operator_actions WHERE action LIKE 'rebuild%'")
    assert (row["action"], row["target"]) == ("rebuild preview", "extract")
    assert (await client.post(path, data={"csrf": csrf, "stage": "nothing"})).status == 422


async def test_a_preview_that_fails_or_lasts_too_long_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    for body, limit_s, said in (
        ("sys.stderr.write('{\"log\": 1}\\nnextstep: stage halted\\nHINT: mend it\\n');sys.exit(3)",
         60, "nextstep: stage halted\nHINT: mend it"),
        ("time.sleep(60)", 0.5, "given up after"),
        ("print('no json')", 60, "could not be run or read"),
    ):  # fmt: skip
        previews = Previews("postgresql:///", settings, command=_stub(tmp_path, body),
                            limit_s=limit_s)  # fmt: skip
        previews.start("trends", with_vectors=True, actor="test")
        found = await _finished(previews)
        assert said in found.error and found.report is None
        assert "log" not in found.error
    previews = Previews("", settings, command=_stub(tmp_path, "time.sleep(60)"))
    previews.start("trends", with_vectors=False, actor="test")
    await asyncio.sleep(0.2)
    await previews.close()  # ends the process with it: a warning would fail this test
