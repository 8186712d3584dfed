"""
Why a job is in the answer: skills in common with where they stand, and what else it asks.

Source: decisions.md 18 and 24, N-51.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

#: Evidence of these fields is added where a full explanation is asked for.
_FIELDS = ("title", "seniority", "location", "work_mode", "salary", "experience", "education")


class Mention(msgspec.Struct, frozen=True, gc=False):
    """Where a job names a skill first: `snippet` stands at `start`..`end` of `field`."""

    name: str
    start: int
    end: int
    snippet: str
    field: str | None = None
    preferred: bool = False
    spans: list[dict[str, Any]] = []


class Evidence(msgspec.Struct, frozen=True):
    """Of a job's stored evidence, what an explanation reads."""

    skills: list[Mention] = []
    tools: list[Mention] = []
    title: list[dict[str, Any]] = []
    seniority: list[dict[str, Any]] = []
    location: list[dict[str, Any]] = []
    work_mode: list[dict[str, Any]] = []
    salary: list[dict[str, Any]] = []
    experience: list[dict[str, Any]] = []
    education: list[dict[str, Any]] = []


class MatchedSkill(msgspec.Struct, frozen=True, omit_defaults=True):
    """A skill of both sides; `snippet` is what stands at `start`..`end` of the job's `field`."""

    name: str
    snippet: str
    start: int
    end: int
    field: str
    preferred: bool = False
    spans: list[dict[str, Any]] = []


class SkillMatch(msgspec.Struct, frozen=True):
    """Skills in common, and those the job names and the profile does not (asked ones first)."""

    matched: list[MatchedSkill]
    missing: list[str]


def read_evidence(stored: str | None) -> Evidence:
    """Return evidence as stored (JSON); None is none."""
    return _EVIDENCE.decode(stored) if stored else Evidence()


def match_skills(
    wanted: Sequence[str],
    named: Sequence[str],
    evidence: Evidence,
    literal: Mapping[str, tuple[int, int, str]],
    *,
    full: bool = False,
) -> SkillMatch:
    """
    Compare the skills of a profile with those of a job.

    Args:
        wanted: the profile's skills, in its order; the matched ones come in this order.
        named: skills and tools of the job.
        evidence: the job's stored evidence.
        literal: wanted name -> (start, end, snippet) for names that no taxonomy holds.
        full: give every place where a skill stands, not the first only.
    """
    stored = {mention.name: mention for mention in (*evidence.skills, *evidence.tools)}
    present = set(named)
    matched = [
        _literal(name, literal[name]) if name in literal else _stored(stored[name], full)
        for name in wanted
        if name in literal or (name in present and name in stored)
    ]
    missing = [name for name in named if name not in wanted]
    welcome = {mention.name for mention in stored.values() if mention.preferred}
    missing.sort(key=welcome.__contains__)
    return SkillMatch(matched, missing)


def field_evidence(evidence: Evidence) -> dict[str, list[dict[str, Any]]]:
    """Return where the job says its title, place, salary and the like."""
    return {field: found for field in _FIELDS if (found := getattr(evidence, field))}


def find_literally(names: Sequence[str], text: str) -> dict[str, tuple[int, int, str]]:
    """Return name -> (start, end, snippet) of names that stand in a text as whole words."""
    found = {}
    for name in names:
        words = r"\s+".join(re.escape(word) for word in name.split())
        hit = re.search(rf"(?<![\w+#]){words}(?![\w+#])", text, re.IGNORECASE)
        if hit is not None:
            found[name] = (hit.start(), hit.end(), hit.group())
    return found


def _stored(mention: Mention, full: bool) -> MatchedSkill:
    return MatchedSkill(
        name=mention.name,
        snippet=mention.snippet,
        start=mention.start,
        end=mention.end,
        field=mention.field or "description_clean",
        preferred=mention.preferred,
        spans=mention.spans if full else [],
    )


def _literal(name: str, place: tuple[int, int, str]) -> MatchedSkill:
    start, end, snippet = place
    return MatchedSkill(name, snippet, start, end, "description_clean")


#: Made once; it takes a fifth of the time of making dicts of all that is stored.
_EVIDENCE = msgspec.json.Decoder(Evidence)
