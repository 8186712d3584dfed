"""Patterns that say once that they begin at a border match what they matched before."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.cli.evaluate_extraction import SHIPPED, read_sets
from nextstep.processors.shared.anchored import alternatives, anchored, lowered
from nextstep.processors.shared.level import may_have_level
from nextstep.processors.shared.level_words import NO_LEVEL, TITLE_RULES

PATTERN = r"\bfoo(?:l|t)\b|\bbar\s*\|x|(?<=q)baz|\bb[a|\]]z+|\bfoot\b|\b[^]x]q"


def test_a_run_of_alternatives_shares_one_border() -> None:
    assert anchored(r"\ba|\bb|c|\bd") == r"\b(?:a|b)|c|\bd"
    assert alternatives(r"a[|]b|(?:c|d)|\|") == ["a[|]b", "(?:c|d)", r"\|"]


@given(st.text(alphabet="fobarztlqx| ]", max_size=40))
def test_the_same_text_is_matched_at_the_same_places(text: str) -> None:
    plain, quick = re.compile(PATTERN), re.compile(anchored(PATTERN))

    assert [m.span() for m in quick.finditer(text)] == [m.span() for m in plain.finditer(text)]


def titles() -> list[str]:
    sets = read_sets([SHIPPED / "titles.jsonl"])
    return [row["text"] for row in sets["titles"]]


def test_no_title_with_a_level_is_passed_by() -> None:
    missed = [
        title
        for title in titles()
        if not may_have_level(title)
        and any(
            pattern.search(NO_LEVEL.sub(lambda m: " " * len(m.group()), title))
            for _, pattern, _ in TITLE_RULES
        )
    ]

    assert missed == []


@pytest.mark.parametrize("title", ["Sr. Nurse", "Werkstudentin", "Analyst II", "Teamleiter", "CTO"])
def test_level_words_are_seen(title: str) -> None:
    assert may_have_level(title)


def test_a_lowered_pattern_finds_in_lower_case_what_the_other_finds_anyhow() -> None:
    written = r"\bdays? at (?:the )?office\b|\bfrom home\b|in [A-Z]\w+|(?P<n>\d+) days"
    texts = ["2 DAYS at the Office", "From Home", "in Berlin, 3 Days", "nothing"]

    caseless = [m.span() for t in texts for m in re.finditer(written, t, re.IGNORECASE)]
    small = [m.span() for t in texts for m in lowered(written).finditer(t.lower())]

    assert small == caseless
    assert len(small) == 4


def test_a_pattern_that_asks_for_capitals_cannot_be_lowered() -> None:
    with pytest.raises(ValueError, match="capital letter at 2"):
        lowered(r"\bMS Office")
