"""
A search from words to answer, in the shape of a match.

Source: issue 6 item 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from nextstep.match import answer
from nextstep.match.cursor import Cursor, profile_digest, read_offset, write_cursor
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.horizon import Horizon, read_horizon
from nextstep.match.io.retrieve import BY_FACTS, VectorQuery, find_nearest, read_page
from nextstep.match.io.service import (
    passing_mask,
    results,
    retrieval,
    snapshot,
    stages_below_match,
)
from nextstep.match.pages import page_of
from nextstep.match.ranking import RANKING_VERSION
from nextstep.match.reading import Lexicon, Reading
from nextstep.match.search import WEIGHTS, best_by_words, rank_search, word_weights
from nextstep.processors.embed import recipe_name
from nextstep.processors.io.model_files import short_name
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import AnyConnection


async def search(
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
    Return the answer to a search and the horizon it was given at; arguments as in `match`.

    Args:
        reading: of the profile that `read_search` returned.

    Raises:
        StaleCursor, ProfileRefused: the cursor does not fit.
    """
    profile = reading.profile
    board = board or LiveBoard(lexicon.soft)
    query = VectorQuery(
        vector=vector, model=short_name(settings.embedding_model), recipe=recipe_name(settings)
    )
    async with snapshot(connection):
        horizon = await read_horizon(connection, stages_below_match(settings), known)
        offset, size = read_offset(profile, horizon.head)
        open_jobs = await board.at(connection, horizon)
        mask = await passing_mask(connection, open_jobs, reading.filters)
        weights = word_weights(open_jobs, profile.text)
        slots, sums = best_by_words(open_jobs, weights, mask, BY_FACTS)
        found = {slot: open_jobs.entry(slot) for slot in slots}
        near = await find_nearest(
            connection, query, open_jobs, mask, also=slots, exact=profile.exact
        )
        found |= {slot: open_jobs.entry(slot) for slot in near.slots}
        candidates = [
            msgspec.structs.replace(one, similarity=near.cosines.get(slot))
            for slot, one in found.items()
        ]
        # A cluster that came after the words were looked up has a slot beyond their sums.
        words = {
            one.canonical_job_id: float(sums[slot])
            for slot, one in found.items()
            if slot < len(sums)
        }
        as_of = horizon.as_of.date() if horizon.as_of else None
        ranked = rank_search(candidates, words, as_of)
        employers = [one.candidate.employer for one in ranked]
        share = settings.match_employer_share
        page = [ranked[index] for index in page_of(employers, offset, profile.limit, size, share)]
        rows = await read_page(connection, [one.candidate.canonical_job_id for one in page])
    shown = offset + len(page)
    cursor = Cursor(horizon.head, shown, profile_digest(profile), size)
    return (
        answer.Answer(
            head=horizon.head,
            as_of=horizon.as_of,
            model=query.model,
            recipe=query.recipe,
            versions={**horizon.versions, "ranking": str(RANKING_VERSION)},
            weights=dict(WEIGHTS),
            profile=reading.wanted,
            candidates=len(ranked),
            results=results(reading.wanted, page, rows, {}, full=profile.explain == "full"),
            facets=answer.count_facets(candidates),
            cursor=write_cursor(cursor) if page and shown < len(ranked) else None,
            retrieval=retrieval(open_jobs, mask, near, len(slots)),
        ),
        horizon,
    )
