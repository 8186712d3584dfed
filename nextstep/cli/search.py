"""`nextstep search`: open jobs for a few words, as `GET /v1/search` answers."""

from __future__ import annotations

import argparse
import asyncio

import msgspec

from nextstep.cli.match import add_filters, ask, filters_of
from nextstep.cli.match_text import render_answer
from nextstep.db import embedded
from nextstep.db.migrate import require_migrated
from nextstep.match.io.search import search
from nextstep.match.search import read_search
from nextstep.settings import Settings


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `search`."""
    about = "open jobs for a few words"
    parser = verbs.add_parser("search", help=about, description=about)
    parser.add_argument("words", nargs="+", metavar="Q", help="as in: python developer berlin")
    add_filters(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.set_defaults(run=_search)


def _search(args: argparse.Namespace, settings: Settings) -> int:
    profile = read_search({"q": [" ".join(args.words)]}, more=_more(args))
    with embedded.running(settings) as url:
        require_migrated(url)
        [answer] = asyncio.run(ask(url, settings, [profile], search))
    print(msgspec.json.encode(answer).decode() if args.json else render_answer(answer))
    return 0


def _more(args: argparse.Namespace) -> dict[str, object]:
    more = {"filters": filters_of(args), "limit": args.limit, "cursor": args.cursor}
    return {name: value for name, value in more.items() if value is not None}
