"""
Decide what a group of location parts is: a town with its region, a region, or a country alone.

Source: issue 5 item 3.
"""

from __future__ import annotations

import msgspec

from nextstep.processors.shared import geo_names
from nextstep.processors.shared.geo import City, Region, gazetteer, place_key
from nextstep.processors.shared.place_names import (
    PLAIN_WORDS,
    REGION_WORD,
    Part,
    Site,
    bare_city,
    cased,
    city_in,
    find_region,
    plain_name,
    town_beside,
)

#: States that are one town: their name alone is the town too.
_CITY_STATES = frozenset({"hong kong", "luxembourg", "monaco", "gibraltar", "macau"})
#: A name that only one town bears may be smaller than others when it is all the field says.
_UNIQUE_POPULATION = 10_000

Rated = tuple[Site, float]


class FoundSite(msgspec.Struct, frozen=True):
    """A site, how sure it is, and where in the field it stands."""

    site: Site
    confidence: float
    start: int
    end: int


class Group(msgspec.Struct):
    """A site in the making: the first part, then what narrows it."""

    first: Part
    start: int = 0
    region: Region | None = None
    region_text: str = ""
    country: str = ""
    end: int = 0


def resolve(group: Group, alone: bool) -> FoundSite | None:
    """Return the group's site; None when nothing of it is known. `alone`: it is the whole field."""
    whole, key = place_key(group.first.text), place_key(plain_name(group.first.text))
    if group.region_text or group.country:
        site, sure = _area(whole, key, group) or _only_region(key, group) or _town(group)
    else:
        site, sure = _area(whole, key, group) or _country_or_region(whole, key, alone)
    if not (site.city or site.region or site.country):
        return None
    return FoundSite(site, sure, group.start, group.end)


def _area(whole: str, key: str, group: Group) -> Rated | None:
    """Read "Silicon Valley", "EMEA" and a country's name before that country's code."""
    for name in (whole, key):
        if name in geo_names.COUNTRY_AREAS:
            country, region = geo_names.COUNTRY_AREAS[name]
            return Site("", group.region_text or region, group.country or country), 0.7
    if key in geo_names.WIDE_AREAS:
        return Site("", "", group.country), 0.6
    same = gazetteer().countries.get(key) == group.country != ""
    return (Site("", "", group.country), 0.9) if same and not group.region_text else None


def _only_region(key: str, group: Group) -> Rated | None:
    """Read "Kent, England, United Kingdom" and "Wyoming, United States": no town is named."""
    first, country, region = group.first.text, group.country, group.region
    stated = find_region(first, country) or find_region(plain_name(first), country)
    if stated is None:
        is_other = REGION_WORD.search(first) and not city_in(key, country, None)
        return (
            (Site("", cased(first), country), 0.8) if is_other and not group.region_text else None
        )
    if not group.region_text:
        return (Site("", stated.name, country), 0.93) if _reads_as_region(stated, key) else None
    if region is None:
        return None
    is_same = stated.name == region.name and not city_in(key, country, region)
    # Counties lie in nations there; elsewhere a village may share a region's name.
    is_county = country in ("GB", "BE", "IE") and not city_in(key, country, None)
    return (Site("", stated.name, country), 0.9) if is_same or is_county else None


def _reads_as_region(region: Region, key: str) -> bool:
    """ "Wyoming, United States" is the state; "New York, USA" and "Utrecht, Netherlands" towns."""
    if region.country in ("US", "CA", "AU") and key != "new york":
        return True
    town = city_in(key, region.country, None)
    return town is None or town.population < 50_000


def _town(group: Group) -> Rated:
    region = group.region.name if group.region else group.region_text
    city, sure = town_beside(plain_name(group.first.text), group.country, group.region)
    return Site(city, region, group.country), sure


def _country_or_region(whole: str, key: str, alone: bool) -> Rated:
    """Read a name that stands alone: a country, a region, or a town large enough."""
    gaz = gazetteer()
    country = gaz.countries.get(key, "")
    regions = gaz.regions.get(key, ()) if whole == key else ()
    is_state = bool(regions) and regions[0].country == "US"
    if key == "singapore":
        return Site("Singapore", "", "SG"), 0.95
    if country and not is_state:
        town = bare_city(key)
        is_town = key in _CITY_STATES and town is not None and town.country == country
        city = town.name if town is not None and is_town else ""
        return Site(city, "", country), 0.85 if city else 0.93
    if regions and key not in ("new york", "york"):
        return Site("", regions[0].name, regions[0].country), 0.8
    if alone and whole.upper() in gaz.iso and ("US", whole) not in gaz.codes:
        return Site("", "", whole.upper()), 0.85
    return _bare_town(whole, key, alone)


def _bare_town(whole: str, key: str, alone: bool) -> Rated:
    town = bare_city(whole) or bare_city(key) or _first_of_area(whole, key)
    if town is None and alone and whole not in PLAIN_WORDS:
        town = _unique(whole)
    if town is None:
        return Site(), 0.0
    rivals = [c for c in gazetteer().cities.get(key, ()) if c.country != town.country]
    unsure = bool(rivals) and rivals[0].population * 5 > town.population
    return Site(town.name, "", town.country), 0.7 if unsure else 0.88


def _first_of_area(whole: str, key: str) -> City | None:
    """Read "Raleigh-Durham-Chapel Hill Area" and "Frankfurt Rhine-Main Metropolitan Area"."""
    if whole == key:
        return None
    words = key.split()
    return next(filter(None, (bare_city(" ".join(words[:n])) for n in (3, 2, 1))), None)


def _unique(key: str) -> City | None:
    cities = gazetteer().cities.get(key, ())
    return cities[0] if len(cities) == 1 and cities[0].population >= _UNIQUE_POPULATION else None
