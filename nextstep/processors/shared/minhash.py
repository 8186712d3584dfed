"""
MinHash signatures and their band hashes.

Signatures are datasketch's, with permutations made once per process and xxhash as the hash
function (23 times its plain loop). Band hashes are our own: 64-bit numbers that are the same in
every process and on every machine. Both hold only within one scheme.

Source: N-33, measured.md section 2.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import msgspec
import xxhash

from nextstep.processors.shared.dedupe_rules import Rules

#: Words per shingle.
SHINGLE = 3

#: Bytes of one signature value.
_VALUE_BYTES = 4


class Sketcher(msgspec.Struct, frozen=True):
    """What signing needs, made once per process by `make_sketcher`."""

    empty: Any  # a datasketch MinHash; datasketch imports scipy, so workers only load it
    scheme: str


def make_sketcher(rules: Rules) -> Sketcher:
    """Return the means to sign texts under these rules."""
    # Imported here: datasketch loads scipy (0.9 s), which commands that sign nothing must not pay.
    from datasketch import MinHash  # noqa: PLC0415

    empty = MinHash(
        num_perm=rules.permutations, seed=1, scheme="affine32", hashfunc=xxhash.xxh32_intdigest
    )
    return Sketcher(empty, scheme_name(rules))


def scheme_name(rules: Rules) -> str:
    """Return the name under which signatures and bands of these rules agree."""
    return f"affine32-s1-xxh32-w{SHINGLE}-p{rules.permutations}-b{rules.bands}"


def sign(sketcher: Sketcher, words: list[str]) -> bytes:
    """Return the signature of a text's shingles: little-endian uint32 values; b"" for none."""
    shingles = _shingles(words)
    if not shingles:
        return b""
    sketch = copy(sketcher.empty)  # a new one would look through the permutations again
    sketch.clear()
    sketch.update_batch(shingles)
    signature: bytes = sketch.hashvalues.astype("<u4").tobytes()
    return signature


def _shingles(words: list[str]) -> set[bytes]:
    # Encoded once and joined without a step of the interpreter per shingle: slices of the one text
    # take a third longer.
    parts = " ".join(words).encode().split(b" ")
    return set(map(b" ".join, zip(*(parts[at:] for at in range(SHINGLE)), strict=False)))


def band_hashes(signature: bytes, bands: int) -> list[int]:
    """Return one signed 64-bit number per band; [] for an empty signature."""
    if not signature:
        return []
    width = len(signature) // bands
    return [
        int.from_bytes(
            xxhash.xxh64_digest(signature[at : at + width], seed=at // width), "big", signed=True
        )
        for at in range(0, width * bands, width)
    ]


def agreement(pairs: list[tuple[bytes, bytes]]) -> list[float]:
    """Return the estimated Jaccard similarity of each pair of signatures; 0 where one is empty."""
    import numpy  # noqa: PLC0415  (keeps the command line's start short)

    full = [index for index, (a, b) in enumerate(pairs) if a and b]
    estimates = [0.0] * len(pairs)
    if not full:
        return estimates
    left = numpy.frombuffer(b"".join(pairs[i][0] for i in full), dtype="<u4")
    right = numpy.frombuffer(b"".join(pairs[i][1] for i in full), dtype="<u4")
    width = len(pairs[full[0]][0]) // _VALUE_BYTES
    shares = (left == right).reshape(len(full), width).mean(axis=1)
    for index, share in zip(full, shares.tolist(), strict=True):
        estimates[index] = share
    return estimates
