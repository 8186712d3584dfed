"""Which names in a text are mentions of a skill or tool, and which only look like one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nextstep.errors import TaxonomyError
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.mentions import MAX_SPANS, extract_skills_tools, find_mentions
from nextstep.processors.shared.taxonomy import Matcher, build_matcher
from nextstep.processors.shared.taxonomy_schema import parse_concepts
from nextstep.processors.shared.text import clean_text

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "mentions.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


@lru_cache(maxsize=1)
def matcher() -> Matcher:
    return build_matcher(load_taxonomies())


def names(text: str) -> set[str]:
    return {mention.concept for mention in find_mentions(text, matcher())}


@pytest.mark.req("N-37")
@pytest.mark.parametrize("case", CASES, ids=[case["reason"] for case in CASES])
def test_a_golden_sentence_names_what_it_names_and_nothing_that_it_seems_to(
    case: dict[str, Any],
) -> None:
    found = names(case["text"])
    assert set(case["expect"]) - found == set()
    assert set(case["reject"]) & found == set()


@pytest.mark.req("N-38")
def test_the_golden_sentences_speak_of_known_concepts_only() -> None:
    known = {concept.name for concept in matcher().concepts}
    labelled = {name for case in CASES for name in (*case["expect"], *case["reject"])}
    assert labelled - known == set()
    assert len(CASES) >= 150


@pytest.mark.req("N-38")
def test_the_taxonomies_hold_hundreds_of_skills_and_tools_of_every_kind() -> None:
    skills = [c for c in matcher().concepts if c.group == "skill"]
    tools = [c for c in matcher().concepts if c.group == "tool"]
    assert len(skills) >= 480
    assert len(tools) >= 600
    kinds = {concept.kind for concept in skills}
    assert kinds == {"technical", "domain", "soft", "language", "certification"}


def assert_true_spans(text: str) -> None:
    mentions = find_mentions(text, matcher())
    ends = 0
    for mention in mentions:
        assert text[mention.start : mention.end] == mention.snippet
        assert mention.snippet.strip()
        assert mention.start >= ends
        assert 0.5 <= mention.confidence <= 1
        ends = mention.end


_PIECES = st.sampled_from(
    ["Python", "C++", " R ", "Go", "Straße ", "ﬁ", "İ", "ß", "e\u0301", "\u200b", "é", "Ⅷ", "\x00",
     "SQL,", "C#", "machine learning", "français", "\n- ", " no ", "preferred: ", "데이터", "🙂",
     "Schweißen", "kommunikationsstark", "a@b.co ", "https://x.io/sql ", "½", "ŉ", "Excel"]
)  # fmt: skip


@pytest.mark.req("N-37")
@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES | st.text(max_size=8), max_size=30))
def test_spans_are_true_in_any_text(pieces: list[str]) -> None:
    assert_true_spans("".join(pieces))


@pytest.mark.req("N-37")
def test_a_span_covers_the_accents_of_the_original() -> None:
    text = "Nous cherchons de la compre\u0301hension et de l’analyse de donne\u0301es."
    snippets = [m.snippet for m in find_mentions(text, matcher()) if m.concept == "Data Analysis"]
    assert snippets == ["analyse de donne\u0301es"]


@pytest.mark.req("N-37")
@pytest.mark.parametrize(
    ("text", "name", "preferred"),
    [
        ("Python is required.", "Python", False),
        ("Python is a plus.", "Python", True),
        ("Terraform would be nice to have.", "Terraform", True),
        ("SQL required, Terraform preferred.", "SQL", False),
        ("SQL required, Terraform preferred.", "Terraform", True),
        ("Nice to have:\n- Kubernetes\n- Docker", "Docker", True),
        ("Requirements:\n- Python\n\nNice to have:\n- Docker", "Python", False),
        ("Kenntnisse in Docker sind von Vorteil.", "Docker", True),
        ("La connaissance de Docker serait un plus.", "Docker", True),
        ("Se valorará experiencia con Docker.", "Docker", True),
        ("Kennis van Docker is een pré.", "Docker", True),
    ],
)
def test_a_welcome_skill_is_marked_as_preferred(text: str, name: str, preferred: bool) -> None:
    marks = {m.concept: m.preferred for m in find_mentions(text, matcher())}
    assert marks[name] is preferred


@pytest.mark.req("N-37")
def test_a_skill_required_anywhere_is_not_merely_preferred() -> None:
    text = "Python is required.\nPython for data work is a plus."
    _, tools = extract_skills_tools(text, [], matcher())
    python = next(tool for tool in tools if tool.name == "Python")
    assert python.preferred is False
    assert [(span.start, span.snippet) for span in python.spans] == [(0, "Python"), (20, "Python")]


@pytest.mark.req("N-37")
def test_a_preferred_section_marks_its_skills() -> None:
    text = "We use Python.\nDocker and Terraform"
    sections = [{"kind": "preferred", "start": 15, "end": len(text)}]
    _, tools = extract_skills_tools(text, sections, matcher())
    assert {tool.name: tool.preferred for tool in tools} == {
        "Python": False,
        "Docker": True,
        "Terraform": True,
    }


@pytest.mark.req("N-37")
def test_soft_skills_in_the_words_about_the_company_do_not_count() -> None:
    text = "Teamwork is our pride."
    sections = [{"kind": "about", "start": 0, "end": len(text)}]
    assert extract_skills_tools(text, sections, matcher()) == ([], [])
    skills, _ = extract_skills_tools(text, [], matcher())
    assert [skill.name for skill in skills] == ["Teamwork"]


@pytest.mark.req("N-37")
def test_values_stand_in_text_order_with_few_spans_each() -> None:
    text = "Docker, SQL. " + "Python. " * 200
    _, tools = extract_skills_tools(text, [], matcher())
    assert [tool.name for tool in tools] == ["Docker", "SQL", "Python"]
    assert len(tools[2].spans) == MAX_SPANS


_HOSTILE = {
    "one name": "Python ",
    "doubtful names": "Go R C ",
    "welcome cues": "preferred Python a plus ",
    "negations": "no Python not required ",
    "cues and needs": "ideally must ",
    "headings": "Nice to have:\n- Python\n",
    "addresses": "a@a.a.a.a@",
    "long word": "a",
    "blockers": "go to go to market ",
    "combining": "e\u0301",
    "expanding": "ßﬃ",
}


@pytest.mark.req("N-37")
@pytest.mark.parametrize("piece", _HOSTILE.values(), ids=_HOSTILE)
def test_a_hostile_text_costs_time_in_line_with_its_length(piece: str) -> None:
    def best(size: int) -> float:
        text = piece * (size // len(piece))
        times = []
        for _ in range(3):
            start = time.process_time()
            find_mentions(text, matcher())
            times.append(time.process_time() - start)
        return min(times)

    small, large = best(20_000), best(160_000)
    # Eight times the text: linear is about 8, quadratic 64; small times are noise.
    assert large < 30 * max(small, 0.002)


@pytest.mark.req("N-38")
def test_two_concepts_may_not_claim_one_form() -> None:
    content = {
        "version": "1",
        "concepts": [
            {"name": "Alpha", "kind": "domain", "aliases": ["same thing"]},
            {"name": "Beta", "kind": "domain", "aliases": ["same-thing"]},
        ],
    }
    shipped = load_taxonomies()

    clashing = replace(shipped, skills=parse_concepts(content, "skill", file="skills.yml"))
    with pytest.raises(TaxonomyError, match="claimed by two concepts: 'Alpha'"):
        build_matcher(clashing)


@pytest.mark.req("N-38")
def test_blockers_of_a_concept_hold_for_its_aliases_too() -> None:
    content = {
        "version": "1",
        "concepts": [
            {
                "name": "Cookery",
                "kind": "domain",
                "match_name": False,
                "aliases": ["catering"],
                "blockers": ["catering for"],
            }
        ],
    }
    (concept,) = parse_concepts(content, "skill", file="skills.yml")
    assert [surface.blockers for surface in concept.surfaces] == [("catering for",)]


@pytest.mark.req("N-37")
def test_spans_are_true_in_real_ads(real_ads: Callable[..., list[dict[str, str]]]) -> None:
    texts = [
        clean_text(row.get("description_html") or "", row.get("description_text") or "").text
        for row in real_ads(limit=160)
    ]
    for text in texts:
        assert_true_spans(text)


@pytest.mark.req("N-37")
def test_nearly_every_ad_for_data_roles_names_three_skills(
    real_ads: Callable[..., list[dict[str, str]]],
) -> None:
    rows = real_ads("linkedin_data_roles", 400)
    counts = [
        len(extract_skills_tools(text.text, [], matcher())[0])
        for row in rows
        if (text := clean_text(row["description_html"], row["description_text"])).text
    ]
    assert sum(count >= 3 for count in counts) >= 0.95 * len(counts)
