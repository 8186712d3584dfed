"""A deterministic encoder for tests: hashed bags of words. No setting can name it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from nextstep.processors.io.encoder import Vectors
from nextstep.settings import Settings

_WORD = re.compile(r"\w+")


class BagOfWords:
    """Unit vectors of 384 dimensions; texts that share words are near."""

    model_name = "all-MiniLM-L6-v2"
    model_sha256 = "test-bag-of-words"
    dim = 384

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def passages(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        return np.stack([bag(text) for text in texts]) if texts else np.zeros((0, 384), np.float32)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self.passages(texts)


def bag(text: str) -> Vectors:
    """Return the unit vector of a text's words; an empty text has the first axis."""
    vector = np.zeros(384, dtype=np.float32)
    for word in _WORD.findall(text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % 384] += 1
    if not vector.any():
        vector[0] = 1
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def load_bag_of_words(_: Settings) -> BagOfWords:
    """The `setup` of an embed stage under test."""
    return BagOfWords()


async def encode_queries(texts: list[str]) -> Vectors:
    """The `encode` of an application under test."""
    return BagOfWords().queries(texts)
