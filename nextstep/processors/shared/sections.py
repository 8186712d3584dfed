"""
What the parts of an ad are: duties, requirements, benefits, the company, and boilerplate.

A head is a short line of its own, or the front of a line before a colon. A section reaches to the
next head that names another part. Boilerplate is found sentence by sentence and cuts into the
section in which it stands; it is marked, never removed (decisions.md 17).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import ahocorasick_rs
import msgspec

RESPONSIBILITIES = "responsibilities"
REQUIREMENTS = "requirements"
BENEFITS = "benefits"
ABOUT = "about"
BOILERPLATE = "boilerplate"


class Section(msgspec.Struct, frozen=True):
    """`description_clean[start:end]` is of that kind; offsets in code points."""

    kind: str
    start: int
    end: int


#: A longer line is no head.
_HEAD_CHARS = 70
#: A boilerplate head counts below the first quarter: above it stands a title such as "Diversity".
_FOOT = 4
#: A hit that is farther inside its sentence may stand in a list that lost its breaks.
_FRONT_CHARS = 60
_FLATTENED = 2
#: A longer rest goes on with something else.
_LONG_REST = 800
#: Heads that end a section and begin none that we name.
_OTHER = ""

_WORDS: tuple[tuple[str, str], ...] = (
    (BOILERPLATE,
     r"(?:our )?(?:commitment to )?(?:diversity|inclusion)(?:,? ?(?:and|&)? ?(?:diversity|equity|"
     r"inclusion|equality|belonging|equal opportunit\w+))*(?: statement| commitment| at .{1,20})?|"
     r"(?:an )?equal (?:employment )?opportunit.{0,50}|eeo.{0,30}|disclaimer|legal notice|"
     r"(?:data )?privacy(?: (?:notice|policy|statement).{0,30})?|data protection(?: (?:notice|"
     r"policy|"
     r"statement|information))?|(?:reasonable )?accommodations?(?: statement| notice)?|"
     r"(?:note|notice) to .{0,30}agenc(?:y|ies).{0,20}|"
     r"(?:third[- ]party |recruitment |recruiting |staffing )?agencies|"
     r"(?:third[- ]party |recruitment |staffing )agency (?:notice|policy|disclaimer)|"
     r"datenschutz(?:hinweis\w*|erklärung|information\w*)?|chancengleichheit|"
     r"pay transparency.{0,30}|e-?verify.{0,20}|background checks?(?: .{0,20})?"),
    (BENEFITS,
     r"(?:our |the |key |company |employee |some of our |additional )?(?:benefits?|perks)"
     r"(?: (?:and|&|/) .{0,30}| package| offered| include| summary| at .{0,30}| of .{0,30})?|"
     r"what(?:'s in it for you| (?:we|do we|we can|we'll|you will|you'll|you) (?:offer|get|provide|"
     r"receive)\w*.{0,20}| you can expect.{0,20})|why (?:join|work (?:with|for|at|here)|us|"
     r"you).{0,40}|"
     r"we offer(?: you)?|compensation (?:and|&) benefits|remuneration.{0,20}|"
     r"(?:das |was )?(?:bieten wir|wir bieten)(?: dir| ihnen| euch)?|deine benefits|unser angebot|"
     r"nous (?:vous )?(?:offrons|proposons)|ce que nous (?:vous )?(?:offrons|proposons)|"
     r"avantages.{0,20}|pourquoi nous rejoindre|"
     r"(?:qué|que) (?:te )?ofrecemos|(?:te )?ofrecemos|beneficios|benefícios|o que oferecemos|"
     r"cosa offriamo|(?:cosa )?ti offriamo|offriamo|wat (?:wij|we) (?:jou )?bieden|"
     r"wij bieden.{0,10}"),
    (REQUIREMENTS,
     r"(?:the |your |our |key |job |minimum |basic |required |preferred |desired |essential |"
     r"additional |technical |other |position |candidate |general |core |mandatory |role |"
     r"desirable |physical |"
     r"professional |nice[- ]to[- ]have |must[- ]have )*(?:requirements?|qualifications?|"
     r"skills?(?:\(s)?|"
     r"competenc(?:ies|y|es)|criteria|prerequisites)"
     r"(?: ?(?:and|&|/|,) .{0,40}| required| needed| for .{0,30}| include| you.{0,30})?|"
     r"(?:experience|education)(?: ?(?:and|&|/|,) .{0,40}| required| requirements?| needed)?|"
     r"(?:who|what) (?:you are|we(?:'re| are) looking for|you(?:'ll)? (?:need|bring|have|should "
     r"have)|we need|we look for|it takes|makes you.{0,30}).{0,30}|who we(?:'re| are) looking for|"
     r"about you|your (?:profile|background|experience|skills).{0,20}|you (?:have|are|bring|should "
     r"have|must have|will have|need)|(?:ideal|successful) candidates?.{0,30}|"
     r"nice[- ]to[- ]haves?|must[- ]haves?|bonus(?: points| skills)?(?: if.{0,10}| for.{0,10})?|"
     r"we(?:'re| are) looking for(?: someone who.{0,20})?|to (?:be successful|succeed).{0,40}|"
     r"(?:dein|ihr|das|unser)? ?(?:anforderungs)?profil|(?:deine|ihre) qualifikation(?:en)?|"
     r"qualifikation(?:en)?|anforderungen|voraussetzungen|das bringst du mit|was du mitbringst|"
     r"(?:votre |le )?profil(?: recherché| souhaité)?|compétences.{0,30}|qualifications requises|"
     r"requisitos.{0,30}|perfil(?: .{0,20})?|qué buscamos|formación.{0,20}|requisiti.{0,20}|"
     r"competenze.{0,20}|profilo|functie-?eisen|wat (?:wij|we) vragen|(?:jouw|je) profiel|"
     r"dit breng (?:jij|je) mee|qualificações.{0,20}|conhecimentos.{0,20}"),
    (RESPONSIBILITIES,
     r"(?:the |your |our |key |job |main |primary |major |core |essential |general |principal |"
     r"specific |daily |day[- ]to[- ]day |role |position |typical )*(?:roles?(?: ?(?:and|&|/) ))?"
     r"(?:responsibilit(?:y|ies)|duties|tasks|accountabilities|functions|activities)"
     r"(?: ?(?:and|&|/|,) .{0,40}| include| of .{0,30}| will include.{0,20})?|"
     r"what (?:you(?:'ll| will)?|will you) (?:be )?(?:do|doing|work on|working on|be responsible "
     r"for|deliver|own).{0,30}|how you(?:'ll| will) (?:make|contribute|spend).{0,40}|"
     r"(?:a )?day in the life.{0,30}|in this role.{0,30}|you will|as a .{0,40} you will|"
     r"(?:the|your|about the|about this) (?:role|job|position|opportunity|mission|work)|"
     r"job (?:description|summary|purpose|overview|scope)|(?:position|role) (?:description|summary|"
     r"overview|purpose)|(?:job )?scope|roles? (?:and|&) .{0,30}|"
     r"(?:deine|ihre|die|unsere)? ?(?:haupt)?aufgaben(?:gebiet)?.{0,20}|das erwartet (?:dich|sie)|"
     r"was dich erwartet|tätigkeiten|(?:vos |tes |les |votre |ta )?missions?(?: principales?)?|"
     r"vos responsabilités|responsabilidades.{0,20}|funciones.{0,20}|tareas.{0,20}|tus funciones|"
     r"responsabilità.{0,20}|attività.{0,20}|(?:jouw |je )?(?:taken|werkzaamheden).{0,30}|"
     r"wat ga je doen|atividades.{0,20}|o que você (?:vai|irá) fazer|descripción.{0,20}"),
    (ABOUT,
     r"what we do|about (?:us|our (?:company|team|client)|the (?:company|team|client|"
     r"organi[sz]ation|firm|"
     r"department)|(?!you\b|the\b|this\b|your\b)[^\W\d][\w&.' -]{0,30})|who (?:we are|are we)|"
     r"company (?:overview|description|profile|summary|background)|our (?:company|story|mission|"
     r"team|values|culture|client).{0,20}|(?:the )?company|overview|"
     r"über uns|wer wir sind|das unternehmen|unternehmensbeschreibung|qui sommes[- ]nous|"
     r"à propos.{0,30}|l'entreprise|notre entreprise|sobre (?:nosotros|nós|a empresa|"
     r"la empresa).{0,20}|"
     r"quiénes somos|quem somos|chi siamo|l'azienda|over ons|wie (?:zijn wij|wij zijn)"),
    (_OTHER,
     r"(?:how|ready) to apply.{0,30}|to apply.{0,20}|(?:the )?(?:application|hiring|interview|"
     r"recruitment|selection) (?:process|procedure).{0,20}|(?:work )?locations?|salary(?: range)?|"
     r"compensation|pay(?: range| rate)?|contact(?: us| details)?.{0,20}|(?:working )?hours|"
     r"schedule|"
     r"job (?:type|details|information|category|id)|employment type|reports? to|apply(?: now)?|"
     r"next steps?|additional information|other information|work environment|travel|"
     r"seniority level|industr(?:y|ies)|job function|date posted|posted on"),
)  # fmt: skip
#: For heads in lower case: without IGNORECASE an alternative is refused by its first letter.
#: The group that matched is the place of the kind in _WORDS.
_KINDS = re.compile("|".join(f"({words})" for _, words in _WORDS))
_RIM = re.compile(r"^[\W\d_]+|[\W\d_]+$")

_FOOTER = re.compile(
    r"equal[- ](?:employment[- ])?opportunit(?:y|ies)|\beeoc?\b|affirmative action|"
    r"(?:without regard|regardless of|irrespective of|discriminat\w+|consideration)"
    r".{0,120}\b(?:race|religion|gender|colou?r|sex|disabilit|national origin|sexual orientation|"
    r"age)\b|"
    r"\b(?:race|colou?r|religion|national origin|sexual orientation|gender identity|"
    r"veteran status),"
    r".{0,60}\b(?:religion|sex|gender|national origin|age|disability|veteran|marital)\b|"
    r"value diversity|celebrate diversity|reasonable accommodations?|drug[- ]free workplace|"
    r"e-?verify|"
    r"no (?:recruitment |recruiting |staffing |third[- ]party )?(?:agencies|recruiters)\b|"
    r"(?:unsolicited|speculative) (?:resumes|cvs?|applications|referrals)|"
    r"(?:recruitment|staffing|search|employment) agenc(?:y|ies).{0,60}(?:not accept|do not|please)|"
    r"only (?:shortlisted|short-listed|selected|successful|qualified) (?:candidates?|applicants?)|"
    r"by (?:submitting|applying|clicking|sending|providing).{0,60}(?:agree|consent|acknowledge|"
    r"accept|confirm)|(?:privacy|data protection) (?:notice|policy|statement)|"
    r"(?:your|my|applicants?'?|candidates?'?) personal (?:data|information)|"
    r"personal (?:data|information) (?:you|will|shall|may|is|are|provided|submitted|collected)\b|"
    r"\bea (?:licen[cs]e|personnel|reg)|\beap? (?:licen[cs]e|reg)|registration (?:no|"
    r"number)\b.{0,12}r\d{6}|"
    r"(?:arrest|criminal|conviction) (?:and conviction )?(?:histor|record|background)|"
    r"(?:undergo|subject to|pass|complet\w+|contingent|successful).{0,60}background (?:check|"
    r"screening|investigation)|"
    r"pay transparency|not (?:intended|designed) to (?:be|cover|contain).{0,60}"
    r"(?:exhaustive|all[- ]inclusive|comprehensive|complete|all)|may be (?:changed|amended|subject "
    r"to change)|(?:beware|aware) of .{0,30}(?:scam|fraud)|never (?:ask|request).{0,60}"
    r"(?:money|payment|bank|fee)|unabhängig von.{0,60}(?:geschlecht|herkunft|religion|alter)|"
    r"égalité des chances|sans distinction|igualdad de oportunidades|"
    r"pari opportunità|protected (?:veteran|class|characteristic|by law)",
    re.IGNORECASE,
)
#: Every footer holds one of these; one pass of an automaton finds the few lines that do.
_ROOTS = ahocorasick_rs.AhoCorasick([
    "equal opp", "equal-opp", "equal emp", "equal-emp", "eeo", "discriminat", "value diversity",
    "celebrate diversity", "accommodation", "no agenc", "no recruit", "no staff", "no third",
    "agency", "agencies", "unsolicited", "speculative", "only short", "only sel", "only succ",
    "only qual", "by sub", "by app", "by cli", "by sen", "by pro", "privacy", "data protection",
    "personal data", "personal info", "ea lic", "ea pers", "ea reg", "eap", "registration n",
    "criminal", "arrest", "conviction", "background check", "background scr", "background inv",
    "may be changed", "may be amended", "may be subject", "aware of", "never ask",
    "never request", "unabhängig", "égalité", "sans distinction", "igualdad", "pari opp",
    "protected vet", "protected cl", "protected ch", "protected by", "drug-free", "drug free",
    "verify", "affirmative", "pay transp", "regardless", "irrespective", "race,", "color,",
    "colour,", "religion,", "national origin,", "orientation,", "gender identity,",
    "veteran status,", "not intended", "not designed", "without regard", "consideration",
])  # fmt: skip
_CLAUSE = re.compile(r"(?<=[a-z)]) (?=[A-Z])")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-ZÀ-Ý\"'(])")


def find_sections(text: str) -> list[Section]:
    """Return the sections of a clean text in order; they do not overlap, gaps are plain text."""
    suspects = _suspect_positions(text)
    spans: list[Section] = []
    kind, start, at, last = _OTHER, 0, 0, 0
    for line in text.split("\n"):
        end = at + len(line)
        found = None
        # Most lines can be told from a head by a glance.
        if line and (end - at <= _HEAD_CHARS or ":" in line[: _HEAD_CHARS + 1]):
            found = head_kind(line) if line[0] != "-" or ":" in line else None
        if found == BOILERPLATE and at * _FOOT < len(text):
            found = None
        if found is not None and found != kind:
            _close(spans, kind, start, last)
            kind, start = found, at
        last = end if line else last
        if kind != BOILERPLATE and suspects and _any_between(suspects, at, end):
            for a, b in _footers(line, at, suspects):
                _close(spans, kind, start, a)
                spans.append(Section(BOILERPLATE, a, b))
                start = b
        at = end + 1
    _close(spans, kind, start, last)
    return _trimmed(text, spans)


def body_text(text: str, sections: Sequence[Mapping[str, Any]]) -> str:
    """
    Return the text without its boilerplate, for comparing and embedding.

    Args:
        sections: as stored: {"kind", "start", "end"} in order.
    """
    parts: list[str] = []
    at = 0
    for section in sections:
        if section["kind"] == BOILERPLATE:
            parts.append(text[at : section["start"]].strip())
            at = section["end"]
    parts.append(text[at:].strip())
    return "\n".join(part for part in parts if part)


def head_kind(line: str) -> str | None:
    """Return the kind that a head line begins, "" for a head of no kind, None for other lines."""
    if len(line) > _HEAD_CHARS and ":" not in line[: _HEAD_CHARS + 1]:
        return None
    front, colon, rest = line[: _HEAD_CHARS + 1].partition(":")
    if line[0] == "-" and (rest or not colon):
        return None
    head = _RIM.sub("", front)
    if not head or not (colon or head[0].isupper()):
        return None
    if not colon and line[-1] in ".,;" and not front.isupper():
        return None
    return _kind_named(head.lower())


@lru_cache(maxsize=16_384)  # ads share their heads
def _kind_named(head: str) -> str | None:
    found = _KINDS.fullmatch(head)
    return _WORDS[found.lastindex - 1][0] if found and found.lastindex else None


def _suspect_positions(text: str) -> list[int]:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow; then case is taken away one by one
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return [start for _, start, _ in _ROOTS.find_matches_as_indexes(lowered)]


def _any_between(positions: list[int], start: int, end: int) -> bool:
    index = bisect_left(positions, start)
    return index < len(positions) and positions[index] < end


def _footers(line: str, at: int, suspects: list[int]) -> list[tuple[int, int]]:
    """Spans of the boilerplate sentences of one line."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(line)), len(line)]:
        suspect = _any_between(suspects, at + start, at + end)
        found = _footer(line[start:end]) if suspect else None
        if found:
            first, last = start, end
            if found[0] > _FRONT_CHARS:
                first, last = _clause(line, start, start + found[0], start + found[1], end)
            if spans and spans[-1][1] == at + first:
                first = spans.pop()[0] - at
            spans.append((at + first, at + last))
        start = end
    return spans


