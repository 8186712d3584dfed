"""The whole extraction: its JSON, true spans on any text, linear time, real ads, the command."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.cli.extract import answer_lines
from nextstep.processors.shared.concepts import Concept, Surface, Taxonomies, TitleConcept
from nextstep.processors.shared.extraction import ExtractIn, Extraction, Kit, build_kit, extract
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_line, clean_text

TAXONOMIES = Taxonomies(
    skills=(Concept("Machine Learning", "skill", "technical", (Surface("Machine Learning"),)),),
    tools=(
        Concept("Python", "tool", "language", (Surface("Python"),)),
        Concept("SQL", "tool", "language", (Surface("SQL"),)),
    ),
    titles=(
        TitleConcept("Data Analyst", "data analytics", ()),
        TitleConcept("Data Scientist", "data science", ()),
        TitleConcept("Software Engineer", "software", ("software developer",)),
    ),
    versions={},
)
AD = ExtractIn(
    id="ad-1",
    title="Senior Data Analyst (m/f/d)",
    location="Toronto, Ontario, Canada",
    salary="",
    employment_type="Full-time",
    description_clean=(
        "We build things.\n\nRequirements\n- 3-5 years of experience with Python and SQL\n"
        "- Bachelor's degree in statistics, Master's preferred\n\n"
        "Salary: $80,000 - $95,000 per year. This is a hybrid role."
    ),
    language="en",
)
FIELDS = {
    "title": "title", "location": "location", "salary": "salary",
    "employment_type": "employment_type", "description_clean": "description_clean",
}  # fmt: skip


KIT = build_kit(TAXONOMIES)


@pytest.fixture
def kit() -> Kit:
    return KIT


def check_spans(job: ExtractIn, found: Extraction) -> None:
    stored = {name: getattr(job, attribute) for name, attribute in FIELDS.items()}
    for field, spans in found.evidence.items():
        assert spans, field
        assert 0 < found.confidence[field] <= 1, field
        assert round(found.confidence[field], 3) == found.confidence[field]
        for span in spans:
            assert stored[span.field][span.start : span.end] == span.snippet != "", field
    for value in (*found.skills, *found.tools):
        for place in value.spans:
            assert job.description_clean[place.start : place.end] == place.snippet != ""
    assert set(found.evidence) == set(found.confidence)


@pytest.mark.req("N-37", "N-41")
def test_an_ad_gives_the_agreed_json(kit: Kit) -> None:
    out = json.loads(msgspec.json.encode(extract(AD, kit)))
    assert set(out) >= {
        "id", "title_norm", "title_cluster", "seniority", "employment_type", "work_mode",
        "description_clean", "skills", "tools", "salary", "experience", "education", "location",
        "language", "evidence", "confidence",
    }  # fmt: skip
    assert (out["id"], out["title_norm"], out["seniority"]) == ("ad-1", "Data Analyst", "senior")
    assert (out["employment_type"], out["work_mode"]) == ("full_time", "hybrid")
    assert out["salary"] == {
        "min": 80000.0, "max": 95000.0, "currency": "CAD", "period": "year",
        "text": "$80,000 - $95,000", "source": "description_clean",
    }  # fmt: skip
    assert out["experience"] == {"min_years": 3.0, "max_years": 5.0}
    assert out["education"] == {"levels": ["bachelor", "master"], "required": True}
    assert out["location"]["city"] == "Toronto"
    assert out["location"]["places"] == [{"city": "Toronto", "region": "Ontario", "country": "CA"}]
    assert [tool["name"] for tool in out["tools"]] == ["Python", "SQL"]
    assert {"name", "kind", "start", "end", "snippet", "confidence", "spans"} <= set(
        out["tools"][0]
    )
    check_spans(AD, extract(AD, kit))


def test_an_empty_ad_has_no_values(kit: Kit) -> None:
    out = json.loads(msgspec.json.encode(extract(ExtractIn(id=1), kit)))
    assert (out["id"], out["title_norm"], out["seniority"], out["work_mode"]) == (
        1, None, None, None,
    )  # fmt: skip
    assert (out["skills"], out["tools"], out["location"]["places"]) == ([], [], [])
    assert set(out["salary"].values()) == {None}
    assert (out["education"], out["evidence"]) == ({"levels": [], "required": None}, {})


def test_the_place_may_stand_in_the_title_or_in_a_line_of_the_text(kit: Kit) -> None:
    titled = ExtractIn(id=1, title="Acme | Berlin, Germany | Software Engineer")
    assert extract(titled, kit).location.city == "Berlin"
    lined = ExtractIn(id=1, description_clean="Great job.\nLocation: Munich, Germany\nApply now.")
    found = extract(lined, kit)
    assert (found.location.city, found.evidence["location"][0].field) == (
        "Munich", "description_clean",
    )  # fmt: skip
    check_spans(lined, found)
    vague = ExtractIn(id=1, title="Acme | Senior | Mobile", description_clean="We like Paris.")
    assert extract(vague, kit).location.city is None


PIECES = st.sampled_from(
    ["3-5 years", " of experience", "five (5) years", "$80k", " - ", "€ 1.000,-", "Bachelor", "'s",
     " degree", "MS/PhD", "remote", " hybrid ", "no remote", "\n- ", "Salary: ", "100.000",
     "per hour",
     "Senior ", "İstanbul", "ß", "\u200b", "\u202e", "𝔘", "ﬁ", "(", ")", "full-time",
     "Python", "401k",
     "1,2,3,4", "10 000 €",
     "Location: Paris, France", "à partir de", "20 Jahre", ".", "kr", "12 lakhs"]
)  # fmt: skip


@pytest.mark.req("N-41")
@settings(max_examples=150, deadline=None)
@given(
    title=st.text(max_size=60) | st.lists(PIECES, max_size=6).map("".join),
    location=st.text(max_size=40),
    salary=st.text(max_size=40) | st.lists(PIECES, max_size=5).map("".join),
    text=st.text(max_size=300) | st.lists(PIECES, max_size=40).map("".join),
)
def test_no_text_raises_and_every_span_is_true(
    title: str, location: str, salary: str, text: str
) -> None:
    job = ExtractIn("x", title, location, salary, "full-time", text)
    check_spans(job, extract(job, KIT))


def _seconds(kit: Kit, text: str) -> float:
    job = ExtractIn("x", description_clean=text)
    best = 1e9
    for _ in range(2):
        start = time.process_time()
        extract(job, kit)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    "unit",
    [
        "experience ", "$80,000 - $95,000 per year ", "Bachelor's or Master's degree in science, ",
        "3-5 years of experience ",
        "remote hybrid onsite ", "a", "1", "$", "1,", "€ ", "((((", "\u200b\u202e",
        "master of master or ", "full-time contract ", "5 years or 5 years to ", "- ", "\n", " ",
        "work from home office days per week in the ",
        "salary between 5 and 6 and ", "level: senior ",
        "entre 10 et ", "Location: ", "K", "bac + ", "4 year 4 year ",
    ],
)  # fmt: skip
def test_hostile_text_takes_time_in_proportion_to_its_length(kit: Kit, unit: str) -> None:
    small = unit * (10_000 // len(unit))
    large = unit * (80_000 // len(unit))
    extract(ExtractIn("warm", description_clean=small), kit)
    # Eight times the text in at most three times the share: quadratic work would take 64 times.
    assert _seconds(kit, large) < 8 * 3 * max(_seconds(kit, small), 0.002)


@pytest.mark.req("N-37", "N-41")
def test_on_real_ads_every_span_is_true_and_fields_are_filled_as_they_should(
    kit: Kit, real_ads: Callable[..., list[dict[str, str]]]
) -> None:
    filled: dict[str, dict[str, int]] = {}
    sizes: dict[str, int] = {}
    for ad in real_ads(limit=480):
        text = clean_text(ad["description_html"], ad["description_text"]).text
        job = ExtractIn(
            ad["source_job_id"], clean_line(ad["title"]), clean_line(ad["location"]),
            clean_line(ad["salary"]), clean_line(ad["employment_type"]), text,
            [msgspec.to_builtins(section) for section in find_sections(text)],
        )  # fmt: skip
        found = extract(job, kit)
        check_spans(job, found)
        sizes[ad["source"]] = sizes.get(ad["source"], 0) + 1
        for field in found.evidence:
            counts = filled.setdefault(ad["source"], {})
            counts[field] = counts.get(field, 0) + 1
    rate = {
        (source, field): counts.get(field, 0) / sizes[source]
        for source, counts in filled.items()
        for field in ("location", "salary", "experience", "education", "title")
    }
    assert rate["linkedin", "location"] > 0.95
    assert rate["adzuna_uk", "location"] > 0.9
    assert rate["emscad", "location"] > 0.8
    assert rate["adzuna_uk", "salary"] > 0.9
    assert rate["mycareersfuture", "salary"] > 0.75
    assert rate["glassdoor_us", "salary"] > 0.7
    assert 0.35 < rate["linkedin", "experience"] < 0.9
    assert 0.4 < rate["linkedin", "education"] < 0.95
    assert rate["glassdoor_us", "education"] > 0.6


def _answers(lines: list[bytes]) -> tuple[list[dict[str, Any]], int]:
    out = io.BytesIO()
    bad = answer_lines(lines, out, TAXONOMIES)
    return [json.loads(line) for line in out.getvalue().splitlines()], bad


@pytest.mark.req("N-37")
def test_the_command_answers_each_line_in_order() -> None:
    lines = [
        b'{"id": "a", "title": "Data Analyst", "html": "<p>Python &amp; SQL</p>"}\n',
        b'{"broken\n',
        b'{"id": 7, "title": ["no text"]}\n',
        b"\n",
        b'{"id": 3, "text": "5+ years of experience", "salary": 50000, "location": null}\n',
        b'{"title": "no id"}\n',
        b'{"id": "z", "title": "\\ud800 \\u0000 Data Scientist"}\n',
    ]
    answers, bad = _answers(lines)
    assert [answer["id"] for answer in answers] == ["a", None, 7, None, 3, None, "z"]
    assert ["error" in answer for answer in answers] == [
        False, True, True, True, False, True, False,
    ]  # fmt: skip
    assert bad == 4
    assert answers[0]["description_clean"] == "Python & SQL"
    assert [tool["name"] for tool in answers[0]["tools"]] == ["Python", "SQL"]
    assert answers[4]["experience"]["min_years"] == 5
    assert answers[4]["salary"]["min"] == 50000
    assert answers[6]["title_norm"] == "Data Scientist"
