"""
What two titles say against each other: another level, or another subject.

Only the title as its source stated it is read. Suffixes that say how or where one works
("(m/f/d)", "- Remote", "(Contract)", "[Reposted]") say nothing about the vacancy.

Source: decisions.md 19, issue text on field vetoes.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from rapidfuzz import fuzz

from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.dedupe_text import words

_LEVELS = {
    "intern": "intern", "interns": "intern", "internship": "intern", "trainee": "intern",
    "apprentice": "intern", "apprenticeship": "intern", "praktikant": "intern",
    "praktikum": "intern", "werkstudent": "intern", "stagiaire": "intern",
    "junior": "junior", "jr": "junior", "jnr": "junior", "graduate": "junior", "entry": "junior",
    "mid": "mid", "intermediate": "mid", "middle": "mid",
    "senior": "senior", "sr": "senior", "snr": "senior",
    "lead": "lead", "principal": "principal", "staff": "staff",
    "head": "head", "director": "director", "vp": "vp", "chief": "chief",
}  # fmt: skip
#: Of these a level only before the role that they lower: "Assistant Manager", not "Care Assistant".
_LOWERED = {"assistant": "assistant", "asst": "assistant", "deputy": "deputy", "vice": "vice"}
_LOWERED |= {"associate": "associate", "assoc": "associate"}
_HEAD_WORDS = """
    manager director president principal head professor scientist engineer consultant analyst
    accountant editor buyer controller officer general supervisor chef partner counsel architect
    vice producer lecturer developer designer
"""
_HEADS = frozenset(_HEAD_WORDS.split())
_NUMERALS = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_DIGITS = frozenset("12345")
_GRADES = frozenset({"level", "grade", "band", "tier", "lvl"})

#: Of a gender or contract tag, a work mode, an employment type or an appeal.
_NOISE_WORDS = """
    remote hybrid onsite site wfh work working from home homeoffice urgent urgently contract
    contractor reposted repost new immediate immediately hiring wanted needed required full part
    time fulltime parttime permanent temporary temp perm virtual job jobs opening vacancy role
    position positions up x opportunity level grade band tier all genders gn div months month based
    downtown a an and the of for in at on with to or und oder fur mit de en la le les des du et
