"""Vectors in memory: the nearest are those of an exact comparison, whatever the slots are."""

from __future__ import annotations

import numkong
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.match.vectors import Vectors, bytes_per_vector

DIM = 48


def units(count: int, seed: int) -> npt.NDArray[np.float32]:
    made = np.random.default_rng(seed).standard_normal((count, DIM), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def filled(count: int, seed: int) -> tuple[Vectors, npt.NDArray[np.float32]]:
    vectors, made = Vectors(DIM), units(count, seed)
    slots = np.random.default_rng(seed).permutation(count)
    for part in np.array_split(slots, 3):
        vectors.put(part, made[part], part)
    return vectors, made


@pytest.mark.req("X-12")
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 2**32), st.floats(0, 1), st.integers(1, 60))
def test_the_nearest_are_those_of_an_exact_comparison(
    count: int, seed: int, share: float, most: int
) -> None:
    vectors, made = filled(count, seed)
    query = units(1, seed + 1)[0]
    mask = np.random.default_rng(seed).random(count) < share
    slots, cosines = vectors.nearest(query, mask, most)
    passing = np.flatnonzero(mask)
    assert len(slots) == min(most, len(passing)) and set(slots) <= set(passing)
    true = made[slots] @ query
    assert np.abs(cosines - true).max(initial=0) < 5e-4
    assert (np.diff(cosines) <= 0).all()
    best = np.sort(made[passing] @ query)[::-1][: len(slots)]
    # Bytes are rough: a neighbour may be passed over for one that is as near but for their error.
    assert (np.abs(np.sort(true)[::-1] - best) < 5e-3).all()


def test_a_slot_without_a_vector_is_never_found() -> None:
    vectors = Vectors(DIM)
    made = units(10, 1)
    vectors.put(np.array([2000, 3]), made[:2], np.array([7, -8]))
    slots, _ = vectors.nearest(made[0], np.ones(5000, dtype=np.bool_), 10)
    assert slots.tolist() == [2000, 3]
    assert vectors.has(np.array([0, 3, 2000, 9999])).tolist() == [False, True, True, False]
    assert (vectors.stamp(3), vectors.stamp(4), vectors.stamp(9999)) == (-8, None, None)
    assert len(vectors) == 2
    empty, none = Vectors(DIM).nearest(made[0], np.ones(3, dtype=np.bool_), 10)
    assert len(empty) == len(none) == 0
    vectors.put(np.zeros(0, dtype=np.int64), made[:0], np.zeros(0, dtype=np.int64))


def test_sums_of_bytes_are_exact_whatever_instructions_there_are() -> None:
    draw = np.random.default_rng(3)
    rows = draw.integers(-127, 128, (500, 384)).astype(np.int8)
    query = draw.integers(-127, 128, (1, 384)).astype(np.int8)
    true = (query.astype(np.int64) @ rows.astype(np.int64).T)[0]
    there = [name for name, has in numkong.get_capabilities().items() if has and name != "serial"]
    switched: list[str] = []
    try:
        for name in [None, *there]:
            if name is not None:
                numkong.disable_capability(name)
                switched.append(name)
            assert (np.asarray(numkong.cdist(query, rows, metric="dot"))[0] == true).all()
    finally:
        for name in switched:
            numkong.enable_capability(name)


def test_a_vector_takes_what_is_said() -> None:
    assert bytes_per_vector(384) * 100_000 < 117e6
