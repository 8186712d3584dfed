"""What the browser tests share: the running server and line, where the browser is, screenshots."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import anyio

from nextstep.db import pools
from nextstep.events.io.line import run_line
from nextstep.http.app import make_app
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.encoder import encode_queries
from tests.whole_line import append_sample, test_stages

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_BROWSER = "no browser is here"


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


def shot(page: Any, name: str) -> None:
    """Keep a screenshot where NEXTSTEP_SHOTS names a folder."""
    folder = os.environ.get("NEXTSTEP_SHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
