"""
The way in for people: a token is traded for a login that the browser keeps.

Source: issue 8 item 5.
"""

from __future__ import annotations

from aiohttp import web

from nextstep.http.access import (
    ACCESS,
    SESSION_COOKIE,
    by,
    caller_of,
    check_form,
    is_from_here,
    is_https,
)
from nextstep.http.problem import REQUEST_ID, Forbidden, Unauthenticated
from nextstep.http.web.render import back, page, set_session
from nextstep.http.work import WORK
from nextstep.ops import actions, tokens


async def get_login(request: web.Request) -> web.Response:
    """The form."""
    return page(request, "login.html", next=_local(request.query.get("next", "/")), wrong=False)


async def post_login(request: web.Request) -> web.Response:
    """Trade a token for a login."""
    if not is_from_here(request):
        raise Forbidden("the form stood on a page of another site")
    form = await request.post()
    after = _local(str(form.get("next", "/")))
    try:
        holder = await request.app[ACCESS].holder(request, str(form.get("token", "")).strip())
    except Unauthenticated:
        return page(request, "login.html", 401, next=after, wrong=True)
    async with request.app[WORK].connection() as connection:
        text = await tokens.open_session(connection, holder)
        actor = f"{holder.name} (token {holder.token_id})"
        who = actions.By(actor=actor, request_id=request[REQUEST_ID])
        await actions.note(connection, "sign in", "console", who)
    answer = back(after)
    set_session(answer, text, secure=is_https(request))
    return answer


async def post_logout(request: web.Request) -> web.Response:
    """End the login."""
    caller = caller_of(request)
    if caller.session:
        await check_form(request, caller)
        async with request.app[WORK].connection() as connection:
            await tokens.close_session(connection, caller.session)
            await actions.note(connection, "sign out", "console", by(request))
    answer = back("/")
    answer.del_cookie(SESSION_COOKIE, path="/")
    return answer


def _local(path: str) -> str:
    """A path of this server; anything that a browser could take for another one is the start."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local and "\\" not in path else "/"
