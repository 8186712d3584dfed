"""
Lines of a text: bullets, heads and sentences that lost their line breaks, white space.

Applied to every text, whether it came from HTML or not, and a second time changes nothing.
"""

from __future__ import annotations

import re
from itertools import pairwise

import ahocorasick_rs

#: Signs that only ever begin a list item; "\uf0b7" and its like are "•" by now.
_SIGNS = "•●▪■◆◦○‣►▶➢➤⮚✓✔✅❖⁃∙➡👉⚫🔹🔸▸❑❏"
_LEADING = re.compile(
    rf"^(?:[{_SIGNS}][{_SIGNS} ]*|·[· ]*|[*§¤+] |\*(?=[A-Z][a-z])|o (?=[A-Z])|[-–—]{{1,2}} |"
    r"-(?=[A-Z][a-z]))"
)
_FIRST = frozenset([*_SIGNS, *"*·§¤+o–—-"])
#: Lines that `_as_item` may change, and signs alone on a line; "- x" it leaves as it is.
_STARTS = re.compile(rf"\n(?:[{_SIGNS}*·§¤+o–—]|-(?! [^{_SIGNS}·* ])| )| \Z")
_AFTER_DASH = re.compile(rf"^(?:[{_SIGNS}·] ?|\* )+")
_INLINE = re.compile(rf"[{_SIGNS}]|(?<=[.:;] )·(?= )")
_ALONE = frozenset([*_SIGNS, "-", "–", "·", "*", "§", "+"])
#: Shorter pieces between signs are a line such as "London • Full-time • £50k".
_ITEM_LENGTH = 30

_TOKEN = re.compile(r"#(?:URL|EMAIL|PHONE)_[0-9a-f]{16,64}#?")
_EMPTY = re.compile(r"\([ \xa0]{0,3}\)")
_BUTTONS = re.compile(r"\n\s{0,9}Show (?:more|less)(?=\s*\Z|\s*\nShow less\s*\Z)")
_ESCAPED_QUOTE = re.compile(r"\\(?=['\"])")

_HEADS = (
    "Roles & Responsibilities", "Roles and Responsibilities", "Role & Responsibilities",
    "Roles and responsibilities", "Duties & Responsibilities", "Duties and Responsibilities",
    "Duties and responsibilities", "Key Responsibilities", "Key responsibilities",
    "Job Responsibilities", "Main Responsibilities", "Responsibilities and tasks",
    "Responsibilities", "Job Description", "Job description", "Description",
    "Job Requirements", "Job requirements", "Minimum Requirements", "Key Requirements",
    "Requirements", "Minimum Qualifications", "Preferred Qualifications", "Basic Qualifications",
    "Required Qualifications", "Qualifications", "Required Skills", "Preferred Skills",
    "Company Overview", "Company overview", "Corporate overview", "Company Description",
    "Position Overview", "Job Overview", "About Us", "About us", "About the Company",
    "About the company", "About the Role", "About the role", "Job Summary", "Position Summary",
    "What We Offer", "What we offer", "We offer", "Benefits", "Nice to have", "Nice to Have",
)  # fmt: skip
#: "System Requirements" is one head, "in Johor Requirements" is not.
_MODIFIERS = frozenset(
    str.split(
        "a an the our your & and / of for to with in job system systems key minimum basic other "
        "general education educational skill skills experience position role preferred required "
        "technical academic main core essential additional candidate mandatory special language "
        "work physical business user functional software project product customer company employee "
        "legal regulatory security data health medical specific primary major principal duties "
        "roles desired desirable knowledge competency professional entry admission these all any"
    )
)
_HEAD = "|".join(sorted(map(re.escape, _HEADS), key=lambda head: (-len(head), head)))
_HEAD_HERE = re.compile(rf"(?:{_HEAD})(?![a-z])")
_HEAD_THEN_SIGN = re.compile(rf"(?:{_HEAD})(?=[•●▪·0-9]|- [A-Z])")
#: One pass of an automaton says whether that pattern, a whole scan with 50 branches, can match.
_HEAD_FINDER = ahocorasick_rs.AhoCorasick(_HEADS)
_BEHIND_HEAD = frozenset("•●▪·0123456789-")
#: Sites that flatten the page begin it with the head of their own form, which has a second one.
_OPENING = re.compile(r"\A(Roles & Responsibilities) ?(?=[^\s:])")
_SECOND = re.compile(r" Requirements(?<=[a-z.!?;:)] Requirements) (?=[A-Z0-9•·])")
_HEAD_BELOW_HEAD = re.compile(rf"(?m)(^(?:{_HEAD})\n(?:{_HEAD})) (?=[A-Z])")
_GAP = re.compile(r"\xa0\s*")

