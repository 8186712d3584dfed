"""
Names of places: which town, region or country a piece of a location field is.

Source: issue 5 item 3.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from rapidfuzz import fuzz, process

from nextstep.processors.shared import geo_names
from nextstep.processors.shared.geo import BARE_POPULATION, City, Region, gazetteer, place_key

#: A misspelled town must be this like a known one of the same state or country.
_FUZZY_CUTOFF = 90.0
#: Only towns of this size are guessed from a misspelling: villages of like names abound.
_FUZZY_POPULATION = 40_000
#: A large city is not drawn into a country that has no town of its name: "Amsterdam, Canada".
LARGE = 400_000
#: Words that a cut field ends with: "Belfast, Northern", "Auckland, New".
CUT = frozenset(
    {"northern", "new", "north", "south", "west", "east", "the", "united", "san", "los"}
)
_AFFIXES = re.compile(
    r"^(?:greater|metro|metropolitan|downtown|central|inner|outer|near|around|city of|town of|"
    r"the city of|stadt|ville de|region|région|gemeente|various|mid|north of|south of)\s+|"
    r"\s+(?:metropolitan (?:area|region)|metro(?: area)?|metroplex|bay area|area|region|"
    r"municipality|kommun|kommune|and surrounding(?:s| areas?)?|city centre|city center|centre|"
    r"county borough|cbd|downtown|city)$",
    re.IGNORECASE,
)
NOT_A_TOWN = re.compile(
    r"\b(?:engineer\w*|developer\w*|full|time|part|remote|onsite|site|intern\w*|senior|lead|"
    r"manager|"
    r"data|software|web|mobile|frontend|backend|front|back|end|stack|devops|design\w*|sales|"
    r"android|ios|python|java\w*|ruby|rails|golang|react|node|inc|llc|ltd|gmbh|security|research|"
    r"science|scientist\w*|analyst\w*|visa|support|product|marketing|services?|consult\w*|director|"
    r"team|hiring|jobs?|work|company|careers?|contract\w*|flexible|various|multiple|locations?|"
    r"office|anywhere|ui|ux|qa|ai|ml|nationwide|permanent|salary|per|day|week|app|platform|cloud|"
    r"postgres|mongo\w*|scala|php|kotlin|flask|django|energy|capital|digital|labs?|solutions|"
    r"systems|"
    r"technolog\w+|networks|studios?|partners|google|facebook|uber|communications|machine|"
    r"learning|ventures|startup|interns?|architect\w*|programmer\w*|"
    r"the|we|our|you|your|are|is|in|at|of the)\b|[@:/\\\d<>*+=#]",
    re.IGNORECASE,
)
#: "Southern Ontario" lies in Ontario.
COMPASS = re.compile(r"^(?:north|south|east|west)(?:ern)? ")
#: What only a region is called.
REGION_WORD = re.compile(
    r"\b(?:region|county|province|state|prefecture|governorate|department|oblast|canton|community|"
    r"islands?|landkreis|kreis|district|voivodeship|län)\b",
    re.IGNORECASE,
)
#: Town names that ads use as words; alone they prove nothing.
PLAIN_WORDS = frozenset(
    {
        "mobile", "enterprise", "central", "of", "most", "split", "same", "date", "bar",
        "man", "media",
        "university", "sales", "march", "may", "paradise", "home", "male", "full", "lead", "van",
        "spring", "commerce", "industry", "union", "progress", "liberty", "independence", "police",
        "nice to have", "manage", "opportunity", "service", "imperial", "normal", "sandy", "ware",
        "eng", "java", "none", "page", "many", "batch", "bath time", "sur", "est", "hub", "start",
        "metro", "mongo", "node", "google", "part", "perl", "scala", "ruby", "data", "web", "stage",
    }
)  # fmt: skip


class Site(msgspec.Struct, frozen=True):
    """One place; empty texts where nothing was stated."""

    city: str = ""
    region: str = ""
    country: str = ""


class Part(msgspec.Struct, frozen=True):
    """A piece of a location field with its offsets there."""

    text: str
    start: int
    end: int


def find_region(text: str, country: str) -> Region | None:
    """Return the region of that country (any when empty) that the text names."""
    gaz = gazetteer()
    key = place_key(text)
    for region in gaz.regions.get(key, ()):
        if country in ("", region.country):
            return region
    if not country:
        return None
    rest = COMPASS.sub("", key)
    if rest != key and key not in gaz.cities and (inner := find_region(rest, country)):
        return inner
    return gaz.codes.get((country, key))


def plain_name(text: str) -> str:
    """Return a name without "Greater ... Area", unless it is known as it stands."""
    gaz = gazetteer()
    for _ in range(3):
        key = place_key(text)
        if key in geo_names.CITY_ALIASES or key in gaz.cities or key in gaz.regions:
            break
        shorter = _AFFIXES.sub("", text.strip())
        if shorter == text or not shorter:
            break
        if key.endswith(" city") and bare_city(place_key(shorter)) is None:
            break
        text = shorter
    return text


def bare_city(key: str) -> City | None:
    """Return the town that a name alone means: the largest, if it is large enough."""
    if key in PLAIN_WORDS or len(key) < 2:
        return None
    alias = geo_names.CITY_ALIASES.get(key)
    cities = gazetteer().cities.get(key, ())
    if alias is not None:
        same = [c for c in gazetteer().cities.get(place_key(alias[0]), ()) if c.country == alias[1]]
        return City(
            alias[0],
            alias[1],
            same[0].admin if same else "",
            same[0].population if same else 100_000,
        )
    return cities[0] if cities and cities[0].population >= BARE_POPULATION else None


def city_in(key: str, country: str, region: Region | None) -> City | None:
    """Return the largest town of that name in the country, in the region where that is known."""
    alias = geo_names.CITY_ALIASES.get(key)
    keys = (place_key(alias[0]), key) if alias is not None and alias[1] == country else (key,)
    for name in keys:
        for city in gazetteer().cities.get(name, ()):
            if city.country == country and (
                region is None or not region.admin or city.admin == region.admin
            ):
                return city
    return None


def town_beside(text: str, country: str, region: Region | None) -> tuple[str, float]:
    """Return the name of a town that stands beside a region or country, and how sure it is."""
    key = place_key(text)
    alias = geo_names.CITY_ALIASES.get(key)
    if (
        alias is not None
        and alias[1] == country
        and (region is None or city_in(key, country, region))
    ):
        return alias[0], 0.96
    city = city_in(key, country, region)
    if city is not None:
        return _stated_name(text, key, city), 0.97
    if len(key) < 2 or len(text) > 45 or NOT_A_TOWN.search(text):
        return "", 0.8
    near = _misspelled(key, country, region.admin if region else "")
    if near:
        return near, 0.8
    city = city_in(key, country, None)
    if city is not None:
        return _stated_name(text, key, city), 0.85
    return cased(text), 0.8


def _stated_name(text: str, key: str, city: City) -> str:
    """The gazetteer's spelling of the same name; its own name only for a foreign one."""
    own = place_key(city.name)
    if own == key:
        return city.name
    if city.population >= 200_000 and not set(own.split()) & set(key.split()):
        return city.name
    return cased(text)


