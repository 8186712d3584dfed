"""
Fold a text to the words that two copies of one advertisement share.

Case, accents, punctuation, markup remains and line breaks go. Words glued by a careless scraper
("skillsStrong", "2019Apply") come apart at the change of case or from digit to letter, in the
clean copy as in the damaged one, so that both give the same words.

Source: decisions.md 19, issue text on glued section heads.
"""

from __future__ import annotations

import re
import unicodedata

#: Scripts written without spaces; each sign is a word, so that three words are three signs.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_LATIN = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"
_ASCII_WORD = re.compile(_LATIN)
_ANY_WORD = re.compile(rf"{_LATIN}|[{_UNSPACED}]|[^\W_A-Za-z0-9{_UNSPACED}]+")
_MARKS = re.compile("[\u0300-\u036f]+")
_LETTERS = {
    "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "æ": "ae", "Æ": "AE", "œ": "oe",
}  # fmt: skip
#: A pattern, because `str.translate` looks at every character of every text.
_LETTER = re.compile(f"[{''.join(_LETTERS)}]")


def words(text: str) -> list[str]:
    """Return the folded words of a text, in order."""
    if text.isascii():
        found = _ASCII_WORD.findall(text)
    else:
        plain = _LETTER.sub(lambda match: _LETTERS[match[0]], text)
        plain = _MARKS.sub("", unicodedata.normalize("NFKD", plain))
        found = _ANY_WORD.findall(plain)
    return " ".join(found).casefold().split(" ") if found else []


def folded(text: str) -> str:
    """Return the folded words joined by single spaces."""
    return " ".join(words(text))
