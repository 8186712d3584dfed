"""
The pages in a real browser, against the real server over the sample corpus, with the line running.

One server and one browser for the whole module. Without Chromium (apt install chromium) or
Playwright the tests are skipped and counted; the axe rules are those of the folder named by
NEXTSTEP_AXE, an unpacked npm package.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from nextstep.db import pools
from nextstep.events.io.line import run_line
from nextstep.http.app import make_app
from nextstep.ops import tokens
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.conftest import notifications
from tests.encoder import encode_queries
from tests.whole_line import SAMPLE, append_sample, test_stages

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_BROWSER = "no browser is here"
NO_AXE = "the axe rules are not here"
AXE = os.environ.get("NEXTSTEP_AXE", "")
HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">\u202eevil'

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)


class Served:
    """The running server: its address, its database, a token that may do everything."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url, self.settings = url, settings
        self.address = self.token = ""
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: anyio.Event | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(240), "the server did not come up"
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def append(self, rows: list[dict[str, Any]], folder: Path) -> None:
        """Append posts as `nextstep ingest` does; the line takes them up by itself."""
        path = folder / f"{rows[0]['source_job_id']}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        assert self._loop is not None
        done = asyncio.run_coroutine_threadsafe(
            append_sample(self.settings, self.url, path), self._loop
        )
        done.result(60)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._fault = error
            self._ready.set()
            raise

    async def _serve(self) -> None:
        from aiohttp import web

        self._loop = asyncio.get_running_loop()
        self._stop = stop = anyio.Event()
        stages = test_stages(self.settings)
        pool = await pools.create_pool(self.url, "api", self.settings, max_size=4)
        app = make_app(
            self.settings, pool, encode_queries, load_taxonomies(), stages=stages, url=self.url
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.address = "http://{}:{}".format(*runner.addresses[0][:2])
        await run_line(self.url, self.settings, stages, once=True)
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: run_line(self.url, self.settings, stages, stop=stop))
            self._ready.set()
            await stop.wait()
        await runner.cleanup()
        await pool.close()


@pytest.fixture(scope="module")
def served(make_database: Any, template: str, tmp_path_factory: Any) -> Iterator[Served]:
    if CHROMIUM is None:
        pytest.skip(NO_BROWSER)
    url = make_database(template)
    home = tmp_path_factory.mktemp("browser")
    few = home / "few.jsonl"
    few.write_text("\n".join(SAMPLE.read_text(encoding="utf-8").splitlines()[:60]) + "\n")
    settings = Settings(
        database_url=url, home=home, executor="inline", notifications=notifications(),
        poll_interval_s=0.5,
    )  # fmt: skip

    async def prepare() -> str:
        await append_sample(settings, url, few)
        connection = await pools.connect(url, None, settings)
        _, text = await tokens.create(connection, "browser", ["read", "match", "operate"])
        await connection.close()
        return text

    found = Served(url, settings)
    found.token = asyncio.run(prepare())
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Any]:
    # After the server: Playwright holds this thread's event loop.
    sync_api = pytest.importorskip("playwright.sync_api", reason=NO_BROWSER)
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def login(browser: Any, served: Served) -> str:
    """The state of a signed-in browser, as a file would hold it."""
    context = browser.new_context(base_url=served.address)
    page = context.new_page()
    page.goto("/console")
    assert page.url.endswith("/login?next=%2Fconsole")
    page.fill("#token", served.token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console")
    state: str = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser: Any, served: Served, login: Any) -> Iterator[Any]:
    """A signed-in page that fails its test on any script error, refusal or foreign request."""
    context = browser.new_context(
        base_url=served.address, storage_state=login, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(30_000)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith(served.address) else faults.append(asked.url),
    )
    yield opened
    context.close()
    assert faults == []


