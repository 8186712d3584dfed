"""
Fill a board from the tables and keep it at the head of the line.

A board is loaded once per process, in one pass over three tables and one over the vectors; after
that only the clusters of jobs that moved are read again. A swap, a reset or a line that went back
loads it anew.

Source: design.md 6, decisions.md 10 and 24.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from nextstep.match.board import Board
from nextstep.match.io.horizon import Horizon
from nextstep.match.io.vectors import Held, fill, refresh
from nextstep.match.ranking import Candidate

#: More changed clusters than this share of the board: reading all is faster.
_CHANGED_SHARE = 0.2
_PAGE = 5000

_ROWS = """
SELECT cluster.canonical_job_id, job.job_id, job.title, job.company, job.company_norm, job.source,
  job.date_posted, job.date_precision,
  COALESCE(NULLIF(entity.title_norm, ''), job.title_norm) AS title_norm,
  COALESCE(NULLIF(entity.title_cluster, ''), job.title_cluster) AS title_cluster,
  COALESCE(NULLIF(entity.city, ''), job.city) AS city,
  COALESCE(NULLIF(entity.country, ''), job.country) AS country,
  COALESCE(NULLIF(entity.work_mode, ''), job.work_mode) AS work_mode,
  COALESCE(entity.seniority, '') AS seniority,
  COALESCE(NULLIF(entity.employment_type, ''), job.employment_type) AS employment_type,
  entity.salary_min::float8, entity.salary_max::float8,
  COALESCE(entity.salary_currency, '') AS salary_currency,
  COALESCE(entity.salary_period, '') AS salary_period,
  COALESCE(entity.skills || entity.tools, '{}') AS skills,
  cluster.members - 1 AS duplicates
FROM job_clusters AS cluster
JOIN jobs_normalized AS job ON job.job_id = cluster.latest_open_job_id
LEFT JOIN job_entities AS entity ON entity.job_id = cluster.canonical_job_id
WHERE cluster.status = 'open'
"""
_SOME = f"{_ROWS} AND cluster.canonical_job_id = ANY($1)"

#: Jobs that the line has seen since, with the cluster they are in now.
_MOVED = "SELECT job_id, canonical_job_id FROM job_dedupe_map WHERE position > $1"


class _Source(msgspec.Struct, frozen=True):
    """What the rows of a board were true of: epochs tell two lines apart."""

    floor: int
    head: int
    epochs: tuple[int, ...]


class LiveBoard:
    """
    A board that follows the line; one per process, shared by all its requests.

    Args:
        soft: skills that count only where a profile states them.
        held: vectors to keep in memory; None asks the database for each answer.
    """

    def __init__(self, soft: frozenset[str], held: Held | None = None) -> None:
        self._soft = soft
        self._held = held
        self._board = Board(soft)
        self._source: _Source | None = None
        self._lock = asyncio.Lock()

    async def at(self, connection: Any, horizon: Horizon) -> Board:
        """
        Return the board at the head of the caller's snapshot, or a later one.

        Args:
            connection: inside the transaction in which `horizon` was read.
        """
        async with self._lock:
            source = _Source(horizon.floor, horizon.head, horizon.epochs)
            known = self._source
            if known is not None and known.epochs == source.epochs:
                if known.floor >= source.floor and known.head >= source.head:
                    return self._board
                moved = await self._moved(connection, known.floor)
                wasted = self._board.size > 2 * len(self._board) + _PAGE
                if len(moved) <= _CHANGED_SHARE * len(self._board) and not wasted:
                    await self._refresh(connection, moved)
                    if self._held is not None:
                        passed = known.head, source.head
                        await refresh(connection, self._board, self._held, moved, passed)
                    self._source = source
                    return self._board
            self._board = await _load(connection, self._soft, self._held)
            self._source = source
            return self._board

    async def _moved(self, connection: Any, floor: int) -> set[UUID]:
        rows = await connection.fetch(_MOVED, floor)
        jobs = {row["job_id"] for row in rows}
        # A job that went to another cluster leaves the one that showed it, and one it headed.
        now = {row["canonical_job_id"] for row in rows} - {None}
        return jobs | now | self._board.shown_by(jobs)

    async def _refresh(self, connection: Any, clusters: Iterable[UUID]) -> None:
        wanted = sorted(clusters)
        found: dict[UUID, Candidate] = {}
        for start in range(0, len(wanted), _PAGE):
            rows = await connection.fetch(_SOME, wanted[start : start + _PAGE])
            found |= {row["canonical_job_id"]: _entry(row, _Texts()) for row in rows}
        for canonical in wanted:
            if canonical in found:
                self._board.put(found[canonical])
            else:
                self._board.drop(canonical)


async def _load(connection: Any, soft: frozenset[str], held: Held | None) -> Board:
    board, texts = Board(soft), _Texts()
    async for row in connection.cursor(_ROWS, prefetch=_PAGE):
        board.put(_entry(row, texts))
    if held is not None:
        await fill(connection, board, held)
    return board


class _Texts(dict[str, str]):
    """Equal texts of many rows as one object."""

    def __missing__(self, text: str) -> str:
        self[text] = text
        return text


def _entry(row: Any, texts: _Texts) -> Candidate:
    return Candidate(
        canonical_job_id=row["canonical_job_id"],
        job_id=row["job_id"],
        title=row["title"],
        company=row["company"],
        employer=texts[row["company_norm"]],
        source=texts[row["source"]],
        posted_on=row["date_posted"],
        date_precision=texts[row["date_precision"]],
        title_norm=texts[row["title_norm"]],
        title_cluster=texts[row["title_cluster"]],
        city=texts[row["city"]],
        country=texts[row["country"]],
        work_mode=texts[row["work_mode"]],
        seniority=texts[row["seniority"]],
        employment_type=texts[row["employment_type"]],
        salary_min=row["salary_min"],
        salary_max=row["salary_max"],
        salary_currency=texts[row["salary_currency"]],
        salary_period=texts[row["salary_period"]],
        skills=tuple(texts[name] for name in dict.fromkeys(row["skills"])),
        duplicates=row["duplicates"],
    )
