"""Work mode and employment type: statements, perks and words that only look alike."""

from __future__ import annotations

import pytest

from nextstep.processors.shared.employment import employment_of, parse_employment
from nextstep.processors.shared.workmode import work_mode_of

TEXTS = [
    ("This role is fully remote.", "remote"),
    ("Location: Remote (US)", "remote"),
    ("100% remote possible", "remote"),
    ("About the position:\n- Full time\n- Remote\n- Equipment provided", "remote"),
    ("You can work from anywhere in Europe.", "remote"),
    ("Acme | Rails Developer | REMOTE | Full-time", "remote"),
    ("Trabajo 100% remoto", "remote"),
    ("We are a fully distributed company. The position is remote.", "remote"),
    ("This is a remote-based position.", "remote"),
    ("Hybrid working: 3 days per week in the office", "hybrid"),
    ("2 days per week in the office", "hybrid"),
    ("Our work model embraces a hybrid approach.", "hybrid"),
    ("Modalidad híbrida", "hybrid"),
    ("Modello di lavoro ibrido a Roma", "hybrid"),
    ("Wir bieten dir ein hybrides Arbeitsmodell.", "hybrid"),
    ("Hybride werken vanuit een kantoor in jouw buurt", "hybrid"),
    ("Télétravail 2 jours par semaine", "hybrid"),
    ("The position requires a 2-day per week on-site presence", "hybrid"),
    ("Data Analyst | London (Hybrid) | Contract", "hybrid"),
    ("You may work remotely up to two days a week.", "hybrid"),
    ("Come to our office at least three days per week.", "hybrid"),
    ("Teletrabajo: 3 días", "hybrid"),
    ("Um dia de home office por semana", "hybrid"),
    ("Choose what suits you: onsite, hybrid, or fully remote.", "remote"),
    ("Porto, Lisboa or remote", "remote"),
    ("Leipzig / Remote / Full time", "remote"),
    ("Onsite, but remote candidates are considered", "remote"),
    ("Die Möglichkeit, im Home-Office zu arbeiten", "remote"),
    ("Esta é uma posição remota.", "remote"),
    ("Atuação no modelo presencial", "onsite"),
    ("Working remotely is not an option here.", "onsite"),
    ("We do not offer remote work.", "onsite"),
    ("Helsinki, no telecommuting", "onsite"),
    ("Five days onsite", "onsite"),
    ("A stipend to equip your home office", ""),
    ("Two of us are remote, the rest sit in Bergen.", ""),
    ("Experience working remotely is a plus.", ""),
    ("The nurses of the hybrid theatre", ""),
    ("Twenty days of working remotely from abroad each year", ""),
    ("Quarterly on-sites in Lyon", ""),
    ("This is an on-site position.", "onsite"),
    ("Must be able to work onsite in Boston", "onsite"),
    ("Work Location: Santa Clara, CA 95054 (onsite)", "onsite"),
    ("Trabajo 100% presencial", "onsite"),
    ("Acme | Berlin | ONSITE", "onsite"),
    ("No remote work", "onsite"),
    ("Remote work is not possible.", "onsite"),
    ("Remote: no", "onsite"),
    ("You will be in the office five days a week: 5 days a week in the office.", "onsite"),
    # words that are no mode
    ("Experience with remote sensing and remote monitoring", ""),
    ("You will support remote teams and customers", ""),
    ("hybrid cloud architecture", ""),
    ("experience with hybrid vehicles and multi-cloud or hybrid deployments", ""),
    ("On-site gym, on-site parking and free lunch", ""),
    ("Occasional remote work possible", ""),
    ("A home office stipend and a Work from home allowance: 1200 kr", ""),
    ("Knowledge of distributed systems and virtual machines", ""),
    ("Visits to client on-site locations; in-person meetings", ""),
    ("Flexible hours, remote work options and 30 days of holiday", "remote"),
    ("Arbeitsplatz im Büro mit höhenverstellbaren Tischen", ""),
    ("Microsoft Office and a friendly team", ""),
    ("", ""),
]


