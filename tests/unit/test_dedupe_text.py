"""What two copies of an ad must share, and what two ads must not."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextstep.processors.shared.dedupe_body import core_text, read_body
from nextstep.processors.shared.dedupe_compare import Document, compare
from nextstep.processors.shared.dedupe_fields import Fields, make_fields, postcode, references
from nextstep.processors.shared.dedupe_rules import RULES
from nextstep.processors.shared.dedupe_text import folded, words
from nextstep.processors.shared.dedupe_titles import level_conflict, read_title, stated_title
from nextstep.processors.shared.dedupe_words import substituted, two_texts
from nextstep.processors.shared.minhash import agreement, band_hashes, make_sketcher, sign
from nextstep.processors.shared.place import parse_place

TEXT = " ".join(f"duty{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]} needs care" for i in range(60))


@pytest.mark.parametrize(
    ("damaged", "clean"),
    [
        ("ResponsibilitiesCompany overview", "Responsibilities\n\nCompany overview"),
        ("Apply by 2019Apply now", "Apply by 2019\nApply now"),
        ("We’re hiring – now!", "we're   HIRING now"),
        ("Résumé für Müller", "resume fur muller"),
        ("<b>Straße</b>".replace("<b>", "").replace("</b>", ""), "Strasse"),
    ],
)
def test_a_damaged_copy_folds_to_the_words_of_the_clean_one(damaged: str, clean: str) -> None:
    assert words(damaged) == words(clean)


@pytest.mark.req("N-33")
def test_signs_of_a_script_without_spaces_are_words() -> None:
    assert words("数据分析师 SQL") == ["数", "据", "分", "析", "师", "sql"]
    assert words("") == []
    assert words("—…!") == []


@given(st.text(max_size=80))
def test_folding_is_stable(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@pytest.mark.req("N-33")
def test_signatures_estimate_the_share_of_common_shingles() -> None:
    sketcher = make_sketcher(RULES)
    whole = words(TEXT)
    half = whole[: len(whole) * 6 // 10]
    estimate = agreement([(sign(sketcher, whole), sign(sketcher, half))])[0]
    assert estimate == pytest.approx(0.6, abs=0.13)
    assert agreement([(sign(sketcher, whole), b"")]) == [0.0]
    assert sign(sketcher, ["one", "two"]) == b""
    assert band_hashes(b"", RULES.bands) == []


@pytest.mark.req("N-33")
def test_bands_are_the_same_numbers_in_every_process() -> None:
    code = (
        "from nextstep.processors.shared.dedupe_rules import RULES\n"
        "from nextstep.processors.shared.minhash import *\n"
        "made = sign(make_sketcher(RULES), 'one text of a few words only'.split())\n"
        "print(*band_hashes(made, RULES.bands))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0].split()) == 32


@pytest.mark.req("N-33")
def test_importing_the_stage_loads_no_heavy_library() -> None:
    code = (
        "import sys, nextstep.processors.shared.minhash\n"
        "print([name for name in ('datasketch', 'scipy', 'numpy') if name in sys.modules])"
    )
    made = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    loaded = made.stdout.strip()
    assert "datasketch" not in loaded
    assert "scipy" not in loaded


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "veto"),
    [
        (Fields(city="leeds"), Fields(city="york"), ["city"]),
        (Fields(city="leeds"), Fields(), []),
        (Fields(country="gb"), Fields(country="us"), ["country"]),
        (Fields(region="texas"), Fields(region="ohio"), []),
        (Fields(region="texas", city="austin"), Fields(region="ohio"), ["region"]),
        (Fields(region="a", city="austin"), Fields(region="b", city="austin"), []),
        (Fields(employment="full_time"), Fields(employment="part_time"), ["employment_type"]),
        (Fields(employment="full_time"), Fields(employment="permanent"), []),
        (
            Fields(employment="contract"),
            Fields(employment="permanent,full_time"),
            ["employment_type"],
        ),
        (Fields(company="acme ltd"), Fields(company="acme"), []),
        (Fields(company="acme"), Fields(company="umbrella staffing"), ["company"]),
        (Fields(title="senior analyst"), Fields(title="junior analyst"), ["level"]),
        (Fields(title="analyst ii"), Fields(title="analyst iii"), ["level"]),
        (Fields(title="senior analyst"), Fields(title="analyst"), []),
        (Fields(title="assistant store manager"), Fields(title="store manager"), []),
        (Fields(title="assistant manager"), Fields(title="senior manager"), ["level"]),
        (Fields(title="staff nurse"), Fields(title="senior nurse"), []),
        (Fields(title="analyst"), Fields(title="analyst m f d"), []),
        (Fields(title="analyst"), Fields(title="analyst contract"), []),
        (Fields(title="analyst reposted"), Fields(title="analyst remote"), []),
        (Fields(title="hematology nurse"), Fields(title="immunology nurse"), ["title"]),
        (Fields(title="nurse leeds", city="leeds"), Fields(title="nurse"), []),
        (Fields(title="data analyst"), Fields(title="data analysts"), []),
    ],
)
def test_a_field_speaks_against_a_merge_only_when_both_sides_state_it(
    a: Fields, b: Fields, veto: list[str]
) -> None:
    for left, right in ((a, b), (b, a)):
        made = compare(Document(TEXT, left), Document(TEXT, right), 1.0, None, RULES)
        assert sorted(made.reasons["veto"]) == veto
        assert made.relation == ("variant" if veto else "duplicate")
        assert made.similarity == 1.0


@pytest.mark.req("N-34")
def test_a_word_that_one_title_adds_counts_once_the_texts_differ() -> None:
    edited = TEXT.replace("needs care", "wants practice", 8)
    a = Document(TEXT, Fields(title="data scientist"))
    b = Document(edited, Fields(title="data scientist internship"))
    made = compare(a, b, 0.9, None, RULES)
    assert RULES.duplicate <= made.similarity < RULES.same_text
    assert made.relation == "variant"
    assert compare(a, Document(edited, a.fields), 0.9, None, RULES).relation == "duplicate"


@pytest.mark.req("N-34")
def test_a_text_cut_short_is_a_copy_and_a_like_beginning_is_none() -> None:
    cut = Document(TEXT[: len(TEXT) * 6 // 10], Fields())
    whole = Document(TEXT, Fields())
    made = compare(cut, whole, 0.6, None, RULES)
    assert (made.relation, made.reasons["rule"]) == ("duplicate", "cut")
    other = Document(TEXT[: len(TEXT) // 2] + " " + "quite another end " * 40, Fields())
    assert compare(other, whole, 0.5, None, RULES).relation == "apart"


@pytest.mark.req("N-34")
@pytest.mark.parametrize(("verdict", "relation"), [("same", "duplicate"), ("not_same", "apart")])
def test_a_verdict_wins_over_text_and_fields(verdict: str, relation: str) -> None:
    a, b = Document(TEXT, Fields(city="leeds")), Document("quite another text", Fields(city="york"))
    for left, right in ((a, b), (a, a)):
        made = compare(left, right, 0.1, verdict, RULES)
        assert (made.relation, made.reasons["rule"]) == (relation, "verdict")


@given(*[st.text(alphabet="abc ", max_size=60).map(folded)] * 2)
def test_a_pair_reads_the_same_from_both_sides(a: str, b: str) -> None:
    left, right = Document(a * 4, Fields(title=b)), Document(b * 4, Fields(title=a))
    assert compare(left, right, 0.5, None, RULES) == compare(right, left, 0.5, None, RULES)


_PLACED = st.builds(
    Fields,
    title=st.sampled_from(("", "carer", "senior carer", "night carer 2", "care worker")),
    company=st.sampled_from(("", "citi", "citibank", "acme")),
    city=st.sampled_from(("", "london", "nottingham", "abbeville")),
    region=st.sampled_from(("", "sussex", "west sussex", "england", "nottinghamshire", "kent")),
    country=st.sampled_from(("", "gb", "us", "ch")),
    state=st.sampled_from(("", "texas")),
    part=st.sampled_from(("", "east", "north")),
)
_BODIES = st.sampled_from((TEXT, f"{TEXT} in london", f"{TEXT} in east kent", f"{TEXT} north"))


@pytest.mark.req("N-34")
@given(_PLACED, _PLACED, _BODIES, _BODIES)
@example(Fields(region="sussex"), Fields(region="west sussex", country="gb"), TEXT, f"{TEXT} north")
def test_places_and_names_read_the_same_from_both_sides(
    a: Fields, b: Fields, left: str, right: str
) -> None:
    one, two = Document(left, a, [0, len(TEXT)]), Document(right, b, [0, len(TEXT)])
    assert compare(one, two, 0.9, None, RULES) == compare(two, one, 0.9, None, RULES)
    assert compare(one, one, 1.0, None, RULES).relation == "duplicate"


def test_titles_that_are_prose_state_nothing() -> None:
    assert stated_title("Acme | San Francisco | ONSITE | Full-time | React and Rails") == ""
    assert stated_title("Acme | Engineers, Designers | Data Analyst | Berlin or London") == ""
    assert stated_title("Percolate, http://percolate.com/ New York") == ""
    assert stated_title("Data Analyst | Berlin") == "data analyst berlin"


def test_a_line_of_facts_states_the_one_role_that_it_names() -> None:
    facts = "Acme | Senior Engineer | San Francisco | ONSITE | https://acme.example"
    assert stated_title(facts) == "senior engineer"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Requisition ID: 202394 Join us", ["202394"]),
        ("Apply. Job ID: A2924297", ["a2924297"]),
        ("Job Reference: 88_25_ES_RE1, closing soon", ["88_25_es_re1"]),
        ("Req #: 16554 and again Req #: 16554", ["16554"]),
        ("Ref: 10023, Ref: 10024, Ref: 10025, Ref: 10026", []),
        ("Call: 555 0100. Salary: 45000. Department: 5135606", []),
        ("", []),
    ],
)
def test_labelled_requisition_numbers_are_found(text: str, numbers: list[str]) -> None:
    assert references(text) == numbers


def test_a_requisition_number_in_a_title_is_a_reference_and_no_part_of_the_title() -> None:
    def made(title: str, text: str = "") -> Fields:
        return make_fields(
            title=title, company="", location="", place=("", "", ""), employment="", text=text
        )

    assert made("Market Risk Consultant (Jr63669)") == Fields(
        title="market risk consultant", reference="jr63669"
    )
    assert made("Data Analyst R-12345", "Job ID: R-12345").reference == "r-12345"
    assert made("Nurse 11501250 Days, Band 5, D365, 2024") == Fields(
        title="nurse 11501250 days band 5 d 365 2024"
    )


def test_a_postcode_ends_a_street_address() -> None:
    assert postcode("Oxley Bizhub, 69 Ubi Road 1 408731") == "408731"
    assert postcode("Boston, MA 02108") == ""
    assert postcode("Berlin") == ""


US, GB = {"country": "us", "company": "acme"}, {"country": "gb", "company": "acme"}


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "veto"),
    [
        (Fields(reference="1234"), Fields(reference="5678"), ["reference"]),
        (Fields(reference="1234 99"), Fields(reference="1234"), []),
        (Fields(reference="1234"), Fields(), []),
        (Fields(postcode="408731"), Fields(postcode="349563"), ["postcode"]),
        (Fields(region="ohio", **US), Fields(region="iowa", **US), []),
        (Fields(region="ohio", **US), Fields(region="iowa", city="ames", **US), ["region"]),
        (Fields(region="essex", **GB), Fields(region="kent", city="dover", **GB), ["region"]),
        (Fields(city="london", part="east"), Fields(city="london", part="north"), ["city"]),
        (Fields(city="london", part="east"), Fields(city="london"), []),
        (Fields(company="company undisclosed"), Fields(company="acme"), ["company"]),
        (Fields(title="hematology nurse"), Fields(title="immunology nurse"), ["title"]),
        (
            Fields(title="regional director medical affairs lung"),
            Fields(title="regional director medical affairs biomarker"),
            ["title"],
        ),
    ],
)
def test_what_two_ads_of_one_text_must_state_alike(a: Fields, b: Fields, veto: list[str]) -> None:
    for left, right in ((a, b), (b, a)):
        made = compare(Document(TEXT, left), Document(TEXT, right), 1.0, None, RULES)
        assert sorted(made.reasons["veto"]) == veto
        assert made.reasons["rule"] == ("veto" if veto else "text")


@pytest.mark.req("N-34")
def test_a_level_that_one_side_states_counts_unless_the_texts_are_equal() -> None:
    a, b = Fields(title="data scientist"), Fields(title="data scientist internship")
    same = TEXT.replace("needs care", "needs cares", 1)
    assert compare(Document(TEXT, a), Document(TEXT, b), 1.0, None, RULES).relation == "duplicate"
    made = compare(Document(TEXT, a), Document(same, b), 1.0, None, RULES)
    assert (made.relation, list(made.reasons["veto"])) == ("variant", ["level"])
    assert made.similarity >= RULES.same_text


@pytest.mark.req("N-34")
def test_a_copy_that_names_the_employer_is_one_vacancy() -> None:
    a, b = Fields(company="hackajob"), Fields(company="verisk")
    named = f"{TEXT} verisk looks for you"
    made = compare(Document(named, a), Document(named, b), 1.0, None, RULES)
    assert (made.relation, made.reasons["agree"]) == ("duplicate", ["employer_named"])
    assert compare(Document(TEXT, a), Document(TEXT, b), 1.0, None, RULES).relation == "variant"


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "veto"),
    [
        ("Ohio, United States", "Iowa, United States", True),
        ("Virginia, United States", "West Virginia, United States", True),
        ("Sussex, UK", "West Sussex, UK", False),
        ("England, United Kingdom", "London Area, United Kingdom", False),
        ("Wrexham, Wrexham", "East Riding Of Yorkshire", True),
        ("Nottingham, UK", "Nottinghamshire, UK", False),
        ("Exeter, Devon", "Devon", False),
        ("New York, United States", "Florida, United States", True),
        ("Texas, United States", "New York City Metropolitan Area", True),
        ("Herndon, VA", "Virginia, United States", False),
        ("US, MS, Abbeville", "US, SC, Abbeville", True),
        ("Boston, MA", "Boston, Massachusetts, United States", False),
        ("Solothurn, Switzerland", "Glarus, Switzerland", True),
        ("Bengaluru, Karnataka, India", "Karnataka, India", False),
        ("East London, UK", "North London, UK", True),
    ],
)
def test_two_places_of_work_keep_like_texts_apart(a: str, b: str, *, veto: bool) -> None:
    def stated(location: str) -> Fields:
        place = parse_place(location)
        return make_fields(
            title="Nurse", company="Acme", location=location, employment="", text="",
            place=(place.city, place.region, place.country),
        )  # fmt: skip

    left = Document(TEXT, stated(a))
    right = Document(TEXT.replace("needs care", "needs cares", 1), stated(b))
    made = compare(left, right, 1.0, None, RULES)
    assert made.relation == ("variant" if veto else "duplicate"), made.reasons
    assert compare(right, left, 1.0, None, RULES) == made


@pytest.mark.req("N-34")
def test_a_town_that_one_text_names_and_the_other_leaves_out_is_another_place() -> None:
    county = Fields(title="carer", region="devon", country="gb")
    town = Fields(title="carer", city="ilfracombe", region="devon", country="gb")
    a, b = Document(f"{TEXT} in devon", county), Document(f"{TEXT} in ilfracombe devon", town)
    made = compare(a, b, 1.0, None, RULES)
    assert made.reasons["veto"] == {"city": ["devon", "ilfracombe"]}
    both = Document(f"{a.body} near ilfracombe", county)
    assert compare(both, b, 1.0, None, RULES).relation == "duplicate"


@pytest.mark.req("N-34")
def test_two_directions_in_two_texts_are_two_places() -> None:
    fields = Fields(title="manager", city="london")
    made = [
        compare(
            Document(f"{TEXT} {a} end", fields),
            Document(f"{TEXT} {b} end", fields),
            1.0,
            None,
            RULES,
        )
        for a, b in (("south", "central"), ("south", "big"))
    ]
    assert [one.relation for one in made] == ["variant", "duplicate"]


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "changed"),
    [
        ("homes for adults", "homes for children", ["adults", "children"]),
        ("the icu ward", "the nicu ward", ["icu", "nicu"]),
        ("end of life study", "mental health", ["end life study", "mental health"]),
        ("day shifts", "days shifts", []),
        ("health care", "healthcare", []),
        ("counseling", "counselling", []),
        ("at acme workable com", "at boards greenhouse io", []),
        ("for 6 men", "for 12 men", []),
        ("", "children", []),
    ],
)
def test_what_stands_throughout_one_text_for_something_else(
    a: str, b: str, changed: list[str]
) -> None:
    texts = [f"we run {word} here {TEXT} and {word} there" for word in (a, b)]
    assert _substituted(*texts) == _substituted(*reversed(texts)) == changed
    once = [text.replace("and", f"and {a} or", 1) for text in texts]
    assert _substituted(*once) == [], "the other has it too"
    made = compare(*(Document(text, Fields(title="nurse")) for text in texts), 1.0, None, RULES)
    assert made.reasons["veto"] == ({"words": changed} if changed else {})


def _substituted(a: str, b: str) -> list[str]:
    return substituted(two_texts(a, b), RULES)


def test_a_phrase_that_was_changed_once_is_a_rewording() -> None:
    assert _substituted(f"{TEXT} for adults", f"{TEXT} for children") == []
    assert _substituted(TEXT, TEXT) == []


@given(st.lists(st.sampled_from(["abc", "abcd", "cde", "cd", "efg"])), st.integers(0, 3))
def test_changed_words_read_the_same_from_both_sides(found: list[str], skip: int) -> None:
    a, b = " ".join(found), " ".join(reversed(found[skip:]))
    assert _substituted(a, b) == _substituted(b, a)


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "veto"),
    [
        ("a gentleman", "a lady", {"words": ["gentleman", "lady"]}),
        ("in nevada", "in california", {"region": ["california", "nevada"]}),
        ("in nevada and ohio", "in california and nevada", {"region": ["california", "ohio"]}),
        ("in nevada", "in our house", {}),
    ],
)
def test_what_both_texts_name_and_differ_in(a: str, b: str, veto: dict[str, list[str]]) -> None:
    left, right = (f"{TEXT} {word} you work" for word in (a, b))
    somewhere, here = Fields(title="nurse", **US), Fields(title="nurse", city="reno", **US)
    made = compare(Document(left, somewhere), Document(right, here), 1.0, None, RULES)
    assert made.reasons["veto"] == veto
    if "region" in veto:  # where both state their town, the town decides
        known = compare(Document(left, here), Document(right, here), 1.0, None, RULES)
        assert known.reasons["veto"] == {}


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("data scientist", "data scientist strategic finance", "variant"),
        ("data analyst", "data analyst 23 01378", "duplicate"),
        ("healthcare assistant", "health care assistant", "duplicate"),
        ("full stack software engineer", "full stack developer", "duplicate"),
        ("data analyst", "data analyst hybrid position", "duplicate"),
    ],
)
def test_what_a_longer_title_says_of_like_texts(a: str, b: str, relation: str) -> None:
    same = TEXT.replace("needs care", "needs cares", 1)
    made = compare(
        Document(TEXT, Fields(title=a)), Document(same, Fields(title=b)), 1.0, None, RULES
    )
    assert made.relation == relation


@pytest.mark.req("N-34")
def test_a_title_that_goes_on_with_words_of_both_texts_says_nothing_new() -> None:
    short, long = Fields(title="data analyst"), Fields(title="data analyst rockets")
    both = f"we build rockets and {TEXT}"
    a, b = Document(f"{both} here", short), Document(f"{both} h", long)
    made = compare(a, b, 1.0, None, RULES)
    assert (made.relation, made.reasons["agree"]) == ("duplicate", ["title"])
    assert compare(b, a, 1.0, None, RULES) == made
    silent = Document(f"we build boats and {TEXT} here", short)
    assert compare(silent, b, 1.0, None, RULES).relation == "variant"
    other = Document(a.body, Fields(title="data analyst boats"))
    assert compare(other, b, 1.0, None, RULES).relation == "variant"


@pytest.mark.req("N-34")
def test_one_core_is_one_vacancy_whatever_stands_around_it() -> None:
    fields = Fields(title="plant operator", city="bakersfield")
    core = TEXT[: max(RULES.core_chars, len(TEXT) // 2)]
    a = Document(f"{'our house is old ' * 60}{core}", fields, [1020, 1020 + len(core)])
    b = Document(f"{core} {'perks and pleasant people ' * 40}", fields, [0, len(core)])
    made = compare(a, b, 0.5, None, RULES)
    assert (made.relation, made.reasons["rule"]) == ("duplicate", "core")
    other = Document(b.body, Fields(title="plant operator", city="fresno"), b.core)
    assert compare(a, other, 0.5, None, RULES).relation == "apart"
    assert compare(Document(a.body, fields), b, 0.5, None, RULES).relation == "apart"


@pytest.mark.req("N-34")
@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("citi", "citibank", "duplicate"),
        ("aia group", "aia careers", "duplicate"),
        ("company undisclosed", "company name withheld", "variant"),
        ("st engineering", "st hospital", "variant"),
        ("", "citi", "duplicate"),
    ],
)
def test_names_that_begin_alike_are_one_employer_where_all_else_agrees(
    a: str, b: str, relation: str
) -> None:
    left, right = (Fields(title="analyst", company=name, city="singapore") for name in (a, b))
    made = compare(Document(TEXT, left), Document(TEXT, right), 1.0, None, RULES)
    assert made.relation == relation
    assert compare(Document(TEXT, right), Document(TEXT, left), 1.0, None, RULES) == made
    other = msgspec.structs.replace(right, title="auditor")
    assert compare(Document(TEXT, left), Document(TEXT, other), 1.0, None, RULES).relation == (
        "variant"
    )


def test_the_core_of_a_body_is_its_duties_and_requirements() -> None:
    parts = ["We are Acme.", "Duties\nYou bake bread.", "You sell it.", "We are all equal."]
    text = "\n".join(parts)
    ends = [text.index(part) + len(part) for part in parts]
    kinds = ["about", "responsibilities", "requirements", "boilerplate"]
    sections = [
        {"kind": kind, "start": text.index(part), "end": end}
        for kind, part, end in zip(kinds, parts, ends, strict=True)
    ]
    read = read_body(text, sections, msgspec.structs.replace(RULES, min_words=3))
    assert read.text == "we are acme duties you bake bread you sell it"
    assert core_text(read.text, read.core) == "duties you bake bread you sell it"
    cut = read_body(text, sections, msgspec.structs.replace(RULES, min_words=3, body_limit=20))
    assert core_text(cut.text[:20], cut.core) == "duties y"
    assert read_body("Only this.", [], RULES).core == []


@pytest.mark.parametrize(
    ("closing", "kept"),
    [
        ("Interested candidates please send a CV to Ann", False),
        ("To apply please e-mail Ann, EA licence 12345", False),
        ("You apply your knowledge", True),
    ],
)
def test_how_to_apply_is_no_part_of_the_core(closing: str, *, kept: bool) -> None:
    text = f"You bake bread and cakes and you sell them all day long. {closing}"
    sections = [{"kind": "requirements", "start": 0, "end": len(text)}]
    read = read_body(text, sections, RULES)
    end = f" {folded(closing)}" if kept else ""
    assert core_text(read.text, read.core) == (
        f"you bake bread and cakes and you sell them all day long{end}"
    )
    assert read.text.endswith(folded(closing)), "it stays in the text"


@pytest.mark.req("N-34")
def test_a_text_inside_another_is_a_copy_where_title_company_and_town_agree() -> None:
    fields = Fields(title="data analyst", company="acme", city="leeds")
    inner, outer = Document(TEXT, fields), Document(f"{'about our house ' * 50}{TEXT}", fields)
    made = compare(inner, outer, 0.6, None, RULES)
    assert (made.relation, made.reasons["rule"], made.similarity) == ("duplicate", "part", 1.0)
    elsewhere = Document(inner.body, Fields(title="data analyst", company="acme"))
    assert compare(elsewhere, outer, 0.6, None, RULES).relation == "apart"


def test_lead_generation_is_no_level() -> None:
    lead, senior = read_title("lead generation manager"), read_title("senior generation manager")
    assert not level_conflict(lead, senior)
    assert level_conflict(read_title("lead nurse"), read_title("junior nurse"))


def test_staff_nurse_is_a_role_and_an_assistant_manager_a_level() -> None:
    assert read_title("staff nurse").levels == frozenset()
    assert read_title("staff engineer").levels == frozenset({"staff"})
    assert read_title("assistant manager").levels == frozenset({"assistant"})
    assert read_title("adult care assistant").levels == frozenset()
    assert read_title("associate director").levels == frozenset({"associate", "director"})


@pytest.mark.req("N-34")
def test_one_more_level_word_counts_unless_the_texts_are_equal() -> None:
    a, b = Fields(title="director"), Fields(title="associate director")
    same = Document(TEXT.replace("needs care", "needs cares", 1), b)
    assert compare(Document(TEXT, a), same, 1.0, None, RULES).reasons["veto"].keys() == {"level"}
