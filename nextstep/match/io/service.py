"""
A match from profile to answer: retrieval, ranking, explanation, in one read-only snapshot.

Source: design.md 6, N-51, X-11.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from nextstep.db.pools import in_transaction
from nextstep.errors import InputError
from nextstep.match import answer, filters
from nextstep.match.cursor import Cursor, profile_digest, read_offset, write_cursor
from nextstep.match.explain import find_literally
from nextstep.match.io.retrieve import (
    Horizon,
    Query,
    find_candidates,
    read_evidence,
    read_horizon,
    read_texts,
    read_vector,
)
from nextstep.match.profile import Filters
from nextstep.match.ranking import (
    RANKING_VERSION,
    UNIT,
    Candidate,
    Ranked,
    Wanted,
    rank,
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


async def match(
    connection: AnyConnection,
    reading: Reading,
    vector: Any,
    *,
    lexicon: Lexicon,
    settings: Settings,
    known: Horizon | None = None,
) -> tuple[answer.Answer, Horizon]:
    """
    Return the answer to a profile and the horizon it was given at.

    Args:
        reading: the profile as `read_profile` understood it.
        vector: the unit vector of `reading.query_text`, shape (dim,).
        known: the horizon of an earlier answer; saves reading the log's times again.

    Raises:
        StaleCursor, ProfileRefused: the profile's cursor does not fit.
    """
    profile = reading.profile
    query = Query(
        vector=vector,
        model=short_name(settings.embedding_model),
        recipe=recipe_name(settings),
        parameters=filters.parameters(reading.filters),
        is_filtered=not filters.is_open(reading.filters),
        titles=[title for title, cluster in reading.wanted.titles if cluster],
        title_words=reading.title_words,
        skills=reading.wanted.skills,
        exact=profile.exact,
    )
    async with _snapshot(connection, settings):
        horizon = await read_horizon(connection, stages_below_match(settings), known)
        offset = read_offset(profile, horizon.head)
        candidates = await find_candidates(connection, query)
        literal = await _find_unknown_skills(connection, reading, candidates)
        candidates = [
            _with_skills(c, literal.get(c.canonical_job_id, {}), reading.wanted, lexicon)
            for c in candidates
        ]
        as_of = horizon.as_of.date() if horizon.as_of else None
        ranked = rank(reading.wanted, candidates, settings.weights, as_of)
        page = ranked[offset : offset + profile.limit]
        evidence = await read_evidence(connection, [r.candidate.canonical_job_id for r in page])
    results = _results(reading.wanted, page, evidence, literal, full=profile.explain == "full")
    shown = offset + len(page)
    more = shown < len(ranked) and page
    cursor = Cursor(horizon.head, shown, profile_digest(profile)) if more else None
    return (
        answer.Answer(
            head=horizon.head,
            as_of=horizon.as_of,
            model=query.model,
            recipe=query.recipe,
            versions={**horizon.versions, "ranking": str(RANKING_VERSION)},
            weights={part: w / UNIT for part, w in unit_weights(settings.weights).items()},
            profile=reading.wanted,
            candidates=len(ranked),
            results=results,
            facets=answer.count_facets(candidates),
            cursor=write_cursor(cursor) if cursor else None,
        ),
        horizon,
    )


async def find_similar(
    connection: AnyConnection,
    job_id: UUID,
    k: int,
    settings: Settings,
    known: Horizon | None = None,
) -> tuple[answer.SimilarAnswer, Horizon]:
    """
    Return the k open clusters nearest to a job, its own left out.

    Raises:
        JobUnknown, NoVector: there is nothing to compare with.

    Source: S-13.
    """
    model, recipe = short_name(settings.embedding_model), recipe_name(settings)
    async with _snapshot(connection, settings):
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
        query = Query(
            vector=vector.to_numpy(),
            model=model,
            recipe=recipe,
            parameters=filters.parameters(Filters(exclude=[str(canonical)])),
            is_filtered=False,
        )
        candidates = await find_candidates(connection, query)
    nearest = sorted(candidates, key=lambda c: (-(c.similarity or 0.0), c.job_id.bytes))[:k]
    return (
        answer.SimilarAnswer(
            head=horizon.head,
            as_of=horizon.as_of,
            model=model,
            recipe=recipe,
            job_id=job_id,
            canonical_job_id=canonical,
            results=[answer.similar(candidate) for candidate in nearest],
        ),
        horizon,
    )


@asynccontextmanager
async def _snapshot(connection: AnyConnection, settings: Settings) -> AsyncIterator[None]:
    # One snapshot for all reads: the head in the answer is the head of its rows.
    async with in_transaction(connection, "api", settings):
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


async def _find_unknown_skills(
    connection: AnyConnection, reading: Reading, candidates: Sequence[Candidate]
) -> dict[UUID, dict[str, tuple[int, int, str]]]:
    if not reading.unknown_skills:
        return {}
    texts = await read_texts(connection, [c.canonical_job_id for c in candidates])
    found = {job: find_literally(reading.unknown_skills, text) for job, text in texts.items()}
    return {job: names for job, names in found.items() if names}


def _with_skills(
    candidate: Candidate,
    literal: dict[str, tuple[int, int, str]],
    wanted: Wanted,
    lexicon: Lexicon,
) -> Candidate:
    named = dict.fromkeys((*candidate.skills, *literal))
    skills = compared_skills(tuple(named), wanted, lexicon)
    return msgspec.structs.replace(candidate, skills=skills)


def _results(
    wanted: Wanted,
    page: Sequence[Ranked],
    evidence: dict[UUID, dict[str, Any]],
    literal: dict[UUID, dict[str, tuple[int, int, str]]],
    *,
    full: bool,
) -> list[answer.Result]:
    return [
        answer.result(
            wanted,
            ranked,
            evidence.get(ranked.candidate.canonical_job_id, {}),
            literal.get(ranked.candidate.canonical_job_id, {}),
            full=full,
        )
        for ranked in page
    ]
