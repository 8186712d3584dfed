"""`nextstep serve`: the HTTP server; SIGTERM and SIGINT let requests end, then exit 0."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

import anyio
import msgspec

from nextstep.db import embedded
from nextstep.http.app import serve
from nextstep.ops.supervisor import HttpHealth, told
from nextstep.settings import Settings


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `serve`."""
    about = "the HTTP server; on this machine only, until a token exists"
    parser = verbs.add_parser("serve", help=about, description=about)
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one (default 8080)")
    parser.set_defaults(run=_serve)


def _serve(args: argparse.Namespace, settings: Settings) -> int:
    changes = {"http_host": args.host, "http_port": args.port}
    settings = msgspec.structs.replace(
        settings, **{name: value for name, value in changes.items() if value is not None}
    )
    with embedded.running(settings) as url:
        asyncio.run(_until_signalled(settings, url))
    return 0


async def _until_signalled(settings: Settings, url: str) -> None:
    stop = anyio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ready, health = anyio.Event(), HttpHealth()

    def say(address: str) -> None:
        print(f"listening on {address}", file=sys.stderr, flush=True)
        health.address = address
        ready.set()

    async with told(ready, stop, health.look):
        await serve(settings, url, stop=stop, on_ready=say)
