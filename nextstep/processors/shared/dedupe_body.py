"""
The text of an ad that is compared, and which parts of it say what the work is.

Boilerplate is left out. Of the rest duties and requirements are the core: one vacancy keeps them
while a board, an agency or the employer rewrites what stands around them.

Source: decisions.md 17, issue 4 item 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from nextstep.processors.shared.dedupe_rules import Rules
from nextstep.processors.shared.dedupe_text import words
from nextstep.processors.shared.sections import BOILERPLATE

_CORE = frozenset({"responsibilities", "requirements"})


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
            end = min(length - 1, rules.body_limit)
            if core and core[-1] == begin - 1:
                core[-1] = end
            else:
                core.extend((begin, end))
    return Body(found, core) if len(found) >= rules.min_words else Body(words(text), [])


def core_text(body: str, core: Sequence[int]) -> str:
    """Return the core of a joined text."""
    return " ".join(body[begin:end] for begin, end in zip(core[::2], core[1::2], strict=True))


def _parts(text: str, sections: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    at = 0
    for section in sections:
        yield "", text[at : section["start"]]
        if section["kind"] != BOILERPLATE:
            yield section["kind"], text[section["start"] : section["end"]]
        at = section["end"]
    yield "", text[at:]