def shot(page: Any, name: str) -> None:
    """Keep a screenshot where NEXTSTEP_SHOTS names a folder."""
    folder = os.environ.get("NEXTSTEP_SHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_a_profile_leads_to_a_job_and_its_evidence(page: Any) -> None:
    page.goto("/")
    page.fill("#text", "Data engineer who knows Python and SQL")
    page.get_by_role("button", name="Find jobs").click()
    page.wait_for_url("**/?text=**")
    shared = page.url
    assert page.locator(".result").count() > 3
    assert page.locator("ul.chips[aria-label] .chip", has_text="Python").count() == 1
    shot(page, "match")
    first = page.locator(".result h3 a").first
    title = first.inner_text()
    first.click()
    page.wait_for_url("**/jobs/*")
    assert page.locator("h1").inner_text() == title
    assert page.locator(".post mark").count() > 0
    assert page.locator(".timeline li").count() >= 1
    shot(page, "job")
    page.go_back()
    assert page.url == shared and page.locator(".result").count() > 3
    page.get_by_role("link", name="without Python").click()
    page.wait_for_url("**skill=SQL**")
    assert page.locator("ul.chips[aria-label] .chip", has_text="Python").count() == 0


def test_a_search_is_narrowed_and_the_back_button_undoes_it(page: Any) -> None:
    page.goto("/search")
    page.fill("#q", "engineer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=engineer")
    whole = page.locator(".result").count()
    box = page.locator("input[name=country]").first
    country = box.get_attribute("value")
    box.check()
    page.wait_for_url(f"**country={country}**")
    assert 0 < page.locator(".result").count() <= whole
    assert page.locator("input[name=country]").first.is_checked()
    page.go_back()
    page.wait_for_url("**/search?q=engineer")
    assert page.locator(".result").count() == whole


def test_the_console_follows_an_append_and_a_pause_holds_the_stage(
    page: Any, served: Served, tmp_path: Path
) -> None:
    page.goto("/console")
    page.locator("[data-live]", has_text="Live.").wait_for()
    shot(page, "console")
    head = int(page.locator("[data-head]").inner_text().replace(",", ""))
    served.append([post("live-1")], tmp_path)
    page.wait_for_function(
        "n => document.querySelector('[data-head]').textContent.replace(',', '') > n", arg=head
    )
    row = page.locator('[data-stage="trends"]')
    row.get_by_role("button", name="Pause").click()
    page.locator(".said", has_text="is paused").wait_for()
    assert row.locator("[data-f=status]").inner_text() == "paused"
    served.append([post("live-2")], tmp_path)
    page.wait_for_function(
        "() => document.querySelector('[data-stage=trends] [data-f=lag]').textContent != '0'"
    )
    row.get_by_role("button", name="Resume").click()
    page.locator(".said", has_text="may go on").wait_for()
    page.wait_for_function(
        "() => document.querySelector('[data-stage=trends] [data-f=lag]').textContent == '0'"
    )
    page.goto("/console/actions")
    assert "pause" in page.locator("tbody tr").nth(1).inner_text()


def test_all_matching_letters_are_retried(page: Any, served: Served) -> None:
    with psycopg.connect(served.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO dead_letters (stage, job_id, position, error, detail)"
            " SELECT 'extract', job_id, position, 'ValueError: ' || %s, 'line 1'"
            " FROM jobs_normalized ORDER BY job_id LIMIT 3",
            [HOSTILE],
        )
        page.goto("/console/dead-letters?error=valueerror")
        assert page.locator(".letter").count() == 3
        assert "<script>window.hacked" in page.locator(".letter code").first.inner_text()
        page.get_by_role("button", name="Retry all 3 matching").click()
        page.locator(".said", has_text="3 requeued").wait_for()
        page.wait_for_function(
            "async () => (await (await fetch('/v1/dead-letters?status=resolved')).json())"
            ".count == 3"
        )
    assert page.evaluate("window.hacked") is None


def test_a_hostile_post_shows_as_text(page: Any, served: Served, tmp_path: Path) -> None:
    evil = post("evil")
    evil |= {
        "title": f"Engineer {HOSTILE}",
        "url": "javascript:window.hacked=1",
        "company": HOSTILE,
    }
    evil["text"] = f"{evil['text']} {HOSTILE} data:text/html,<b>x</b> " + "x" * 200_000
    served.append([evil], tmp_path)
    page.goto("/console")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-f=lag]')].every(c => c.textContent == '0')"
        " && document.querySelector('[data-live]').textContent == 'Live.'"
    )
    with psycopg.connect(served.url) as connection:
        [(job,)] = connection.execute(
            "SELECT job_id FROM jobs_normalized WHERE source_job_id = 'evil'"
        ).fetchall()
    page.goto(f"/jobs/{job}")
    assert "window.hacked" in page.locator("h1").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.locator(".post img, h1 img, h1 script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_small_screens_in_both_schemes(
    browser: Any, served: Served, login: Any, scheme: str
) -> None:
    context = browser.new_context(
        base_url=served.address, storage_state=login, color_scheme=scheme,
        viewport={"width": 360, "height": 700},
    )  # fmt: skip
    page = context.new_page()
    grounds = []
    for path in ("/?skill=Python", "/console", "/console/dead-letters", "/api", "/search?q=nurse"):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        if path == "/?skill=Python":
            shot(page, f"match-360-{scheme}")
    red = int(grounds[0].split("(")[1].split(",")[0])
    assert (red > 200) == (scheme == "light") and len(set(grounds)) == 1
    context.close()


