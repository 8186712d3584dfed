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


def match_skills(
    wanted: Sequence[str],
    named: Sequence[str],
    evidence: Mapping[str, Any],
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
    stored = {entry["name"]: entry for entry in _mentions(evidence)}
    present = set(named)
    matched = [
        _literal(name, literal[name]) if name in literal else _stored(name, stored[name], full)
        for name in wanted
        if name in literal or (name in present and name in stored)
    ]
    missing = [name for name in named if name not in wanted]
    missing.sort(key=lambda name: bool(stored.get(name, {}).get("preferred")))
    return SkillMatch(matched, missing)


def field_evidence(evidence: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return where the job says its title, place, salary and the like."""
    return {
        field: evidence[field]
        for field in _FIELDS
        if isinstance(evidence.get(field), list) and evidence[field]
    }


def find_literally(names: Sequence[str], text: str) -> dict[str, tuple[int, int, str]]:
    """Return name -> (start, end, snippet) of names that stand in a text as whole words."""
    found = {}
    for name in names:
        words = r"\s+".join(re.escape(word) for word in name.split())
        hit = re.search(rf"(?<![\w+#]){words}(?![\w+#])", text, re.IGNORECASE)
        if hit is not None:
            found[name] = (hit.start(), hit.end(), hit.group())
    return found


def _mentions(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        entry
        for group in ("skills", "tools")
        for entry in evidence.get(group) or []
        if isinstance(entry, dict) and "name" in entry and "start" in entry
    ]


def _stored(name: str, entry: Mapping[str, Any], full: bool) -> MatchedSkill:
    return MatchedSkill(
        name=name,
        snippet=entry["snippet"],
        start=entry["start"],
        end=entry["end"],
        field=entry.get("field") or "description_clean",
        preferred=bool(entry.get("preferred")),
        spans=list(entry.get("spans") or []) if full else [],
    )


def _literal(name: str, place: tuple[int, int, str]) -> MatchedSkill:
    start, end, snippet = place
    return MatchedSkill(name, snippet, start, end, "description_clean")
