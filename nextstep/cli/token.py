"""`token create|list|revoke`: who may call the server, and for what."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from typing import Any

from nextstep import clock
from nextstep.cli.common import add_json, print_json, with_session
from nextstep.errors import UsageError
from nextstep.ops import tokens
from nextstep.settings import Settings


def register(verbs: Any) -> None:
    """Add the verb."""
    about = "access tokens of the HTTP server"
    group = verbs.add_parser("token", help=about, description=about)
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    create = actions.add_parser("create", help="make a token; it is shown once")
    create.add_argument("--name", required=True, help="whose it is; stands in the action log")
    create.add_argument(
        "--scope", default="read", metavar="A,B", help="of read, match, operate (default read)"
    )
    create.add_argument("--days", type=int, help="days until it expires (default: never)")
    add_json(create)
    create.set_defaults(run=with_session("worker", _create))

    listing = actions.add_parser("list", help="every token, without its secret")
    add_json(listing)
    listing.set_defaults(run=with_session("api", _list))

    revoke = actions.add_parser("revoke", help="take a token and its logins out of force")
    revoke.add_argument("token_id", metavar="ID")
    revoke.set_defaults(run=with_session("worker", _revoke))


async def _create(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    name, scopes = args.name.strip(), tokens.read_scopes(args.scope)
    if not name or len(name) > 80 or not name.isprintable():
        raise UsageError("a token needs a name of 1 to 80 printable characters")
    if args.days is not None and not 1 <= args.days <= 3650:
        raise UsageError("--days takes a number from 1 to 3650")
    until = clock.now() + timedelta(days=args.days) if args.days else None
    made, text = await tokens.create(connection, name, scopes, until)
    if args.json:
        print_json({"token": text, "token_id": made.token_id, "scopes": made.scopes})
        return 0
    print(text)
    print(
        f"token {made.token_id} of {name} may {', '.join(scopes)}; it is shown this once only",
        file=sys.stderr,
    )
    return 0


async def _list(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    found = await tokens.listed(connection)
    if args.json:
        print_json(found)
        return 0
    now = clock.now()
    for token in found:
        state = "in force"
        if token.revoked_at:
            state = f"revoked {token.revoked_at:%Y-%m-%d}"
        elif token.expires_at:
            word = "expired" if token.expires_at <= now else "until"
            state = f"{word} {token.expires_at:%Y-%m-%d}"
        print(f"{token.token_id}\t{token.name}\t{','.join(token.scopes)}\t{state}")
    print(f"{len(found)} token(s)")
    return 0


async def _revoke(connection: Any, args: argparse.Namespace, _: Settings) -> int:
    await tokens.revoke(connection, args.token_id)
    print(f"token {args.token_id} is revoked, and every login made with it")
    return 0
