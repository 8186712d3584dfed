"""Sections of a clean text: heads, footers, and what holds for any text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.processors.shared.sections import body_text, find_sections, head_kind

AD = """About us
We make maps.

What you'll do:
- Draw maps
- Print them

Your profile
Two years of Python: at work.

What we offer
30 days of holiday.

Location: Berlin

We are an equal opportunity employer and value diversity at our company. Come as you are."""


def found(text: str) -> list[tuple[str, str]]:
    return [(section.kind, text[section.start : section.end]) for section in find_sections(text)]


def test_an_ad_is_cut_at_its_heads_and_its_footer_is_marked() -> None:
    assert found(AD) == [
        ("about", "About us\nWe make maps."),
        ("responsibilities", "What you'll do:\n- Draw maps\n- Print them"),
        ("requirements", "Your profile\nTwo years of Python: at work."),
        ("benefits", "What we offer\n30 days of holiday."),
        (
            "boilerplate",
            "We are an equal opportunity employer and value diversity at our company.",
        ),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Responsibilities", "responsibilities"),
        ("KEY RESPONSIBILITIES:", "responsibilities"),
        ("Roles & Responsibilities", "responsibilities"),
        ("** What You Will Do **", "responsibilities"),
        ("Ihre Aufgaben:", "responsibilities"),
        ("Vos missions", "responsibilities"),
        ("Requirements: Python", "requirements"),
        ("Mandatory Skill(s)", "requirements"),
        ("Who you are", "requirements"),
        ("Minimum Qualifications", "requirements"),
        ("Dein Profil", "requirements"),
        ("Profil recherché", "requirements"),
        ("Requisitos:", "requirements"),
        ("🚀 What we offer", "benefits"),
        ("Benefits: private medical insurance, pension", "benefits"),
        ("Wir bieten:", "benefits"),
        ("About Acme Corp.", None),
        ("About Acme Corp", "about"),
        ("Über uns", "about"),
        ("Equal Opportunity Employer", "boilerplate"),
        ("How to apply", ""),
        ("We require five years of experience with responsibilities for people.", None),
        ("- Benefits administration", None),
        ("experience with benefits", None),
        ("Data Protection Officer", None),
        ("x", None),
    ],
)
def test_heads_are_told_from_other_lines(line: str, kind: str | None) -> None:
    assert head_kind(line) == kind


@pytest.mark.parametrize(
    "footer",
    [
        "We are an equal opportunity employer and value diversity at our company.",
        "Only shortlisted candidates will be notified. No agencies please.",
        "By submitting your application you agree to our privacy notice.",
        "All qualified applicants will receive consideration without regard to race.",
        "EA License: 11C4388",
        "We participate in E-Verify.",
        "Please note that we never ask candidates for money or bank details.",
        "Wir stellen ein unabhängig von Geschlecht und Herkunft.",
    ],
)
def test_footers_are_boilerplate_wherever_they_stand(footer: str) -> None:
    text = f"We need a data analyst.\n\n{footer}\n\nApply today."
    assert found(text) == [("boilerplate", footer)]
    sections = [msgspec.to_builtins(section) for section in find_sections(text)]
    assert body_text(text, sections) == "We need a data analyst.\nApply today."


@pytest.mark.parametrize(
    "line",
    [
        "Benefits: private medical insurance, pension, 25 days holiday, cycle to work.",
        "You ensure GDPR compliance and own data protection.",
        "You will discriminate signal from noise.",
        "Equal parts of Python and SQL.",
        "You work with recruitment agencies and colour management.",
        "Diversity of data sources is our daily work.",
    ],
)
def test_duties_that_sound_like_footers_are_none(line: str) -> None:
    assert "boilerplate" not in {kind for kind, _ in found(f"First line.\n{line}\nLast line.")}


def test_a_title_that_reads_like_a_boilerplate_head_does_not_swallow_the_ad() -> None:
    text = "Diversity and Inclusion\n" + "You lead the programme with the team.\n" * 20
    assert found(text) == []


def test_a_flattened_text_loses_only_the_clause_of_its_footer() -> None:
    text = "Knows Java Python and Go " * 40 + "We regret that only shortlisted candidates reply"
    assert found(text) == [("boilerplate", "We regret that only shortlisted candidates reply")]


PARTS = st.sampled_from(
    [
        "Requirements", "Benefits:", "About us", "Equal opportunity", "- item", "word", "İ", "ß",
        "We are an equal opportunity employer.", "No agencies.", "Privacy notice", "", "x" * 450,
        "without regard to race, color", "A. B. C.", "🚀",
    ]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PARTS, max_size=20), st.sampled_from(["\n", "\n\n", " "]))
def test_sections_lie_in_order_inside_the_text_and_do_not_overlap(
    parts: list[str], glue: str
) -> None:
    text = glue.join(parts)
    sections = find_sections(text)
    edges = [edge for section in sections for edge in (section.start, section.end)]
    assert edges == sorted(edges)
    assert all(0 <= section.start < section.end <= len(text) for section in sections)
    assert all(text[s.start : s.end] == text[s.start : s.end].strip() for s in sections)
    body = body_text(text, [msgspec.to_builtins(section) for section in sections])
    assert len(body) <= len(text)
