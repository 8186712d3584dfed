"""Matching against a real database: who is found, who stays out, and always the same answer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from nextstep.match.answer import Answer
from nextstep.match.cursor import StaleCursor
from nextstep.match.io import retrieve
from nextstep.match.io.service import JobUnknown, NoVector, find_similar, match
from nextstep.match.profile import ProfileRefused, convert_profile
from nextstep.match.reading import Lexicon, make_lexicon, read_profile
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.encoder import bag
from tests.match_data import Job, fill, job_id

PROFILE = {"skills": ["Python", "SQL"], "titles": ["Data Engineer"]}


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return make_lexicon(load_taxonomies())


@pytest.fixture
def ask(connection: Any, settings: Settings, lexicon: Lexicon) -> Any:
    async def _ask(**profile: Any) -> Answer:
        reading = read_profile(convert_profile({**PROFILE, **profile}), lexicon)
        vector = bag(reading.query_text)
        answer, _ = await match(connection, reading, vector, lexicon=lexicon, settings=settings)
        return answer

    return _ask


def names(answer: Answer, jobs: list[Job]) -> list[str]:
    by_id = {job.id: job.name for job in jobs}
    return [by_id[result.job_id] for result in answer.results]


@pytest.mark.req("D-10", "N-51")
async def test_the_nearer_job_comes_first_with_parts_and_evidence(
    connection: Any, ask: Any
) -> None:
    near = Job(name="near", skills=("Data Modeling",), text="Python and SQL and Data Modeling.")
    far = Job(name="far", title="Nurse", title_norm="Nurse", text="Care.", tools=())
    head = await fill(connection, [far, near])
    answer = await ask()
    assert names(answer, [near, far]) == ["near", "far"]
    first = answer.results[0]
    assert first.score == pytest.approx(sum(first.parts.values()), abs=1e-9)
    for part, value in first.parts.items():
        assert value == pytest.approx(answer.weights[part] * first.features[part], abs=6e-5)
    assert [skill.name for skill in first.matched_skills] == ["Python", "SQL"]
    for skill in first.matched_skills:
        assert near.text[skill.start : skill.end] == skill.snippet
    assert first.missing_skills == ["Data Modeling"]
    assert answer.head == head
    assert answer.as_of is not None and answer.as_of.isoformat() == "2026-01-31T00:00:00+00:00"
    assert set(answer.versions) == {
        "clean", "dedupe", "extract", "embed:all-MiniLM-L6-v2", "ranking",
    }  # fmt: skip


@pytest.mark.req("X-12")
@pytest.mark.parametrize("exact_below", [10_000, 0])
async def test_a_filter_that_few_jobs_pass_still_gives_all_of_them(
    connection: Any, ask: Any, monkeypatch: pytest.MonkeyPatch, exact_below: int
) -> None:
    # 10 of 1000 jobs, none of them among the 200 nearest.
    monkeypatch.setattr(retrieve, "EXACT_BELOW", exact_below)
    near = [Job(name=f"n{i}", city="Berlin", country="DE") for i in range(990)]
    far = [
        Job(name=f"f{i}", title="Nurse", title_norm="Nurse", text=f"Care {i}.", tools=(),
            city="Paris", country="FR")
        for i in range(10)
    ]  # fmt: skip
    await fill(connection, [*near, *far])
    if exact_below == 0:
        await connection.execute(
            "CREATE INDEX ON job_embeddings USING hnsw ((embedding::vector(384)) vector_cosine_ops)"
            " WHERE model_name = 'all-MiniLM-L6-v2' AND recipe = 'title-body-1000@128'"
        )
        await connection.execute("ANALYZE")
    answer = await ask(filters={"country": ["FR"]}, limit=10)
    assert {result.country for result in answer.results} == {"FR"}
    assert len(answer.results) == 10
    assert answer.facets["country"] == {"FR": 10}


@pytest.mark.req("S-14")
async def test_the_index_finds_what_the_exact_scan_finds(
    connection: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["python", "sql", "nurse", "driver", "cook", "kafka", "spark", "sales", "bank", "java"]
    jobs = [
        Job(name=f"j{i}", title=f"{words[i % 10]} {words[i // 10 % 10]}", title_norm=f"t{i}",
            text=" ".join(words[(i * k) % 10] for k in range(1, 9)), tools=())
        for i in range(900)
    ]  # fmt: skip
    await fill(connection, jobs)
    await connection.execute(
        "CREATE INDEX ON job_embeddings USING hnsw ((embedding::vector(384)) vector_cosine_ops)"
        " WHERE model_name = 'all-MiniLM-L6-v2' AND recipe = 'title-body-1000@128'"
    )
    await connection.execute("ANALYZE")
    exact = await ask(text="python kafka spark", skills=None, titles=None, exact=True, limit=10)
    monkeypatch.setattr(retrieve, "EXACT_BELOW", 0)
    indexed = await ask(text="python kafka spark", skills=None, titles=None, limit=10)
    floor = min(result.features["similarity"] for result in exact.results)
    good = [r for r in indexed.results if r.features["similarity"] >= floor - 1e-6]
    assert len(good) >= 9


@pytest.mark.req("X-11")
async def test_closed_clusters_stay_out_and_a_cluster_comes_once(connection: Any, ask: Any) -> None:
    jobs = [
        Job(name="gone", status="closed"),
        Job(name="first", status="closed", posted_on=date(2026, 1, 1)),
        Job(name="again", cluster="first", posted_on=date(2026, 1, 20), company="Acme Berlin"),
        Job(name="older", cluster="first", posted_on=date(2026, 1, 5)),
    ]
    await fill(connection, jobs)
    answer = await ask()
    (result,) = answer.results
    assert result.job_id == job_id("again")
    assert result.canonical_job_id == job_id("first")
    assert (result.company, result.posted_on) == ("Acme Berlin", date(2026, 1, 20))
    assert result.duplicates == 2
    assert [skill.name for skill in result.matched_skills] == ["Python", "SQL"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"country": ["Germany"]}, ["berlin", "munich"]),
        ({"country": ["DE", "fr"]}, ["berlin", "munich", "paris"]),
        ({"city": ["München"]}, ["munich"]),
        ({"city": ["berlin"]}, ["berlin"]),
        ({"work_mode": ["remote", "hybrid"]}, ["paris"]),
        ({"seniority": ["senior"]}, ["munich"]),
        ({"employment_type": ["Full-time"]}, ["berlin"]),
        ({"posted_since": "2026-01-15"}, ["munich"]),
        ({"source": ["other"]}, ["paris"]),
        ({"exclude": ["acme"]}, ["paris"]),
        ({"exclude": [str(job_id("berlin")), str(job_id("paris"))]}, ["munich", "nowhere"]),
        ({"country": ["DE"], "work_mode": ["remote"]}, []),
        ({}, ["berlin", "munich", "nowhere", "paris"]),
    ],
)
async def test_a_filter_lets_pass_what_says_so(
    connection: Any, ask: Any, filters: dict[str, Any], found: list[str]
) -> None:
    jobs = [
        Job(name="berlin", employment_type="full_time,permanent"),
        Job(name="munich", city="Munich", seniority="senior", posted_on=date(2026, 1, 20)),
        Job(name="paris", city="Paris", country="FR", work_mode="remote", source="other",
            company="Autre", posted_on=None),
        Job(name="nowhere", city="", country=""),
    ]  # fmt: skip
    await fill(connection, jobs)
    answer = await ask(filters=filters)
    assert sorted(names(answer, jobs)) == found


async def test_jobs_without_a_vector_are_found_by_title_and_skills(
    connection: Any, ask: Any
) -> None:
    jobs = [
        Job(name="titled", title="Senior Data Engineer (m/w/d)", tools=(), vector=False),
        Job(name="odd", title="Chief Flumoxer", title_norm="flumoxer", tools=(), vector=False),
        Job(name="skilled", title="Wizard", title_norm="wizard", vector=False),
        Job(name="neither", title="Nurse", title_norm="Nurse", tools=(), vector=False),
    ]
    await fill(connection, jobs)
    answer = await ask(titles=["Data Engineer", "Flumoxr"])
    assert sorted(names(answer, jobs)) == ["odd", "skilled", "titled"]
    assert {result.parts["similarity"] for result in answer.results} == {0.0}


async def test_a_skill_that_no_taxonomy_knows_is_looked_for_in_the_text(
    connection: Any, ask: Any
) -> None:
    jobs = [
        Job(name="with", text="You bring Qwertyflux 3 and Python.", tools=("Python",)),
        Job(name="without", text="You bring Python.", tools=("Python",)),
    ]
    await fill(connection, jobs)
    answer = await ask(skills=["qwertyflux"], titles=None)
    assert names(answer, jobs)[0] == "with"
    (skill,) = answer.results[0].matched_skills
    assert (skill.name, skill.snippet) == ("qwertyflux", "Qwertyflux")
    assert jobs[0].text[skill.start : skill.end] == "Qwertyflux"
    assert answer.results[1].matched_skills == []


@pytest.mark.req("J-13")
async def test_pages_follow_one_another_until_the_head_moves(connection: Any, ask: Any) -> None:
    jobs = [Job(name=f"j{i}", posted_on=date(2026, 1, 1) + timedelta(i)) for i in range(7)]
    await fill(connection, jobs)
    whole = names(await ask(limit=100), jobs)
    shown: list[str] = []
    cursor = None
    for _ in range(3):
        page = await ask(limit=3, cursor=cursor)
        shown += names(page, jobs)
        last, cursor = cursor, page.cursor
    assert shown == whole and cursor is None
    with pytest.raises(ProfileRefused, match="another profile"):
        await ask(text="else", cursor=last)
    await connection.execute("UPDATE stage_offsets SET position = position - 1")
    with pytest.raises(StaleCursor):
        await ask(limit=3, cursor=last)


@pytest.mark.req("J-13")
async def test_the_same_request_has_the_same_answer(connection: Any, ask: Any) -> None:
    await fill(connection, [Job(name=f"j{i}") for i in range(40)])
    first = await ask(limit=40)
    assert first == await ask(limit=40)
    ids = [result.job_id.bytes for result in first.results]
    assert ids == sorted(ids)  # all alike, so the ids decide


async def test_an_empty_database_gives_an_empty_answer(ask: Any) -> None:
    answer = await ask()
    assert (answer.head, answer.as_of, answer.results, answer.cursor) == (0, None, [], None)


async def test_the_head_is_that_of_the_slowest_stage(connection: Any, ask: Any) -> None:
    await fill(connection, [Job(name="a"), Job(name="b")])
    await connection.execute("UPDATE stage_offsets SET position = 1 WHERE stage = 'extract'")
    assert (await ask()).head == 1


@pytest.mark.req("S-13")
async def test_similar_jobs_are_the_nearest_without_the_job_itself(
    connection: Any, settings: Settings
) -> None:
    jobs = [
        Job(name="a", text="python sql spark"),
        Job(name="copy", cluster="a", text="python sql spark"),
        Job(name="near", text="python sql kafka"),
        Job(name="far", title="Nurse", text="care for people"),
        Job(name="bare", vector=False),
    ]
    await fill(connection, jobs)
    answer, _ = await find_similar(connection, job_id("copy"), 2, settings)
    assert answer.canonical_job_id == job_id("a")
    assert [near.job_id for near in answer.results] == [job_id("near"), job_id("far")]
    assert answer.results[0].similarity > answer.results[1].similarity
    with pytest.raises(JobUnknown):
        await find_similar(connection, job_id("nobody"), 2, settings)
    with pytest.raises(NoVector):
        await find_similar(connection, job_id("bare"), 2, settings)


async def test_a_match_changes_nothing_and_needs_only_the_api_role(
    database: str, connection: Any, settings: Settings, lexicon: Lexicon
) -> None:
    from nextstep.db.pools import connect

    await fill(connection, [Job(name="a")])
    reader = await connect(database, "api", settings)
    try:
        reading = read_profile(convert_profile(PROFILE), lexicon)
        vector = bag(reading.query_text)
        answer, _ = await match(reader, reading, vector, lexicon=lexicon, settings=settings)
    finally:
        await reader.close()
    assert len(answer.results) == 1
