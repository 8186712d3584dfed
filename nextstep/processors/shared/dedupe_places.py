"""
Whether two ads state two places of work: towns, parts of a town, regions, a town and a region.

Towns decide where both are stated. A town and a region differ where the town is known to lie
elsewhere: in the region beside it, in the only (or by far the largest) town of that name in its
country, or, in countries of small regions, wherever no region of its own is stated.

Source: decisions.md 19, issue 4 item 2 (field vetoes).
"""

from __future__ import annotations

from functools import cache, lru_cache

from nextstep.processors.shared.dedupe_text import folded
from nextstep.processors.shared.geo import gazetteer, place_key
from nextstep.processors.shared.place_names import city_in

#: Parts of a country that hold towns and counties alike: no place of work.
_WHOLES = frozenset({
    "england", "scotland", "wales", "northern ireland", "great britain", "south east", "south west",
    "north east", "north west", "east anglia", "east midlands", "yorkshire", "midlands",
})  # fmt: skip
#: Countries whose counties and cantons are so small that a town stated without one is seldom meant
#: by another's county. "Nottingham" and "Nottinghamshire" are told by their names.
_SMALL_REGIONS = frozenset({"gb", "ch"})
_WAYS = frozenset({"north", "south", "east", "west", "central"})
#: A town is meant where it has so many times the people of the next of its name in the country.
_FAR_LARGER = 5


def state_of(city: str, region: str, country: str) -> str:
    """
    Return the folded US state in which a town lies, be it stated or the gazetteer's; else "".

    Args:
        city, region: as `parse_place` gives them.
        country: its two letters, upper case.
    """
    if country != "US":
        return ""
    return folded(region) or _state_of_town(place_key(city)) if city else folded(region)


def part_of_town(city: str, location: str) -> str:
    """Return "east" for "East London", folded; "" where no part of the town is stated."""
    if not city:
        return ""
    before, found, _ = f" {folded(location)} ".partition(f" {folded(city)} ")
    words = before.split() if found else []
    ways = words[-2:] if len(words) > 1 and words[-2] in _WAYS else words[-1:]
    return " ".join(ways) if ways and ways[-1] in _WAYS else ""


def regions_differ(
    a: tuple[str, str, str, str], b: tuple[str, str, str, str], *, equal: bool = False
) -> bool | None:
    """
    Tell whether two places differ although their towns do not; None where nothing is known.

    Args:
        a, b: folded city, region, country and state.
        equal: whether their texts are the same word for word; then two regions without a town
            are one vacancy shown in both (decisions.md 20).
    """
    (a_city, a_region, a_country, _), (b_city, b_region, b_country, _) = a, b
    country = a_country or b_country  # where both are stated and differ, that speaks for itself
    if a_city and b_city:
        # Sources cut regions differently, but there is an Abbeville in each of five states.
        stated = country == "us" and a_city == b_city and a_region and b_region
        return a_region != b_region if stated else None
    if not a_city and not b_city:
        return _apart(a_region, b_region, country) and (None if equal else True)
    town, region = (a, b_region) if a_city else (b, a_region)
    city, its_region, its_country, its_state = town
    if not region or region in _WHOLES:
        return None
    if its_state or (its_region and its_region not in _WHOLES):
        return _apart(its_state or its_region, region, its_country)
    if its_country in _SMALL_REGIONS:
        return True if not region.startswith(city) else None
    return None


@cache
def region_words(country: str) -> dict[str, tuple[str, ...]]:
    """
    Return the folded names of a country's regions, by each of their words.

    Args:
        country: two folded letters; "" has no regions.
    """
    named = {
        folded(region.name)
        for regions in gazetteer().regions.values()
        for region in regions
        if region.country.lower() == country
    }
    found: dict[str, list[str]] = {}
    for name in sorted(named - _WHOLES):
        for word in name.split():
            found.setdefault(word, []).append(name)
    return {word: tuple(names) for word, names in found.items()}


def _apart(a: str, b: str, country: str) -> bool | None:
    if not a or not b:
        return None
    # "Sussex" holds "West Sussex"; West Virginia is no part of Virginia.
    if (
        a != b
        and country == "gb"
        and (set(a.split()) <= set(b.split()) or set(b.split()) <= set(a.split()))
    ):
        return None
    return a != b


@lru_cache(maxsize=4096)
def _state_of_town(key: str) -> str:
    town = city_in(key, "US", None)
    if town is None:
        return ""
    known = gazetteer()
    rivals = [c for c in known.cities.get(key, ()) if c.country == "US" and c.admin != town.admin]
    if any(rival.population * _FAR_LARGER > town.population for rival in rivals):
        return ""
    state = known.codes.get(("US", town.admin.lower()))
    return folded(state.name) if state else ""