"""
_NOISE = frozenset(_NOISE_WORDS.split())
_GENDER = frozenset("mwfdhxvn")
_SHORT = {
    "eng": "engineer", "engr": "engineer", "dev": "developer", "mgr": "manager",
    "asst": "assistant", "admin": "administrator", "tech": "technician", "exec": "executive",
    "ops": "operations", "bi": "business intelligence", "ml": "machine learning",
    "swe": "software engineer", "qa": "quality assurance", "hr": "human resources",
}  # fmt: skip


#: A person who writes programs goes by all of these, with or without "software" before it.
_PROGRAMMERS = frozenset({"engineer", "engineers", "developer", "developers"})

#: A requisition number within a title: "Market Risk Consultant (Jr63669)".
_CODE = re.compile(r"(?<![\w-])[A-Za-z]{1,3}[-_]?\d{5,10}(?![\w-])")
#: Longer ones are the first line of a text, which the comparison of the texts sees anyway.
_LONGEST = 12
_LONGEST_LIST = 7
_ADDRESS = re.compile(r"https?:|www\.|\.com\b", re.IGNORECASE)


_ROLE = re.compile(
    r"\b(?:engineers?|developers?|programmers?|designers?|scientists?|analysts?|architects?|"
    r"directors?|managers?|administrators?|consultants?|specialists?|nurses?|teachers?)\b"
)


class Title(msgspec.Struct, frozen=True):
    """A title taken apart: its letters, level words, numeral ("2" for II), words of its subject."""

    letters: str
    levels: frozenset[str]
    numeral: str
    subject: frozenset[str]


def stated_title(raw: str) -> str:
    """
    Return a title folded; "" for a line of prose or of facts ("Acme | Berlin | REMOTE").

    Of a line of facts in which one names a role ("Acme | Data Engineer | Berlin"), that one.
    """
    raw = _CODE.sub(" ", raw)
    found = words(raw)
    prose = len(found) > _LONGEST or ("|" in raw and len(found) > _LONGEST_LIST)
    if not prose and not _ADDRESS.search(raw):
        return " ".join(found)
    facts = [" ".join(words(fact)) for fact in raw.split("|") if not _ADDRESS.search(fact)]
    roles = [fact for fact in facts if _ROLE.search(fact)]
    return roles[0] if len(roles) == 1 and len(roles[0].split()) <= _LONGEST_LIST else ""


def title_codes(raw: str) -> list[str]:
    """Return the requisition numbers that stand in a title, lower case, in order."""
    return [code.lower() for code in _CODE.findall(raw)]


@lru_cache(maxsize=16_384)
def read_title(folded: str, places: str = "") -> Title:
    """Take a folded title apart; `places` are folded place names, which are not its subject."""
    tokens = _without_gender(folded.split())
    levels: set[str] = set()
    subject: list[str] = []
    numeral = ""
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        before = tokens[index - 1] if index else ""
        if token == "software" and following in _PROGRAMMERS:
            continue
        if token in _PROGRAMMERS and before == "software":
            subject.append("developer")
        elif token in _LEVELS and not _is_role(token, following):
            levels.add(_LEVELS[token])
        elif token in _LOWERED and following in _HEADS:
            levels.add(_LOWERED[token])
        elif token in _NUMERALS and index:
            numeral = _NUMERALS[token]
        elif token in _DIGITS and index and (not following or before in _GRADES):
            numeral = token
        else:
            subject.extend(_SHORT.get(token, token).split())
    ignored = _NOISE.union(places.split())
    letters = folded.replace(" ", "")
    return Title(
        letters, frozenset(levels), numeral, frozenset(w for w in subject if w not in ignored)
    )


def _is_role(token: str, following: str) -> bool:
    """Tell whether a level word is part of a role's name here: "lead generation", "staff nurse"."""
    return (token == "lead" and following.startswith("gen")) or (
        token == "staff" and following.startswith("nurse")
    )


def _without_gender(tokens: list[str]) -> list[str]:
    # "m f d", "w m d", "h f": two or more of these letters in a row are no words.
    single = [token in _GENDER for token in tokens]
    return [
        token
        for index, token in enumerate(tokens)
        if not (
            single[index]
            and ((index and single[index - 1]) or (index + 1 < len(tokens) and single[index + 1]))
        )
    ]


def level_conflict(a: Title, b: Title) -> bool:
    """Tell whether both titles state a level and the levels differ."""
    if a.levels and b.levels and not a.levels & b.levels:
        return True
    return bool(a.numeral and b.numeral and a.numeral != b.numeral)


def level_doubt(a: Title, b: Title) -> bool:
    """Tell whether one title states a level that the other does not."""
    return a.levels != b.levels or bool(a.numeral) != bool(b.numeral)


def extra_words(a: Title, b: Title, rules: Rules) -> tuple[list[str], list[str]]:
    """
    Return the words of each subject that the other has nothing like.

    Words on both sides are two subjects ("Hematology Nurse", "Immunology Nurse"); on one side only
    they may be a longer name of the same.
    """
    left, right = sorted(a.subject - b.subject), sorted(b.subject - a.subject)
    only_left = [word for word in left if not _has_like(word, right, rules)]
    only_right = [word for word in right if not _has_like(word, left, rules)]
    # The beginning of the other, cut short or glued to what followed it, has no word of its own.
    if b.letters.startswith(a.letters):
        only_left = []
    if a.letters.startswith(b.letters):
        only_right = []
    return only_left, only_right


def _has_like(word: str, others: list[str], rules: Rules) -> bool:
    return any(fuzz.ratio(word, other) >= rules.title_word for other in others)


def title_score(a: str, b: str) -> float:
    """Return rapidfuzz's token set ratio of two folded titles in 0..1; 0 when one is empty."""
    return round(fuzz.token_set_ratio(a, b) / 100, 3) if a and b else 0.0
