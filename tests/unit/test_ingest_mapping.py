"""Columns to fields, cells to text, rows to posts or rejects."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.errors import MappingError
from nextstep.ingest import rejects
from nextstep.ingest.columns import (
    DEFAULT_NAMES,
    FIELDS,
    ColumnMap,
    fit,
    parse_map,
    require_fit,
    squeeze,
)
from nextstep.ingest.mapping import Context, Observation, map_row, to_draft
from nextstep.ingest.moments import accepted, parse_moment
from nextstep.ingest.rejects import Reject
from nextstep.ingest.values import (
    UNDECODABLE,
    has_visible_text,
    is_absent,
    is_probably_html,
    repaired,
)

DEFAULT = ColumnMap()
FALLBACK = datetime(2024, 6, 1, tzinfo=UTC)


def context(
    column_map: ColumnMap = DEFAULT, source: str = "board", max_text_bytes: int = 1000
) -> Context:
    return Context(
        column_map=column_map,
        source=source,
        file_name="a.csv",
        fallback_at=FALLBACK,
        latest=FALLBACK + timedelta(days=2),
        max_text_bytes=max_text_bytes,
    )


def read(
    cells: dict[str, Any], column_map: ColumnMap = DEFAULT, source: str = "board"
) -> Observation | Reject:
    return map_row(3, cells, fit(column_map, cells), context(column_map, source))


def post_of(cells: dict[str, Any], column_map: ColumnMap = DEFAULT) -> Any:
    found = read({"title": "Nurse", **cells}, column_map)
    assert isinstance(found, Observation), found
    return found.post


def reject_of(cells: dict[str, Any], **rest: Any) -> Reject:
    found = read(cells, **rest)
    assert isinstance(found, Reject), found
    return found


# --- columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("converted to text", "text"), ("Converted_To_Text", "text"), ("description_text", "text"),
        ("Description", "text"), ("body", "text"), ("jobDescription", "text"), ("html", "html"),
        ("Description HTML", "html"), ("Job Title", "title"), ("position", "title"),
        ("Employer", "company"), ("organisation", "company"), ("place", "location"),
        ("City", "location"), ("posted", "date_posted"), ("posted_at", "date_posted"),
        ("created", "date_posted"), ("pay", "salary"), ("Compensation", "salary"),
        ("type", "employment_type"), ("contract_type", "employment_type"), ("link", "url"),
        ("apply_url", "url"), ("id", "source_job_id"), ("job_id", "source_job_id"),
        ("external-id", "source_job_id"), ("site", "source"), ("board", "source"),
        ("crawled_at", "scraped_at"), ("extra_json", "extra"),
    ],
)  # fmt: skip
def test_the_usual_names_are_known(column: str, field: str) -> None:
    assert fit(ColumnMap(), [column]).fields[field] == ((column,),)


def test_no_name_means_two_fields() -> None:
    seen: dict[str, str] = {}
    for field, names in DEFAULT_NAMES.items():
        for name in (part for joined in names for part in joined.split(" + ")):
            assert seen.setdefault(squeeze(name), field) == field


def test_what_nobody_claims_goes_to_extra() -> None:
    assert post_of({"rating": 4.5, "views": ""}).extra == {"rating": 4.5}


def test_a_better_column_that_is_empty_gives_way_and_one_not_needed_is_kept() -> None:
    assert post_of({"url": "", "apply_url": "https://x.example/a"}).url == "https://x.example/a"
    post = post_of({"url": "https://x.example/b", "apply_url": "https://x.example/a"})
    assert post.url == "https://x.example/b"
    assert post.extra == {"apply_url": "https://x.example/a"}


def test_a_row_without_an_id_borrows_none_from_the_stores_own_column() -> None:
    post = post_of({"source_job_id": None, "id": 7, "url": "https://x.example/b"})
    assert (post.source_job_id, post.identity_rule, post.extra) == ("", "url", {"id": 7})


def test_a_row_counter_is_no_id_where_there_is_an_address() -> None:
    columns = ["id", "title", "url"]
    assert fit(ColumnMap(), columns, "id").fields["source_job_id"] == ()
    assert fit(ColumnMap(), columns).fields["source_job_id"] == (("id",),)
    assert fit(ColumnMap(), columns[:2], "id").fields["source_job_id"] == (("id",),)
    named = ColumnMap(columns={"source_job_id": ["id"]})
    assert fit(named, columns, "id").fields["source_job_id"] == (("id",),)


def test_town_region_and_country_make_a_location() -> None:
    assert post_of({"city": "Bonn", "state": "", "country": "Germany"}).location == "Bonn, Germany"
    post = post_of({"location": "Köln", "country": "Germany"})
    assert (post.location, post.extra) == ("Köln", {"country": "Germany"})


def test_a_map_names_columns_joins_them_and_reaches_into_objects() -> None:
    column_map = parse_map(
        {
            "columns": {
                "title": "Stelle",
                "text": ["Aufgaben + Profil"],
                "location": ["where.city + where.country"],
                "salary": [],
            },
        },
        "m.yml",
    )
    cells = {
        "stelle": "Pflegekraft",
        "AUFGABEN": "Pflegen.",
        "profil": "Geduld.",
        "where": {"city": "Bonn", "country": "DE"},
        "salary": "1",
    }
    post = post_of(cells, column_map)
    assert (post.title, post.text, post.location) == (
        "Pflegekraft",
        "Pflegen.\n\nGeduld.",
        "Bonn, DE",
    )
    assert (post.salary, post.extra) == ("", {"title": "Nurse", "salary": "1"})


def test_without_defaults_only_the_map_counts() -> None:
    column_map = ColumnMap(columns={"title": ["title"]}, defaults=False)
    assert post_of({"company": "Ward"}, column_map).company == ""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([1], "holds a list"),
        ({"colums": {}}, "colums"),
        ({"columns": {"titel": ["a"]}}, "titel"),
        ({"columns": {"title": [1]}}, "$.columns"),
        ({"extra_significant": "views"}, "extra_significant"),
    ],
)
def test_a_map_that_is_none_is_refused_by_name(data: Any, says: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_map(data, "m.yml")
    assert says in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_map_for_another_file_is_refused_with_the_columns_there_are() -> None:
    with pytest.raises(MappingError) as caught:
        require_fit(ColumnMap(columns={"title": ["Stelle"]}), ["name", "text"], "a.csv")
    assert "title: Stelle" in caught.value.message
    assert "name, text" in caught.value.detail


def test_columns_that_mean_nothing_are_refused() -> None:
    with pytest.raises(MappingError, match="no column that is known as a title or a text"):
        require_fit(ColumnMap(), ["a", "b"], "a.csv")


def test_a_plan_has_every_field() -> None:
    assert set(fit(ColumnMap(), []).fields) == set(FIELDS)


# --- the description --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "html", "text"),
    [
        ({"html": "<p>Hi</p>", "text": "Hi there"}, "<p>Hi</p>", ""),
        ({"html": "", "text": "Hi"}, "", "Hi"),
        ({"html": "<p>&nbsp;</p><br>", "text": "Hi"}, "", "Hi"),
        ({"html": "<script>var a='x'</script>", "text": "Hi"}, "", "Hi"),
        ({"html": "<!-- <p>a</p> -->", "text": "Hi"}, "", "Hi"),
        ({"html": "two\nlines", "text": "two lines"}, "", "two\nlines"),
        ({"html": "Bash &amp; C", "text": "x"}, "Bash &amp; C", ""),
        ({"description": "<div><p>Hi</p></div>"}, "<div><p>Hi</p></div>", ""),
        ({"description": "&lt;p&gt;Hi&lt;/p&gt;"}, "&lt;p&gt;Hi&lt;/p&gt;", ""),
        ({"description": "salary < 3 and > 2"}, "", "salary < 3 and > 2"),
        ({"converted_to_text": "we use <p> and </p>"}, "", "we use <p> and </p>"),
        ({"description": "<p></p><p> </p>"}, "", ""),
    ],
)
def test_html_wins_where_it_shows_anything(cells: dict[str, str], html: str, text: str) -> None:
    post = post_of(cells)
    assert (post.html, post.text) == (html, text)


def test_visible_text_before_a_script_counts_and_inside_it_does_not() -> None:
    assert has_visible_text("<p>a</p><script>b</script>")
    assert has_visible_text("<style>p{}</style><p>a</p>")
    assert not has_visible_text("<head><title>a</title></head><body>\u200b</body>")
    assert not has_visible_text("<script>never closed")


@given(st.text(max_size=200))
def test_looking_at_markup_never_fails(text: str) -> None:
    assert isinstance(has_visible_text(text), bool)
    assert isinstance(is_probably_html(text), bool)


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, "", "  \n", "nan", "NULL", "<NA>", "\\N", float("nan"), []]
)
def test_nothing_has_many_spellings(value: Any) -> None:
    assert is_absent(value)


@pytest.mark.parametrize("value", ["0", 0, False, "NaNny", "None of them", "-"])
def test_something_is_not_nothing(value: Any) -> None:
    assert not is_absent(value)


def test_a_string_nan_is_no_id_that_all_rows_share() -> None:
    assert post_of({"source_job_id": "nan"}).identity_rule == "content"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("source_job_id", 17.0, "17"),
        ("source_job_id", 17, "17"),
        ("source_job_id", "  17 ", "17"),
        ("salary", 41000.5, "41000.5"),
        ("salary", Decimal("41000.50"), "41000.50"),
        ("date_posted", date(2024, 5, 1), "2024-05-01"),
        ("location", ["Bonn", "Köln"], "Bonn; Köln"),
        ("company", {"name": "Ward"}, "Ward"),
    ],
)
def test_numbers_dates_and_lists_become_text(field: str, value: Any, expected: str) -> None:
    assert getattr(post_of({field: value}), field) == expected


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"title": 5}, "title", rejects.WRONG_TYPE),
        ({"title": {"a": 1}}, "title", rejects.WRONG_TYPE),
        ({"title": "a", "text": b"\x00\x01"}, "text", rejects.WRONG_TYPE),
        ({"title": "a", "company": True}, "company", rejects.WRONG_TYPE),
        ({"title": "a", "url": ["b"]}, "url", rejects.WRONG_TYPE),
        ({"title": UNDECODABLE, "text": "a"}, "title", rejects.UNDECODABLE),
        ({"title": "a", "text": "b" * 1001}, "text", rejects.TOO_LARGE),
        ({"title": "a", "html": "<p>" + "é" * 600}, "html", rejects.TOO_LARGE),
        ({"title": "a" * 40_000}, "title", rejects.TOO_LARGE),
        ({"title": "a", "source": "b" * 201}, "", rejects.TOO_LARGE),
        ({"title": "", "text": " ", "company": "Ward"}, "", rejects.NO_CONTENT),
        ({"title": "", "html": "<p></p>"}, "", rejects.NO_CONTENT),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_a_post_says_which_column_and_why(
    cells: dict[str, Any], column: str, reason: str
) -> None:
    reject = reject_of(cells)
    assert (reject.row, reject.reason) == (3, reason)
    assert reject.column == column or cells.get("source")


def test_a_reject_never_quotes_the_row() -> None:
    secret = "s3cret-" * 200
    for cells in ({"title": secret * 40}, {"title": "a", "text": secret}, {"title": [secret]}):
        reject = reject_of(cells)
        assert "s3cret" not in reject.detail + reject.reason + reject.column


def test_a_row_without_a_source_is_rejected_and_one_of_its_own_wins() -> None:
    assert reject_of({"title": "a"}, source="").reason == rejects.NO_SOURCE
    assert post_of({}).source == "board"
    assert post_of({"source": " linkedin "}).source == "linkedin"


@pytest.mark.parametrize(
    ("text", "expected", "removed"),
    [
        ("plain", "plain", ""),
        ("a\0b", "ab", "NUL"),
        ("a\ud800b", "ab", "lone surrogates"),
        ("\ud83d\ude00", "😀", "lone surrogates"),
        ("\0\udfff", "", "NUL and lone surrogates"),
    ],
)
def test_what_the_database_cannot_hold_is_removed(text: str, expected: str, removed: str) -> None:
    assert repaired(text) == (expected, removed)


@given(st.text(alphabet=st.characters(), max_size=50))
def test_repaired_text_can_always_be_stored(text: str) -> None:
    fixed, _ = repaired(text)
    assert "\0" not in fixed
    fixed.encode()


def test_repairs_are_named_in_the_payload() -> None:
    post = post_of({"title": "Nu\0rse", "text": "a\ud800b"})
    assert (post.title, post.text) == ("Nurse", "ab")
    assert post.repairs == ["title: NUL removed", "text: lone surrogates removed"]


# --- extra ------------------------------------------------------------------------------------


def test_extra_json_is_read_and_bad_json_is_kept_with_a_note() -> None:
    assert post_of({"extra_json": '{"a": 1, "b": ""}'}).extra == {"a": 1}
    assert post_of({"extra_json": "[1]"}).extra == {"extra": [1]}
    bad = post_of({"extra_json": "{'a': 1}"})
    assert bad.extra == {"extra_json": "{'a': 1}"}
    assert bad.repairs == ["extra_json: not valid JSON, kept as text"]


def test_extra_holds_only_what_jsonb_can() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    post = post_of(
        {
            "blob": b"\xff",
            "page": "x" * 70_000,
            "deep": deep,
            "big": 10**30,
            "inf": float("inf"),
            "nul": "a\0b",
            "when": date(2024, 5, 1),
            "flag": False,
        }
    )
    assert post.extra == {
        "big": str(10**30),
        "inf": None,
        "nul": "ab",
        "when": "2024-05-01",
        "flag": False,
    }
    assert [note.split(":")[0] for note in post.repairs] == ["blob", "page", "deep"]
    assert isinstance(
        to_draft(read({"title": "a", "inf": float("inf")}), frozenset()).payload, bytes
    )  # type: ignore[arg-type]


@pytest.mark.req("D-02")
def test_only_significant_extra_changes_the_content() -> None:
    first, second = (read({"title": "a", "views": n, "level": n}) for n in (1, 2))
    assert isinstance(first, Observation) and isinstance(second, Observation)
    noise, level = frozenset[str](), frozenset({"level"})
    assert to_draft(first, noise).content_hash == to_draft(second, noise).content_hash
    assert to_draft(first, level).content_hash != to_draft(second, level).content_hash


# --- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-01-29", "2019-01-29T00:00:00"),
        ("2019-01-29T10:20:30", "2019-01-29T10:20:30"),
        ("2019-01-29 10:20:30.5", "2019-01-29T10:20:30.500000"),
        ("2019-01-29T10:20:30Z", "2019-01-29T10:20:30"),
        ("2019-01-29T10:20:30+0000", "2019-01-29T10:20:30"),
        ("2019-01-29T10:20:30+02:00", "2019-01-29T08:20:30"),
        ("2019/1/9", "2019-01-09T00:00:00"),
        ("2019.01.29 10:20", "2019-01-29T10:20:00"),
        ("20190129", "2019-01-29T00:00:00"),
        ("2019-01", "2019-01-01T00:00:00"),
        ("2019", "2019-01-01T00:00:00"),
        ("29 Jan 2019", "2019-01-29T00:00:00"),
        ("29-Jan-2019", "2019-01-29T00:00:00"),
        ("29th January 2019", "2019-01-29T00:00:00"),
        ("Tuesday, 29 January 2019", "2019-01-29T00:00:00"),
        ("1. März 2019", "2019-03-01T00:00:00"),
        ("3 août 2019", "2019-08-03T00:00:00"),
        ("Jan 29, 2019", "2019-01-29T00:00:00"),
        ("January 2019", "2019-01-01T00:00:00"),
        ("01/29/2019", "2019-01-29T00:00:00"),
        ("29/01/2019", "2019-01-29T00:00:00"),
        ("1/29/2019 3:05 PM", "2019-01-29T15:05:00"),
        ("29.01.2019", "2019-01-29T00:00:00"),
        ("29.01.2019 10:20", "2019-01-29T10:20:00"),
        ("Tue, 29 Jan 2019 10:20:30 GMT", "2019-01-29T10:20:30"),
        ("1548757230", "2019-01-29T10:20:30"),
        ("1548757230.0", "2019-01-29T10:20:30"),
        ("1548757230500", "2019-01-29T10:20:30.500000"),
    ],
)
def test_dates_in_the_forms_sources_write(text: str, expected: str) -> None:
    assert parse_moment(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "3 days ago", "30+", "2019-13-01", "32/01/2019", "99999999999",
             "0000-00-00", "9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+14:00", "1" * 100]
)  # fmt: skip
def test_what_names_no_instant_gives_none(text: str) -> None:
    assert parse_moment(text) is None


@given(st.text(max_size=40) | st.from_regex(r"[0-9 /.:TZ+\-]{1,30}", fullmatch=True))
def test_reading_a_date_never_fails(text: str) -> None:
    found = parse_moment(text)
    assert found is None or found.tzinfo is UTC


def test_formats_of_the_map_are_tried_first() -> None:
    assert parse_moment("01/02/2019", ["%d/%m/%Y"]) == datetime(2019, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cells", "expected", "notes"),
    [
        ({"scraped_at": "2024-05-02", "date_posted": "2024-05-01"}, "2024-05-02", 0),
        ({"date_posted": "1 May 2024"}, "2024-05-01", 0),
        ({"scraped_at": "yesterday", "date_posted": "2024-05-01"}, "2024-05-01", 1),
        ({"scraped_at": "2031-01-01", "date_posted": "1970-01-01"}, "2024-06-01", 2),
        ({}, "2024-06-01", 0),
    ],
)
def test_occurred_at_is_scraped_else_posted_else_the_files(
    cells: dict[str, str], expected: str, notes: int
) -> None:
    found = read({"title": "a", **cells})
    assert isinstance(found, Observation)
    assert found.occurred_at == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert len(found.post.repairs) == notes


def test_a_moment_must_be_possible() -> None:
    assert accepted(datetime(1989, 1, 1, tzinfo=UTC), FALLBACK) is None
    assert accepted(FALLBACK, FALLBACK) == FALLBACK
    assert accepted(None, FALLBACK) is None


# --- whole rows -------------------------------------------------------------------------------

cell = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=5)
    | st.text(alphabet=st.characters(), max_size=30) | st.just(UNDECODABLE)
    | st.lists(st.integers() | st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*FIELDS, "views", "city", "Link"]), cell))
def test_any_row_is_a_post_or_a_reject_and_mapping_is_a_function(cells: dict[str, Any]) -> None:
    found = read(cells)
    assert isinstance(found, (Observation, Reject))
    if isinstance(found, Observation):
        assert to_draft(found, frozenset()) == to_draft(read(dict(cells)), frozenset())  # type: ignore[arg-type]
        assert b"\\u0000" not in to_draft(found, frozenset()).payload.replace(b"\\\\", b"")


def test_the_origin_names_file_and_row() -> None:
    assert post_of({}).origin == "a.csv:3"


def test_real_ads_all_become_posts(real_ads: Any) -> None:
    ads = real_ads(limit=800)
    whole = msgspec.structs.replace(
        context(max_text_bytes=2 * 1024 * 1024), latest=datetime(2030, 1, 1, tzinfo=UTC)
    )
    found = [map_row(n, ad, fit(DEFAULT, ad), whole) for n, ad in enumerate(ads, 1)]
    assert all(isinstance(one, Observation) for one in found)
    posts = [one.post for one in found if isinstance(one, Observation)]
    assert not any(post.repairs for post in posts)
    assert all(bool(post.html) != bool(post.text) for post in posts)
    assert len({one.job_id for one in found if isinstance(one, Observation)}) == len(ads)
