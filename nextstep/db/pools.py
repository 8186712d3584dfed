"""
asyncpg connections of a role, with the codecs and the limits every room counts on.

A connection is `nextstep_<role>` from its first statement on, speaks UTC, gives jsonb as Python
objects and vectors as `pgvector.Vector`. Behind a transaction pooler nothing can be set for a
session: no prepared statements are kept, and every transaction sets role, zone and limits for
itself; a statement outside of one gets one of its own.

Source: decisions.md 15 and 26.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import asyncpg
import msgspec
from asyncpg.transaction import Transaction
from pgvector.asyncpg import register_vector

from nextstep.db.dsn import for_asyncpg
from nextstep.db.reach import unreachable
from nextstep.settings import Settings

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
    AnyConnection = Connection | PoolConnectionProxy[asyncpg.Record]
else:  # the classes take no parameter at run time
    Connection = AnyConnection = asyncpg.Connection
    Pool = asyncpg.Pool

Role = Literal["owner", "ingest", "worker", "rebuild", "api"]

#: Seconds until a connection attempt counts as failed.
CONNECT_TIMEOUT_S = 10.0

#: Limits that the server enforces. The API's are short: a reader that hangs holds a connection.
#: Workers may compute inside a transaction only for minutes; the owner rebuilds for hours.
_LIMITS: dict[str | None, dict[str, str]] = {
    "api": {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"},
    "ingest": {"lock_timeout": "60s", "idle_in_transaction_session_timeout": "10min"},
    "worker": {"lock_timeout": "60s", "idle_in_transaction_session_timeout": "10min"},
    # What a rebuild writes it finds in the shadow; what it only reads may be live.
    "rebuild": {"lock_timeout": "60s", "search_path": "nextstep_shadow, public"},
    "owner": {},
    None: {},
}


async def connect(url: str, role: Role | None, settings: Settings) -> Connection:
    """
    Open one connection.

    Args:
        role: whose rights it has; None keeps those of the login user.

    Raises:
        Unreachable: no server, wrong credentials, or the role may not be taken on.
    """
    try:
        connection: Connection = await asyncpg.connect(
            for_asyncpg(url), **_arguments(role, settings, {})
        )
    except _FAILURES as error:
        raise unreachable(url, error) from error
    try:
        await _set_codecs(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def create_pool(
    url: str,
    role: Role | None,
    settings: Settings,
    *,
    max_size: int = 4,
    command_timeout_s: float | None = None,
    limits: Mapping[str, str] | None = None,
) -> Pool:
    """
    Open a pool of such connections, the first of them at once; errors as in `connect`.

    A statement without an answer after `command_timeout_s` raises TimeoutError. `limits` are server
    settings that stand above those of the role.
    """
    try:
        return await asyncpg.create_pool(
            for_asyncpg(url),
            min_size=1,
            max_size=max_size,
            init=_set_codecs,
            command_timeout=command_timeout_s,
            **_arguments(role, settings, limits or {}),
        )
    except _FAILURES as error:
        raise unreachable(url, error) from error


@asynccontextmanager
async def in_transaction(
    connection: AnyConnection, role: Role | None, settings: Settings
) -> AsyncIterator[None]:
    """Open a transaction that has the role and UTC behind a pooler too (SET LOCAL)."""
    async with connection.transaction():
        if settings.pooler == "transaction":
            await connection.execute("SET LOCAL TimeZone = 'UTC'")
            if role is not None:
                await connection.execute(f"SET LOCAL ROLE nextstep_{role}")
        yield


class _RoleTransaction(Transaction):
    """A transaction that begins with its connection's role, zone and limits."""

    def __init__(self, connection: _BehindPooler, *how: Any) -> None:
        super().__init__(connection, *how)
        self._on = connection

    async def start(self) -> None:
        is_outer = not self._on.is_in_transaction()
        self._on.is_beginning = True
        try:
            await super().start()
        finally:
            self._on.is_beginning = False
        if is_outer:
            try:
                await self._on.execute(self._on.local_settings)
            except BaseException:
                await self.rollback()
                raise


class _BehindPooler(Connection):
    """
    A connection of a transaction pooler: the next statement may reach another session.

    A role set for the session would stay with whoever gets it next, so each transaction sets its
    own. That also keeps the two messages of one statement in one session.
    """

    local_settings: ClassVar[str]
    is_beginning = False

    def transaction(self, **how: Any) -> Transaction:
        how = {"isolation": None, "readonly": False, "deferrable": False, **how}
        return _RoleTransaction(self, how["isolation"], how["readonly"], how["deferrable"])

    def get_reset_query(self) -> str:
        return ""  # nothing was set for the session

    async def execute(self, *args: Any, **how: Any) -> Any:
        return await self._alone(super().execute, args, how)

    async def executemany(self, *args: Any, **how: Any) -> Any:
        return await self._alone(super().executemany, args, how)

    async def fetch(self, *args: Any, **how: Any) -> Any:
        return await self._alone(super().fetch, args, how)

    async def fetchrow(self, *args: Any, **how: Any) -> Any:
        return await self._alone(super().fetchrow, args, how)

    async def fetchval(self, *args: Any, **how: Any) -> Any:
        return await self._alone(super().fetchval, args, how)

    async def _alone(self, call: Any, args: tuple[Any, ...], how: dict[str, Any]) -> Any:
        if self.is_beginning or self.is_in_transaction():
            return await call(*args, **how)
        async with self.transaction():
            return await call(*args, **how)


class _Reader(Connection):
    """A connection that takes back settings only: a reader locks nothing and listens to nobody."""

    def get_reset_query(self) -> str:
        return "RESET ALL"


@cache
def _connection_class(local_settings: str) -> type[_BehindPooler]:
    return type("BehindPooler", (_BehindPooler,), {"local_settings": local_settings})


#: What connecting may raise. InterfaceError: a host that asyncpg cannot make sense of.
_FAILURES = (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


def _arguments(role: Role | None, settings: Settings, limits: Mapping[str, str]) -> dict[str, Any]:
    values = {
        "TimeZone": "UTC",
        # Start-up parameters outlive the RESET ALL with which a pool takes a connection back.
        **({"role": f"nextstep_{role}"} if role else {}),
        **_LIMITS[role],
        **limits,
    }
    if settings.pooler == "transaction":
        # A pooler refuses start-up parameters it does not know, and loses prepared statements.
        return {
            "timeout": CONNECT_TIMEOUT_S,
            "statement_cache_size": 0,
            "connection_class": _connection_class(
                "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in values.items())
            ),
        }
    server = {"application_name": f"nextstep {role or ''}".strip(), **values}
    how: dict[str, Any] = {"connection_class": _Reader} if role == "api" else {}
    return {"timeout": CONNECT_TIMEOUT_S, "server_settings": server, **how}


async def _set_codecs(connection: AnyConnection) -> None:
    # Binary, because COPY takes no other kind; jsonb's binary form is a version byte, then text.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
        format="binary",
    )
    schema = await connection.fetchval(
        "SELECT n.nspname FROM pg_catalog.pg_extension AS e"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
    )
    if schema is not None:
        await register_vector(connection, schema=schema)