def _misspelled(key: str, country: str, admin: str) -> str:
    towns = _towns().get((country, admin))
    if towns is None:
        return ""
    glued = key.replace(" ", "")
    if glued in towns.names:
        return towns.names[glued].name
    if len(glued) < 6:
        return ""
    best = process.extractOne(glued, towns.large, scorer=fuzz.ratio, score_cutoff=_FUZZY_CUTOFF)
    return towns.names[best[0]].name if best and best[0][0] == glued[0] else ""


class _Towns(msgspec.Struct, frozen=True):
    """Towns by key without blanks, the largest of each name; the keys to guess from, in order."""

    names: dict[str, City]
    large: list[str]


@lru_cache(maxsize=1)
def _towns() -> dict[tuple[str, str], _Towns]:
    """
    Return the towns of each (country, region code) and, under (country, ""), of each country.

    All in one pass: a corpus asks for a hundred of them, and each alone would read the gazetteer.
    """
    found: dict[tuple[str, str], dict[str, City]] = {}
    for key, cities in gazetteer().cities.items():
        glued = key.replace(" ", "")
        # The cities of a name stand by size: the first of a country or region counts.
        first: dict[tuple[str, str], City] = {}
        for city in cities:
            first.setdefault((city.country, ""), city)
            if city.admin:
                first.setdefault((city.country, city.admin), city)
        for place, city in first.items():
            names = found.setdefault(place, {})
            if glued not in names or names[glued].population < city.population:
                names[glued] = city
    return {
        place: _Towns(
            names,
            sorted(key for key, city in names.items() if city.population >= _FUZZY_POPULATION),
        )
        for place, names in found.items()
    }


def cased(text: str) -> str:
    """Title case for a name typed in one case only."""
    text = " ".join(text.split()).strip(" .,-")
    if text.islower() or (text.isupper() and len(text) > 3):
        return " ".join(word.capitalize() for word in text.split(" "))
    return text


def is_us_town(first: str, region: Region) -> bool:
    """ "Lebanon, VA": many towns bear a country's name, none that of these four."""
    return region.country == "US" and gazetteer().countries[first] not in ("US", "CA", "GB", "MX")


def is_near_town(first: str, options: list[Region]) -> bool:
    return any(_misspelled(first, region.country, region.admin) for region in options)
