"""Titles: the level they state and the role they name."""

from __future__ import annotations

import pytest

from nextstep.processors.shared.concepts import TitleConcept
from nextstep.processors.shared.level import seniority_of, text_level, title_level
from nextstep.processors.shared.titles import normalize_title

LEVELS = [
    ("Senior Data Engineer", "senior"),
    ("Sr. Data Analyst", "senior"),
    ("Sr Data Analyst (Local Only)", "senior"),
    ("Junior Developer", "junior"),
    ("Jr. Software Engineer", "junior"),
    ("Data Analyst", ""),
    ("Lead Data Scientist", "lead"),
    ("Principal Engineer", "principal"),
    ("Staff Software Engineer", "staff"),
    ("Senior Staff Engineer", "staff"),
    ("Staff Nurse", ""),
    ("Staff Accountant", ""),
    ("Engineering Manager", "manager"),
    ("Head of Data", "head"),
    ("Director of Engineering", "director"),
    ("VP of Sales", "vp"),
    ("Vice President, Data & Analytics", "vp"),
    ("Assistant Vice President", "vp"),
    ("CTO", "executive"),
    ("Chief Technology Officer", "executive"),
    ("Chief of Staff", ""),
    ("Account Executive", ""),
    ("Sales Executive", ""),
    ("Executive Assistant", ""),
    ("Executive Assistant to the CEO", ""),
    ("Assistant to the Director", ""),
    ("Intern Data Analyst (f/m/d)", "intern"),
    ("Data Science Internship", "intern"),
    ("Internal Auditor", ""),
    ("International Sales Manager", "manager"),
    ("Graduate Software Engineer", "entry"),
    ("Entry Level Data Analyst", "entry"),
    ("Trainee Accountant", "entry"),
    ("Apprentice Electrician", "entry"),
    ("Mid-level Developer", "mid"),
    ("Intermediate Data Scientist", "mid"),
    ("Medior Data Engineer", "mid"),
    ("Senior Product Manager", "senior"),
    ("Senior Manager, Data Science", "manager"),
    ("Associate Director", "director"),
    ("Associate Data Scientist", "junior"),
    ("Research Associate", ""),
    ("Sales Associate", ""),
    ("Lead Generation Specialist", ""),
    ("Team Lead - Support", "lead"),
    ("Tech Lead", "lead"),
    ("Data Analyst II", "mid"),
    ("Software Engineer III", "senior"),
    ("Software Engineer I", "entry"),
    ("Werkstudent (m/w/d) Business Intelligence", "intern"),
    ("Praktikum Data Science", "intern"),
    ("Stagiaire Data Analyst", "intern"),
    ("Cientista de Dados PL", "mid"),
    ("Cientista de Dados Sênior", "senior"),
    ("Analista de Dados Pleno", "mid"),
    ("Teamleiter Vertrieb", "lead"),
    ("Leiter Controlling (m/w/d)", "head"),
    ("Geschäftsführer", "executive"),
    ("Directeur Commercial", "director"),
    ("Founder", "executive"),
    ("Co-Founder & CTO", "executive"),
    ("Managing Director", "director"),
    ("President", "executive"),
    ("Senior Living Advisor", ""),
    ("Restaurant Manager", "manager"),
    ("Product Manager", "manager"),
    ("Data Science Director | Generative AI", "director"),
    ("Analytics Lead, Consumer, Ads", "lead"),
    ("(Junior) Backend Entwickler:in (m/w/d)", "junior"),
    ("Summer Analyst", "intern"),
    ("New Grad Software Engineer", "entry"),
    ("Head Chef", "head"),
    ("Art Director", "director"),
    ("Data Analyst Trainee", "entry"),
    ("Working Student Data", "intern"),
    ("Co-op Data Scientist", "intern"),
    ("Cooperative Manager", "manager"),
    ("Stage Data Analyst", "intern"),
    ("Alternance Data Analyst", "entry"),
    ("Midwife", ""),
    ("Leadership Coach", ""),
    ("Manager", "manager"),
    ("Case Manager", "manager"),
    ("Deputy Head of Year", "head"),
    ("Data Analyst, Vice President", "vp"),
    ("Senior Executive", "senior"),
    ("Marketing Executive", ""),
    ("Non-Executive Director", "director"),
    ("Lead, Data Engineering", "lead"),
    ("Principal Data Scientist", "principal"),
    ("Member of Technical Staff", ""),
    ("Chief Data Officer", "executive"),
    ("Head, Analytics", "head"),
    ("SVP Engineering", "vp"),
    ("Jefe de Proyecto", "head"),
    ("Becario Data", "intern"),
    ("Analista Senior", "senior"),
    ("Ingeniero Junior", "junior"),
    ("Ssr Developer", "mid"),
    ("Group Product Manager", "manager"),
    ("Sr. Director, Product", "director"),
    ("Executive Director", "director"),
    ("Chief Executive Officer", "executive"),
    ("Office Manager", "manager"),
    ("Junior Account Manager", "junior"),
    ("Lead Engineer", "lead"),
    ("Software Engineer (Staff)", "staff"),
    ("Camp Staff", ""),
    ("PhD Student", ""),
    ("Master Thesis Data Science", "intern"),
    ("Ausbildung Fachinformatiker", "entry"),
    ("Head Nurse", "head"),
    ("Senior Account Executive", "senior"),
    ("Data Entry Clerk", ""),
    ("Data Entry Operator - Entry Level", "entry"),
]

