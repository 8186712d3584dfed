"""
The API's description in OpenAPI 3.1: paths as one visible list, schemas from the structs.

A test compares the list with the routes, so that neither grows alone.

Source: issue 8 item 4.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from nextstep import __version__
from nextstep.http.actions import (
    ActionLog,
    Done,
    LetterChoice,
    Letters,
    StageAction,
    StageReset,
)
from nextstep.http.problem import Problem
from nextstep.http.wire import Duplicates, Health, JobDetail, Ready
from nextstep.match.answer import Answer, SimilarAnswer
from nextstep.match.profile import Profile
from nextstep.projections.trend_answers import Answer as TrendAnswer


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `answer` None means any JSON object; `scope` '' means anybody."""

    method: str
    path: str
    summary: str
    scope: str = "read"
    query: tuple[tuple[str, str, str], ...] = ()  # name, JSON type, what it is
    body: Any = None
    answer: Any = None
    errors: tuple[int, ...] = ()
    media: str = "application/json"


_JOB = "/v1/jobs/{job_id}"
_MONTHS = (("from", "string", "first month, 2025-01"), ("to", "string", "last month"))
_GROUP = (
    ("cluster", "string", "title cluster, * for all"),
    ("country", "string", "ISO 3166, * for all"),
)
_MANY = (
    ("span", "integer", "months compared"),
    ("limit", "integer", "rows at most"),
    ("verdict", "string", "only changes with this verdict"),
)
_AFTER = (("after", "string", "the last job id of the page before"),)
_MONTH = (("month", "string", "2025-01"),)
_SKILL = (("skill", "string", "a skill or tool"),)
_TITLE = (("title", "string", "a normalized title"),)
_PAY = (("currency", "string", "ISO 4217"), ("period", "string", "hour, day, week, month, year"))
_EMPLOYER = (("employer", "string", "a company"), _GROUP[0])
_SOURCE = (("source", "string", "a source"),)


def _trends(
    name: str, about: str, query: tuple[Any, ...], cell: tuple[Any, ...]
) -> tuple[Operation, Operation]:
    path = f"/v1/trends/{name}"
    return (
        Operation(
            method="get", path=path, summary=about, query=query, answer=TrendAnswer, errors=(422,)
        ),
        Operation(
            method="get", path=f"{path}/jobs", summary=f"The postings behind a number of: {about}",
            query=(*cell, *_AFTER), errors=(422,),
        ),
    )  # fmt: skip


_SEARCH = (
    ("q", "string", "a few words"),
    ("country", "string", "codes or names, commas between"),
    ("city", "string", "towns"),
    ("work_mode", "string", "remote, hybrid, onsite"),
    ("seniority", "string", "intern to executive"),
    ("employment_type", "string", "full_time, contract, …"),
    ("source", "string", "sources"),
    ("exclude", "string", "job ids or companies"),
    ("posted_since", "string", "a date"),
    ("salary_min", "string", "60000 EUR year"),
    ("limit", "integer", "1 to 100"),
    ("cursor", "string", "that of the page before"),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="post", path="/v1/match", summary="Jobs for a profile, ranked and explained",
        scope="match", body=Profile, answer=Answer, errors=(400, 409, 413, 422, 503),
    ),
    Operation(
        method="get", path="/v1/search", summary="Open jobs for a few words", scope="match",
        query=_SEARCH, answer=Answer, errors=(409, 422, 503),
    ),
    Operation(
        method="get", path=_JOB, summary="One posting with all that is known of it",
        answer=JobDetail, errors=(404,),
    ),
    Operation(
        method="get", path=f"{_JOB}/similar", summary="The open clusters nearest to a job",
        query=(("k", "integer", "how many, 1 to 100"),), answer=SimilarAnswer,
        errors=(404, 409, 422),
    ),
    Operation(
        method="get", path=f"{_JOB}/duplicates", summary="Other postings of its cluster, variants",
        answer=Duplicates, errors=(404,),
    ),
    Operation(method="get", path="/v1/offsets", summary="Head, offsets and lag of every stage"),
    *_trends(
        "skills", "Demand for skills by month", (*_SKILL, *_GROUP, *_MONTHS, *_MANY),
        (*_SKILL, *_MONTH, *_MONTHS, *_GROUP),
    ),
    *_trends(
        "roles", "What a role asks for by month", (*_TITLE, *_SKILL, *_MONTHS, *_MANY),
        (*_TITLE, *_SKILL, *_MONTH, *_MONTHS),
    ),
    *_trends("adjacent", "Titles near a title", (*_TITLE, _MANY[1]), (*_TITLE, *_SKILL)),
    *_trends(
        "salaries", "Pay by month", (*_GROUP, *_MONTHS, *_PAY),
        (*_MONTH, *_MONTHS, *_GROUP, *_PAY),
    ),
    *_trends("employers", "Employers by postings", (*_EMPLOYER, _MANY[1]), _EMPLOYER),
    *_trends(
        "coverage", "Which months of a source were seen", (*_SOURCE, *_MONTHS),
        (*_SOURCE, *_MONTH, *_MONTHS),
    ),
    Operation(
        method="get", path="/v1/dead-letters", summary="Posts that a stage could not handle",
        query=(
            ("stage", "string", "a stage"),
            ("status", "string", "parked, resolved, discarded, all"),
            ("error", "string", "a part of the error"),
        ),
        answer=Letters, errors=(422,),
    ),
    Operation(method="get", path="/v1/actions", summary="What operators did", answer=ActionLog),
    *(
        Operation(
            method="post", path=f"/v1/stages/{{stage}}/{verb}", summary=about, scope="operate",
            body=body, answer=Done, errors=(400, 422),
        )
        for verb, about, body in (
            ("pause", "Stop a stage until it is resumed", StageAction),
            ("resume", "Let a paused or halted stage go on", StageAction),
            ("reset", "Rewind a stage and all that read from it", StageReset),
        )
    ),
    *(
        Operation(
            method="post", path=f"/v1/dead-letters/{verb}", summary=about, scope="operate",
            body=LetterChoice, answer=Done, errors=(400, 409, 422),
        )
        for verb, about in (
            ("retry", "Let the whole line see the letters' jobs again"),
            ("discard", "Give letters up; rebuilds skip them, counted"),
        )
    ),
    Operation(method="get", path="/v1/openapi.json", summary="This document"),
    Operation(method="get", path="/metrics", summary="Metrics for Prometheus", media="text/plain"),
    Operation(
        method="get", path="/healthz", summary="The process answers", scope="", answer=Health
    ),
    Operation(
        method="get", path="/readyz", summary="Database, migrations and model are there", scope="",
        answer=Ready,
    ),
)  # fmt: skip

