"""Failures to connect, said so that a person can act: which server, why, what to do."""

from __future__ import annotations

import re

from nextstep.db.dsn import parse, where
from nextstep.errors import Unreachable

#: What a driver or the server says -> what to do. The first that fits wins.
_HINTS = (
    (r"password|authentication|peer|no pg_hba|ident", "check user and password of DATABASE_URL"),
    (
        r'database ".*" does not exist',
        "make it: CREATE DATABASE <name> OWNER nextstep_owner; or correct DATABASE_URL",
    ),
    (r'role ".*" does not exist', "correct the user in DATABASE_URL, or run sql/ops/roles.sql"),
    (
        r"permission denied to set role|must be able to SET ROLE",
        "an administrator runs: GRANT nextstep_owner, nextstep_ingest, nextstep_worker, "
        "nextstep_rebuild, nextstep_api TO <login>",
    ),
    (
        r"unsupported startup parameter",
        "a pooler is in the way: set NEXTSTEP_POOLER=transaction, or connect to the server itself",
    ),
    (r"No space left", "free disk space on the server's volume, then try again"),
    (r"translate host|Name or service|nodename|resolve", "correct the host in DATABASE_URL"),
    (r"too many (clients|connections)|remaining connection", "raise max_connections, or use fewer"),
    (r"starting up|shutting down|recovery", "wait until the server is up, then try again"),
    (r"SSL|TLS|certificate", "set sslmode in DATABASE_URL as the server wants it"),
    (r"timed? ?out", "check that a firewall lets the port through"),
)


def unreachable(url: str, error: BaseException) -> Unreachable:
    """Return the error to raise for a connection that failed; the password is never in it."""
    text = _without_password(url, str(error) or type(error).__name__)
    hint = "start the server, or correct DATABASE_URL"
    for pattern, advice in _HINTS:
        if re.search(pattern, text, re.IGNORECASE):
            hint = advice
            break
    return Unreachable(f"cannot reach {where(url)}", detail=text, hint=hint)


def _without_password(url: str, text: str) -> str:
    password = parse(url).password
    text = " ".join(text.split())
    return text.replace(password, "***") if password else text
