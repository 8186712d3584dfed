"""
Rank the whole board by everything but the vector: the features of ranking.py over columns.

What a profile and a job state (skills, title, place, level, pay, date) is compared for every open
cluster, so that a job is never missed for want of a near vector. A test holds these features equal
to those of `features_of`, which give the parts of an answer.

Source: design.md 6, N-51.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import numpy.typing as npt

from nextstep.match.board import ID_BITS, UNDATED, Board, Mask, Slots, Values
from nextstep.match.ranking import (
    HALF_LIFE_DAYS,
    LADDER,
    LEAST_JOB_SKILLS,
    LEAST_PROFILE_SKILLS,
    Wanted,
    yearly,
)

#: Parts that one slot has without a vector.
FACTS = ("skills", "title", "location", "seniority", "salary", "recency")

#: Days for which recency is looked up; older posts have less than 1e-6 of it, which rounds to 0.
_OLDEST_DAYS = 20 * HALF_LIFE_DAYS


class Facts:
    """
    What a profile and every job of a board have in common.

    Args:
        wanted: the profile.
        as_of: the day against which posts are old.
    """

    def __init__(self, board: Board, wanted: Wanted, as_of: date | None) -> None:
        self.board, self._wanted, self._as_of = board, wanted, as_of
        mine = set(wanted.skills)
        self._common = board.count_skills(mine)
        self._stated_soft = mine & board.soft
        # Per title first: the titles of the market are few against its jobs.
        self._alike = np.zeros(board.titles)
        for title, _ in wanted.titles:
            if title:
                self._alike = np.maximum(self._alike, board.title_likeness(title))
        codes = (
            board.code("title_cluster", cluster.casefold())
            for title, cluster in wanted.titles
            if title and cluster
        )
        self._clusters = {code for code in codes if code > 0}
        stated = {
            "location": wanted.city or wanted.country or wanted.work_mode,
            "seniority": wanted.seniority,
            "salary": wanted.salary,
        }
        #: Parts that can be more than 0: the others need not be added up for the whole market.
        self._counting = [part for part in FACTS if stated.get(part, True)]

    def best(self, shares: Mapping[str, int], *, mask: Mask, most: int) -> list[int]:
        """
        Return the slots with the highest sum of parts without similarity, best first.

        Only jobs that share a skill or have a title like a wanted one: a place or a date alone
        says nothing about the work. Ties go to the lower id.

        Args:
            shares: weights in units, of `unit_weights`.
            mask: slots that may be returned.
            most: how many at most.
        """
        slots: Slots = np.flatnonzero(mask)
        slots = slots[(self._common[slots] > 0) | (self._titles(slots) > 0)]
        if not len(slots):
            return []
        score = np.zeros(len(slots), dtype=np.int64)
        for part in self._counting:
            score += parts_of(self._feature(part, slots, None), shares[part])
        keys = (score << ID_BITS) + self.board.column("order")[slots]
        if len(slots) > most:
            chosen = np.argpartition(keys, len(keys) - most)[len(keys) - most :]
            slots, keys = slots[chosen], keys[chosen]
        found: list[int] = slots[np.argsort(-keys)].tolist()
        return found

    def features(self, slots: Slots, literal: Values | None = None) -> dict[str, Values]:
        """
        Return the features of slots by part, each rounded to 1e-6.

        Args:
            literal: per slot, how many wanted skills stand in its text that no taxonomy holds.
        """
        return {part: self._feature(part, slots, literal) for part in FACTS}

    def _feature(self, part: str, slots: Slots, literal: Values | None) -> Values:
        board, wanted = self.board, self._wanted
        match part:
            case "skills":
                values = self._skills(slots, literal)
            case "title":
                values = self._titles(slots)
            case "location":
                values = locations(board, wanted, slots)
            case "seniority":
                values = seniorities(board, wanted, slots)
            case "salary":
                values = salaries(board, wanted, slots)
            case _:
                values = recencies(board, self._as_of, slots)
        return np.round(values, 6)

    def _titles(self, slots: Slots) -> Values:
        titles = self.board.column("title_norm")[slots]
        best: Values = self._alike[titles]
        if self._clusters:
            clusters = self.board.column("title_cluster")[slots]
            for code in self._clusters:
                # The cluster of a job without a title is of no use either.
                best[(clusters == code) & (best < 0.8) & (titles > 0)] = 0.8
        return best

    def _skills(self, slots: Slots, literal: Values | None) -> Values:
        common = self._common[slots]
        named = self.board.column("hard_skills")[slots]
        if self._stated_soft:
            named = named + self.board.count_skills(self._stated_soft)[slots]
        if literal is not None:
            common, named = common + literal, named + literal
        mine = max(len(set(self._wanted.skills)), LEAST_PROFILE_SKILLS)
        overlaps: Values = common / np.minimum(mine, np.maximum(named, LEAST_JOB_SKILLS))
        return overlaps


def parts_of(values: Values, share: int) -> npt.NDArray[np.int64]:
    """Return features as parts of a score, in units: rounded half up, as `rank` rounds them."""
    parts: npt.NDArray[np.int64] = np.floor(share * values + 0.5).astype(np.int64)
    return parts


def locations(board: Board, wanted: Wanted, slots: Slots) -> Values:
    """Return the feature "location" of some slots."""
    total = np.zeros(len(slots))
    asked = 0
    is_remote = _is(board, "work_mode", "remote", slots)
    if wanted.city or wanted.country:
        asked += 1
        country = board.column("country")[slots]
        same = _is(board, "country", wanted.country, slots)
        if not wanted.city:
            total += same
        else:
            other = (country > 0) & ~same if wanted.country else np.zeros(len(slots), np.bool_)
            there = _is(board, "city", wanted.city, slots) & ~other
            total += np.where(there, 1.0, np.where(same, np.where(is_remote, 1.0, 0.4), 0.0))
    if wanted.work_mode:
        asked += 1
        total += _is(board, "work_mode", wanted.work_mode, slots)
    return total / asked if asked else total


def seniorities(board: Board, wanted: Wanted, slots: Slots) -> Values:
    """Return the feature "seniority" of some slots."""
    if wanted.seniority not in LADDER:
        return np.zeros(len(slots))
    steps = board.column("step")[slots].astype(np.float64)
    near = np.maximum(0.0, 1 - np.abs(LADDER[wanted.seniority] - steps) / 3)
    near[steps < 0] = 0.0
    found: Values = near
    return found


def salaries(board: Board, wanted: Wanted, slots: Slots) -> Values:
    """Return the feature "salary" of some slots."""
    least = yearly(wanted.salary[0], wanted.salary[2]) if wanted.salary else None
    if wanted.salary is None or least is None or least <= 0:
        return np.zeros(len(slots))
    most = board.column("salary")[slots]
    code = board.code("currency", wanted.salary[1])
    fair = np.clip(1 - 4 * np.maximum(0.0, 1 - most / least), 0.0, 1.0)
    fair[np.isnan(most) | (board.column("currency")[slots] != code)] = 0.0
    found: Values = fair
    return found


def recencies(board: Board, as_of: date | None, slots: Slots) -> Values:
    """Return the feature "recency" of some slots."""
    if as_of is None:
        return np.zeros(len(slots))
    posted = board.column("posted")[slots]
    ages = np.clip(as_of.toordinal() - posted, 0, _OLDEST_DAYS)
    found: Values = _RECENCY[ages]
    found[(posted == UNDATED) | ~board.column("is_dated")[slots] | (ages == _OLDEST_DAYS)] = 0.0
    return found


_RECENCY = 0.5 ** (np.arange(_OLDEST_DAYS + 1) / HALF_LIFE_DAYS)


def _is(board: Board, column: str, text: str, slots: Slots) -> Mask:
    code = board.code(column, text.casefold()) if text else -1
    if code <= 0:
        return np.zeros(len(slots), dtype=np.bool_)
    same: Mask = board.column(column)[slots] == code
    return same
