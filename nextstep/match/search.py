"""
A few words instead of a profile: which posts say them, near which meaning, how recent.

Words are looked up in titles, skills, employers, towns and work modes, rare ones weighing more; a
word that nobody uses is read as the one most like it ("enginer"). What it means beyond its letters
is the vector's part. Scores are made as those of a match: parts in 0..1, weighted and rounded.

Source: issue 6 item 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from rapidfuzz import fuzz, process

from nextstep.match.board import Board, Mask, Slots, Values, split_words
from nextstep.match.profile import Profile, ProfileRefused, convert_profile
from nextstep.match.ranking import UNIT, Candidate, Ranked, recency

#: Words that a search may hold; what is longer is a profile.
MAX_CHARS = 200

WEIGHTS = {"words": 0.50, "similarity": 0.42, "recency": 0.08}

#: A word like another by this much stands for it, at a discount.
_ALIKE = 82
_DISCOUNT = 0.8
#: Words that say nothing of a job.
_EMPTY = frozenset(
    {
        *("a", "an", "and", "any", "are", "as", "at", "be", "by", "for", "from", "i", "in", "is"),
        *("it", "job", "jobs", "looking", "me", "my", "of", "on", "or", "position", "role"),
        *("roles", "the", "to", "vacancies", "vacancy", "want", "with", "work"),
        *("und", "oder", "im", "als", "der", "die", "das", "fur", "stelle", "stellen"),
        *("et", "ou", "de", "la", "le", "les", "en", "un", "une", "emploi", "poste"),
    }
)
_LISTS = ("country", "city", "work_mode", "seniority", "employment_type", "source", "exclude")


def read_search(
    values: Mapping[str, Sequence[str]], more: Mapping[str, Any] | None = None
) -> Profile:
    """
    Return a search as the profile that says the same: `text` holds the words.

    Args:
        values: the parameters of a URL: `q`, the filters (repeated, or with commas between),
            `limit` and `cursor`. A floor is "60000 EUR year".
        more: fields of the profile as plain data, which win.

    Raises:
        ProfileRefused: a parameter that is none, or its value.
    """
    known = {"q", "limit", "cursor", "posted_since", "salary_min", *_LISTS}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ProfileRefused(
            f"search refused: {unknown[0]} is no parameter",
            hint=f"parameters: {', '.join(sorted(known))}",
        )
    text = " ".join(values.get("q", [""])[0].split())
    if not text or len(text) > MAX_CHARS:
        raise ProfileRefused(
            f"search refused: q has {len(text)} characters, not 1 to {MAX_CHARS}",
            hint="give a few words, as in q=python developer; longer texts are profiles: match",
        )
    filters: dict[str, Any] = {
        name: [part.strip() for value in values[name] for part in value.split(",") if part.strip()]
        for name in _LISTS
        if name in values
    }
    if "posted_since" in values:
        filters["posted_since"] = values["posted_since"][0]
    if "salary_min" in values:
        filters["salary_min"] = _floor(values["salary_min"][0])
    asked: dict[str, Any] = {"text": text, "filters": filters}
    if "limit" in values:
        limit = values["limit"][0]
        asked["limit"] = int(limit) if limit.isascii() and limit.isdigit() else limit
    if "cursor" in values:
        asked["cursor"] = values["cursor"][0]
    return convert_profile({**asked, **(more or {})})


def word_weights(board: Board, text: str) -> dict[str, float]:
    """
    Return how much each word of the board counts for a search; all of them sum to 1 at most.

    A word in few posts weighs more; one that no post has goes to the word most like it, and to
    nothing where none is.
    """
    words = [word for word in dict.fromkeys(split_words(text)) if word not in _EMPTY]
    rare = {word: math.log(1 + len(board) / (1 + len(board.words.slots(word)))) for word in words}
    total = sum(rare.values())
    weights: dict[str, float] = {}
    for word, weight in rare.items():
        share = weight / total
        if word not in board.words.codes:
            alike = _most_like(word, board.words.codes)
            if alike is None:
                continue
            word, share = alike, share * _DISCOUNT  # noqa: PLW2901 - the word that stands for it
        weights[word] = weights.get(word, 0.0) + share
    return weights


def best_by_words(
    board: Board, weights: Mapping[str, float], mask: Mask, most: int
) -> tuple[list[int], Values]:
    """Return the slots that say most of the words, newest first, then by id; and all sums."""
    sums = np.minimum(1.0, board.words.weigh(weights, board.size))
    slots: Slots = np.flatnonzero(mask & (sums > 0))
    order = np.lexsort(
        (-board.column("order")[slots], -board.column("posted")[slots], -np.round(sums[slots], 6))
    )
    found: list[int] = slots[order[:most]].tolist()
    return found, sums


def rank_search(
    candidates: Iterable[Candidate], words: Mapping[UUID, float], as_of: date | None
) -> list[Ranked]:
    """Return the candidates by falling score, ties by id; `words` holds that feature by cluster."""
    ranked = []
    for one in candidates:
        features = {
            "words": words.get(one.canonical_job_id, 0.0),
            "similarity": min(1.0, max(0.0, one.similarity or 0.0)),
            "recency": recency(one.posted_on, one.date_precision, as_of),
        }
        features = {part: round(value, 6) for part, value in features.items()}
        parts = {part: int(WEIGHTS[part] * UNIT * features[part] + 0.5) for part in WEIGHTS}
        ranked.append(Ranked(one, features, parts, sum(parts.values())))
    return sorted(ranked, key=lambda r: (-r.score, r.candidate.job_id.bytes))


def _most_like(word: str, words: Mapping[str, int]) -> str | None:
    if len(word) < 4:
        return None  # a letter more or less makes another word
    found = process.extract(word, list(words), scorer=fuzz.ratio, score_cutoff=_ALIKE, limit=3)
    return min(found, key=lambda one: (-one[1], one[0]))[0] if found else None


def _floor(text: str) -> dict[str, Any]:
    words = text.replace("/", " ").replace(",", "").split()
    try:
        return {
            "amount": float(words[0]),
            "currency": words[1],
            "period": (words[2:] or ["year"])[0],
        }
    except (ValueError, IndexError) as error:
        raise ProfileRefused(
            "search refused: salary_min is not understood", hint="write it as 60000 EUR year"
        ) from error
