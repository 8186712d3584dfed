"""
The open clusters in memory, by columns: what filters ask and what ranks without a vector.

Counting the skills in common with 100,000 jobs, or how many of them a filter lets pass, costs
PostgreSQL tens of milliseconds and many joins; over these columns it costs one or two, and is
exact. The tables stay the truth: io/board.py fills a board from them and keeps up with the line.
Vectors are beside it where there is room (vectors.py); texts and evidence are never here.

Source: design.md 6, X-12, decisions.md 24.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from nextstep.match.postings import Postings, grown
from nextstep.match.ranking import LADDER, Candidate, yearly
from nextstep.match.vectors import Vectors
from nextstep.processors.shared.folding import fold

Mask = npt.NDArray[np.bool_]
Slots = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

#: Day numbers below any date: an undated post.
UNDATED = -1

#: Bits of an id that settle ties.
ID_BITS = 48

_SEVERAL = ("employment_type",)
_CODED = ("country", "city", "work_mode", "source", "company", "employer", "title_cluster")
_START = 1024
_KEPT_TITLES = 512


class Board:
    """
    Open clusters by slot; a changed cluster gets a new slot, and its old one is no longer alive.

    Args:
        soft: skills that nearly every post names; they count only where a profile states them.
        vectors: of the slots, where they are to be had; filled by whoever fills the board.
    """

    def __init__(self, soft: frozenset[str] = frozenset(), vectors: Vectors | None = None) -> None:
        self.soft = soft
        self.vectors = vectors
        self._entries: list[Candidate | None] = []
        self._slots: dict[UUID, int] = {}
        self._shown: dict[UUID, UUID] = {}
        self._codes: dict[str, dict[str, int]] = {
            name: {"": 0} for name in (*_CODED, *_SEVERAL, "title_norm", "currency")
        }
        self._columns: dict[str, npt.NDArray[Any]] = {
            "alive": np.zeros(_START, dtype=np.bool_),
            **{name: np.zeros(_START, dtype=np.int32) for name in (*_CODED, "title_norm")},
            "employment_type": np.zeros(_START, dtype=np.int64),
            "currency": np.zeros(_START, dtype=np.int32),
            "step": np.zeros(_START, dtype=np.int8),
            "level": np.zeros(_START, dtype=np.int8),
            "posted": np.full(_START, UNDATED, dtype=np.int32),
            "is_dated": np.zeros(_START, dtype=np.bool_),
            "salary": np.full(_START, np.nan, dtype=np.float64),
            "hard_skills": np.zeros(_START, dtype=np.int32),
            "order": np.zeros(_START, dtype=np.int64),
        }
        self.skills = Postings()
        self._words: Postings | None = None
        self._titles: list[str] = [""]
        self._likeness: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def size(self) -> int:
        """Slots in use, dead ones included: the length of every column."""
        return len(self._entries)

    def put(self, entry: Candidate) -> None:
        """Add an open cluster, or replace what is known of it."""
        self.drop(entry.canonical_job_id)
        slot = len(self._entries)
        if slot == len(self._columns["alive"]):
            self._columns = {name: grown(column) for name, column in self._columns.items()}
        self._entries.append(entry)
        self._slots[entry.canonical_job_id] = slot
        self._shown[entry.job_id] = entry.canonical_job_id
        columns = self._columns
        for name in _CODED:
            columns[name][slot] = self._code(name, getattr(entry, name).casefold())
        columns["title_norm"][slot] = self._title(entry.title_norm)
        columns["employment_type"][slot] = sum(
            1 << min(self._code("employment_type", kind), 62)
            for kind in set(filter(None, entry.employment_type.split(",")))
        )
        columns["step"][slot] = LADDER.get(entry.seniority, -1)
        columns["level"][slot] = _LEVELS.get(entry.seniority, -1)
        columns["posted"][slot] = entry.posted_on.toordinal() if entry.posted_on else UNDATED
        columns["is_dated"][slot] = entry.date_precision in ("day", "month")
        offered = entry.salary_max if entry.salary_max is not None else entry.salary_min
        most = None if offered is None else yearly(float(offered), entry.salary_period)
        columns["salary"][slot] = np.nan if most is None else most
        columns["currency"][slot] = self._code("currency", entry.salary_currency)
        columns["hard_skills"][slot] = sum(name not in self.soft for name in entry.skills)
        # Ties are settled by the id, never by the order in which the rows came.
        columns["order"][slot] = (1 << ID_BITS) - 1 - (entry.job_id.int >> (128 - ID_BITS))
        columns["alive"][slot] = True
        self.skills.add(slot, dict.fromkeys(entry.skills))
        if self._words is not None:
            self._words.add(slot, _words_of(entry))

    def drop(self, canonical: UUID) -> None:
        """Forget a cluster; one that is not here is no fault."""
        slot = self._slots.pop(canonical, None)
        if slot is None:
            return
        entry = self._entries[slot]
        if entry is not None and self._shown.get(entry.job_id) == canonical:
            del self._shown[entry.job_id]
        self._entries[slot] = None
        self._columns["alive"][slot] = False

    @property
    def words(self) -> Postings:
        """What titles, skills, employers, towns and modes say; made when first asked for."""
        if self._words is None:
            self._words = Postings()
            for slot, entry in enumerate(self._entries):
                if entry is not None:
                    self._words.add(slot, _words_of(entry))
        return self._words

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column, one value per slot."""
        return self._columns[name][: self.size]

    def code(self, name: str, text: str) -> int:
        """Return the code of a text in a column, -1 where no job has it."""
        return self._codes[name].get(text, -1)

    def entry(self, slot: int) -> Candidate:
        """Return what is known of the cluster in a slot that is alive."""
        entry = self._entries[slot]
        assert entry is not None, "a dead slot was asked for"
        return entry

    def is_alive(self, slot: int) -> bool:
        """Whether a slot still holds its cluster."""
        return self._entries[slot] is not None

    def slot(self, canonical: UUID) -> int | None:
        """Return the slot of a cluster, None where it is not open."""
        return self._slots.get(canonical)

    def shown_by(self, job_ids: Iterable[UUID]) -> set[UUID]:
        """Return the clusters that show one of these postings."""
        return {self._shown[job_id] for job_id in job_ids if job_id in self._shown}

    def renew(self, canonical: UUID) -> None:
        """Give a cluster a new slot, for whatever is held by slot and has changed."""
        slot = self._slots.get(canonical)
        if slot is not None:
            self.put(self.entry(slot))

    def ids(self, mask: Mask) -> list[UUID]:
        """Return the canonical ids of the slots of a mask that are still alive, in slot order."""
        entries = (self._entries[slot] for slot in np.flatnonzero(mask).tolist())
        return [entry.canonical_job_id for entry in entries if entry is not None]

    def count_skills(self, names: Iterable[str]) -> Values:
        """Return per slot how many of these skills the job names."""
        return self.skills.weigh(dict.fromkeys(names, 1.0), self.size)

    @property
    def titles(self) -> int:
        """Titles known, the empty one included: the length of what `title_likeness` returns."""
        return len(self._titles)

    def title_likeness(self, wanted: str) -> Values:
        """
        Return per title code how alike a wanted title is: 1 equal, at most 0.99 by words, from 0.6.

        The titles of the market are few against its jobs, and each is compared once.
        """
        known = self._likeness.get(wanted, np.zeros(0))
        if len(known) < len(self._titles):
            fresh = self._titles[len(known) :]
            scores = process.cdist(
                [wanted], fresh, scorer=fuzz.token_sort_ratio, score_cutoff=60, dtype=np.float64
            )[0]
            likeness = np.minimum(scores / 100, 0.99)
            likeness[[title == wanted for title in fresh]] = 1.0
            likeness[[not title for title in fresh]] = 0.0
            known = np.concatenate([known, likeness])
            if len(self._likeness) >= _KEPT_TITLES:
                self._likeness.clear()
            self._likeness[wanted] = known
        return known

    def _code(self, name: str, text: str) -> int:
        codes = self._codes[name]
        return codes.setdefault(text, len(codes))

    def _title(self, title: str) -> int:
        code = self._code("title_norm", title)
        if code == len(self._titles):
            self._titles.append(title)
        return code


#: Names of levels by number: a filter names the level, not its step.
_LEVELS = {name: number for number, name in enumerate(LADDER)}


def level_number(name: str) -> int:
    """Return the number of a level as the column "level" holds it."""
    return _LEVELS.get(name, -2)


def _words_of(entry: Candidate) -> Iterable[str]:
    said = (entry.title, entry.title_norm, entry.company, entry.city, *entry.skills)
    return dict.fromkeys(split_words(" ".join((*said, entry.work_mode))))


def split_words(text: str) -> list[str]:
    """Return the words of a text without case and accents, in order: "C++", "data", "zurich"."""
    return _WORD.findall(fold(text).text)


_WORD = re.compile(r"\w[\w+#]*")
