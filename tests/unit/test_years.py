"""Years of experience: demands in several languages, and years that are something else."""

from __future__ import annotations

import pytest

from nextstep.processors.shared.years import experience_of

DEMANDS: list[tuple[str, float | None, float | None]] = [
    ("Two or more (2+) years experience in data", 2, None),
    ("Professional experience in BI (+2 years)", 2, None),
    ("Esperienza consolidata di almeno 5 anni in uno dei settori", 5, None),
    ("3-5 years of experience", 3, 5),
    ("five (5) years of experience required", 5, None),
    ("at least 3+ yrs exp in Java", 3, None),
    ("minimum 2 years in a similar role", 2, None),
    ("Minimum of two years' experience", 2, None),
    ("Experience: 4-6 years", 4, 6),
    ("mindestens 3 Jahre Berufserfahrung", 3, None),
    ("2 à 5 ans d'expérience", 2, 5),
    ("expérience de 3 ans minimum", 3, None),
    ("al menos dos años de experiencia", 2, None),
    ("3 jaar werkervaring", 3, None),
    ("0-3 jaar werkervaring", 0, 3),
    ("almeno 2 anni di esperienza", 2, None),
    ("mínimo de 3 anos de experiência", 3, None),
    ("up to 3 years of experience", None, 3),
    ("0-2 years experience", 0, 2),
    ("5+ years building ML systems", 5, None),
    ("mehrjährige Erfahrung", None, None),
    ("2-jährige Erfahrung in der Analyse", 2, None),
    ("6 months of experience", 0.5, None),
    ("18 months experience in sales", 1.5, None),
    ("more than 5 years of relevant experience", 5, None),
    ("over 10 years of experience in finance required", 10, None),
    ("You have 7 years of professional experience", 7, None),
    ("1 year of experience", 1, None),
    ("one year experience", 1, None),
    ("3 - 5 yrs PQE", 3, 5),
    ("Years of experience: 5", 5, None),
    ("Min Exp: 2 yrs", 2, None),
    ("ein Jahr Berufserfahrung", 1, None),
    ("une expérience de 5 ans minimum en data", 5, None),
    ("10 years' experience", 10, None),
    ("3 to 5+ years of experience", 3, 5),
    ("drei bis fünf Jahre Berufserfahrung", 3, 5),
    ("1.5 years of experience", 1.5, None),
    ("2-3+ years of hands-on Python", 2, 3),
    ("Experience of 3 to 5 years", 3, 5),
    ("Experience level: 2 years", 2, None),
    ("exp 3-6 yrs", 3, 6),
    ("5 years' post-qualification experience", 5, None),
    ("minimum of 2-3 years' work experience", 2, 3),
    ("At least one (1) year of experience", 1, None),
]

OTHERS = [
    "We have over 20 years of history",
    "The company was founded 15 years ago",
    "401k match after 1 year",
    "Must be at least 18 years old",
    "applicants must be 21 years of age or older",
    "For more than 30 years, our company has delivered innovation",
    "With over 25 years of experience, our firm is a leader",
    "over the past 10 years",
    "a 2-year fixed term contract",
    "4-year degree in computer science",
    "Our team has 50 years of combined experience",
    "seit 20 Jahren am Markt",
    "depuis 30 ans",
    "within the next 5 years",
    "Named best workplace 3 years in a row",
    "two (2) years following the closure of the process",
    "25 days holiday after 2 years of service",
    "4 year vesting with 1 year cliff",
    "We are a 10 years old startup",
    "3 years warranty",
    "children aged 3-5 years",
    "plans for 5 years",
    "after 5 years with the company you get a sabbatical",
    "a five-year growth plan",
    "Data retained for 2 years",
    "our 15-year history",
    "12 month contract",
    "within 6 months of hire",
    "6 months probation",
    "1 year renewable contract",
    "We have 10 years of experience in the market",
    "nous avons 20 ans d'expérience",
    "Wir haben über 20 Jahre Erfahrung",
    "must be 18 years or older",
    "in the last three years",
    "degree within the last 2 years",
    "3 years apprenticeship",
    "Two years of college",
    "100 years of excellence",
    "Series B in 2 years",
    "for 2 years running",
    "paternity leave up to 6 months",
    "founded 8 years ago with experience in AI",
    "5 years residency in the UK",
    "established for 40 years",
    "celebrating 25 years of experience in retail",
]


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("text", "least", "most"), DEMANDS, ids=[text for text, _, _ in DEMANDS])
def test_a_demand_for_years_is_read(text: str, least: float | None, most: float | None) -> None:
    found = experience_of(text)
    assert (found.min_years, found.max_years) == (least, most)
    if least is not None or most is not None:
        assert found.spans
    assert [text[s.start : s.end] for s in found.spans] == [s.snippet for s in found.spans]


@pytest.mark.parametrize("text", OTHERS)
def test_other_years_are_no_experience(text: str) -> None:
    assert experience_of(text).spans == ()


def test_the_first_demand_counts_and_a_preferred_one_comes_last() -> None:
    text = "10 years of experience preferred.\n- 5+ years of experience in data\n- 3+ years of SQL"
    assert experience_of(text).min_years == 5
    assert experience_of("10 years of experience preferred.").preferred is True
