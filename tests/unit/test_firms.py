"""Names of firms are no tools; "experience with" speaks for a name in its own capitals."""

from __future__ import annotations

import pytest

from nextstep.processors.shared.concepts import Concept, Surface, Taxonomies
from nextstep.processors.shared.firms import firm_key
from nextstep.processors.shared.mentions import find_mentions
from nextstep.processors.shared.taxonomy import Matcher, build_matcher


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    tools = (
        Concept("Airtable", "tool", "application", (Surface("Airtable"),)),
        Concept("Python", "tool", "language", (Surface("Python"),)),
        Concept("Ruby", "tool", "language", (Surface("Ruby", "exact", ("rails",)),)),
    )
    return build_matcher(Taxonomies((), tools, (), {}))


@pytest.mark.req("N-37")
@pytest.mark.parametrize(
    ("text", "company", "found"),
    [
        ("Airtable | Software Engineer | Remote\n\nWe use Python.", "", ["Python"]),
        ("Python Developer | Berlin | Remote", "", ["Python"]),
        ("Our customers include Airtable, Acme and Foo. You know Python.", "", ["Python"]),
        ("We work for companies like Airtable with Python.", "", ["Python"]),
        ("Airtable hires people who know Python.", "Airtable, Inc.", ["Python"]),
        ("You keep our plans in Airtable.", "Acme", ["Airtable"]),
        ("Familiarity with Ruby\nand more", "", ["Ruby"]),
        ("Familiarity with ruby", "", []),
        ("Familiarity with Ruby Tuesday menus", "", []),
        ("A Ruby ring", "", []),
    ],
)
def test_a_firm_is_no_tool(text: str, company: str, found: list[str], matcher: Matcher) -> None:
    assert [m.snippet for m in find_mentions(text, matcher, (), company)] == found


def test_a_firm_is_known_without_its_legal_form() -> None:
    assert firm_key("Airtable, Inc.") == firm_key("AIRTABLE") == "airtable"
    assert firm_key("") == ""
