"""
`nextstep db`: the database server, its migrations and the vector index.

`db url` prints a URL that works: it starts the embedded server where that is not running, and
leaves it running as `db start` does. With DATABASE_URL set it prints that, in canonical form.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from nextstep.cli.database_vectors import register_vectors
from nextstep.db import embedded
from nextstep.db.dsn import canonical, masked
from nextstep.db.migrate import connected, migrate, pending, rollback
from nextstep.settings import Settings


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `db` and its verbs."""
    group = verbs.add_parser("db", help="the database server, migrations, the vector index")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "url", _url, "print one URL that psql accepts; start the server if need be")
    _add(actions, "start", _start, "start the embedded server and leave it running")
    stop = _add(actions, "stop", _stop, "stop the embedded server, or let its last user stop it")
    stop.add_argument("--now", action="store_true", help="even while other processes use it")
    _add(actions, "status", _status, "server, versions, migrations")
    _add(actions, "migrate", _migrate, "apply pending migrations")
    _add(actions, "rollback", _rollback, "undo the newest migration, with its tables").add_argument(
        "--yes", action="store_true", help="do not ask"
    )
    register_vectors(actions)


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Any, about: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.set_defaults(run=run)
    return parser


def _say(args: argparse.Namespace, document: dict[str, Any], text: str) -> int:
    print(msgspec.json.encode(document).decode() if args.json else text)
    return 0


def _url(args: argparse.Namespace, settings: Settings) -> int:
    url = canonical(embedded.start(settings))
    return _say(args, {"url": url}, url)


def _start(args: argparse.Namespace, settings: Settings) -> int:
    url = canonical(embedded.start(settings))
    if settings.database_url:
        text = f"nothing to start: DATABASE_URL names {masked(url)}"
    else:
        text = f"running at {url} until: nextstep db stop"
    return _say(args, {"url": url, "started": settings.database_url is None}, text)


def _stop(args: argparse.Namespace, settings: Settings) -> int:
    down = embedded.stop(settings, now=args.now)
    text = "stopped" if down else "in use: it stops with its last user (--now stops it at once)"
    return _say(args, {"stopped": down}, text)


def _status(args: argparse.Namespace, settings: Settings) -> int:
    server = embedded.status(settings)
    document: dict[str, Any] = msgspec.to_builtins(server)
    if server.url:
        document["url"] = masked(server.url)
    if server.running or settings.database_url:
        document |= _contents(server.url)
    lines = [
        f"{name:<12} {', '.join(value) if isinstance(value, list) else value}"
        for name, value in document.items()
        if value not in ("", None)
    ]
    return _say(args, document, "\n".join(lines))


def _contents(url: str) -> dict[str, Any]:
    with connected(url) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), pg_database_size(current_database()),"
            " (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
        ).fetchone()
    assert row is not None
    return {"server": row[0], "size_bytes": row[1], "pgvector": row[2], "pending": pending(url)}


def _migrate(args: argparse.Namespace, settings: Settings) -> int:
    with embedded.running(settings) as url:
        applied = migrate(url, settings)
    text = "\n".join(f"applied {version}" for version in applied) or "nothing is pending"
    return _say(args, {"applied": applied}, text)


def _rollback(args: argparse.Namespace, settings: Settings) -> int:
    if sys.stdin.isatty() and not args.yes:
        print(
            "The newest migration and the data in its tables will be lost. Type yes: ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if sys.stdin.readline().strip() != "yes":
            return 2
    with embedded.running(settings) as url:
        version = rollback(url)
    text = f"rolled back {version}" if version else "no migration is applied"
    return _say(args, {"rolled_back": version}, text)
