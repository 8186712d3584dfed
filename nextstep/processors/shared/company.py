"""A company's name in the form in which two spellings of it are equal."""

from __future__ import annotations

import re

from nextstep.processors.shared.folding import fold

#: Glassdoor puts its rating on a line of its own under the name.
_RATING = re.compile(r"\s*\n\s*[0-5]\.\d\s*\Z")
_DOTTED = re.compile(r"(?<=\b\w)\.(?=\w\b)")
_SIGNS = re.compile(r"[^\w&+#@]+")

#: Legal forms, dropped from the end as long as something is left.
_LEGAL = frozenset(
    str.split("""
    inc incorporated corp corporation co company ltd limited llc llp lp plc pllc pc pbc
    gmbh ag kg kgaa mbh ug ohg gbr ev eg se sarl sas sasu sa eurl snc scop
    bv nv vof cv ab aktiebolag oy oyj as asa aps srl spa sl slu slp sau lda ltda me epp eireli
    pte pty pvt private sdn bhd berhad tbk pt kk zrt kft sro doo dd ooo oao zao jsc pjsc
    """)
)
#: They join two legal forms ("GmbH & Co. KG") and mean nothing at the end.
_JOINTS = frozenset({"and", "und", "et", "y"})
#: Names of one letter group that are also words stay when they stand alone.
_PHRASES = (
    ("public limited company", ""), ("limited liability company", ""), ("s p a", "spa"),
    ("s a r l", "sarl"), ("s a s", "sas"), ("s r l", "srl"), ("b v", "bv"), ("n v", "nv"),
    ("s a", "sa"), ("s l", "sl"), ("a s", "as"), ("d o o", "doo"), ("s r o", "sro"),
    ("z o o", ""), ("sp zoo", ""), ("sp z oo", ""), ("sp z o o", ""),
)  # fmt: skip


def strip_rating(raw: str) -> str:
    """Return a company field without the rating line that a job site put under it."""
    return _RATING.sub("", raw) if "\n" in raw else raw


def normalize_company(name: str) -> str:
    """
    Return a name in lower case, without accents, signs and legal form.

    "Müller & Söhne GmbH & Co. KG" gives "muller and sohne"; a name that is nothing but a legal
    form stays.
    """
    text = _DOTTED.sub("", fold(name).text)
    text = _SIGNS.sub(" ", text).replace("_", " ").replace("&", " & ")
    words = text.split()
    words = [
        "and" if word == "&" or (word == "+" and 0 < place < len(words) - 1) else word
        for place, word in enumerate(words)
    ]
    kept = _without_phrases(words)
    while len(kept) > 1 and (kept[-1] in _LEGAL or kept[-1] in _JOINTS):
        kept.pop()
    if kept and kept[0] in ("pt", "cv") and len(kept) > 1:  # Indonesian forms stand in front
        kept = kept[1:]
    return " ".join(kept or words)


def _without_phrases(words: list[str]) -> list[str]:
    text = " ".join(words)
    for phrase, form in _PHRASES:
        if text.endswith(" " + phrase):
            text = f"{text[: -len(phrase)]}{form}".rstrip()
            break
    return text.split()
