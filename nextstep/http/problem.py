"""
Errors over HTTP: RFC 9457 problem+json, each with a hint and the id of its request.

Source: interface.md "errors over HTTP".
"""

from __future__ import annotations

import asyncio

import asyncpg
import msgspec
from aiohttp import web

from nextstep.errors import DatabaseError, InputError, ModelError, NextStepError
from nextstep.match.cursor import StaleCursor
from nextstep.match.io.service import JobUnknown, NoVector
from nextstep.ops.actions import CountMoved, LetterUnknown

#: Seconds after which a client may try again when we are overloaded or the database is gone.
RETRY_AFTER_S = 2

#: The id of a request: in its answer, in the log, in the log of actions.
REQUEST_ID = web.RequestKey("request_id", str)


class Overloaded(NextStepError):
    """More requests wait for the encoder than it can serve soon."""


class Unauthenticated(NextStepError):
    """Nobody, or a token that is not in force."""


class Forbidden(NextStepError):
    """Known, and not allowed; or a form that no page of ours sent."""


class Misdirected(NextStepError):
    """Called by a name that is not this machine's own."""


class TooManyRequests(NextStepError):
    """A caller's rate is used up."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error. `type` names the kind, stable over versions."""

    type: str
    title: str
    status: int
    detail: str = ""
    hint: str = ""
    request_id: str = ""


_GONE_ANSWER = ("database-unavailable", "The database cannot be reached", 503)

#: Error -> (type, title, status); the first that fits, so the narrower stand first.
_KINDS: tuple[tuple[type[BaseException], str, str, int], ...] = (
    (StaleCursor, "stale-cursor", "The head has moved since the cursor was given", 409),
    (Unauthenticated, "unauthenticated", "A token is needed", 401),
    (Forbidden, "forbidden", "Not allowed", 403),
    (Misdirected, "misdirected", "Not a name of this server", 421),
    (TooManyRequests, "too-many-requests", "Too many requests", 429),
    (CountMoved, "count-moved", "Other letters match by now", 409),
    (JobUnknown, "job-unknown", "No such job", 404),
    (LetterUnknown, "letter-unknown", "No such dead letter", 404),
    (NoVector, "no-vector", "The job has no vector", 409),
    (Overloaded, "overloaded", "Too many requests wait", 503),
    (InputError, "profile-refused", "The request does not say what it should", 422),
    (msgspec.DecodeError, "not-json", "The body is not JSON", 400),
    (ModelError, "model-unavailable", "The encoder cannot be used", 503),
    (DatabaseError, *_GONE_ANSWER),
    (asyncpg.QueryCanceledError, "too-slow", "The database took too long", 503),
    (asyncpg.PostgresConnectionError, *_GONE_ANSWER),
    (asyncpg.InterfaceError, *_GONE_ANSWER),
    (asyncpg.InternalClientError, *_GONE_ANSWER),  # a connection cut in the middle of an answer
    (ConnectionError, *_GONE_ANSWER),
    (asyncio.TimeoutError, "too-slow", "The database took too long", 503),
    (OSError, *_GONE_ANSWER),
)

#: SQLSTATE classes that mean "the server is not there": connection, resources, operator, system.
_GONE = frozenset({"08", "53", "57", "58"})

_HINTS = {
    400: 'send a JSON object such as {"skills": ["Python"], "titles": ["Data Engineer"]}',
    401: "send `Authorization: Bearer TOKEN`; nextstep token create makes one",
    403: "nextstep token list shows what each token may do",
    404: "see docs/match.md for the routes",
    405: "see the Allow header for the methods of this path",
    413: "a profile is at most 1 MB of JSON",
    421: "call it localhost or 127.0.0.1, or make a token: nextstep token create",
    422: "docs/match.md lists what a request may say",
    429: "try again in a minute",
    500: "the log has the request_id; please report it with the steps that led here",
    503: "try again in a few seconds; nextstep doctor says what is wrong",
}

#: Status -> headers that go with it.
_HEADERS = {
    401: {"WWW-Authenticate": 'Bearer realm="nextstep"'},
    429: {"Retry-After": "60"},
    503: {"Retry-After": str(RETRY_AFTER_S)},
}


def from_error(error: BaseException, request_id: str) -> Problem:
    """Return the problem that an exception is; an unknown one gives 500 without its text."""
    for kind, name, title, status in _KINDS:
        if isinstance(error, kind):
            return _problem(error, name, title, status, request_id)
    if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in _GONE:
        return _problem(error, *_GONE_ANSWER, request_id)
    return Problem(
        type="urn:nextstep:internal",
        title="Something went wrong here",
        status=500,
        hint=_HINTS[500],
        request_id=request_id,
    )


def from_status(error: web.HTTPException, request_id: str) -> Problem:
    """Return the problem of an error that the router or the body's limit raised."""
    names = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    return Problem(
        type=f"urn:nextstep:{names.get(error.status, 'refused')}",
        title=error.reason,
        status=error.status,
        detail="",
        hint=_HINTS.get(error.status, ""),
        request_id=request_id,
    )


def response(problem: Problem) -> web.Response:
    """Return the problem as an answer."""
    headers = _HEADERS.get(problem.status, {})
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type="application/problem+json",
        headers=headers,
    )


def _problem(error: BaseException, name: str, title: str, status: int, request_id: str) -> Problem:
    detail = hint = ""
    if isinstance(error, NextStepError):
        detail = ": ".join(filter(None, (error.message, error.detail)))
        hint = error.hint
    elif status == 400:
        detail = str(error)
    return Problem(
        type=f"urn:nextstep:{name}",
        title=title,
        status=status,
        detail=detail,
        hint=hint or _HINTS.get(status, ""),
        request_id=request_id,
    )
