"""
A match from profile to answer: retrieval, ranking, explanation, in one read-only snapshot.

Source: design.md 6, N-51, X-11.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from nextstep.errors import InputError
from nextstep.match import answer
from nextstep.match.answer import Literal
from nextstep.match.board import Board, Mask
from nextstep.match.cursor import Cursor, profile_digest, read_offset, write_cursor
from nextstep.match.explain import find_literally
from nextstep.match.facts import Facts
from nextstep.match.filters import passing
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.horizon import Horizon, read_horizon
from nextstep.match.io.retrieve import (
    BY_FACTS,
    Nearest,
    VectorQuery,
    find_nearest,
    read_clusters,
    read_page,
    read_texts,
    read_vector,
)
from nextstep.match.io.vectors import Held
from nextstep.match.ordering import order
from nextstep.match.pages import page_of
from nextstep.match.profile import Filters, split_exclusions
from nextstep.match.ranking import (
    RANKING_VERSION,
    UNIT,
    Candidate,
    Ranked,
    Wanted,
    unit_weights,
)
from nextstep.match.reading import Lexicon, Reading, compared_skills
from nextstep.processors.embed import embed_stage, recipe_name
from nextstep.processors.io.model_files import short_name
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import AnyConnection


class JobUnknown(InputError):
    """No job of that id is in the tables."""


class NoVector(InputError):
    """The job is there and has no vector (yet)."""


def stages_below_match(settings: Settings) -> list[str]:
    """Return the stages whose lowest offset is the head of an answer."""
    return ["clean", "dedupe", "extract", embed_stage(settings).name]


def held_vectors(settings: Settings) -> Held:
    """Return which vectors a long-lived process holds in memory."""
    return Held(
        short_name(settings.embedding_model), recipe_name(settings), settings.match_vectors_mb
    )


async def match(
    connection: AnyConnection,
    reading: Reading,
    vector: Any,
    *,
    lexicon: Lexicon,
    settings: Settings,
    known: Horizon | None = None,
    board: LiveBoard | None = None,
) -> tuple[answer.Answer, Horizon]:
    """
    Return the answer to a profile and the horizon it was given at.

    Args:
        reading: the profile as `read_profile` understood it.
        vector: the unit vector of `reading.query_text`, shape (dim,).
        known: the horizon of an earlier answer; saves reading the log's times again.
        board: of this process; None reads all open clusters for this one answer.

    Raises:
        StaleCursor, ProfileRefused: the profile's cursor does not fit.
    """
    profile, wanted = reading.profile, reading.wanted
    board = board or LiveBoard(lexicon.soft)
    query = _query(vector, settings)
    shares = unit_weights(settings.weights)
    async with snapshot(connection):
        horizon = await read_horizon(connection, stages_below_match(settings), known)
        offset, size = read_offset(profile, horizon.head)
        open_jobs = await board.at(connection, horizon)
        mask = await passing_mask(connection, open_jobs, reading.filters)
        facts = Facts(open_jobs, wanted, horizon.as_of.date() if horizon.as_of else None)
        alike = facts.best(shares, mask=mask, most=BY_FACTS)
        found = {slot: open_jobs.entry(slot) for slot in alike}
        near = await find_nearest(
            connection, query, open_jobs, mask, also=alike, exact=profile.exact
        )
        found |= {slot: open_jobs.entry(slot) for slot in near.slots}
        literal = await _find_unknown_skills(connection, reading, found.values())
        ordering = order(
            facts, found, near.cosines, shares,
            _count_literally(found.values(), literal),
        )  # fmt: skip
        page = [
            _with_skills(ordering.at(index), literal, wanted, lexicon)
            for index in page_of(
                ordering.employers(), offset, profile.limit, size, settings.match_employer_share
            )
        ]
        rows = await read_page(connection, [one.candidate.canonical_job_id for one in page])
    shown = offset + len(page)
    more = shown < len(ordering) and page
    cursor = Cursor(horizon.head, shown, profile_digest(profile), size) if more else None
    return (
        answer.Answer(
            head=horizon.head,
            as_of=horizon.as_of,
            model=query.model,
            recipe=query.recipe,
            versions={**horizon.versions, "ranking": str(RANKING_VERSION)},
            weights={part: share / UNIT for part, share in shares.items()},
            profile=wanted,
            candidates=len(ordering),
            results=results(wanted, page, rows, literal, full=profile.explain == "full"),
            facets=answer.count_facets(ordering.candidates),
            cursor=write_cursor(cursor) if cursor else None,
            retrieval=retrieval(open_jobs, mask, near, len(alike)),
        ),
        horizon,
    )


async def find_similar(
    connection: AnyConnection,
    job_id: UUID,
    k: int,
    settings: Settings,
    *,
    known: Horizon | None = None,
    board: LiveBoard | None = None,
) -> tuple[answer.SimilarAnswer, Horizon]:
    """
    Return the k open clusters nearest to a job, its own left out.

    Raises:
        JobUnknown, NoVector: there is nothing to compare with.

    Source: S-13.
    """
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    board = board or LiveBoard(frozenset())
    async with snapshot(connection):
        horizon = await read_horizon(connection, stages_below_match(settings), known)
        found = await read_vector(connection, job_id, model, recipe)
        if found is None:
            raise JobUnknown(f"no job {job_id}", hint="nextstep match shows ids of jobs")
        canonical, vector = found
        if vector is None:
            raise NoVector(
                f"job {job_id} has no vector of {model}",
                detail="the embed stage has not reached it, or it is a dead letter there",
                hint="nextstep status; nextstep dead-letters list",
            )
        open_jobs = await board.at(connection, horizon)
        mask = passing(open_jobs, Filters(), [canonical])
        query = _query(vector.to_numpy(), settings)
        near = await find_nearest(connection, query, open_jobs, mask, nearest=k)
        entries = [(open_jobs.entry(slot), near.cosines[slot]) for slot in near.slots]
        rows = await read_page(connection, [entry.canonical_job_id for entry, _ in entries])
    return (
        answer.SimilarAnswer(
            head=horizon.head,
            as_of=horizon.as_of,
            model=model,
            recipe=recipe,
            job_id=job_id,
            canonical_job_id=canonical,
            results=[
                answer.similar(entry, cosine, rows[entry.canonical_job_id])
                for entry, cosine in entries
                if entry.canonical_job_id in rows
            ],
        ),
        horizon,
    )


async def passing_mask(connection: AnyConnection, board: Board, filters: Filters) -> Mask:
    """Return which slots of a board pass; excluded job ids are looked up as their clusters."""
    ids, _ = split_exclusions(filters.exclude)
    return passing(board, filters, await read_clusters(connection, ids))


def retrieval(board: Board, mask: Mask, near: Nearest, by_facts: int) -> answer.Retrieval:
    """Return how candidates were found, as an answer says it."""
    index = near.index
    used = f"{index.method}{' halfvec' if index.is_half else ''}" if index.method else "none"
    return answer.Retrieval(
        open=len(board),
        passing=int(mask.sum()),
        method=near.strategy.method,
        index=used,
        why=near.strategy.why,
        by_vector=len(near.slots),
        by_facts=by_facts,
    )


def _query(vector: Any, settings: Settings) -> VectorQuery:
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    return VectorQuery(vector=vector, model=model, recipe=recipe)


@asynccontextmanager
async def snapshot(connection: AnyConnection) -> AsyncIterator[None]:
    """Open one snapshot for all reads: the head in an answer is the head of its rows."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield


