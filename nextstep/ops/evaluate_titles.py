"""
Measure how well titles find their like: mean average precision over a set of labelled queries.

A file has one JSON object per line. `{"query": TITLE, "like": [TITLE, ...]}` is a query and the
titles that mean the same work; `{"title": TITLE}` is one that no query asks for. Each query is
asked against all other titles of the file.

Source: issue 6, "title similarity".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from nextstep.errors import FileError

#: The labelled set of a checkout; it is test material and in no package.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "match" / "like_titles.jsonl"

#: Texts -> unit vectors, shape (len(texts), dim).
Encode = Callable[[list[str]], Any]
Scores = npt.NDArray[np.float64]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a file: a query with its like, or a title alone."""

    query: str = ""
    like: list[str] = []
    title: str = ""


class TitleSet(msgspec.Struct, frozen=True):
    """
    Titles, and which of them are like which.

    Attributes:
        titles: every title once, sorted.
        queries: place of a query in `titles` -> places of its like.
    """

    titles: list[str]
    queries: dict[int, list[int]]


class Score(msgspec.Struct, frozen=True):
    """Mean average precision of one way to compare titles, and each query's."""

    way: str
    mean: float
    by_query: dict[str, float]


def read_titles(path: Path) -> TitleSet:
    """Return a labelled set; raises FileError with the line that is none."""
    try:
        written = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise FileError(f"cannot read the titles {path}: {error.strerror}") from error
    lines = []
    for number, text in enumerate(written, 1):
        try:
            line = msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError as error:
            raise FileError(f"{path}, line {number}: {error}") from error
        if bool(line.query) == bool(line.title) or bool(line.query) != bool(line.like):
            raise FileError(
                f"{path}, line {number}: neither a query with its like nor a title",
                hint='{"query": "Cook", "like": ["Chef"]} or {"title": "Baker"}',
            )
        lines.append(line)
    titles = sorted({t for line in lines for t in (line.query or line.title, *line.like)})
    places = {title: place for place, title in enumerate(titles)}
    queries = {
        places[line.query]: sorted({places[t] for t in line.like} - {places[line.query]})
        for line in lines
        if line.query
    }
    if not queries:
        raise FileError(f"{path}: no line has a query")
    return TitleSet(titles, queries)


def judge_titles(
    labelled: TitleSet, normalize: Callable[[str], str], encode: Encode
) -> list[Score]:
    """Return the scores of titles as written, of `title_norm`, and of both cosines together."""
    written = np.asarray(encode(labelled.titles), dtype=np.float64)
    normed = np.asarray(encode([normalize(t) for t in labelled.titles]), dtype=np.float64)
    ways = {
        "as written": [written],
        "title_norm": [normed],
        "both": [written, normed],
    }
    return [_score(way, labelled, vectors) for way, vectors in ways.items()]


def average_precision(scores: Scores, like: Sequence[int]) -> float:
    """
    Return the mean of the precisions at each title that is like.

    Titles of one score come all at once: each has the precision at the end of its group, so that
    the order within a group can neither help nor hurt.
    """
    # Rounded: equal texts may differ in the last bits of their products.
    rounded = scores.round(6)
    wanted = rounded[list(like)]
    ahead = np.searchsorted(np.sort(-rounded), -wanted, side="right")
    found = np.searchsorted(np.sort(-wanted), -wanted, side="right")
    return float((found / ahead).mean())


def _score(way: str, labelled: TitleSet, vectors: Sequence[Scores]) -> Score:
    by_query = {}
    for query, like in labelled.queries.items():
        cosines = np.sum([matrix @ matrix[query] for matrix in vectors], axis=0)
        cosines[query] = -len(vectors)  # it does not find itself
        by_query[labelled.titles[query]] = average_precision(cosines, like)
    return Score(way, float(np.mean(list(by_query.values()))), by_query)
