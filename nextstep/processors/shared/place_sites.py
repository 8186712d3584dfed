"""
Put the parts of a location together into sites: which word is the city, which the region.

Source: issue 5 item 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nextstep.processors.shared import geo_names
from nextstep.processors.shared.geo import Region, gazetteer, place_key
from nextstep.processors.shared.place_names import (
    COMPASS,
    CUT,
    LARGE,
    NOT_A_TOWN,
    Part,
    Site,
    bare_city,
    city_in,
    find_region,
    is_near_town,
    is_us_town,
    plain_name,
    town_beside,
)
from nextstep.processors.shared.place_resolve import FoundSite, Group, resolve


def read_sites(parts: Sequence[Part]) -> list[FoundSite]:
    """Return the sites of one comma list, left to right."""
    kept = [part for part in parts if part.text]
    groups: list[Group] = []
    for index, part in enumerate(kept):
        following = kept[index + 1].text if index + 1 < len(kept) else ""
        if groups and _extends(groups[-1], part, following):
            groups[-1].end = part.end
        elif groups and _within(groups[-1], part):
            pass
        elif groups and _replaces(groups[-1], part):
            groups[-1] = Group(part, start=groups[-1].start, end=part.end)
        elif not (groups and _narrows(groups[-1], part)):
            groups.append(Group(part, start=part.start, end=part.end))
    found = [resolve(group, len(kept) == 1) for group in groups]
    return [site for site in found if site is not None]


def scan_parts(part: Part) -> list[Part]:
    """
    Return known names in a text without commas, longest first: "Leeds West Yorkshire Yorkshire".

    Empty when a third of the letters belong to no name.
    """
    text, offset = part.text, part.start
    words = list(re.finditer(r"[^\s,()]+", text))[:24]
    parts: list[Part] = []
    covered = index = 0
    while index < len(words):
        size = next((n for n in (4, 3, 2, 1) if _is_name(text, words[index : index + n], n)), 0)
        if size:
            start, end = words[index].start(), words[index + size - 1].end()
            parts.append(Part(text[start:end], offset + start, offset + end))
            covered += end - start
        index += size or 1
    total = sum(word.end() - word.start() for word in words)
    return parts if parts and covered * 10 >= total * 7 else []


def _is_name(text: str, words: Sequence[re.Match[str]], size: int) -> bool:
    if len(words) < size:
        return False
    name = text[words[0].start() : words[-1].end()]
    key = place_key(name)
    gaz = gazetteer()
    if not key or not name[0].isupper():
        return False
    if key in gaz.countries or key in gaz.regions or key in geo_names.COUNTRY_AREAS:
        return True
    if size == 1 and len(key) <= 3 and name.isupper():
        return ("US", key) in gaz.codes or ("AU", key) in gaz.codes or ("CA", key) in gaz.codes
    return bare_city(key) is not None


def read_iso(parts: Sequence[Part]) -> list[FoundSite]:
    """Read "US, IL, hazelcrest": ISO country, region code, town; [] for any other order."""
    gaz = gazetteer()
    if len(parts) < 2 or len(parts[0].text) != 2 or parts[0].text not in gaz.iso:
        return []
    code = parts[1].text
    if code and not re.fullmatch(r"[A-Z0-9]{1,3}", code):
        return []
    country = parts[0].text
    region = gaz.codes.get((country, code.lower()))
    town = next((part for part in parts[2:] if part.text), None)
    name, sure = ("", 0.9)
    if town is not None:
        if region is None and len(parts) > 3:  # "US, , Stocton, CA"
            region = gaz.codes.get((country, place_key(parts[-1].text)))
        name, sure = town_beside(town.text, country, region)
        if (known := find_region(name, country)) and not city_in(place_key(name), country, None):
            name, region = "", region or known
    end = town.end if town is not None else (parts[1].end if code else parts[0].end)
    site = Site(name, region.name if region else "", country)
    return [FoundSite(site, sure, parts[0].start, end)]


def _extends(group: Group, part: Part, following: str) -> bool:
    """Let `part` narrow the group when it can; say whether it did."""
    key, first = place_key(plain_name(part.text)), place_key(group.first.text)
    country = gazetteer().countries.get(key, "")
    if not key or key in CUT or (country and country == group.country):
        return True
    if not group.country and key == first == place_key(following):
        group.region_text = part.text  # "Luxembourg, Luxembourg, Luxembourg"
        return True
    if country and not group.country:
        return _take_country(group, country, key)
    if group.country:
        return _repeats(group, part, key, first)
    return (len(key) <= 3 and _take_code(group, part.text)) or _take_region(group, part, following)


def _repeats(group: Group, part: Part, key: str, first: str) -> bool:
    """Whether the part says again, or more widely, where the settled site lies."""
    if not group.region_text and group.region is None:
        return False
    if group.region_text and key in (place_key(group.region_text), first):
        return True
    region = find_region(part.text, group.country)
    return region is not None and region.country == group.country


def _take_country(group: Group, country: str, key: str) -> bool:
    first = place_key(plain_name(group.first.text))
    if first in gazetteer().countries or first in geo_names.WIDE_AREAS:
        if first == key:
            group.country = country
        return first == key
    big = bare_city(first)
    if (
        big is not None
        and not group.region_text
        and big.country != country
        and big.population >= LARGE
        and not city_in(first, country, None)
        and group.region is None
        and not find_region(group.first.text, country)
    ):
        return False
    group.country = country
    return True


def _take_code(group: Group, text: str) -> bool:
    """Read "Portland, OR", "Sydney, NSW", "The Hague, NL": which code it is, the town decides."""
    gaz = gazetteer()
    key, first = place_key(text), place_key(plain_name(group.first.text))
    options = [
        gaz.codes[c, key]
        for c in ("US", "CA", "AU", "GB", "BR", "DE", "FR")
        if (c, key) in gaz.codes
    ]
    for region in options:
        if city_in(first, region.country, region):
            return _set_region(group, region, text)
    iso = {"uk": "GB", "eu": ""}.get(key, key.upper() if len(key) == 2 else "")
    if iso in gaz.iso and (city_in(first, iso, None) or find_region(group.first.text, iso)):
        group.country = iso
        return True
    is_code = (
        text.strip(" .").isupper() or is_near_town(first, options)
    ) and not NOT_A_TOWN.search(group.first.text)
    if options and is_code and (first not in gaz.countries or is_us_town(first, options[0])):
        return _set_region(group, options[0], text)
    return False


def _set_region(group: Group, region: Region, text: str) -> bool:
    group.region, group.region_text, group.country = region, text, region.country
    return True


def _take_region(group: Group, part: Part, following: str) -> bool:
    gaz = gazetteer()
    key, first = place_key(plain_name(part.text)), place_key(plain_name(group.first.text))
    after = gaz.countries.get(place_key(following), "")
    if group.region_text:
        known = group.region
        return bool(known and any(r.country == known.country for r in gaz.regions.get(key, ())))
    if first in gaz.countries and first not in gaz.regions:
        return False
    named = gaz.regions.get(key) or gaz.regions.get(COMPASS.sub("", key), ())
    for region in named:
        fits = after in ("", region.country)
        known_town = city_in(first, region.country, region if region.admin else None)
        if fits and (known_town or not NOT_A_TOWN.search(group.first.text)):
            if not known_town and _is_other_city(first, key, region):
                continue
            _set_region(group, region, part.text)
            group.country = region.country
            return True
    if after and not NOT_A_TOWN.search(group.first.text) and key not in gaz.countries:
        # "Étoy, Vaud, Switzerland" with a region nobody listed; the country that follows stays.
        group.region_text = part.text
        return True
    return key == first


def _is_other_city(first: str, key: str, region: Region) -> bool:
    """Whether "Amsterdam, Ontario" or "San Francisco, New York" are two places."""
    big = bare_city(first)
    if big is None or big.population < LARGE:
        return False
    return big.country != region.country or bool(region.admin and bare_city(key))


def _replaces(group: Group, part: Part) -> bool:
    """Whether the first part was a district, a firm or a borough of the town that follows."""
    if group.region_text or group.country:
        return False
    first, key = place_key(plain_name(group.first.text)), place_key(plain_name(part.text))
    town = bare_city(key)
    gaz = gazetteer()
    if town is None or first in gaz.countries or first in geo_names.WIDE_AREAS:
        return False
    if first in gaz.regions or first in geo_names.COUNTRY_AREAS:
        return False
    small = bare_city(first)
    if small is not None and small.name != town.name:
        return small.population < min(100_000, town.population // 8) and (
            small.country == town.country
        )
    return True


def _within(group: Group, part: Part) -> bool:
    """Read "Harrow, London": a town of its own, and the larger one that it belongs to."""
    if group.region_text or group.country:
        return False
    first = place_key(group.first.text)
    town = bare_city(place_key(plain_name(part.text)))
    if town is None or first in geo_names.CITY_ALIASES:
        return False
    small = city_in(first, town.country, None)
    if small is None or small.population * 4 > town.population:
        return False
    if town.country == "US" or (small.admin != town.admin and town.country != "GB"):
        return False
    group.region_text, group.country, group.end = town.name, town.country, part.end
    return True


def _narrows(group: Group, part: Part) -> bool:
    """Turn "Germany, Hamburg" round: the wider place stood first."""
    gaz = gazetteer()
    if group.region_text or group.country:
        return False
    first, key = place_key(group.first.text), place_key(plain_name(part.text))
    if first in gaz.countries and city_in(key, gaz.countries[first], None):
        group.country = gaz.countries[first]
    elif first in gaz.regions and not bare_city(first):
        region = next((r for r in gaz.regions[first] if city_in(key, r.country, r)), None)
        if region is None:
            return False
        _set_region(group, region, group.first.text)
    else:
        return False
    group.first, group.end = part, part.end
    return True