async def _find_unknown_skills(
    connection: AnyConnection, reading: Reading, candidates: Iterable[Candidate]
) -> dict[UUID, Literal]:
    if not reading.unknown_skills:
        return {}
    texts = await read_texts(connection, [c.canonical_job_id for c in candidates])
    found = {job: find_literally(reading.unknown_skills, text) for job, text in texts.items()}
    return {job: names for job, names in found.items() if names}


def _count_literally(
    candidates: Iterable[Candidate], literal: Mapping[UUID, Literal]
) -> list[int] | None:
    if not literal:
        return None
    return [len(literal.get(one.canonical_job_id, ())) for one in candidates]


def _with_skills(
    ranked: Ranked, literal: Mapping[UUID, Literal], wanted: Wanted, lexicon: Lexicon
) -> Ranked:
    one = ranked.candidate
    named = dict.fromkeys((*one.skills, *literal.get(one.canonical_job_id, ())))
    skills = compared_skills(tuple(named), wanted, lexicon)
    return msgspec.structs.replace(ranked, candidate=msgspec.structs.replace(one, skills=skills))


def results(
    wanted: Wanted,
    page: Sequence[Ranked],
    rows: Mapping[UUID, Any],
    literal: Mapping[UUID, Literal],
    *,
    full: bool,
) -> list[answer.Result]:
    """Return the results of a page; `rows` as of `read_page`."""
    return [
        answer.result(wanted, ranked, rows[canonical], literal.get(canonical, {}), full=full)
        for ranked in page
        if (canonical := ranked.candidate.canonical_job_id) in rows
    ]
