"""The shipped sample: valid, varied, invented, and with the damage that the stages mend."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import nextstep

SAMPLE = Path(nextstep.__file__).parent / "sample"
COLUMNS = {
    "source", "source_job_id", "url", "title", "company", "location", "date_posted", "salary",
    "employment_type", "description_html", "converted_to_text", "scraped_at", "extra_json",
}  # fmt: skip

#: Words that only one of the languages has; enough to tell the sample's posts apart.
_WORDS = {
    "de": r"\b(und|wir|der|die|mit|für|eine)\b",
    "fr": r"\b(vous|les|des|et|une|dans|pour)\b",
    "es": r"\b(y|los|las|una|para|del|años)\b",
    "nl": r"\b(je|het|een|van|wij|bij)\b",
    "en": r"\b(the|and|you|with|for|of|our)\b",
}


@cache
def _jobs() -> list[dict[str, str]]:
    lines = (SAMPLE / "jobs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@cache
def _truth() -> list[dict[str, str]]:
    lines = (SAMPLE / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _raw(job: dict[str, str]) -> str:
    return job["description_html"] or job["converted_to_text"]


def _text(job: dict[str, str]) -> str:
    body = html.unescape(html.unescape(_raw(job)))
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def _language(job: dict[str, str]) -> str:
    text = _text(job).lower()
    return max(_WORDS, key=lambda name: len(re.findall(_WORDS[name], text)))


def test_every_line_is_a_post_with_all_columns_as_text() -> None:
    assert len(_jobs()) >= 220
    for job in _jobs():
        assert set(job) == COLUMNS
        assert all(isinstance(value, str) for value in job.values())
        assert job["title"] and job["company"] and job["source"] and job["scraped_at"]
        assert _raw(job)
        assert job["source_job_id"] or job["url"]
        if job["extra_json"]:
            assert isinstance(json.loads(job["extra_json"]), dict)


def test_no_two_posts_of_a_source_share_an_id_or_an_address() -> None:
    ids = [(job["source"], job["source_job_id"]) for job in _jobs() if job["source_job_id"]]
    urls = [job["url"].split("?")[0] + job["url"].partition("id=")[2] for job in _jobs()]
    assert len(set(ids)) == len(ids)
    assert max(Counter(url for url in urls if url).values()) == 1


def test_the_file_stays_small() -> None:
    assert (SAMPLE / "jobs.jsonl").stat().st_size < 900_000


def test_bodies_are_rich_enough_to_extract_from() -> None:
    words = sorted(len(_text(job).split()) for job in _jobs())
    assert words[0] >= 80
    assert words[-1] <= 300


def test_posts_come_from_several_sources_towns_and_months() -> None:
    assert len({job["source"] for job in _jobs()}) >= 6
    assert len({job["location"] for job in _jobs()}) >= 90
    assert len({job["company"] for job in _jobs()}) >= 50
    months = Counter(job["scraped_at"][:7] for job in _jobs())
    assert sorted(months) == [f"2026-{month:02d}" for month in range(1, 11)]


def test_dates_and_salaries_come_in_many_forms() -> None:
    shapes = {re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "9", job["date_posted"])) for job in _jobs()}
    assert {"", "9-9-9", "9.9.9", "9/9/9", "9 a 9", "a 9, 9", "9-9-9a9:9:9a", "9-9"} <= shapes
    salaries = " ".join(job["salary"] for job in _jobs())
    for sign in ("€", "£", "$", "EUR", "CHF", "NOK", "INR", "PLN", "SGD", "CAD", "₹"):
        assert sign in salaries
    assert sum(not job["salary"] for job in _jobs()) >= 30
    assert sum(not job["date_posted"] for job in _jobs()) >= 8


def test_html_only_text_only_and_both_occur() -> None:
    kinds = Counter((bool(j["description_html"]), bool(j["converted_to_text"])) for j in _jobs())
    assert min(kinds[True, False], kinds[False, True], kinds[True, True]) >= 30


def test_languages_are_mixed() -> None:
    languages = Counter(_language(job) for job in _jobs())
    assert languages["de"] >= 12
    assert languages["fr"] >= 8
    assert languages["es"] >= 3
    assert languages["nl"] >= 3
    assert languages["en"] >= 150


def test_damage_is_planted() -> None:
    mojibake = [
        job for job in _jobs() if re.search(r"Ã[\x80-\xbf\u0080-\u2122]|Â[£·]|â€", str(job))
    ]
    escaped_twice = [job for job in _jobs() if job["description_html"].startswith("&lt;")]
    wrapped = [job for job in _jobs() if "show-more-less-html__markup" in job["description_html"]]
    glued = [job for job in _jobs() if not job["description_html"] and "\n" not in _raw(job)]
    assert len(mojibake) >= 8
    assert len(escaped_twice) >= 5
    assert len(wrapped) >= 30
    assert len(glued) >= 5


def test_duplicates_and_variants_are_named_and_exist() -> None:
    known = {(job["source"], job["source_job_id"]) for job in _jobs()}
    for row in _truth():
        assert (row["source"], row["source_job_id"]) in known
        assert (row["of_source"], row["of_source_job_id"]) in known
        assert (row["source"], row["source_job_id"]) != (row["of_source"], row["of_source_job_id"])
    kinds = Counter((row["relation"], row["kind"]) for row in _truth())
    assert sum(n for (relation, _), n in kinds.items() if relation == "duplicate") >= 25
    assert sum(n for (relation, _), n in kinds.items() if relation == "variant") >= 8
    for kind in ("repost", "tag", "rewrap", "cross"):
        assert kinds["duplicate", kind] >= 5


def test_a_duplicate_is_seen_on_a_later_day_than_what_it_repeats() -> None:
    # The first one seen is the canonical; a repeat that came first would turn the truth around.
    seen = {(job["source"], job["source_job_id"]): job["scraped_at"][:10] for job in _jobs()}
    for row in _truth():
        if row["relation"] == "duplicate":
            original = seen[row["of_source"], row["of_source_job_id"]]
            assert seen[row["source"], row["source_job_id"]] > original


def test_nothing_points_at_a_real_employer_or_person() -> None:
    everything = (SAMPLE / "jobs.jsonl").read_text(encoding="utf-8")
    hosts = re.findall(r"https?://([^/\"\\ ]+)", everything)
    assert hosts
    assert all(host.endswith(".example") for host in hosts)
    assert "@" not in everything
    assert not re.search(r"\+\d{2}[ (]?\d|\(\d{3,5}\) \d{3}|\b\d{3}-\d{3}-\d{4}\b", everything)
    companies = {job["company"].lower() for job in _jobs()}
    real = {
        "google", "amazon", "microsoft", "apple", "meta", "ikea", "siemens", "bosch", "nhs",
        "deloitte", "accenture", "walmart", "dhl", "maersk", "marriott", "hilton", "roche",
        "novartis", "shopify", "spotify", "zalando", "sap", "infosys", "tesco", "lidl", "aldi",
    }  # fmt: skip
    assert not {name for name in companies if set(re.findall(r"\w+", name)) & real}


@pytest.mark.parametrize(
    "name", ["data-engineer-berlin", "intensive-care-nurse", "warehouse-planner"]
)
def test_a_profile_has_posts_to_find(name: str) -> None:
    profiles: dict[str, dict[str, Any]] = json.loads(
        (SAMPLE / "profiles.json").read_text(encoding="utf-8")
    )
    profile = profiles[name]
    assert set(profile) <= {
        "text", "skills", "titles", "location", "work_mode", "seniority", "salary_min", "filters",
        "limit", "cursor", "explain",
    }  # fmt: skip
    city = profile["location"]["city"]
    words = [skill.lower() for skill in profile["skills"]]
    hits = [job for job in _jobs() if sum(word in _text(job).lower() for word in words) >= 2]
    assert len(hits) >= 3
    assert any(city in job["location"] for job in hits)
