"""
Templates to answers, and the few files beside them.

Everything that is put into a template is escaped; no filter here marks text as safe but the one
that writes numbers of our own. A page may load what this server gives and nothing else.

Source: issue 8 items 5 and 6.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
import msgspec
from aiohttp import web

from nextstep.http.access import SESSION_COOKIE, caller_of
from nextstep.http.problem import Problem
from nextstep.ops import tokens

_HERE = Path(__file__).parent

#: No inline script or style, nothing from elsewhere, no frame around us, forms to us only.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR_S = 365 * 24 * 3600


class StaticFile(msgspec.Struct, frozen=True):
    """A file of the pages, read once; `digest` is part of its address, so that it may be kept."""

    body: bytes
    content_type: str
    digest: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Return name -> file."""
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        if path.suffix in _TYPES:
            body = path.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:12]
            found[path.name] = StaticFile(body, _TYPES[path.suffix], digest)
    return found


async def get_static(request: web.Request) -> web.Response:
    """One of the files; its address changes with its content."""
    file = static_files().get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    return web.Response(
        body=file.body,
        content_type=file.content_type,
        charset="utf-8",
        headers={"Cache-Control": f"public, max-age={_YEAR_S}, immutable"},
    )


def page(request: web.Request, template: str, status: int = 200, /, **values: Any) -> web.Response:
    """
    Return a page.

    Args:
        values: what the template names; `caller`, `csrf` and `path` are there by themselves.
    """
    caller = caller_of(request)
    text = (
        _environment()
        .get_template(template)
        .render(
            **values,
            caller=caller,
            may_operate="operate" in caller.scopes,
            csrf=tokens.csrf_token(caller.session) if caller.session else "",
            signed_in=bool(caller.session),
            path=request.path,
            pages=_pages(request.app),
        )
    )
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": PAGE_POLICY,
            "Cache-Control": "private, no-store",
            # With "no-referrer" a browser sends our own forms with "Origin: null".
            "Referrer-Policy": "same-origin",
        },
    )


def _pages(app: web.Application) -> set[str]:
    """Paths that have a page: what the head of every page links to."""
    return {resource.canonical for resource in app.router.resources()}


def wants_page(request: web.Request) -> bool:
    """Whether a person looks: not a path of the API, and HTML is asked for."""
    return not request.path.startswith("/v1/") and "text/html" in request.headers.get("Accept", "")


def problem_page(request: web.Request, problem: Problem) -> web.Response:
    """Return an error as a page; who is not known is sent to the door."""
    if problem.status == 401 and request.method in ("GET", "HEAD"):
        after = request.rel_url.path_qs
        return web.Response(
            status=303, headers={"Location": "/login?" + urlencode({"next": after})}
        )
    return page(request, "problem.html", problem.status, problem=problem)


def back(location: str, *, said: str = "") -> web.Response:
    """Return the answer to a form: look there, with a sentence about what was done."""
    if said:
        location += ("&" if "?" in location else "?") + urlencode({"said": said})
    return web.Response(status=303, headers={"Location": location})


def set_session(response: web.Response, text: str, *, secure: bool) -> None:
    """Give the browser a login: out of reach of scripts, and never sent along from elsewhere."""
    response.set_cookie(
        SESSION_COOKIE,
        text,
        httponly=True,
        samesite="Strict",
        secure=secure,
        path="/",
        max_age=int(tokens.SESSION_LIFE.total_seconds()),
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": _moment,
        "number": _number,
        "percent": _percent,
        "duration": _duration,
        "web_url": web_url,
        "json": _json,
        "words": lambda text: str(text).replace("_", " "),
        "query": lambda pairs: urlencode(list(pairs)),
    }
    environment.globals["static"] = _static_url
    return environment


def _static_url(name: str) -> str:
    return f"/static/{name}?v={static_files()[name].digest}"


def web_url(text: str) -> str:
    """Return an address that a page may link to, '' for any other: `javascript:` is one, too."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return text.strip() if parts.scheme in ("http", "https") and parts.netloc else ""


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.10g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}\u00a0%"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