def test_the_keyboard_alone_goes_from_question_to_job(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("accountant, Excel")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/?text=**")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('.result h3')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")


def test_reading_works_without_script(browser: Any, served: Served, login: Any) -> None:
    context = browser.new_context(
        base_url=served.address, storage_state=login, java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/")
    page.fill("#text", "Python developer")
    page.get_by_role("button", name="Find jobs").click()
    assert page.locator(".result").count() > 0
    page.goto("/console")
    assert page.locator("[data-stage]").count() >= 4
    context.close()


@pytest.mark.skipif(not AXE or not (Path(AXE) / "axe.min.js").is_file(), reason=NO_AXE)
def test_axe_has_no_serious_findings(browser: Any, served: Served, login: Any) -> None:
    rules = (Path(AXE) / "axe.min.js").read_text(encoding="utf-8")
    found = []
    for scheme in ("light", "dark"):
        # The rules are put in past the pages' own policy, which would refuse them.
        context = browser.new_context(
            base_url=served.address, storage_state=login, color_scheme=scheme, bypass_csp=True
        )
        page = context.new_page()
        job = None
        for path in ("/?skill=Python", "job", "/console", "/console/dead-letters?status=all",
                     "/console/sources", "/api", "/login"):  # fmt: skip
            page.goto(job if path == "job" else path)
            job = job or page.locator(".result h3 a").first.get_attribute("href")
            page.evaluate(rules)
            # What colours change is looked at twice, all else once.
            only: dict[str, Any] = {"resultTypes": ["violations"]}
            if scheme == "dark":
                only["runOnly"] = ["color-contrast"]
            report = page.evaluate("only => axe.run(only)", only)
            found += [
                (scheme, path, one["id"], one["nodes"][0]["html"][:120])
                for one in report["violations"]
                if one["impact"] in ("serious", "critical")
            ]
        context.close()
    assert found == []


def post(name: str) -> dict[str, Any]:
    """A post as a source gives it."""
    return {
        "source": "browser", "source_job_id": name, "url": f"https://jobs.example/{name}",
        "title": f"Platform Engineer {name}", "company": f"Acme {name}",
        "location": "Berlin, Germany", "date_posted": "2026-01-10",
        "text": f"We look for an engineer ({name}) with Python, Kubernetes and Terraform.",
    }  # fmt: skip