#: A capital right behind a small letter or a sentence's end. Begins with the rarer set on purpose.
_GLUE = re.compile(r"[A-Z](?<=[a-z0-9.!?;:)][A-Z])")
_SENTENCE_HERE = re.compile(
    r"(?!(?:Net|Com|Org|Core|Gov|Edu|Info|Inc|Html|Js|Io|Ai|Tv|Co|Uk|De|Us|Eu)\b)[A-Z][a-z]"
    r"(?![A-Za-z0-9_-]*[./@_(])"
)
_LABELLED = re.compile(r"[A-Z][a-z]")
_STARTERS = (
    "Experience Experienced Strong Excellent Ability Proven Knowledge Responsible Must Minimum "
    "Bachelor Bachelors Working Develop Manage Maintain Provide Provides Ensure Ensures Assist "
    "Perform Performs Conduct Coordinate Prepare Analyze Identify Participate Collaborate "
    "Communicate Implement Demonstrate Demonstrated Familiarity Familiar Proficient Proficiency "
    "Understanding Previous Competitive Please Apply Requirements Responsibilities Qualifications "
    "Skilled Comfortable Passion Passionate Willing Willingness Monitor Troubleshoot Oversee"
)
_STARTER_HERE = re.compile(rf"(?:{'|'.join(_STARTERS.split())})\b")
_GLUED_ITEM = re.compile(r"- (?<=[a-z.;:,)]- )(?=[A-Z])")
_RUN_ON_ITEM = re.compile(r" (?=[-*·] [A-Z])(?<=[a-z.;:,)] )")
#: One such spot may be a name or a slip; a text that was flattened has several.
_SEVERAL = 2


def normalize_whitespace(text: str) -> str:
    """
    Return the text with single spaces, no white space at line ends, and at most one blank line.

    No blank line stands at the start, at the end or between list items.
    """
    return _join_lines([" ".join(line.split()) for line in text.split("\n")])


def _join_lines(lines: list[str]) -> str:
    kept: list[str] = []
    blank = False
    for line in lines:
        if not line:
            blank = True
            continue
        if blank and kept and not (line.startswith("- ") and kept[-1].startswith("- ")):
            kept.append("")
        kept.append(line)
        blank = False
    return "\n".join(kept)


def restore_lines(text: str) -> tuple[str, dict[str, int], bool]:
    """
    Return the text with lost line breaks put back, how many of each sort, and whether it changed.

    The counts are of `glued_heads`, `glued_lines`, `tokens` and `buttons`. Spaces come out single,
    which is no change.
    """
    if "\xa0" in text:
        text = _GAP.sub(_gap, text)
    tokens = buttons = 0
    if "#" in text:
        text, tokens = _TOKEN.subn(_token_gap, text)
        text = _EMPTY.sub(" ", text)
    spaced = text = _single_spaces(text)
    if "Show " in text:
        text, buttons = _BUTTONS.subn("", text)
    text = _ESCAPED_QUOTE.sub("", text) if "\\" in text else text
    text, opened = _OPENING.subn(r"\1\n", text)
    heads = 0
    if _has_head_before_sign(text):
        text, heads = _HEAD_THEN_SIGN.subn(_after, text)
    text, glued, lines = _part_glued(text)
    heads += opened + glued
    if opened and "\nRequirements\n" not in text:
        text, made = _SECOND.subn("\nRequirements\n", text, count=1)
        heads += made
    if heads:
        text, made = _HEAD_BELOW_HEAD.subn(r"\1\n", text)
        heads += made
    broken, made = _GLUED_ITEM.subn("\n- ", text)
    if made > _SEVERAL:
        text, lines = broken, lines + made
    counts = {
        "glued_heads": heads,
        "glued_lines": lines,
        "tokens": tokens,
        "buttons": buttons,
    }
    return text, {name: count for name, count in counts.items() if count}, text != spaced


def _has_head_before_sign(text: str) -> bool:
    heads = _HEAD_FINDER.find_matches_as_indexes(text, overlapping=True)
    return any(text[end : end + 1] in _BEHIND_HEAD for _, _, end in heads)


def _single_spaces(text: str) -> str:
    if not text.isascii() or "\t" in text:
        return "\n".join([" ".join(line.split()) for line in text.split("\n")])
    # Spaces are all that is left of white space: a few passes in C over the whole text.
    while "  " in text:
        text = text.replace("  ", " ")
    return text.replace(" \n", "\n").replace("\n ", "\n").strip(" ")


def _part_glued(text: str) -> tuple[str, int, int]:
    """Break before and behind glued heads, and where sentences or list items were run together."""
    marks: dict[int, str] = {}
    heads = 0
    spots: list[int] = []
    for match in _GLUE.finditer(text):
        at = match.start()
        last, before = text[at - 1], text[max(0, at - 3) : at]
        if text.endswith(_HEADS, 0, at):
            marks[at] = "\n"
            marks |= _break_before_head(text, at)
            heads += 1
        elif _HEAD_HERE.match(text, at):
            marks[at] = "\n"
            heads += 1
        elif last == ":":
            if text[at - 2 : at - 1].isalpha() and _LABELLED.match(text, at):
                marks[at] = " "
        elif last in ".!?":
            if before[:2].isalpha() and before.islower() and _SENTENCE_HERE.match(text, at):
                spots.append(at)
        elif before.isalpha() and before.islower() and _STARTER_HERE.match(text, at):
            spots.append(at)
    spots = spots if len(spots) >= _SEVERAL else []
    marks |= dict.fromkeys(spots, "\n")
    if not marks:
        return text, 0, 0
    parts: list[str] = []
    done = 0
    for at in sorted(marks):
        parts += (text[done:at], marks[at])
        done = at
    return "".join([*parts, text[done:]]), heads, len(spots)


