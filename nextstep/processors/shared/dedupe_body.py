"""
The text of an ad that is compared, and which parts of it say what the work is.

Boilerplate is left out. Of the rest duties and requirements are the core: one vacancy keeps them
while a board, an agency or the employer rewrites what stands around them.

Source: decisions.md 17, issue 4 item 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.dedupe_text import words
from nextstep.processors.shared.sections import BOILERPLATE

_CORE = frozenset({"responsibilities", "requirements"})
#: How to apply stands behind the requirements under no head of its own, and changes from copy to
#: copy: each agency and each recruiter has another sentence. It begins with one of these.
_APPLY = re.compile(
    r"\b(?:"
    r"(?:interested|qualified|suitable|shortlisted) (?:candidates?|applicants?|parties|individuals)"
    r"|(?:please|kindly|pls) (?:send|direct|forward|e ?mail|submit|apply|contact|click|call|quote)"
    r"|to apply (?:please|for|send|click|submit|online|now|visit|e ?mail|simply|directly|today)"
    r"|how to apply|apply (?:now|today|here|online)|we regret|thank you for|we look forward"
    r"|ea (?:licen[cs]e|reg|personnel)|if you are interested|send (?:us )?your (?:cv|resume)"
    r")\b"
)


class Body(msgspec.Struct, frozen=True):
    """
    A folded text.

    Attributes:
        words: of the text without boilerplate; of the whole text where that is all there is.
        core: begin and end, begin and end, ... of the core in the words joined by blanks.
    """

    words: list[str]
    core: list[int]

    @property
    def text(self) -> str:
        """The words joined by blanks."""
        return " ".join(self.words)


def read_body(text: str, sections: Sequence[Mapping[str, Any]], rules: Rules) -> Body:
    """
    Fold the text of an ad.

    Args:
        sections: as stored: {"kind", "start", "end"} in order.
    """
    found: list[str] = []
    core: list[int] = []
    length = 0
    for kind, part in _parts(text, sections):
        folded = words(part)
        if not folded:
            continue
        begin, length = length, length + sum(map(len, folded)) + len(folded)
        found.extend(folded)
        if kind in _CORE and begin < rules.body_limit:
            end = min(begin + _without_closing(" ".join(folded)), rules.body_limit)
            if core and core[-1] == begin - 1:
                core[-1] = end
            else:
                core.extend((begin, end))
    return Body(found, core) if len(found) >= rules.min_words else Body(words(text), [])


def core_text(body: str, core: Sequence[int]) -> str:
    """Return the core of a joined text."""
    return " ".join(body[begin:end] for begin, end in zip(core[::2], core[1::2], strict=True))


def _without_closing(part: str) -> int:
    """Return the length of a part of the core without how to apply, in its second half."""
    found = _APPLY.search(part, len(part) // 2)
    return found.start() - 1 if found else len(part)


def _parts(text: str, sections: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    at = 0
    for section in sections:
        yield "", text[at : section["start"]]
        if section["kind"] != BOILERPLATE:
            yield section["kind"], text[section["start"] : section["end"]]
        at = section["end"]
    yield "", text[at:]