TITLES = (
    TitleConcept("Account Executive", "sales", ()),
    TitleConcept("Backend Developer", "software", ("backend engineer", "backend entwickler")),
    TitleConcept("Business Analyst", "business analysis", ()),
    TitleConcept("Data Analyst", "data analytics", ("analista de datos", "analista de dados")),
    TitleConcept("Data Engineer", "data engineering", ()),
    TitleConcept("Data Scientist", "data science", ("cientista de dados",)),
    TitleConcept("Machine Learning Engineer", "data science", ("ml engineer",)),
    TitleConcept("Registered Nurse", "nursing", ("staff nurse", "rgn nurse")),
    TitleConcept("Software Engineer", "software", ("software developer", "softwareentwickler")),
)

ROLES = [
    ("Data Analyst", "Data Analyst", "data analytics"),
    ("Senior Data Analyst (m/f/d)", "Data Analyst", "data analytics"),
    ("Data Analyst - Remote", "Data Analyst", "data analytics"),
    ("URGENT: Data Analyst", "Data Analyst", "data analytics"),
    ("Data Analysts", "Data Analyst", "data analytics"),
    ("Data Analyst, Retail Media Performance", "Data Analyst", "data analytics"),
    ("Data Quality Analyst", "Data Analyst", "data analytics"),
    ("Data Anlayst", "Data Analyst", "data analytics"),
    ("Sr. Data Scientist/MLOps", "Data Scientist", "data science"),
    ("Cientista de Dados Sênior | Vale Bonus", "Data Scientist", "data science"),
    ("(Junior) Backend Entwickler:in (m/w/d)", "Backend Developer", "software"),
    ("Data Analyst (ID:2308)", "Data Analyst", "data analytics"),
    ("Machine Learning Engineer / Data Scientist", "Machine Learning Engineer", "data science"),
    ("Staff Nurse", "Registered Nurse", "nursing"),
    ("Account Executive", "Account Executive", "sales"),
    ("Acme Inc. | Senior Software Engineer | Boston, MA | ONSITE", "Software Engineer", "software"),
    ("Acme - Berlin, Germany - Backend Engineer", "Backend Developer", "software"),
    ("Software Engineer II", "Software Engineer", "software"),
    ("Data Scientist H/F", "Data Scientist", "data science"),
    ("Zookeeper", "zookeeper", ""),
    ("Senior Zookeeper (12 Month Contract)", "zookeeper", ""),
    ("", "", ""),
]


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("title", "level"), LEVELS, ids=[title for title, _ in LEVELS])
def test_a_title_states_its_level_or_none(title: str, level: str) -> None:
    found = title_level(title)
    assert found.level == level
    assert [title[s.start : s.end] for s in found.spans] == [s.snippet for s in found.spans]
    assert bool(found.spans) == bool(level)


@pytest.mark.req("N-38")
@pytest.mark.parametrize(("title", "norm", "cluster"), ROLES, ids=[title for title, _, _ in ROLES])
def test_a_title_names_its_role(title: str, norm: str, cluster: str) -> None:
    found = normalize_title(title, TITLES)
    assert (found.title_norm, found.cluster) == (norm, cluster)
    assert 0 <= found.span[0] <= found.span[1] <= len(title)


def test_the_description_states_the_level_only_where_the_title_does_not() -> None:
    text = "We are looking for a motivated junior developer."
    assert text_level(text).level == "junior"
    assert seniority_of("Senior Developer", text).level == "senior"
    assert seniority_of("Developer", text).level == "junior"
    assert text_level("You will work with senior stakeholders and lead workshops.").level == ""


def test_another_taxonomy_gives_another_answer() -> None:
    other = (TitleConcept("Zookeeper", "animals", ()),)
    assert normalize_title("Zookeeper", other).cluster == "animals"
    assert normalize_title("Zookeeper", TITLES).cluster == ""
