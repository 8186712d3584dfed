"""
The fields of an ad that may speak against a merge, folded from what its source stated.

Source: decisions.md 19, issue text on field vetoes.
"""

from __future__ import annotations

import re

import msgspec

from nextstep.processors.shared.dedupe_places import part_of_town, state_of
from nextstep.processors.shared.dedupe_text import folded
from nextstep.processors.shared.dedupe_titles import stated_title, title_codes


class Fields(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stated fields that may speak against a merge, folded; "" is not stated."""

    title: str = ""
    company: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    employment: str = ""  # canonical kinds joined by ","
    postcode: str = ""
    reference: str = ""  # numbers joined by spaces, sorted
    state: str = ""  # of the United States, stated or that of the town
    part: str = ""  # "east" of "East London"


#: A postcode at the end of a street address: "50 Gul Road 629351". Of the corpora only Singapore's
#: ads give one; there it is a building.
_POSTCODE = re.compile(r"(?<=\s)(\d{6})\s*$")
_NUMBER = re.compile(r"[:#] ?#?([A-Za-z]{0,6}[-_]?\d[\w/-]{2,30})")
#: Other labels stand before numbers of shops, departments, telephones and addresses.
_LABEL = re.compile(
    r"\b(?:req(?:uisition)?|ref(?:erence)?|job|posting|vacancy)"
    r"(?: ?(?:id|no|num(?:ber)?|nr|code|ref(?:erence)?|req(?:uisition)?))*\.? ?[:#]? ?\Z",
    re.IGNORECASE,
)
#: Characters before a number in which its label is looked for.
_LABEL_LENGTH = 40
#: More numbers than these are a list of several vacancies.
_MOST_NUMBERS = 3


def make_fields(
    *,
    title: str,
    company: str,
    location: str,
    place: tuple[str, str, str],
    employment: str,
    text: str,
) -> Fields:
    """
    Return the fields of one ad.

    Args:
        company: the normalized name, else the raw one.
        location: the field as the source has it.
        place: city, region, country.
        employment: canonical kinds; "" where only the title or the text states them, because what
            a title suffix says ("(Contract)") is no statement of the employment field.
        text: the clean description; requisition numbers stand there and in the title.
    """
    city, region, country = place
    return Fields(
        title=stated_title(title),
        # "Company Undisclosed" stays: it is not the employer that another ad names.
        company=folded(company),
        city=folded(city),
        region=folded(region),
        country=folded(country),
        employment=employment,
        postcode=postcode(location),
        reference=" ".join(sorted({*references(text), *title_codes(title)})),
        state=state_of(city, region, country),
        part=part_of_town(city, location),
    )


def postcode(location: str) -> str:
    """Return the postcode at the end of a street address, "" without one."""
    found = _POSTCODE.search(location)
    return found[1] if found else ""


def references(text: str) -> list[str]:
    """Return the labelled requisition numbers of a text, sorted; none where it lists several."""
    found = {
        match[1].lower().rstrip("-_/")
        for match in _NUMBER.finditer(text)
        if _LABEL.search(text[max(0, match.start() - _LABEL_LENGTH) : match.start()])
    }
    return sorted(found) if len(found) <= _MOST_NUMBERS else []
