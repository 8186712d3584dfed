"""Cleaning of real ads of every source: what may not be left in a text, and what must be there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from nextstep.events.model import JobPost
from nextstep.processors.clean import CLEAN
from nextstep.processors.shared.normal import NormalPost, normalize_post
from nextstep.processors.shared.text import clean_text
from nextstep.settings import Settings

Ads = Callable[..., list[dict[str, str]]]
_LEFT = {
    "tags": re.compile(r"</?(?:p|br|li|ul|ol|div|span|strong|b|font|a|h[1-6])\b[^<>]*>", re.I),
    "entities": re.compile(r"&(?:amp|lt|gt|nbsp|quot|#\d+|#x[0-9a-f]+);", re.I),
    "mojibake": re.compile("â€|€[™œ¢“”]|Ã[\u00a0-\u00bf]|Â[\u00a0-\u00bf]"),
    "controls": re.compile(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ufeff\ue000-\uf8ff]"
    ),
    "tokens": re.compile("#(?:URL|EMAIL|PHONE)_"),
    "spaces": re.compile(r"[ \t\u00a0]{2}|[ \t]\n|\n\n\n"),
    "buttons": re.compile("Show more|Show less"),
}


@pytest.fixture(scope="module")
def posts(real_ads: Ads) -> list[NormalPost]:
    assert CLEAN.setup is not None
    context = CLEAN.setup(Settings())
    fields = ("title", "company", "location", "date_posted", "salary", "employment_type")
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        normalize_post(
            JobPost(
                source=ad["source"],
                identity_rule="source_job_id",
                html=ad["description_html"],
                text="" if ad["description_html"] else ad["description_text"],
                scraped_at=ad["scraped_at"],
                **{name: ad[name] for name in fields},
            ),
            context,
            seen,
        )
        for ad in real_ads(limit=800)
    ]


@pytest.mark.req("N-32")
@pytest.mark.parametrize("what", _LEFT)
def test_at_most_one_ad_in_four_hundred_keeps_damage(what: str, posts: list[NormalPost]) -> None:
    left = [post for post in posts if _LEFT[what].search(post.description_clean)]
    assert len(left) * 400 <= len(posts), [post.source for post in left]


@pytest.mark.req("N-32")
def test_titles_and_companies_are_one_line_without_tags(posts: list[NormalPost]) -> None:
    for post in posts:
        for value in (post.title, post.company, post.location_raw):
            assert len(value) <= 300
            assert not re.search(r"\n|<font|</?a\b|&amp;|[\u200b-\u200f\u202a-\u202e]", value)


def test_a_damaged_copy_of_an_ad_gives_nearly_the_same_text(real_ads: Ads) -> None:
    """UTF-8 decoded as cp1252, lost bytes and all: only signs that were thrown away differ."""
    ads = [ad for ad in real_ads("linkedin_data_roles", 300) if ad["description_html"]]
    same = 0
    for ad in ads:
        sound = clean_text(ad["description_html"]).text
        broken = ad["description_html"].encode().decode("cp1252", "replace")
        words, mended = Counter(sound.split()), Counter(clean_text(broken).text.split())
        same += (words - mended).total() <= 0.01 * words.total()
    assert same >= 0.97 * len(ads)


def test_cleaning_a_cleaned_ad_changes_nothing(posts: list[NormalPost]) -> None:
    for post in posts:
        assert clean_text("", post.description_clean).text == post.description_clean


def test_sections_and_dates_are_found_in_the_sources_that_have_them(
    posts: list[NormalPost],
) -> None:
    linkedin = [post for post in posts if post.source == "linkedin"]
    with_heads = sum(
        1
        for post in linkedin
        if {"responsibilities", "requirements"} & {part["kind"] for part in post.sections}
    )
    assert with_heads >= 0.75 * len(linkedin)
    assert {post.date_precision for post in linkedin} == {"day"}
    assert {p.date_precision for p in posts if p.source == "hn"} == {"month"}
    assert {p.date_precision for p in posts if p.source == "hn_text"} == {"year"}
    for post in posts:
        assert all(a["end"] <= b["start"] for a, b in pairwise(post.sections))


def test_the_language_of_english_sources_is_english(posts: list[NormalPost]) -> None:
    english = [p for p in posts if p.source in ("adzuna_uk", "glassdoor_us", "mycareersfuture")]
    assert sum(post.language == "en" for post in english) >= 0.99 * len(english)
