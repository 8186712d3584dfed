"""
What text stands for a job: recipes, each a pure function of what cleaning and extraction stored.

`docs/performance.md` says how they compare. A recipe's name is part of the vectors' key: changing
what one gives means a new name, or a new version of the stage.

Source: N-46, issue 6 (recipe).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nextstep.processors.shared.sections import (
    ABOUT,
    BENEFITS,
    BOILERPLATE,
    REQUIREMENTS,
    RESPONSIBILITIES,
)

#: Characters of the body that are embedded. 128 tokens are about 600 characters of English and
#: 400 of German; the rest is room for texts that tokenise well.
BODY_CHARS = 1000

#: Characters of the title. Some sources put a whole sentence there; the body must have room.
TITLE_CHARS = 150

#: Skills that are named before the body, and their characters in all.
SKILLS = 20
SKILLS_CHARS = 300


def title_body(
    title: str, description: str, sections: Sequence[dict[str, Any]], skills: Sequence[str] = ()
) -> str:
    """
    Return the title, then the body without boilerplate.

    What the work is stands before what the company is and gives: the encoder reads some 100 words,
    and many posts spend them on the company. Within both the order is kept.
    A job without a description is embedded by its title alone, one without a title by its body.
    The title is the shown one: its normalized form has lost the level.
    """
    return _joined(title, "", _role_first(description, sections))


def title_skills_role(
    title: str, description: str, sections: Sequence[dict[str, Any]], skills: Sequence[str] = ()
) -> str:
    """
    Return the title, the skills that were found, then duties and requirements.

    A job whose parts have no heads that we know gives its body as `title_body` does.
    """
    named = ", ".join(dict.fromkeys(skills[:SKILLS]))[:SKILLS_CHARS]
    wanted = [
        description[section["start"] : section["end"]]
        for section in sections
        if section["kind"] in (RESPONSIBILITIES, REQUIREMENTS)
    ]
    return _joined(
        title, named, "\n".join(wanted) if wanted else _role_first(description, sections)
    )


def _joined(title: str, skills: str, body: str) -> str:
    parts = (
        " ".join(title.split())[:TITLE_CHARS].strip(),
        skills,
        " ".join(body.split())[:BODY_CHARS].strip(),
    )
    return ". ".join(part for part in parts if part)


def _role_first(description: str, sections: Sequence[dict[str, Any]]) -> str:
    role: list[str] = []
    company: list[str] = []
    at = 0
    for section in sections:
        role.append(description[at : section["start"]])
        at = section["end"]
        part = description[section["start"] : at]
        if section["kind"] in (ABOUT, BENEFITS):
            company.append(part)
        elif section["kind"] != BOILERPLATE:
            role.append(part)
    return "\n".join((*role, description[at:], *company))
