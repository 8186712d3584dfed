"""Whole ads of our own writing, as sources damage them, and what cleaning makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_text

FOLDER = Path(__file__).parents[1] / "golden" / "clean"
INPUTS = sorted(path for path in FOLDER.iterdir() if not path.name.endswith(".expected"))


def rendered(path: Path) -> str:
    """The clean text, with the name of each section in front of it."""
    raw = path.read_text(encoding="utf-8")
    text = clean_text(*((raw, "") if path.suffix == ".html" else ("", raw))).text
    for section in reversed(find_sections(text)):
        text = (
            f"{text[: section.start]}[{section.kind}>{text[section.start : section.end]}<]"
            + (text[section.end :])
        )
    return text + "\n"


@pytest.mark.req("N-32")
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_a_damaged_ad_is_read_as_its_writer_meant_it(path: Path) -> None:
    expected = path.with_name(path.name + ".expected").read_text(encoding="utf-8")
    assert rendered(path) == expected


def test_every_golden_text_has_its_expectation() -> None:
    assert len(INPUTS) == len(list(FOLDER.glob("*.expected"))) == 8
