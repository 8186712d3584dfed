"""
The match and search pages: an address holds the whole question, so that it can be shared.

A long text (a CV) is sent as a form and comes back as the skills and the title that were read off
it: it stands in no address, no history and no log.

Source: issue 8 item 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from nextstep.errors import InputError
from nextstep.http.routes import SERVICES, ask
from nextstep.http.web.highlight import Excerpt, excerpt
from nextstep.http.web.render import page
from nextstep.match.answer import Answer, Result
from nextstep.match.io.search import search
from nextstep.match.io.service import match
from nextstep.match.profile import Profile, convert_profile
from nextstep.match.ranking import LADDER
from nextstep.match.reading import Reading, read_profile
from nextstep.match.search import read_search

#: Texts up to here stay in the address; longer ones become what was read off them.
_SHORT_TEXT = 300
_PAGE = 20
#: Excerpts shown of one result, values of one facet.
_EXCERPTS = 2
_FACET_VALUES = 8
_TEXTS = "SELECT job_id, description_clean FROM jobs_normalized WHERE job_id = ANY ($1::uuid[])"
_FACETS = ("country", "work_mode", "seniority", "employment_type", "source")

Pairs = list[tuple[str, str]]


class Chip(msgspec.Struct, frozen=True):
    """A skill or title of the question; `without` is the address of the question without it."""

    text: str
    without: str


class FacetValue(msgspec.Struct, frozen=True):
    """A value that a result may have; `count` of the candidates have it."""

    value: str
    count: int
    is_chosen: bool


class Shown(msgspec.Struct, frozen=True):
    """A result with what the page draws: (part, points, left edge, width) of 100, and evidence."""

    result: Result
    parts: list[tuple[str, float, float, float]]
    excerpts: list[Excerpt]


async def get_match(request: web.Request) -> web.Response:
    """The form, and the answer where something is asked."""
    asked = _pairs(request.query.items())
    if not any(name in ("text", "skill", "title", "add") and value for name, value in asked):
        return page(request, "match.html", **_form(asked), answer=None, fault="", chips=[])
    try:
        answer, reading = await ask(request.app[SERVICES], _profile(asked), match)
    except InputError as error:
        return page(
            request, "match.html", 422, **_form(asked), answer=None, fault=error.message, chips=[]
        )
    return await _answered(request, "match.html", asked, answer, reading)


async def post_match_page(request: web.Request) -> web.Response:
    """Read a text, and go to the address that asks for what it says."""
    form = await request.post()
    asked = _pairs((name, value) for name, value in form.items() if isinstance(value, str))
    text = dict(asked).get("text", "")
    if len(text) <= _SHORT_TEXT:
        return _see("/", asked)
    try:
        reading = read_profile(_profile(asked), request.app[SERVICES].lexicon)
    except InputError as error:
        shown = _form(asked)
        return page(request, "match.html", 422, **shown, answer=None, fault=error.message, chips=[])
    rest = [(name, value) for name, value in asked if name not in ("text", "skill", "title", "add")]
    read = [("skill", skill) for skill in reading.wanted.skills[:60]]
    titles = [("title", title) for title, _ in reading.wanted.titles]
    if not read and not titles:
        rest.append(("text", text[:_SHORT_TEXT]))
    return _see("/", [*titles, *read, *rest])


async def get_search_page(request: web.Request) -> web.Response:
    """A few words, and the jobs that say them."""
    asked = _pairs(request.query.items())
    words = dict(asked).get("q", "")
    if not words:
        return page(request, "search.html", **_form(asked), answer=None, fault="", chips=[])
    try:
        filters: dict[str, Any] = {
            name: [value for key, value in asked if key == name] for name in _FACETS
        }
        query = {"q": [words], **{name: values for name, values in filters.items() if values}}
        for name in ("posted_since", "cursor"):
            if value := dict(asked).get(name):
                query[name] = [value]
        answer, reading = await ask(request.app[SERVICES], read_search(query), search)
    except InputError as error:
        return page(
            request, "search.html", 422, **_form(asked), answer=None, fault=error.message, chips=[]
        )
    return await _answered(request, "search.html", asked, answer, reading)


async def _answered(
    request: web.Request, template: str, asked: Pairs, answer: Answer, reading: Reading
) -> web.Response:
    ids = [result.canonical_job_id for result in answer.results]
    async with request.app[SERVICES].connection() as connection:
        rows = await connection.fetch(_TEXTS, ids)
    texts = {row["job_id"]: row["description_clean"] for row in rows}
    more = ""
    if answer.cursor:
        kept = [pair for pair in asked if pair[0] != "cursor"]
        more = _address(request.path, [*kept, ("cursor", answer.cursor)])
    return page(
        request,
        template,
        **_form(asked, answer.facets),
        answer=answer,
        fault="",
        chips=_chips(asked, reading),
        shown=[_shown(result, texts.get(result.canonical_job_id, "")) for result in answer.results],
        more=more,
        part_names=list(answer.weights),
    )


def _profile(asked: Pairs) -> Profile:
    """
    Return the profile that an address asks for.

    Raises:
        ProfileRefused: as for /v1/match.
    """
    one = dict(asked)
    several = _several(asked)
    filters: dict[str, Any] = {name: several[name] for name in _FACETS if several.get(name)}
    if one.get("posted_since"):
        filters["posted_since"] = one["posted_since"]
    profile: dict[str, Any] = {
        "text": one.get("text", ""),
        "skills": _listed(several.get("skill", []), one.get("add", "")),
        "titles": _listed(several.get("title", []), ""),
        "filters": filters,
        "limit": _PAGE,
    }
    if one.get("city") or one.get("in_country"):
        profile["location"] = {"city": one.get("city", ""), "country": one.get("in_country", "")}
    profile |= {
        name: one[field]
        for name, field in (("work_mode", "mode"), ("seniority", "level"), ("cursor", "cursor"))
        if one.get(field)
    }
    return convert_profile(profile)


def _form(asked: Pairs, facets: Mapping[str, Mapping[str, int]] | None = None) -> dict[str, Any]:
    """What the form shows: the question as it stands, and the values it may be narrowed to."""
    one, several = dict(asked), _several(asked)
    return {
        "one": {**dict.fromkeys(("text", "q", "city", "in_country", "mode", "level"), ""), **one},
        "skills": _listed(several.get("skill", []), one.get("add", "")),
        "titles": _listed(several.get("title", []), ""),
        "facets": {
            name: _facet(several.get(name, []), (facets or {}).get(name, {})) for name in _FACETS
        },
        "levels": list(LADDER),
        "since": one.get("posted_since", ""),
    }


def _facet(chosen: Sequence[str], counts: Mapping[str, int]) -> list[FacetValue]:
    names = [*chosen, *(value for value in counts if value not in chosen)]
    kept = names[: max(_FACET_VALUES, len(chosen))]
    return [FacetValue(name, counts.get(name, 0), name in chosen) for name in kept]


def _chips(asked: Pairs, reading: Reading) -> list[Chip]:
    """
    Every skill of the question as it was read; one that stood in the text goes with the text.

    What stays is then named outright, so that taking one skill away leaves all the others.
    """
    wanted = reading.wanted.skills
    fixed = [pair for pair in asked if pair[0] not in ("text", "skill", "add", "title", "cursor")]
    titles = [("title", title) for title, _ in reading.wanted.titles]
    return [
        Chip(
            skill,
            _address("/", [*titles, *(("skill", s) for s in wanted if s != skill), *fixed]),
        )
        for skill in wanted
    ]


def _shown(result: Result, text: str) -> Shown:
    parts = []
    left = 0.0
    for name, value in result.parts.items():
        width = round(100 * value, 2)
        parts.append((name, value, round(left, 2), width))
        left += width
    excerpts = [
        excerpt(text, skill.start, skill.end, skill.name)
        for skill in result.matched_skills
        if skill.field == "description_clean" and text[skill.start : skill.end] == skill.snippet
    ]
    return Shown(result, parts, excerpts[:_EXCERPTS])


def _pairs(items: Iterable[tuple[str, Any]]) -> Pairs:
    # PostgreSQL holds no NUL; a lone surrogate has no UTF-8.
    return [
        (str(name), str(value).replace("\0", "").encode("utf-8", "replace").decode().strip())
        for name, value in items
        if str(value).strip()
    ]


def _several(asked: Pairs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in asked:
        found.setdefault(name, []).append(value)
    return found


def _listed(values: Iterable[str], more: str) -> list[str]:
    parts = [part.strip() for value in (*values, more) for part in value.split(",")]
    return list(dict.fromkeys(filter(None, parts)))


def _address(path: str, asked: Pairs) -> str:
    return f"{path}?{urlencode(asked)}" if asked else path


def _see(path: str, asked: Pairs) -> web.Response:
    return web.Response(status=303, headers={"Location": _address(path, asked)})
