"""Matching against a real database: who is found, who stays out, and always the same answer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from nextstep.db.vector_plan import plan
from nextstep.errors import ModelError
from nextstep.match import strategy
from nextstep.match.answer import Answer
from nextstep.match.cursor import StaleCursor
from nextstep.match.io import retrieve
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.fitting import require_fitting
from nextstep.match.io.search import search
from nextstep.match.io.service import JobUnknown, NoVector, find_similar, held_vectors, match
from nextstep.match.profile import ProfileRefused, convert_profile
from nextstep.match.reading import Lexicon, make_lexicon, read_profile
from nextstep.match.search import read_search
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.encoder import bag
from tests.match_data import MODEL, RECIPE, Job, fill, job_id

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


async def build_index(connection: Any, version: str = "0.8.0") -> None:
    index = plan(version, 1000, MODEL, 384, RECIPE)
    await connection.execute(index.statement())
    await connection.execute("ANALYZE")


def varied(count: int) -> list[Job]:
    words = ["python", "sql", "nurse", "driver", "cook", "kafka", "spark", "sales", "bank", "java"]
    return [
        Job(name=f"j{i}", title=f"{words[i % 10]} {words[i // 10 % 10]}", title_norm=f"t{i}",
            text=" ".join(words[(i * k) % 10] for k in range(1, 9)), tools=())
        for i in range(count)
    ]  # fmt: skip


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
@pytest.mark.parametrize("by_index", [False, True])
async def test_a_filter_that_few_jobs_pass_still_gives_all_of_them(
    connection: Any, ask: Any, monkeypatch: pytest.MonkeyPatch, by_index: bool
) -> None:
    # 10 of 1000 jobs, none of them among the 200 nearest.
    near = [Job(name=f"n{i}", city="Berlin", country="DE") for i in range(990)]
    far = [
        Job(name=f"f{i}", title="Nurse", title_norm="Nurse", text=f"Care {i}.", tools=(),
            city="Paris", country="FR")
        for i in range(10)
    ]  # fmt: skip
    await fill(connection, [*near, *far])
    if by_index:
        monkeypatch.setattr(strategy, "WALK_MS", 0.0)
        await build_index(connection)
    answer = await ask(filters={"country": ["FR"]}, limit=10)
    # 990 equal vectors: a walk may never get away from them, and must then be given up.
    assert ("from the index" in answer.retrieval.why) == by_index
    assert by_index or answer.retrieval.method == "subset"
    assert (answer.retrieval.open, answer.retrieval.passing) == (1000, 10)
    assert {result.country for result in answer.results} == {"FR"}
    assert len(answer.results) == 10
    assert answer.facets["country"] == {"FR": 10}


@pytest.mark.req("S-14")
async def test_the_index_finds_what_the_exact_scan_finds(
    connection: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection, varied(900))
    await build_index(connection)
    exact = await ask(text="python kafka spark", skills=None, titles=None, exact=True, limit=10)
    monkeypatch.setattr(strategy, "WALK_MS", 0.0)
    indexed = await ask(text="python kafka spark", skills=None, titles=None, limit=10)
    assert (exact.retrieval.method, indexed.retrieval.method) == ("all", "index")
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
        ({"salary_min": {"amount": 5000, "currency": "eur", "period": "month"}}, ["munich"]),
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
        Job(name="munich", city="Munich", seniority="senior", posted_on=date(2026, 1, 20),
            salary=(60e3, 70e3, "EUR", "year")),
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


@pytest.mark.req("X-12")
@pytest.mark.parametrize("version", ["0.8.0", "0.5.0", "0.4.4"])
async def test_every_kind_of_index_is_found_and_named(
    connection: Any, ask: Any, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(strategy, "WALK_MS", 0.0)
    await fill(connection, varied(900))
    await build_index(connection, version)
    answer = await ask(limit=100)
    named = {"0.8.0": "hnsw halfvec", "0.5.0": "hnsw", "0.4.4": "ivfflat"}[version]
    assert (answer.retrieval.method, answer.retrieval.index) == ("index", named)
    assert len(answer.results) == 100
    exact = await ask(limit=100, exact=True)
    assert exact.retrieval.method == "all"
    similarity = {r.job_id: r.parts["similarity"] for r in exact.results}
    assert all(similarity.get(r.job_id, r.parts["similarity"]) == r.parts["similarity"]
               for r in answer.results)  # fmt: skip


async def test_a_board_follows_the_line(
    connection: Any, ask: Any, settings: Settings, lexicon: Lexicon
) -> None:
    live = LiveBoard(lexicon.soft)
    reading = read_profile(convert_profile(PROFILE), lexicon)

    async def found() -> set[str]:
        answer, _ = await match(
            connection, reading, bag(reading.query_text), lexicon=lexicon, settings=settings,
            board=live,
        )  # fmt: skip
        fresh = await ask()
        assert answer.results == fresh.results and answer.facets == fresh.facets
        return set(names(answer, jobs))

    jobs = [Job(name="a"), Job(name="b", city="Munich"), *(Job(name=f"x{i}") for i in range(9))]
    await fill(connection, jobs[:2])
    assert await found() == {"a", "b"}
    head = await fill(connection, jobs[2:])
    await connection.execute(
        "UPDATE job_dedupe_map SET position = $1 WHERE job_id = ANY($2)",
        head, [job.id for job in jobs[2:]],
    )  # fmt: skip
    assert await found() == {job.name for job in jobs}
    await move(connection, "UPDATE job_entities SET city = 'Paris' WHERE job_id = $1", "a")
    assert "a" in await found()
    await move(connection, "UPDATE job_clusters SET status = 'closed',"
               " latest_open_job_id = NULL WHERE canonical_job_id = $1", "b")  # fmt: skip
    assert "b" not in await found()
    await connection.execute("DELETE FROM job_clusters WHERE canonical_job_id = $1", job_id("a"))
    await connection.execute("UPDATE stage_offsets SET epoch = epoch + 1")  # as a swap does
    assert await found() == {job.name for job in jobs[2:]}


@pytest.mark.req("X-12")
async def test_vectors_in_memory_are_those_of_the_database(
    connection: Any, settings: Settings, lexicon: Lexicon
) -> None:
    jobs = varied(700)
    await fill(connection, jobs[:600])
    reading = read_profile(
        convert_profile({"text": "python kafka spark", "filters": {"country": ["DE"]}}), lexicon
    )

    async def both(board: LiveBoard) -> tuple[Answer, Answer]:
        given = [
            await match(
                connection, reading, bag(reading.query_text), lexicon=lexicon, settings=settings,
                board=one,
            )
            for one in (board, LiveBoard(lexicon.soft))
        ]  # fmt: skip
        return given[0][0], given[1][0]

    async def same(board: LiveBoard) -> Answer:
        held, read = await both(board)
        assert (held.retrieval.method, held.retrieval.passing) == ("memory", read.retrieval.passing)
        assert held.retrieval.index == "none" and "in memory" in held.retrieval.why
        for mine, theirs in zip(held.results, read.results, strict=True):
            assert mine.features["similarity"] == pytest.approx(
                theirs.features["similarity"], abs=2e-4
            )
        return held

    live = LiveBoard(lexicon.soft, held_vectors(settings))
    first = await same(live)
    # Later posts, a text that changed, and a vector that went away.
    head = await fill(connection, jobs[600:])
    await connection.execute(
        "UPDATE job_dedupe_map SET position = $1 WHERE job_id = ANY($2)",
        head, [job.id for job in jobs[600:]],
    )  # fmt: skip
    assert (await same(live)).retrieval.open == 700
    best, other = (result.job_id for result in first.results[:2])
    await connection.execute(
        "UPDATE job_embeddings SET text_hash = 'other', embedding = $2 WHERE job_id = $1",
        best, -bag(reading.query_text),
    )  # fmt: skip
    await connection.execute("DELETE FROM job_embeddings WHERE job_id = $1", other)
    await connection.execute(
        "UPDATE job_dedupe_map SET position = $2 WHERE job_id = ANY($1)", [best, other], head + 1
    )
    # The encoder's stage has passed them last, as it does: the other stages had been there.
    await connection.execute(
        "UPDATE stage_offsets SET position = $1 WHERE stage NOT LIKE 'embed:%'", head + 1
    )
    await both(live)
    await connection.execute("UPDATE stage_offsets SET position = $1", head + 1)
    after = await same(live)
    assert not {best, other} & {result.job_id for result in after.results[:5]}


@pytest.mark.parametrize("in_memory", [False, True])
async def test_a_job_that_changes_during_a_match_is_left_out_of_it(
    connection: Any, settings: Settings, lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch,
    in_memory: bool,
) -> None:  # fmt: skip
    await fill(connection, varied(30))
    reading = read_profile(convert_profile({"text": "python kafka spark"}), lexicon)
    live = LiveBoard(lexicon.soft, held_vectors(settings) if in_memory else None)

    async def ids() -> list[Any]:
        answer, _ = await match(
            connection, reading, bag(reading.query_text), lexicon=lexicon, settings=settings,
            board=live,
        )  # fmt: skip
        assert (answer.retrieval.method == "memory") == in_memory
        return [result.job_id for result in answer.results]

    first = await ids()
    board, best = live._board, first[0]
    if in_memory:
        assert board.vectors is not None
        look = board.vectors.nearest
        monkeypatch.setattr(
            board.vectors, "nearest", lambda *asked: (look(*asked), board.renew(best))[0]
        )
    else:
        ask = retrieve._similarities

        async def meanwhile(*asked: Any) -> Any:
            board.renew(best)
            return await ask(*asked)

        monkeypatch.setattr(retrieve, "_similarities", meanwhile)
    during = await ids()
    assert best not in during and set(first[1:10]) <= set(during)


@pytest.mark.req("X-12")
async def test_vectors_without_room_stay_in_the_database(
    connection: Any, settings: Settings, lexicon: Lexicon
) -> None:
    await fill(connection, varied(30))
    reading = read_profile(convert_profile(PROFILE), lexicon)
    none = msgspec.structs.replace(settings, match_vectors_mb=0)
    live = LiveBoard(lexicon.soft, held_vectors(none))
    for _ in range(2):
        answer, _ = await match(
            connection, reading, bag(reading.query_text), lexicon=lexicon, settings=none, board=live
        )
        assert answer.retrieval.method == "all" and len(answer.results) == 20
        await connection.execute("UPDATE stage_offsets SET position = position + 1")


async def test_vectors_that_come_after_the_start_are_held_too(
    connection: Any, settings: Settings, lexicon: Lexicon
) -> None:
    live = LiveBoard(lexicon.soft, held_vectors(settings))
    reading = read_profile(convert_profile(PROFILE), lexicon)
    head = await fill(connection, varied(30))
    await connection.execute("CREATE TEMP TABLE later AS TABLE job_embeddings")
    await connection.execute("DELETE FROM job_embeddings")
    methods = []
    for _ in range(2):
        answer, _ = await match(
            connection, reading, bag(reading.query_text), lexicon=lexicon, settings=settings,
            board=live,
        )  # fmt: skip
        methods.append(answer.retrieval.method)
        await connection.execute("INSERT INTO job_embeddings TABLE later ON CONFLICT DO NOTHING")
        await connection.execute("UPDATE stage_offsets SET position = $1", head + 1)
    assert methods == ["subset", "memory"]


async def move(connection: Any, statement: str, name: str) -> None:
    """Change a job as the line does: its row in the map is stamped anew, and the offsets follow."""
    head = 1 + await connection.fetchval("SELECT max(position) FROM stage_offsets")
    await connection.execute(statement, job_id(name))
    await connection.execute(
        "UPDATE job_dedupe_map SET position = $2 WHERE job_id = $1", job_id(name), head
    )
    await connection.execute("UPDATE stage_offsets SET position = $1", head)


async def test_one_employer_takes_a_quarter_of_a_page_and_the_rest_comes_later(
    connection: Any, ask: Any
) -> None:
    many = [Job(name=f"m{i}", company="Many Ltd") for i in range(12)]
    few = [Job(name=f"f{i}", company=f"Few {i} Ltd", tools=("Python",)) for i in range(12)]
    await fill(connection, [*many, *few])
    first = await ask(limit=8)
    assert [r.company for r in first.results].count("Many Ltd") == 3
    assert [r.score for r in first.results] == sorted(
        (r.score for r in first.results), reverse=True
    )
    shown = [r.job_id for r in first.results]
    page = first
    while page.cursor:
        page = await ask(limit=8, cursor=page.cursor)
        shown += [r.job_id for r in page.results]
    assert sorted(shown) == sorted(job.id for job in (*many, *few))


async def test_a_search_finds_words_and_meanings(
    connection: Any, settings: Settings, lexicon: Lexicon
) -> None:
    jobs = [
        Job(name="titled", title="Kotlin Developer", text="Apps for phones.", tools=()),
        Job(name="skilled", title="Engineer", text="We use Kotlin.", tools=("Kotlin",)),
        Job(name="near", title="Wizard", text="kotlin kotlin", tools=()),
        Job(name="far", title="Nurse", text="Care.", tools=(), country="FR", city="Lyon"),
    ]
    await fill(connection, jobs)

    async def searched(**values: list[str]) -> Answer:
        reading = read_profile(read_search(values), lexicon)
        vector = bag(reading.query_text)
        answer, _ = await search(connection, reading, vector, lexicon=lexicon, settings=settings)
        return answer

    answer = await searched(q=["kotlin"])
    assert {*names(answer, jobs)[:2]} == {"titled", "skilled"}
    assert names(answer, jobs)[2] == "near"
    for result in answer.results:
        assert result.score == pytest.approx(sum(result.parts.values()), abs=1e-9)
        assert set(result.parts) == {"words", "similarity", "recency"}
    page = await searched(q=["kotlin"], limit=["1"])
    assert page.cursor
    second = await searched(q=["kotlin"], limit=["1"], cursor=[page.cursor])
    assert second.results[0].job_id == answer.results[1].job_id
    assert names(await searched(q=["kotlin"], country=["FR"]), jobs) == ["far"]
    with pytest.raises(ProfileRefused, match="another profile"):
        await searched(q=["java"], cursor=[page.cursor])


async def test_vectors_of_another_size_or_of_other_weights_are_refused(
    connection: Any, settings: Settings
) -> None:
    await fill(connection, [Job(name="a")])
    await require_fitting(connection, settings, 384)
    with pytest.raises(ModelError, match="384 dimensions, the encoder gives 768"):
        await require_fitting(connection, settings, 768)
    await connection.execute(
        "UPDATE stage_offsets SET version = '1 0123456789ab-title@128' WHERE stage LIKE 'embed:%'"
    )
    with pytest.raises(ModelError, match="other weights"):
        await require_fitting(connection, settings, 384)