def _break_before_head(text: str, end: int) -> dict[int, str]:
    """A head stands on a line of its own, unless the word in front of it belongs to it."""
    start = end - max(len(head) for head in _HEADS if text.endswith(head, 0, end))
    word = text[max(0, start - 30) : start].rpartition(" ")[0].rpartition(" ")[2]
    parted = text[start - 1 : start] == " " and word.strip(".,:;").casefold() not in _MODIFIERS
    return {start: "\n"} if parted else {}


def lay_out(text: str) -> tuple[str, dict[str, int], bool]:
    """
    Return the text after `restore_lines` and `mark_items`, their counts, and whether it is settled.

    A settled text is one that a second time leaves as it is: this time nothing was done but to
    space and blank lines, and those patterns that white space could hide find nothing now either.
    """
    restored, counts, touched = restore_lines(text)
    marked, bullets, moved = mark_items(restored)
    if bullets:
        counts["bullets"] = bullets
    settled = not (touched or moved) and not (
        _OPENING.match(marked)
        # Glue is judged by three characters before it; a line break that is gone was one of them.
        or _GLUE.search(marked, 0, 3)
        or ("#" in marked and (_TOKEN.search(marked) or _EMPTY.search(marked)))
        or ("Show " in marked and _BUTTONS.search(marked))
    )
    return marked, counts, settled


def mark_items(text: str) -> tuple[str, int, bool]:
    """
    Return the text with every list item on a line behind "- ", and blank lines normalized.

    Takes what `restore_lines` gives. Also returns how many items were marked otherwise before, and
    whether any line is another than it was.
    """
    has_sign = not text.isascii() and ("·" in text or any(sign in text for sign in _SIGNS))
    has_inline = has_sign or " - " in text or " * " in text
    if not has_inline and " \n" not in text and _STARTS.search(f"\n{text}") is None:
        return _join_lines(text.split("\n")), 0, False
    lines: list[str] = []
    made = 0
    moved = False
    alone = False  # a sign on a line of its own belongs to the next line
    for raw in text.split("\n"):
        line = raw.strip()
        if line and (alone or line[0] in _FIRST):
            if line in _ALONE:
                alone = moved = True
                continue
            marked = _as_item(line, alone)
            made += marked != line
            line, alone = marked, False
        if has_inline and len(line) > 1:
            pieces = _split_items(line, has_sign)
            made += len(pieces) - 1
            moved |= pieces != [line]
            lines += pieces
        else:
            lines.append(line)
    return _join_lines(lines), made, moved or made > 0


def _as_item(line: str, alone: bool) -> str:
    marked = _LEADING.sub("- ", line, count=1)
    if not marked.startswith("- "):
        return f"- {line}" if alone else line
    content = _AFTER_DASH.sub("", marked[2:])
    return f"- {content}" if content.strip() else ""


def _split_items(line: str, has_sign: bool) -> list[str]:
    signs = []
    if has_sign and not line.isascii():
        signs = [match.start() for match in _INLINE.finditer(line, 1)]
    # "Duties• Plan• Build" can be nothing but a list.
    glued = len(signs) > 1 and all(line[at - 1] != " " for at in signs)
    pieces = _cut(line, signs, 1 if glued else _ITEM_LENGTH)
    if " - " in line or " * " in line or " · " in line:
        pieces = [part for piece in pieces for part in _cut(piece, _run_on(piece), _ITEM_LENGTH)]
    return pieces


def _run_on(line: str) -> list[int]:
    starts = [match.end() for match in _RUN_ON_ITEM.finditer(line)]
    return starts if len(starts) > _SEVERAL else []


def _cut(line: str, starts: list[int], item_length: int) -> list[str]:
    if not starts or len(line) - starts[0] < item_length * len(starts):
        return [line]
    pieces = [line[a:b].strip() for a, b in pairwise([0, *starts, len(line)])]
    return [_as_item(piece, False) for piece in pieces if piece not in _ALONE]


def _after(match: re.Match[str]) -> str:
    return match[0] + "\n"


def _gap(match: re.Match[str]) -> str:
    """A sentence's end, a run of spaces with a no-break space in it, a capital: a lost break."""
    text, start, end = match.string, match.start(), match.end()
    before = text[max(0, start - 2) : start]
    last = before.rstrip(" ")[-1:]
    follows = text[end : end + 1]
    if not (follows.isupper() or follows == "•"):
        return match[0]
    wide = end - start > 1 or before.endswith(" ")
    if last in (".", "!", "?", ";", ":"):
        return "\n" if wide or _HEAD_HERE.match(text, end) else match[0]
    return "\n" if last == ")" and _HEAD_HERE.match(text, end) else match[0]


def _token_gap(match: re.Match[str]) -> str:
    follows = match.string[match.end() : match.end() + 1]
    return "\n" if follows.isupper() or (follows and follows in _SIGNS) else " "
