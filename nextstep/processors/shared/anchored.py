"""
Say once that a run of alternatives begins at a word's border.

`\\bfoo|\\bbar|\\bbaz` tries each alternative at every character; `\\b(?:foo|bar|baz)` asks for the
border first, and passes by four characters of five. Both match the same: the order of the
alternatives is kept. Patterns are written in the first way because it reads and grows better.
"""

from __future__ import annotations

import re

_BORDER = r"\b"


def anchored(pattern: str) -> str:
    """Return the same pattern with every run of alternatives that begin with a border in one."""
    out: list[str] = []
    run: list[str] = []
    for part in [*alternatives(pattern), ""]:
        if part.startswith(_BORDER) and not part[2:].startswith(("*", "?", "{")):
            run.append(part[2:])
            continue
        if len(run) > 1:
            out.append(rf"\b(?:{'|'.join(run)})")
        else:
            out += [_BORDER + only for only in run]
        run = []
        out.append(part)
    return "|".join(out[:-1])


def lowered(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """
    Compile an anchored pattern for texts in lower case.

    Without IGNORECASE the engine passes over an alternative by its first letter, which is two to
    three times as fast; `spotting.lower` keeps every character in its place.

    Raises:
        ValueError: the pattern asks for a capital letter, which no such text has.
    """
    small = pattern.replace("A-Z", "a-z").replace("a-za-z", "a-z")
    if capital := re.search(r"(?<!\\)(?<!\(\?)[A-Z]", small):
        raise ValueError(
            f"a capital letter at {capital.start()}: {small[capital.start() - 9 :][:20]}"
        )
    return re.compile(anchored(small), flags)


def alternatives(pattern: str) -> list[str]:
    """Return the alternatives of a pattern's outermost level."""
    parts = [""]
    depth = 0
    in_class = False
    index = 0
    while index < len(pattern):
        char = pattern[index]
        step = 2 if char == "\\" else 1
        if char == "[" and not in_class:
            in_class = True
            # "[]abc]" and "[^]abc]": a bracket that stands first is a member.
            step = next(n for n in (3, 2, 1) if pattern[index : index + n] in ("[^]", "[]", "["))
        elif char == "]" and in_class:
            in_class = False
        elif not in_class:
            depth += (char == "(") - (char == ")")
        if char == "|" and not in_class and depth == 0:
            parts.append("")
        else:
            parts[-1] += pattern[index : index + step]
        index += step
    return parts
