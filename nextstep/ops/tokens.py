"""
Access tokens and console logins: made here, stored as hashes, found again in constant time.

A token reads `nst_<id>_<secret>`. The id finds its row; the secret is 256 random bits, so that one
SHA-256 is as good as a slow hash, which is for secrets that people choose.

Source: issue 8 item 5.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from nextstep.errors import UsageError

#: What a token may be good for, in the order they are shown.
SCOPES = ("read", "match", "operate")
#: A working day; after it the operator signs in again.
SESSION_LIFE = timedelta(hours=12)

_TOKEN = re.compile(r"nst_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32

_COLUMNS = "token_id, name, scopes, created_at, expires_at, revoked_at"
_CREATE = f"""
INSERT INTO access_tokens (token_id, name, secret_hash, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5)
RETURNING {_COLUMNS}
"""
_LIST = f"SELECT {_COLUMNS} FROM access_tokens ORDER BY created_at, token_id"
_REVOKE = """
UPDATE access_tokens SET revoked_at = clock_timestamp()
 WHERE token_id = $1 AND revoked_at IS NULL
RETURNING token_id
"""
_EXIST = "SELECT EXISTS (SELECT FROM access_tokens WHERE revoked_at IS NULL)"
_IN_FORCE = """
  t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
"""
_FIND = f"""
SELECT t.token_id, t.name, t.scopes, t.secret_hash FROM access_tokens AS t
 WHERE t.token_id = $1 AND {_IN_FORCE}
"""
_FIND_SESSION = f"""
SELECT t.token_id, t.name, t.scopes
  FROM access_sessions AS s
  JOIN access_tokens AS t ON t.token_id = s.token_id
 WHERE s.session_hash = $1 AND s.expires_at > clock_timestamp() AND {_IN_FORCE}
"""
_OPEN_SESSION = """
INSERT INTO access_sessions (session_hash, token_id, expires_at)
VALUES ($1, $2, clock_timestamp() + $3)
"""
_CLOSE_SESSION = "DELETE FROM access_sessions WHERE session_hash = $1"
_SWEEP_SESSIONS = "DELETE FROM access_sessions WHERE expires_at <= clock_timestamp()"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it may be shown: never its secret."""

    token_id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever showed a token that is in force."""

    token_id: str
    name: str
    scopes: frozenset[str]


def read_scopes(text: str) -> list[str]:
    """
    Return the scopes of a comma-separated list, in their usual order.

    Raises:
        UsageError: one of them is none.
    """
    named = {part.strip() for part in text.split(",") if part.strip()}
    unknown = sorted(named - set(SCOPES))
    if unknown or not named:
        raise UsageError(
            f"no scope is named {', '.join(unknown) or repr(text)}",
            detail=f"scopes: {', '.join(SCOPES)}",
            hint="nextstep token create --name grafana --scope read",
        )
    return [scope for scope in SCOPES if scope in named]


async def create(
    connection: Any, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[Token, str]:
    """Store a new token; return its row and its text, which is shown once and kept nowhere."""
    token_id, secret = secrets.token_hex(6), _random_text()
    row = await connection.fetchrow(
        _CREATE, token_id, name, _hash(secret), list(scopes), expires_at
    )
    return Token(**dict(row)), f"nst_{token_id}_{secret}"


async def listed(connection: Any) -> list[Token]:
    """Return every token ever made, oldest first."""
    return [Token(**dict(row)) for row in await connection.fetch(_LIST)]


async def revoke(connection: Any, token_id: str) -> None:
    """
    Take a token out of force, with the logins opened with it.

    Raises:
        UsageError: no token of that id is in force.
    """
    if await connection.fetchval(_REVOKE, token_id) is None:
        raise UsageError(f"no token {token_id!r} is in force", hint="nextstep token list")


async def exist(connection: Any) -> bool:
    """
    Whether tokens were made that nobody revoked.

    Expired ones count: time alone must not open a server that its operator had closed.
    """
    return bool(await connection.fetchval(_EXIST))


async def find(connection: Any, text: str) -> Holder | None:
    """Return who holds the token, None when it is not in force."""
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return None
    row = await connection.fetchrow(_FIND, parts[1])
    # An unknown id costs the same comparison as a wrong secret.
    stored = row["secret_hash"] if row else bytes(32)
    if not hmac.compare_digest(stored, _hash(parts[2])) or row is None:
        return None
    return _holder(row)


async def open_session(connection: Any, holder: Holder) -> str:
    """Open a login and return the text of its cookie; logins that are over are swept away."""
    text = _random_text()
    await connection.execute(_SWEEP_SESSIONS)
    await connection.execute(_OPEN_SESSION, _hash(text), holder.token_id, SESSION_LIFE)
    return text


async def find_session(connection: Any, text: str) -> Holder | None:
    """Return whose login a cookie is, None when it is over or its token is not in force."""
    row = await connection.fetchrow(_FIND_SESSION, _hash(text))
    return _holder(row) if row else None


async def close_session(connection: Any, text: str) -> None:
    """End a login."""
    await connection.execute(_CLOSE_SESSION, _hash(text))


def csrf_token(session: str) -> str:
    """
    Return the token that forms of a login carry.

    It follows from the cookie's text, which another site can neither read nor guess, and gives
    nothing of it away.
    """
    return hmac.new(session.encode(), b"nextstep csrf", hashlib.sha256).hexdigest()


def is_csrf_token(session: str, given: str) -> bool:
    """Whether a form carries the token of its login."""
    return hmac.compare_digest(csrf_token(session).encode(), given.encode("utf-8", "replace"))


def _holder(row: Any) -> Holder:
    return Holder(token_id=row["token_id"], name=row["name"], scopes=frozenset(row["scopes"]))


def _random_text() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
