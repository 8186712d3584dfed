"""
Who may do what: tokens and logins, scopes, forged forms, rates.

A server on a loopback address without any token lets everybody there read and match, as long as
they call it by a loopback name. Once a token exists, and always outside loopback, every request but
the public ones needs one. Actions always need the scope `operate`.

Source: issue 8 item 5, decisions.md 28.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from nextstep import clock
from nextstep.errors import UsageError
from nextstep.http.problem import (
    REQUEST_ID,
    Forbidden,
    Misdirected,
    TooManyRequests,
    Unauthenticated,
)
from nextstep.http.rates import Rate
from nextstep.http.routes import Services
from nextstep.ops import tokens
from nextstep.ops.actions import By

SESSION_COOKIE = "nextstep_session"
#: Wrong tokens from one address in a minute; a person mistypes less often.
WRONG_PER_MINUTE = 10
#: Actions of one holder in a minute.
ACTIONS_PER_MINUTE = 60
#: Seconds for which a server that was open is taken to be open still.
_OPEN_AGE_S = 1.0

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Answered to everybody: what a load balancer asks, the look of the pages, the way in.
_PUBLIC = frozenset({"/healthz", "/readyz", "/static/{name}", "/login"})
#: Requests with a body that change nothing.
_MATCHING = ("/v1/match", "/v1/search", "/v1/profile")
_MATCHING_PAGES = frozenset({"/", "/search"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: the scopes, and the login's cookie where it is one."""

    name: str = ""
    token_id: str = ""
    scopes: frozenset[str] = frozenset()
    session: str = ""


#: Whoever is on this machine while no token exists.
_ANYBODY = Caller(scopes=frozenset({"read", "match"}))
CALLER = web.RequestKey("caller", Caller)


class Access:
    """The server's door; lives as long as the application."""

    def __init__(self, services: Services, *, rate_per_min: int, loopback: bool) -> None:
        self._services = services
        self._loopback = loopback
        self._rate = Rate(rate_per_min) if rate_per_min else None
        self._wrong = Rate(WRONG_PER_MINUTE)
        self._actions = Rate(ACTIONS_PER_MINUTE)
        self._open_at: float | None = None

    async def identify(self, request: web.Request) -> Caller | None:
        """
        Return who calls, None for somebody unknown.

        Raises:
            Unauthenticated: a token that is not in force.
            TooManyRequests: too many wrong ones from this address.
        """
        given = request.headers.get("Authorization", "")
        cookie = request.cookies.get(SESSION_COOKIE, "")
        if not given and not cookie:
            return _ANYBODY if await self.is_open() else None
        if given:
            scheme, _, text = given.partition(" ")
            holder = await self.holder(request, text.strip() if scheme.lower() == "bearer" else "")
            return Caller(name=holder.name, token_id=holder.token_id, scopes=holder.scopes)
        async with self._services.connection() as connection:
            found = await tokens.find_session(connection, cookie)
        if found is None:
            return _ANYBODY if await self.is_open() else None
        return Caller(name=found.name, token_id=found.token_id, scopes=found.scopes, session=cookie)

    async def holder(self, request: web.Request, text: str) -> tokens.Holder:
        """Return who holds a token; errors as in `identify`."""
        async with self._services.connection() as connection:
            found = await tokens.find(connection, text)
        if found is None:
            # Only wrong ones are counted and refused: nobody can lock out whoever has a right one.
            if not self._wrong.take(request.remote or "", clock.monotonic_s()):
                raise TooManyRequests("too many wrong tokens from this address")
            raise Unauthenticated("the token is not in force")
        return found

    async def is_open(self) -> bool:
        """Whether everybody who can reach the server may read."""
        if not self._loopback:
            return False
        now = clock.monotonic_s()
        if self._open_at is None or now - self._open_at > _OPEN_AGE_S:
            async with self._services.connection() as connection:
                if await tokens.exist(connection):
                    self._open_at = None
                    return False
            self._open_at = now
        return True

    def count(self, caller: Caller, scope: str) -> None:
        """
        Count a request against the caller's rate.

        Raises:
            TooManyRequests: it is used up.
        """
        if not caller.token_id:
            return  # on this machine, while no token exists
        rate = self._actions if scope == "operate" else self._rate
        if rate is not None and not rate.take(caller.token_id, clock.monotonic_s()):
            raise TooManyRequests(f"more than {rate.per_minute} requests in a minute")


ACCESS = web.AppKey("access", Access)


@web.middleware
async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through that may pass; what it may further do is in `request[CALLER]`."""
    scope = needed(request)
    if scope is None:
        return await handler(request)
    access = request.app[ACCESS]
    caller = await access.identify(request)
    if caller is _ANYBODY and not is_loopback(_named_host(request)):
        # A page elsewhere can make its own name point here, and would read what we answer.
        raise Misdirected("without tokens the server answers to loopback names only")
    if caller is None or (caller is _ANYBODY and scope == "operate"):
        raise Unauthenticated(f"this needs a token with the scope {scope}")
    if scope not in caller.scopes:
        raise Forbidden(f"the token has no scope {scope}")
    access.count(caller, scope)
    request[CALLER] = caller
    if caller.session and request.method not in _SAFE and scope == "operate":
        await check_form(request, caller)
    return await handler(request)


def needed(request: web.Request) -> str | None:
    """Return the scope a request needs, None for a public one; what is not named needs most."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource else ""
    if path in _PUBLIC:
        return None
    if path.startswith(_MATCHING) or (path in _MATCHING_PAGES and _asks(request)):
        return "match"
    if request.match_info.http_exception is not None:
        return "read"  # no such route or method: nothing can be done there
    if path == "/logout":
        return "read"  # whoever came in may go
    return "read" if request.method in _SAFE else "operate"


def _asks(request: web.Request) -> bool:
    return request.method not in _SAFE or bool(request.query_string)


async def check_form(request: web.Request, caller: Caller) -> None:
    """
    Refuse an action that a cookie carries and that no page of ours asked for.

    Raises:
        Forbidden: the login's form token is missing or wrong, or the form stood elsewhere.
    """
    if not is_from_here(request):
        raise Forbidden("the form stood on a page of another site")
    given = request.headers.get("X-CSRF-Token", "")
    if not given:
        given = str((await request.post()).get("csrf", ""))
    if not tokens.is_csrf_token(caller.session, given):
        raise Forbidden("the form's token is missing or not of this login", hint="load it again")


def is_from_here(request: web.Request) -> bool:
    """Whether a browser says that the request comes from a page of ours; others say nothing."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def is_https(request: web.Request) -> bool:
    """Whether the browser's connection is encrypted, here or at the proxy in front."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"


def caller_of(request: web.Request) -> Caller:
    """Return who called; nobody in particular for a public page."""
    found: Caller = request.get(CALLER, Caller())
    return found


def by(request: web.Request, why: str = "") -> By:
    """Return who acts, for the action log."""
    caller = caller_of(request)
    return By(
        actor=f"{caller.name} (token {caller.token_id})",
        why=why,
        request_id=request[REQUEST_ID],
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _named_host(request: web.Request) -> str:
    return urlsplit(f"//{request.host}").hostname or ""


async def require_tokens(connection: Any, host: str) -> None:
    """
    Refuse an address that other machines can reach, until a token exists.

    Raises:
        UsageError: nobody could be told from anybody else.
    """
    if not is_loopback(host) and not await tokens.exist(connection):
        raise UsageError(
            f"refused to listen on {host}: it is not a loopback address, and there is no token",
            detail="every caller could read everything",
            hint="nextstep token create --name NAME --scope read,match; or --host 127.0.0.1",
        )
