"""Identity: which stream a post belongs to, and one spelling per address."""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.events.identity import (
    NAMESPACE,
    job_identity,
    named_uuid,
    normalize_url,
    pair_stream,
    source_stream,
)

POST = {
    "source": "board",
    "source_job_id": "17",
    "url": "https://x.example/jobs/17",
    "title": "Nurse",
    "company": "Ward",
    "location": "Leeds",
    "text": "Care for people.",
}


def without(*names: str) -> dict[str, str]:
    return {key: value for key, value in POST.items() if key not in names}


def test_ids_are_uuid5_of_one_namespace_that_never_changes() -> None:
    assert str(NAMESPACE) == "f9692a9a-0a19-44e8-802b-f3368f6ca045"
    assert named_uuid("a", "b") == uuid5(NAMESPACE, '["a","b"]')
    assert str(job_identity(POST)[0]) == "bc638564-ae9b-5b2c-93f4-5830fe75dc51"


def test_lists_of_parts_that_join_to_the_same_text_are_different_ids() -> None:
    assert named_uuid("ab", "c") != named_uuid("a", "bc")


@pytest.mark.req("N-83", "J-156")
def test_the_rule_is_the_sources_id_then_the_address_then_the_content() -> None:
    assert job_identity(POST)[1] == "source_job_id"
    assert job_identity(without("source_job_id"))[1] == "url"
    assert job_identity(without("source_job_id", "url"))[1] == "content"
    rules = {job_identity(p)[0] for p in (POST, without("source_job_id"), without("url"))}
    assert len(rules) == 2


@pytest.mark.req("J-150", "J-156")
def test_an_id_keeps_its_stream_when_everything_else_is_edited() -> None:
    edited = POST | {"title": "Senior Nurse", "url": "https://y.example", "text": "Other."}
    assert job_identity(edited) == job_identity(POST)


def test_the_same_id_at_two_sources_is_two_posts() -> None:
    assert job_identity(POST)[0] != job_identity(POST | {"source": "other"})[0]


def test_tracking_makes_no_new_post() -> None:
    post = without("source_job_id")
    tracked = post | {"url": "HTTPS://X.example:443/jobs/17/?utm_source=feed&refId=9#apply"}
    assert job_identity(tracked) == job_identity(post)


@pytest.mark.parametrize("url", ["https://careers.example/", "https://careers.example", "/jobs/17"])
def test_an_address_that_many_posts_share_is_no_identity(url: str) -> None:
    post = without("source_job_id") | {"url": url}
    assert job_identity(post)[1] == "content"
    assert job_identity(post)[0] != job_identity(post | {"title": "Porter"})[0]


def test_content_identity_sees_past_line_ends_and_unicode_forms() -> None:
    post = {"source": "a", "title": "Café", "text": "one  two\r\nthree"}
    same = {"source": "a", "title": "Cafe\u0301", "text": "one two three"}
    assert job_identity(post) == job_identity(same)
    assert job_identity(post)[0] != job_identity(post | {"text": "one two four"})[0]


@given(st.uuids(), st.uuids())
def test_a_pair_has_one_stream_in_both_orders(a: UUID, b: UUID) -> None:
    assert pair_stream(a, b) == pair_stream(b, a)


def test_streams_of_sources_and_jobs_do_not_meet() -> None:
    assert source_stream("board") == source_stream("board")
    assert source_stream("board") != source_stream("Board")


@pytest.mark.req("J-21", "J-151")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.COM:80/Jobs/1/", "http://example.com/Jobs/1"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("https://example.com//a///b/", "https://example.com/a/b"),
        ("https://example.com/a#top", "https://example.com/a"),
        ("https://example.com/careers#/job/12/", "https://example.com/careers#/job/12"),
        ("https://user:secret@example.com/a", "https://example.com/a"),
        ("https://example.com./a", "https://example.com/a"),
        ("www.example.com/a", "https://www.example.com/a"),
        ("//example.com/a", "https://example.com/a"),
        ("  https://example.com/a\n", "https://example.com/a"),
        ("https://example.com/caf%c3%a9/%7Ea", "https://example.com/caf%C3%A9/~a"),
        ("https://example.com/café", "https://example.com/caf%C3%A9"),
        ("https://boards.greenhouse.io/x?gh_jid=4&gh_src=z", "https://boards.greenhouse.io/x?gh_jid=4"),
        ("https://indeed.com/viewjob?tk=1&JK=Ab1&from=serp", "https://indeed.com/viewjob?jk=Ab1"),
        (
            "https://www.linkedin.com/jobs/search?currentJobId=12&position=3&pageNum=0",
            "https://www.linkedin.com/jobs/search?currentjobid=12",
        ),
        (
            "https://www.glassdoor.com/partner/jobListing.htm?pos=1&ao=8095&jobListingId=33&cb=1",
            "https://www.glassdoor.com/partner/jobListing.htm?joblistingid=33",
        ),
        ("https://www.glassdoor.com/partner/x.htm?pos=1&ao=8095", "https://www.glassdoor.com/partner/x.htm?ao=8095"),
        ("https://example.com/j?id=2&vacancy=1", "https://example.com/j?id=2&vacancy=1"),
        ("https://example.com/j?vacancy=1&id=2&amp;utm=3", "https://example.com/j?id=2&vacancy=1"),
        ("https://example.com/j?id=&q=nurse", "https://example.com/j"),
        ("https://example.com", "https://example.com"),
        ("https://[::1]:443/a", "https://[::1]/a"),
        ("mailto:jobs@example.com", "mailto:jobs@example.com"),
        ("https://[broken/a", "https://[broken/a"),
        ("https://example.com:port/a", "https://example.com:port/a"),
        ("", ""),
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(url: str, expected: str) -> None:
    assert normalize_url(url) == expected


@given(st.text(max_size=60))
def test_normalizing_twice_is_normalizing_once(tail: str) -> None:
    once = normalize_url(f"https://example.com/{tail}")
    assert normalize_url(once) == once
    assert normalize_url(normalize_url(tail)) == normalize_url(tail)


def test_identity_reads_json_names_it_never_wrote() -> None:
    # The name that is hashed is plain JSON: another program can make the same id.
    assert msgspec.json.encode(["source", "böard"]) == '["source","böard"]'.encode()