_REASONS = {
    400: "Not JSON",
    401: "A token is needed",
    403: "The token's scopes do not allow it",
    404: "No such job",
    409: "The state has moved, or is not there yet",
    413: "The body is too large",
    422: "The request does not say what it should",
    429: "Too many requests",
    503: "Database or encoder away, or too busy",
}


@cache
def document() -> dict[str, Any]:
    """Return the whole document as plain data."""
    kinds = {
        kind: None
        for operation in OPERATIONS
        for kind in (operation.body, operation.answer)
        if kind is not None
    }
    schemas, components = msgspec.json.schema_components(
        [*kinds, Problem], ref_template="#/components/schemas/{name}"
    )
    by_kind = dict(zip([*kinds, Problem], schemas, strict=True))
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NextStep",
            "version": __version__,
            "description": "Job posts as a replayable log: matched, searched, explained.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


async def get_document(request: web.Request) -> web.Response:
    """The document itself."""
    return web.Response(body=msgspec.json.encode(document()), content_type="application/json")


def _operation(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "parameters": [
            *(_path_parameter(part) for part in operation.path.split("/") if part[:1] == "{"),
            *(
                {"name": name, "in": "query", "description": about, "schema": {"type": kind}}
                for name, kind, about in operation.query
            ),
        ],
        "responses": {
            "200": {
                "description": "Done",
                "content": {operation.media: {"schema": _schema(operation, schemas)}},
            },
            **{str(status): _refusal(status, schemas) for status in _errors(operation)},
        },
        # An empty requirement beside the token: on its own machine a server may be open.
        "security": [{"token": []}, {}] if operation.scope != "operate" else [{"token": []}],
    }
    if operation.scope:
        described["description"] = f"Needs the scope `{operation.scope}`."
    if operation.path == "/readyz":
        described["responses"]["503"] = {
            "description": "Something is missing",
            "content": {"application/json": {"schema": schemas[Ready]}},
        }
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body is not StageAction,
            "content": {"application/json": {"schema": schemas[operation.body]}},
        }
    return described


def _errors(operation: Operation) -> list[int]:
    usual = (401, 403, 429, 503) if operation.scope else ()
    return sorted({*operation.errors, *usual})


def _schema(operation: Operation, schemas: dict[Any, Any]) -> Any:
    if operation.media != "application/json":
        return {"type": "string"}
    return schemas[operation.answer] if operation.answer is not None else {"type": "object"}


def _refusal(status: int, schemas: dict[Any, Any]) -> dict[str, Any]:
    return {
        "description": _REASONS[status],
        "content": {"application/problem+json": {"schema": schemas[Problem]}},
    }


def _path_parameter(part: str) -> dict[str, Any]:
    name = part.strip("{}")
    kind = {"type": "string", "format": "uuid"} if name == "job_id" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": kind}


def _name(operation: Operation) -> str:
    words = operation.path.replace("{", "").replace("}", "").replace(".", "_").replace("-", "_")
    return operation.method + words.replace("/", "_")
