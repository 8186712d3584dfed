"""One server and one browser for a file of browser tests; without them it is skipped, counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from nextstep.db import pools
from nextstep.ops import tokens
from nextstep.settings import Settings
from tests.browser_server import CHROMIUM, NO_BROWSER, Served
from tests.conftest import notifications
from tests.whole_line import SAMPLE, append_sample


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
