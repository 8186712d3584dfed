"""A match as text for a person: rank, score, posting, parts as bars, skills with their evidence."""

from __future__ import annotations

import textwrap

from nextstep.match.answer import Answer, Result, SimilarAnswer
from nextstep.match.explain import MatchedSkill

_WIDTH = 100
_BAR = 10
_MOST_SKILLS = 8


def render_answer(answer: Answer, first: int = 1) -> str:
    """Return an answer as a readable list; `first` is the rank of its first result."""
    if not answer.results:
        return _nothing(answer)
    blocks = [_result(result, rank, answer) for rank, result in enumerate(answer.results, first)]
    as_of = f"{answer.as_of:%Y-%m-%d}" if answer.as_of else "-"
    foot = (
        f"{len(answer.results)} of {answer.candidates} candidates, head {answer.head}, "
        f"as of {as_of}, {answer.model}"
    )
    return "\n\n".join([*blocks, foot])


def render_similar(answer: SimilarAnswer) -> str:
    """Return neighbours as a readable list."""
    if not answer.results:
        return "no other open job has a vector yet"
    lines = []
    for rank, near in enumerate(answer.results, 1):
        place = " · ".join(filter(None, (near.company, near.location)))
        lines.append(f"{rank:>3}. {near.similarity:.4f}  {near.title}")
        lines.append(f"             {place}")
        lines.append(f"             {near.job_id}")
    return "\n".join(lines)


def _nothing(answer: Answer) -> str:
    if answer.head == 0:
        return "no jobs yet: the line has finished nothing (nextstep status; nextstep run --once)"
    return f"no open job passes the filters (head {answer.head})"


def _result(result: Result, rank: int, answer: Answer) -> str:
    more = f"+{result.duplicates} more postings" if result.duplicates else ""
    posted = f"posted {result.posted_on}" if result.posted_on else ""
    facts = (result.company, result.location, result.work_mode, posted, result.source, more)
    lines = [
        f"{rank:>3}. {result.score:.4f}  {result.title or '(no title)'}",
        f"     {' · '.join(filter(None, facts))}",
        *_parts(result, answer),
    ]
    if result.matched_skills:
        lines += _wrapped("has", [_skill(skill) for skill in result.matched_skills])
    if result.missing_skills:
        lines += _wrapped("asks too", result.missing_skills)
    lines.append(f"     {result.url or result.job_id}")
    return "\n".join(lines)


def _parts(result: Result, answer: Answer) -> list[str]:
    cells = []
    for part, value in result.parts.items():
        if not value:
            continue
        filled = round(_BAR * value / (answer.weights[part] or 1))
        cells.append(f"{part:<10} {'█' * filled:·<{_BAR}} {value:.4f}")
    return [f"     {'   '.join(cells[i : i + 3])}" for i in range(0, len(cells), 3)]


def _skill(skill: MatchedSkill) -> str:
    if skill.snippet.casefold() == skill.name.casefold():
        return skill.name
    return f"{skill.name} (“{' '.join(skill.snippet.split())}”)"


def _wrapped(label: str, names: list[str]) -> list[str]:
    shown = ", ".join(names[:_MOST_SKILLS])
    if len(names) > _MOST_SKILLS:
        shown += f" and {len(names) - _MOST_SKILLS} more"
    return textwrap.wrap(
        shown, _WIDTH, initial_indent=f"     {label}: ", subsequent_indent="       "
    )
