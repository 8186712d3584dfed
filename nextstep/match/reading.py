"""
Read a profile with the same taxonomies that read the posts: names become canonical, texts skills.

Source: design.md 6, decisions.md 13.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from nextstep.match.profile import Filters, Place, Profile, ProfileRefused
from nextstep.match.ranking import Wanted
from nextstep.processors.shared.employment import parse_employment
from nextstep.processors.shared.folding import fold
from nextstep.processors.shared.geo import gazetteer, place_key
from nextstep.processors.shared.mentions import extract_skills_tools
from nextstep.processors.shared.place import Place as ParsedPlace
from nextstep.processors.shared.place import parse_place
from nextstep.processors.shared.taxonomy import Matcher, Taxonomies, build_matcher
from nextstep.processors.shared.titles import Title, normalize_title

#: Characters of a free text in which a title is looked for: people say first what they are.
_TITLE_REACH = 300
#: Characters before a title in which its level may stand: "Senior", "Junior to mid level".
_LEVEL_REACH = 30
#: Below this the normalizer knows no role by that name and gives the words back.
_KNOWN_TITLE = 0.6
#: Characters of free text that the encoder gets. It reads 128 tokens; titles and skills, which
#: say most, stand before the text.
_QUERY_CHARS = 2000
#: A longer text is a CV, whose first lines are a name and an address: its skills go before it.
_CV_CHARS = 600


class Lexicon(msgspec.Struct, frozen=True):
    """
    The taxonomies, ready for use.

    `names` maps a folded written form to the canonical name; `soft` holds skills that nearly
    every post names, so that they are compared only where a profile states them.
    """

    matcher: Matcher
    taxonomies: Taxonomies
    names: dict[str, str]
    soft: frozenset[str]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """
    A profile as understood.

    `unknown_skills` are stated names that no taxonomy holds, looked for literally; they are in
    `wanted.skills` as well. `title_words` are titles that no taxonomy holds.
    """

    profile: Profile
    wanted: Wanted
    filters: Filters
    query_text: str
    title_words: tuple[str, ...]
    unknown_skills: tuple[str, ...]


def make_lexicon(taxonomies: Taxonomies) -> Lexicon:
    """Return the taxonomies ready for use; once per process, it takes seconds."""
    gazetteer()  # read now, not while the first profile waits
    concepts = (*taxonomies.skills, *taxonomies.tools)
    names: dict[str, str] = {}
    for concept in concepts:
        for surface in concept.surfaces:
            names.setdefault(_key(surface.text), concept.name)
    # A concept's own name wins over another's alias.
    names |= {_key(concept.name): concept.name for concept in concepts}
    soft = frozenset(c.name for c in concepts if c.kind == "soft")
    return Lexicon(build_matcher(taxonomies), taxonomies, names, soft)


def read_profile(profile: Profile, lexicon: Lexicon) -> Reading:
    """
    Return the profile as understood.

    What is stated wins; skills of the free text are added, and its title and level are taken
    only where none is stated.

    Raises:
        ProfileRefused: a country is none.
    """
    stated, unknown = _stated_skills(profile.skills, lexicon)
    from_text = [name for name in _text_skills(profile.text, lexicon) if name not in stated]
    found = None if profile.titles else _text_title(profile.text, lexicon)
    titles = [*profile.titles, *filter(None, (found,))]
    normalized = [_normalize(title, lexicon) for title in titles]
    levels = [title.seniority for title in normalized if title.seniority]
    city, country = _place(profile.location)
    floor = profile.salary_min
    return Reading(
        profile=profile,
        wanted=Wanted(
            skills=tuple(dict.fromkeys((*stated, *from_text))),
            titles=tuple((title.title_norm, title.cluster) for title in normalized),
            city=city,
            country=country,
            work_mode=profile.work_mode or "",
            seniority=profile.seniority or (levels[0] if levels else ""),
            salary=(floor.amount, floor.currency.upper(), floor.period) if floor else None,
        ),
        filters=read_filters(profile.filters),
        query_text=_query_text(profile, titles, stated, from_text),
        title_words=tuple(
            dict.fromkeys(title.title_norm for title in normalized if not title.cluster)
        ),
        unknown_skills=tuple(unknown),
    )


def read_filters(filters: Filters) -> Filters:
    """
    Return the filters with countries, cities and employment types as the tables have them.

    Raises:
        ProfileRefused: a country or an employment type is none that we know.
    """
    return msgspec.structs.replace(
        filters,
        country=_each(filters.country, _country),
        city=_each(filters.city, lambda city: parse_place(city).city or city.strip()),
        employment_type=_each(filters.employment_type, _employment),
    )


def compared_skills(named: Sequence[str], wanted: Wanted, lexicon: Lexicon) -> tuple[str, ...]:
    """Return the skills of a job that count: soft ones only where the profile has them."""
    return tuple(name for name in named if name not in lexicon.soft or name in wanted.skills)


def _stated_skills(skills: Iterable[str], lexicon: Lexicon) -> tuple[list[str], list[str]]:
    stated: list[str] = []
    unknown: list[str] = []
    for skill in filter(None, (" ".join(skill.split()) for skill in skills)):
        known = lexicon.names.get(_key(skill))
        stated.append(known or skill)
        if known is None:
            unknown.append(skill)
    return list(dict.fromkeys(stated)), list(dict.fromkeys(unknown))


def _text_skills(text: str, lexicon: Lexicon) -> list[str]:
    skills, tools = extract_skills_tools(text, (), lexicon.matcher)
    found = sorted((*skills, *tools), key=lambda value: (value.start, value.name))
    return [value.name for value in found if value.name not in lexicon.soft]


def _text_title(text: str, lexicon: Lexicon) -> str | None:
    opening = text[:_TITLE_REACH]
    found = _normalize(opening, lexicon)
    if found.confidence < _KNOWN_TITLE:
        return None
    start, end = found.span
    before = re.split(r"[.,;:!?\n]", opening[max(0, start - _LEVEL_REACH) : start])[-1]
    return " ".join(f"{before}{opening[start:end]}".split())


def _normalize(title: str, lexicon: Lexicon) -> Title:
    return normalize_title(title, lexicon.taxonomies.titles)


def _place(place: Place | None) -> tuple[str, str]:
    if place is None:
        return "", ""
    country = _country(place.country) if place.country.strip() else ""
    if not place.city.strip():
        return "", country
    read = parse_place(", ".join(filter(None, (place.city.strip(), place.country.strip()))))
    return read.city or place.city.strip(), country or read.country


def _country(text: str) -> str:
    places = gazetteer()
    code = text.strip().upper()
    # A code is a country before it is anything else: "DE" alone would be Delaware.
    country = (
        places.countries.get(place_key(text))
        or (code if code in places.iso else "")
        or _country_of(parse_place(text))
    )
    if not country:
        raise ProfileRefused(
            f"profile refused: {text!r} is no country",
            hint='give an ISO 3166 code such as "DE", or a name such as "Germany"',
        )
    return country


def _country_of(read: ParsedPlace) -> str:
    return read.country if not read.city and not read.region else ""


def _employment(text: str) -> str:
    kind = parse_employment(text.replace("_", " "))
    if not kind or "," in kind:
        raise ProfileRefused(
            f"profile refused: {text!r} is no employment type",
            hint='give one such as "full_time", "contract" or "internship"',
        )
    return kind


def _each(values: list[str] | None, read: Callable[[str], str]) -> list[str] | None:
    if values is None:
        return None
    return [read(value) for value in values]


def _query_text(
    profile: Profile, titles: Sequence[str], stated: Sequence[str], from_text: Sequence[str]
) -> str:
    text = " ".join(profile.text.split())
    skills = [*stated, *(from_text if len(text) > _CV_CHARS else ())]
    lines = [*(titles if profile.titles or len(text) > _CV_CHARS else ()), ", ".join(skills), text]
    return ". ".join(line for line in lines if line)[:_QUERY_CHARS]


def _key(text: str) -> str:
    return " ".join(fold(text.strip()).text.split())