@pytest.mark.req("N-37")
@pytest.mark.parametrize(("text", "mode"), TEXTS, ids=[text[:40] or "empty" for text, _ in TEXTS])
def test_a_description_states_the_work_mode_or_none(text: str, mode: str) -> None:
    found = work_mode_of("", "", text)
    assert found.mode == mode
    assert bool(found.spans) == bool(mode)
    assert [text[s.start : s.end] for s in found.spans] == [s.snippet for s in found.spans]


@pytest.mark.parametrize(
    ("location", "title", "text", "mode", "field"),
    [
        ("Remote", "Engineer", "", "remote", "location"),
        ("Hybrid - Amsterdam", "Engineer", "fully remote", "hybrid", "location"),
        ("Berlin", "Engineer (Remote)", "on-site position", "remote", "title"),
        ("Berlin", "Hybrid Cloud Engineer", "", "", ""),
        ("Berlin", "Remote Sensing Scientist", "", "", ""),
        ("Berlin", "Virtual Assistant", "", "", ""),
        ("Berlin", "Engineer", "This role is fully remote.", "remote", "description_clean"),
    ],
)
def test_the_field_wins_over_the_title_and_the_title_over_the_text(
    location: str, title: str, text: str, mode: str, field: str
) -> None:
    found = work_mode_of(location, title, text)
    assert found.mode == mode
    assert [span.field for span in found.spans] == ([field] if field else [])


@pytest.mark.req("N-37")
@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("full_time", "full_time"),
        ("Full-time", "full_time"),
        ("Full Time", "full_time"),
        ("full_time permanent", "full_time,permanent"),
        ("Permanent, Full Time", "full_time,permanent"),
        ("part_time contract", "part_time,contract"),
        ("Permanent, Contract, Full Time", "full_time,contract,permanent"),
        ("Contract", "contract"),
        ("Temporary", "temporary"),
        ("Internship", "internship"),
        ("Part Time, Full Time, Flexi Work", "full_time,part_time"),
        ("Permanent, Freelance, Full Time", "full_time,permanent,freelance"),
        ("Vollzeit", "full_time"),
        ("Teilzeit, unbefristet", "part_time,permanent"),
        ("befristet", "contract"),
        ("CDI", "permanent"),
        ("CDD, temps plein", "full_time,contract"),
        ("Temps partiel", "part_time"),
        ("jornada completa, indefinido", "full_time,permanent"),
        ("Tempo pieno", "full_time"),
        ("Praktikum", "internship"),
        ("Ausbildung", "apprenticeship"),
        ("Volunteer", "volunteer"),
        ("Other", ""),
        ("", ""),
    ],
)
def test_an_employment_field_has_one_canonical_form(raw: str, kind: str) -> None:
    assert parse_employment(raw) == kind


@pytest.mark.parametrize(
    ("raw", "title", "text", "kind", "field"),
    [
        ("Full-time", "Engineer (Contract)", "", "full_time", "employment_type"),
        ("", "Data Scientist (12 Month Contract)", "", "contract", "title"),
        ("", "Contract Manager", "", "", ""),
        ("", "Engineer", "This is a full-time position.", "full_time", "description_clean"),
        ("", "Engineer", "6 month contract, inside IR35", "contract", "description_clean"),
        ("", "Entwickler", "Unbefristeter Arbeitsvertrag in Vollzeit", "full_time,permanent",
         "description_clean"),
        ("", "Engineer", "You will negotiate contracts with full teams, part of the job.", "", ""),
    ],
)  # fmt: skip
def test_employment_is_read_from_the_field_then_title_then_text(
    raw: str, title: str, text: str, kind: str, field: str
) -> None:
    found = employment_of(raw, title, text)
    assert found.kind == kind
    assert {span.field for span in found.spans} == ({field} if field else set())
    stored = {"employment_type": raw, "title": title, "description_clean": text}
    for span in found.spans:
        assert stored[span.field][span.start : span.end] == span.snippet
