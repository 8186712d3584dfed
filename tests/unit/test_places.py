"""Location fields: what each format of the sources means, and what is never invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.processors.shared.place import parse_place

CASES = [
    # three parts
    ("Toronto, Ontario, Canada", "Toronto", "Ontario", "CA"),
    ("Mechelen, Flemish Region, Belgium", "Mechelen", "Flemish Region", "BE"),
    ("London, England, United Kingdom ", "London", "England", "GB"),
    ("London, Ontario, Canada", "London", "Ontario", "CA"),
    ("Berlin, Berlin, Germany", "Berlin", "Berlin", "DE"),
    ("Étoy, Vaud, Switzerland", "Étoy", "Vaud", "CH"),
    ("Zürich, Zurich, Switzerland", "Zurich", "Zurich", "CH"),
    ("Surrey, British Columbia, Canada", "Surrey", "British Columbia", "CA"),
    ("Luxembourg, Luxembourg, Luxembourg", "Luxembourg", "Luxembourg", "LU"),
    ("Kent, England, United Kingdom", "", "Kent", "GB"),
    ("Bradley Stoke, England, United Kingdom", "Bradley Stoke", "England", "GB"),
    ("Allerød Municipality, Capital Region of Denmark, Denmark", "Allerød",
     "Capital Region of Denmark", "DK"),
    # town and state
    ("Albuquerque, NM", "Albuquerque", "New Mexico", "US"),
    ("Washington, DC", "Washington", "District of Columbia", "US"),
    ("Perth, WA", "Perth", "Western Australia", "AU"),
    ("Dover, DE", "Dover", "Delaware", "US"),
    ("Berlin, DE", "Berlin", "", "DE"),
    ("The Hague, NL", "The Hague", "", "NL"),
    ("Lebanon, VA", "Lebanon", "Virginia", "US"),
    ("New Lexington, OH", "New Lexington", "Ohio", "US"),
    ("Dublin, Ohio", "Dublin", "Ohio", "US"),
    ("Vancouver, B.C.", "Vancouver", "British Columbia", "CA"),
    ("Sydney NSW", "Sydney", "New South Wales", "AU"),
    ("Wyoming, United States", "", "Wyoming", "US"),
    ("New York, USA", "New York", "", "US"),
    # country code first
    ("US, IL, hazelcrest", "Hazel Crest", "Illinois", "US"),
    ("US, NY, NEWYORK CITY", "New York", "New York", "US"),
    ("US, CA, sacremento", "Sacramento", "California", "US"),
    ("US, , Stocton, CA", "Stockton", "California", "US"),
    ("CA, AB, Calgary", "Calgary", "Alberta", "CA"),
    ("MY, 14, Kuala lumpur", "Kuala Lumpur", "", "MY"),
    ("US, CA, 91401", "", "California", "US"),
    ("US, , ", "", "", "US"),
    ("GB", "", "", "GB"),
    # British counties and regions, with and without commas
    ("Dorking, Surrey, Surrey", "Dorking", "Surrey", "GB"),
    ("Dorking Surrey South East", "Dorking", "Surrey", "GB"),
    ("Lancashire Liverpool L1 9", "Liverpool", "Lancashire", "GB"),
    ("Newcastle Upon Tyne, Tyne And Wear", "Newcastle upon Tyne", "Tyne and Wear", "GB"),
    ("Hertfordshire South East", "", "Hertfordshire", "GB"),
    ("Croydon, London", "Croydon", "London", "GB"),
    ("City Of London, London", "London", "", "GB"),
    # areas
    ("Greater London Area", "London", "", "GB"),
    ("New York City Metropolitan Area", "New York", "", "US"),
    ("Raleigh-Durham-Chapel Hill Area", "Raleigh", "", "US"),
    ("Silicon Valley", "", "California", "US"),
    # Singapore
    ("Anson Centre, 51 Anson Road 079904", "Singapore", "", "SG"),
    ("Az @ Paya Lebar, 140 Paya Lebar Road 409015", "Singapore", "", "SG"),
    ("Singapore", "Singapore", "", "SG"),
    # names in other languages and spellings
    ("München", "Munich", "", "DE"),
    ("Köln, Deutschland", "Cologne", "", "DE"),
    ("Milano, Italia", "Milan", "", "IT"),
    ("Phila, PA", "Philadelphia", "Pennsylvania", "US"),
    # what is before or after the place
    ("Kendall Square, Cambridge, MA", "Cambridge", "Massachusetts", "US"),
    ("Germany, Hamburg,", "Hamburg", "", "DE"),
    ("Toronto , Fulltime", "Toronto", "", "CA"),
]  # fmt: skip


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("raw", "city", "region", "country"), CASES, ids=[c[0] for c in CASES])
def test_a_location_is_read_as_city_region_and_country(
    raw: str, city: str, region: str, country: str
) -> None:
    found = parse_place(raw)
    assert (found.city, found.region, found.country) == (city, region, country)
    assert found.confidence > 0


@pytest.mark.parametrize(
    "raw",
    [
        "Remote", "remote", "Remote (EU)", "Anywhere", "Home based", "Worldwide", "European Union",
        "Nationwide", "Engineering, Sales,", "Security, IT", "DevOps, QA", "Lead Frontend, QA",
        "Rails, Python,", "Data Engineer, Data", "", "   ", "???", "N/A", "12345", "Full-time",
        "Software Engineer, Big", "Mesosphere, Inc.", "Multiple locations",
    ],
)  # fmt: skip
def test_no_city_is_invented(raw: str) -> None:
    found = parse_place(raw)
    assert (found.city, found.region, found.country, found.places) == ("", "", "", ())


@pytest.mark.parametrize(
    ("raw", "mode", "city"),
    [
        ("Remote", "remote", ""),
        ("Hybrid - Amsterdam", "hybrid", "Amsterdam"),
        ("San Francisco / Remote", "remote", "San Francisco"),
        ("Remote (EU)", "remote", ""),
        ("Berlin (on-site)", "onsite", "Berlin"),
        ("London, no remote", "onsite", "London"),
        ("Madrid, híbrido", "hybrid", "Madrid"),
        ("Madrid, Spain", "", "Madrid"),
    ],
)
def test_a_location_may_state_the_work_mode(raw: str, mode: str, city: str) -> None:
    found = parse_place(raw)
    assert (found.work_mode, found.city) == (mode, city)


@pytest.mark.parametrize(
    ("raw", "cities"),
    [
        ("Berlin or Munich", ["Berlin", "Munich"]),
        ("Boston, MA and Palo Alto, CA", ["Boston", "Palo Alto"]),
        ("San Francisco, New York, London", ["San Francisco", "New York", "London"]),
        ("Boston, Ljubljana", ["Boston", "Ljubljana"]),
        ("Amsterdam, Canada", ["Amsterdam", ""]),
        ("Newcastle, Tyne and Wear", ["Newcastle upon Tyne"]),
    ],
)
def test_several_sites_are_kept_in_order(raw: str, cities: list[str]) -> None:
    assert [site.city for site in parse_place(raw).places] == cities


@pytest.mark.req("N-41")
@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120) | st.lists(st.sampled_from(
    ["Berlin", "NY", ", ", "/", " or ", "Remote", "(", ")", "US", "Ontario", "Ō", "İ", " - ", "0"]
)).map("".join))  # fmt: skip
def test_any_text_is_read_and_spans_lie_inside(raw: str) -> None:
    found = parse_place(raw)
    assert all(0 <= start < end <= len(raw) for start, end in found.spans)
    assert bool(found.places) == bool(found.spans)
    assert 0 <= found.confidence <= 1
