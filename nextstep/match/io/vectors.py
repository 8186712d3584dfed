"""
Fill the vectors of a board from the database, and keep up with the encoder's stage.

Source: issue 6 item 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from nextstep.match.board import Board
from nextstep.match.vectors import Vectors, bytes_per_vector

_PAGE = 5000

_DIM = "SELECT dim FROM job_embeddings WHERE model_name = $1 AND recipe = $2 LIMIT 1"
#: `vector_send` and not the type's own codec: 5,000 vectors become one array at once.
_ALL = """
SELECT job_id, text_hash, vector_send(embedding) AS sent FROM job_embeddings
WHERE model_name = $1 AND recipe = $2 AND dim = $3
"""
_SOME = f"{_ALL} AND job_id = ANY($4)"

#: Jobs that the encoder's stage has passed since, with the text their vector is of.
_PASSED = """
SELECT map.job_id, vector.text_hash
FROM job_dedupe_map AS map
LEFT JOIN job_embeddings AS vector ON vector.job_id = map.job_id
  AND vector.model_name = $3 AND vector.recipe = $4
WHERE map.position > $1 AND map.position <= $2
"""


class Held(msgspec.Struct, frozen=True):
    """Whose vectors a board holds in memory, and how many MB they may take."""

    model: str
    recipe: str
    most_mb: int


async def fill(connection: Any, board: Board, held: Held) -> None:
    """
    Read the vectors of a board's clusters; none where there is no room for all.

    Args:
        connection: inside a transaction.
    """
    board.vectors = None
    dim = await connection.fetchval(_DIM, held.model, held.recipe)
    if dim is None or not _fits(board, dim, held):
        return
    vectors = Vectors(dim)
    cursor = await connection.cursor(_ALL, held.model, held.recipe, dim)
    while rows := await cursor.fetch(_PAGE):
        _put(board, vectors, rows)
    board.vectors = vectors


async def refresh(
    connection: Any, board: Board, held: Held, moved: Iterable[UUID], passed: tuple[int, int]
) -> None:
    """
    Read the vectors again that may be others now.

    Args:
        moved: clusters that were put anew.
        passed: positions after and up to which the encoder's stage has gone since.
    """
    vectors = board.vectors
    if vectors is None or not _fits(board, vectors.dim, held):
        await fill(connection, board, held)
        return
    wanted = set(moved)
    for job_id, text_hash in await connection.fetch(_PASSED, *passed, held.model, held.recipe):
        slot = board.slot(job_id)
        if slot is None or job_id in wanted:
            continue
        if vectors.stamp(slot) != _stamp(text_hash):
            wanted.add(job_id)
            # A slot's vector is never overwritten: a search may be looking at it.
            board.renew(job_id)
    ids = sorted(job_id for job_id in wanted if board.slot(job_id) is not None)
    for start in range(0, len(ids), _PAGE):
        some = ids[start : start + _PAGE]
        rows = await connection.fetch(_SOME, held.model, held.recipe, vectors.dim, some)
        _put(board, vectors, rows)


def _fits(board: Board, dim: int, held: Held) -> bool:
    return len(board) * bytes_per_vector(dim) <= held.most_mb * 2**20


def _put(board: Board, vectors: Vectors, rows: Sequence[Any]) -> None:
    placed = [(slot, row) for row in rows if (slot := board.slot(row["job_id"])) is not None]
    if not placed:
        return
    # What vector_send writes: dimensions, two unused bytes, then the numbers; all big-endian.
    sent = np.dtype([("dim", ">i2"), ("unused", ">i2"), ("numbers", ">f4", (vectors.dim,))])
    numbers = np.frombuffer(b"".join(row["sent"] for _, row in placed), dtype=sent)["numbers"]
    stamps = np.array([_stamp(row["text_hash"]) for _, row in placed], dtype=np.int64)
    slots = np.array([slot for slot, _ in placed], dtype=np.int64)
    vectors.put(slots, numbers.astype(np.float32), stamps)


def _stamp(text_hash: bytes | None) -> int | None:
    return None if text_hash is None else int.from_bytes(text_hash[:8], signed=True)
