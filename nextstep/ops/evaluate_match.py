"""
Measure the match on probes: two posts that differ in one thing, one of which must come first.

A file has one JSON object per line: `kind` (location, recency, skills, seniority, partial), a
`profile` as POST /v1/match takes it, the posts `better` and `worse`, and the `reason` that makes
the label true by construction. Posts are read as the line reads them (sections, extraction), and
ranked by what an answer is ranked by; only retrieval takes no part, as both posts are candidates.

Source: issue 6 item 6, decisions.md 31.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from nextstep.errors import FileError
from nextstep.match.profile import convert_profile
from nextstep.match.ranking import Candidate, rank
from nextstep.match.reading import Lexicon, compared_skills, read_profile
from nextstep.processors.shared.extraction import ExtractIn, Extraction, Kit, extract
from nextstep.processors.shared.sections import find_sections
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Weights

#: The probes of a checkout; they are test material and in no package.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "match" / "probes.jsonl"

#: The day from which recency counts in all probes.
AS_OF = date(2026, 11, 1)

#: Sentences that say nothing of the work: adding one to a profile must move little.
IRRELEVANT = (
    "I have two cats and like long walks by the sea.",
    "On Sundays I bake bread for the whole street.",
    "My favourite season is autumn.",
)

Encode = Callable[[list[str]], Any]


class Post(msgspec.Struct, frozen=True):
    """One advertisement as its source had it."""

    title: str
    text: str
    location: str = ""
    company: str = ""
    salary: str = ""
    employment_type: str = ""
    posted_on: date | None = AS_OF


class Probe(msgspec.Struct, frozen=True):
    """A profile and two posts, of which `better` must come first."""

    id: int
    kind: str
    profile: dict[str, Any]
    better: Post
    worse: Post
    reason: str


class Score(msgspec.Struct, frozen=True):
    """How many probes of a kind came out right."""

    kind: str
    probes: int
    right: int

    @property
    def share(self) -> float:
        """Right ones of all."""
        return self.right / self.probes if self.probes else 0.0


class Judged(msgspec.Struct, frozen=True):
    """A probe with the scores of both posts, in 1/10,000, and their parts."""

    probe: Probe
    better: int
    worse: int
    parts: tuple[dict[str, int], dict[str, int]]

    @property
    def is_right(self) -> bool:
        """Whether the better post has the higher score: an equal one is not enough."""
        return self.better > self.worse


def read_probes(path: Path) -> list[Probe]:
    """Return the probes of a file; raises FileError with the line that is none."""
    probes = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise FileError(f"cannot read the probes {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            probes.append(msgspec.json.decode(line, type=Probe))
        except msgspec.DecodeError as error:
            raise FileError(f"{path}, line {number}: {error}") from error
    return probes


def judge_probes(
    probes: Sequence[Probe], encode: Encode, lexicon: Lexicon, kit: Kit, weights: Weights
) -> list[Judged]:
    """
    Rank both posts of every probe.

    Args:
        encode: texts -> unit vectors, shape (len(texts), dim).
    """
    readings = [read_profile(convert_profile(probe.profile), lexicon) for probe in probes]
    posts = [post for probe in probes for post in (probe.better, probe.worse)]
    read = [read_post(post, kit) for post in posts]
    queries = encode([reading.query_text for reading in readings])
    passages = encode([text for _, text in read])
    judged = []
    for number, (probe, reading) in enumerate(zip(probes, readings, strict=True)):
        # The worse post has the lower id, so that a tie is never taken for the right order.
        sides = [
            candidate(post, found, UUID(int=2 - side), float(queries[number] @ vector))
            for side, (post, (found, _), vector) in enumerate(
                zip(
                    (probe.better, probe.worse),
                    read[2 * number : 2 * number + 2],
                    passages[2 * number : 2 * number + 2],
                    strict=True,
                )
            )
        ]
        sides = [
            msgspec.structs.replace(
                one, skills=compared_skills(one.skills, reading.wanted, lexicon)
            )
            for one in sides
        ]
        by_id = {r.candidate.job_id: r for r in rank(reading.wanted, sides, weights, AS_OF)}
        better, worse = (by_id[one.job_id] for one in sides)
        judged.append(Judged(probe, better.score, worse.score, (better.parts, worse.parts)))
    return judged


def scores(judged: Iterable[Judged]) -> list[Score]:
    """Return the score of each kind, in order of its name."""
    kinds: dict[str, list[bool]] = {}
    for one in judged:
        kinds.setdefault(one.probe.kind, []).append(one.is_right)
    return [Score(kind, len(right), sum(right)) for kind, right in sorted(kinds.items())]


def read_post(post: Post, kit: Kit) -> tuple[Extraction, str]:
    """Return what extraction finds in a post, and the text that stands for it."""
    text = clean_text("", post.text).text
    job = ExtractIn(
        id=0,
        title=post.title,
        location=post.location,
        salary=post.salary,
        employment_type=post.employment_type,
        description_clean=text,
        sections=msgspec.to_builtins(find_sections(text)),
        company=post.company,
    )
    return extract(job, kit), f"{post.title}. {' '.join(text.split())[:1000]}"


def candidate(post: Post, found: Extraction, number: UUID, similarity: float) -> Candidate:
    """Return a post as the ranking sees it."""
    return Candidate(
        canonical_job_id=number,
        job_id=number,
        title=post.title,
        employer=post.company,
        posted_on=post.posted_on,
        date_precision="day" if post.posted_on else "none",
        title_norm=found.title_norm or "",
        title_cluster=found.title_cluster or "",
        city=found.location.city or "",
        country=found.location.country or "",
        work_mode=found.work_mode or "",
        seniority=found.seniority or "",
        employment_type=found.employment_type or "",
        salary_min=found.salary.min,
        salary_max=found.salary.max,
        salary_currency=found.salary.currency or "",
        salary_period=found.salary.period or "",
        skills=tuple(dict.fromkeys(one.name for one in (*found.skills, *found.tools))),
        similarity=similarity,
    )


def displacement(
    profiles: Sequence[dict[str, Any]],
    posts: Sequence[Post],
    encode: Encode,
    lexicon: Lexicon,
    kit: Kit,
) -> int:
    """Return by how many places an irrelevant sentence moves one of the first ten at most."""
    read = [read_post(post, kit) for post in posts]
    passages = np.asarray(encode([text for _, text in read]))
    most = 0
    for profile in profiles:
        orders = []
        for more in ("", *IRRELEVANT):
            text = f"{profile.get('text', '')} {more}".strip()
            reading = read_profile(convert_profile({**profile, "text": text}), lexicon)
            cosines = passages @ np.asarray(encode([reading.query_text])[0])
            found = [
                candidate(post, extraction, UUID(int=number), float(cosine))
                for number, (post, (extraction, _), cosine) in enumerate(
                    zip(posts, read, cosines, strict=True)
                )
            ]
            ranked = rank(reading.wanted, found, Weights(), AS_OF)
            orders.append([one.candidate.job_id.int for one in ranked])
        for order in orders[1:]:
            moved = (abs(order.index(n) - place) for place, n in enumerate(orders[0][:_TOP]))
            most = max(most, *moved)
    return most


_TOP = 10
