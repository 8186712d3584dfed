"""Education: levels in several languages, required or preferred, and words that are none."""

from __future__ import annotations

import pytest

from nextstep.processors.shared.education import education_of

CASES: list[tuple[str, tuple[str, ...], bool | None]] = [
    ("Bachelor's (Master's or PhD preferred) degree in CS", ("bachelor", "master", "phd"), True),
    ("A master's or PhD in physics", ("master", "phd"), True),
    ("High school diploma or GED", ("high_school",), True),
    ("LC-MS/MS analysis", (), None),
    ("Bachelor's degree, preferably in Mathematics", ("bachelor",), True),
    ("Preferably, you hold a master's degree", ("master",), False),
    ("Master data management", (), None),
    ("Certified Scrum Master", (), None),
    ("MS Office and MS SQL", (), None),
    ("a high degree of autonomy", (), None),
    ("BS/MS in Computer Science", ("bachelor", "master"), True),
    ("Abgeschlossenes Studium der Informatik", ("bachelor",), True),
    ("Abgeschlossene Berufsausbildung oder Studium (FH)", ("apprenticeship", "bachelor"), True),
    ("Bac+5 en informatique", ("master",), True),
    ("HBO of WO denkniveau", ("bachelor", "master"), True),
    ("Grado en Ingeniería Informática", ("bachelor",), True),
    ("Laurea magistrale in ingegneria", ("master",), True),
    ("Ensino superior completo", ("bachelor",), True),
    ("MBA preferred", ("master",), False),
    ("Degree in Accountancy", ("bachelor",), True),
    ("Diploma in Business", ("associate",), True),
    ("GCE 'O' Level", ("high_school",), True),
    ("Associate's degree required", ("associate",), True),
    ("Ph.D. is a plus", ("phd",), False),
    ("No degree required", (), None),
    ("Master's degree or equivalent experience", ("master",), True),
    ("B.Sc. or M.Sc. in mathematics", ("bachelor", "master"), True),
    ("Bachelor of Science in Nursing", ("bachelor",), True),
    ("Promotion in Informatik", ("phd",), True),
    ("Abitur oder vergleichbar", ("high_school",), True),
    ("minimum 5 GCSEs", ("high_school",), True),
    ("you will master the tools", (), None),
    ("advanced degree preferred", ("master",), False),
    ("Bachelor-/Masterstudium in BWL", ("bachelor", "master"), True),
    ("Bachelor or Master in Statistics", ("bachelor", "master"), True),
    ("Educated to degree level", ("bachelor",), True),
    ("BA/BS degree", ("bachelor",), True),
    ("A Masters or PhD", ("master", "phd"), True),
    ("Doctorate in Data Science", ("phd",), True),
    ("tuition reimbursement for degree programs", (), None),
    ("360 degree feedback", (), None),
]


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("text", "levels", "required"), CASES, ids=[text for text, _, _ in CASES])
def test_levels_and_their_weight_are_read(
    text: str, levels: tuple[str, ...], required: bool | None
) -> None:
    found = education_of(text)
    assert (found.levels, found.required) == (levels, required)
    assert len(found.spans) == len(levels)
    assert [text[s.start : s.end] for s in found.spans] == [s.snippet for s in found.spans]


def test_a_level_below_a_heading_of_wishes_is_preferred() -> None:
    text = "Requirements\n- Bachelor's degree\n\nPreferred Qualifications:\n- PhD in statistics"
    assert education_of(text).levels == ("bachelor", "phd")
    assert education_of(text).required is True
    assert education_of("Preferred Qualifications:\n- PhD in statistics").required is False
