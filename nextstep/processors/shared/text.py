"""
The readable text of an ad, and of its one-line fields.

Cleaning a cleaned text changes nothing, whatever came in: one pass is repeated while its result
still holds something that a pass would change, and what hostile nesting leaves is broken up.

Source: N-32, decisions.md 7 and 17.
"""

from __future__ import annotations

import re

import msgspec

from nextstep.processors.shared.encoding import (
    fix_encoding,
    has_entity,
    is_damaged,
    plain_characters,
    repair,
    unescape,
)
from nextstep.processors.shared.layout import lay_out, normalize_whitespace
from nextstep.processors.shared.markup import html_to_text, looks_like_markup, strip_tags

__all__ = [
    "CAP",
    "TEXT_CHANGES",
    "CleanText",
    "clean_line",
    "clean_text",
    "fix_encoding",
    "html_to_text",
    "looks_like_markup",
    "normalize_whitespace",
]

#: What `changes` of a text may name; docs/ingest.md says what each means.
TEXT_CHANGES = (
    "html", "unescaped", "encoding", "bullets", "glued_heads", "glued_lines", "tokens", "buttons",
)  # fmt: skip
#: Most characters of a title, company, place or other field of one line. Source: decisions.md 7.
CAP = 300
#: A field is cut to so many characters before any work; only junk is longer.
_READ = 8 * CAP
_ROUNDS = 4
_LINE_TOKEN = re.compile(r"#(?:URL|EMAIL|PHONE)_[0-9a-f]{16,64}#?")
_ANY_ELEMENT = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,9}(?:\s[^<>]*|/)?>")


class CleanText(msgspec.Struct, frozen=True):
    """`changes` maps those of TEXT_CHANGES that apply to True or to how often they did."""

    text: str
    changes: dict[str, int | bool]


def clean_text(html: str, text: str = "") -> CleanText:
    """
    Return the readable text of an ad: html where there is some, else text.

    A text that looks like markup is read as HTML, one that does not keeps its line breaks. List
    items begin with "- "; paragraphs are parted by at most one blank line.
    """
    changes: dict[str, int | bool] = {}
    current = html or text
    markup = bool(html) and _ANY_ELEMENT.search(html) is not None
    for _ in range(_ROUNDS):
        current, settled = _one_pass(current, markup, changes)
        markup = False
        if settled:
            return CleanText(current, changes)
        if not _needs_another(current):
            break
    else:
        current = _defuse(current)
    return CleanText(_settle(current), changes)


def clean_line(raw: str, cap: int = CAP) -> str:
    """
    Return a field as one line: no tags, entities, controls or doubled spaces, at most `cap` long.

    A tag or entity that was cut off at the end is dropped too.
    """
    line = raw[:_READ]
    for _ in range(_ROUNDS):
        before = line
        line = strip_tags(unescape(line)) if "<" in line or "&" in line else line
        line = repair(line)[0]
        line = _LINE_TOKEN.sub(" ", line) if "#" in line else line
        line = " ".join(line.split())[:cap].rstrip()
        if line == before:
            return line
    return line


def _one_pass(text: str, markup: bool, changes: dict[str, int | bool]) -> tuple[str, bool]:
    """Return the text and whether it is known that a further pass does not change it."""
    if markup or looks_like_markup(text):
        text = html_to_text(text)
        changes["html"] = True
    # Text that was escaped once more than its place asks for, and markup within it.
    for depth in range(1, _ROUNDS + 1):
        if not has_entity(text):
            break
        plain = unescape(text)
        if plain == text:
            break
        changes["unescaped"] = max(depth, int(changes.get("unescaped", 0)))
        text = html_to_text(plain) if looks_like_markup(plain) else plain
    text, mended, whole = repair(text)
    if mended:
        changes["encoding"] = True
    text, counts, settled = lay_out(text)
    for name, count in counts.items():
        changes[name] = int(changes.get(name, 0)) + count
    return text, settled and not (
        looks_like_markup(text)
        or (has_entity(text) and unescape(text) != text)
        or (not whole and repair(text)[0] != text)
    )


def _needs_another(text: str) -> bool:
    return (
        looks_like_markup(text)
        or (has_entity(text) and unescape(text) != text)
        or (is_damaged(text) and plain_characters(fix_encoding(text)) != text)
    )


def _defuse(text: str) -> str:
    """Break up the markup and entities that deep nesting feigns again after each pass."""
    return text.replace("<", "< ").replace("&", "& ")


def _settle(text: str) -> str:
    """Return a text that a further pass does not change."""
    for _ in range(_ROUNDS):
        before = text
        text, settled = _one_pass(text, False, {})
        if settled or text == before:
            break
    return text