@lru_cache(maxsize=4_096)  # an employer has one footer
def _footer(sentence: str) -> tuple[int, int] | None:
    """Where the words stand that make a sentence boilerplate."""
    found = _FOOTER.search(sentence)
    return found.span() if found else None


def _clause(line: str, start: int, first: int, last: int, end: int) -> tuple[int, int]:
    """
    The span round a hit far inside a sentence.

    Several capitals behind small letters in front of it mean a list that lost its breaks; the
    footer then begins at the last of them.
    """
    before = [match.end() for match in _CLAUSE.finditer(line, start, first + 1)]
    if len(before) < _FLATTENED:
        return start, end
    after = _CLAUSE.search(line, min(last + 40, end), end) if end - first > _LONG_REST else None
    return before[-1], after.end() if after else end


def _close(spans: list[Section], kind: str, start: int, end: int) -> None:
    if kind != _OTHER and end > start:
        spans.append(Section(kind, start, end))


def _trimmed(text: str, spans: list[Section]) -> list[Section]:
    """Without white space at the rims; touching boilerplate is one."""
    kept: list[Section] = []
    for span in spans:
        piece = text[span.start : span.end]
        start = span.start + len(piece) - len(piece.lstrip())
        end = span.end - len(piece) + len(piece.rstrip())
        if end <= start:
            continue
        last = kept[-1] if kept else None
        if (
            last is not None
            and last.kind == span.kind == BOILERPLATE
            and not text[last.end : start].strip()
        ):
            kept[-1] = Section(BOILERPLATE, last.start, end)
        else:
            kept.append(Section(span.kind, start, end))
    return kept
