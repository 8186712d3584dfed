"""ESCO and O*NET files become taxonomy files that pass the check. Files here are hand-written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from nextstep import share
from nextstep.cli.main import main
from nextstep.errors import FileError
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.io.taxonomy_sources import read_esco, read_onet
from nextstep.processors.shared.taxonomy_import import Label, import_concepts, import_titles

SKILL = "http://data.europa.eu/esco/skill/"
WORK = "http://data.europa.eu/esco/occupation/"
ESCO_SKILLS = (
    "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,"
    "modifiedDate,scopeNote,definition,inScheme,description\n"
    f'K,{SKILL}1,knowledge,cross-sector,Zettel (computer programming),"ZTL\nzettel lang",,'
    'released,,,,,"One, two"\n'
    f"K,{SKILL}2,skill/competence,transversal,brew tall beakers,lead tall brews,,released,,,,,\n"
    f"K,{SKILL}3,skill/competence,,polish beakers,Oak,,obsolete,,,,,\n"
    f'K,{SKILL}4,knowledge,,Oak,"xy\nbrew tall beakers",,released,,,,,\n'
)
ESCO_WORK = (
    "conceptType,conceptUri,iscoGroup,preferredLabel,altLabels,hiddenLabels,status,inScheme,code\n"
    f'O,{WORK}9,2512,glass poet,"poet of glass\nglass bard",,released,,2512.4\n'
    f'O,{WORK}8,7115,glass joiner,"poet of glass\nglass fitter",,released,,7115.1\n'
)
TECHNOLOGY = (
    "O*NET-SOC Code\tExample\tCommodity Code\tCommodity Title\tHot Technology\tIn Demand\n"
    "15-1252.00\tBarrelDB\t43232304\tData base management system software\tN\tN\n"
    "15-2051.00\tBarrelDB\t43232304\tData base management system software\tN\tN\n"
    '15-2051.00\tQuote "Maker" Pro\t43232605\tAnalytical or scientific software\tN\tN\n'
)
OCCUPATIONS = "O*NET-SOC Code\tTitle\tDescription\n15-2051.00\tGlass Scientists\tThey look.\n"
ALTERNATES = (
    "O*NET-SOC Code\tAlternate Title\tShort Title\tSource(s)\n"
    "15-2051.00\tGlass Data Analyst\tn/a\t08\n"
)


@pytest.fixture(autouse=True)
def _no_logger_left() -> Iterator[None]:
    """`main` sends the logs to this test's captured stream, which no later test may write to."""
    yield
    structlog.reset_defaults()


def write(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = folder / f"{name}.txt"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


@pytest.mark.req("N-38")
def test_esco_files_become_a_folder_that_passes_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write(tmp_path, skills=ESCO_SKILLS, work=ESCO_WORK)
    out = tmp_path / "mine"

    assert main(["taxonomy", "import", "esco", *map(str, paths), "--out", str(out)]) == 0
    assert main(["taxonomy", "check", str(out)]) == 0
    found = load_taxonomies(out)
    told = capsys.readouterr().out

    assert [(c.name, c.kind, [s.text for s in c.surfaces]) for c in found.skills] == [
        ("Oak", "technical", ["Oak"]),
        ("Zettel (computer programming)", "technical", ["Zettel", "ZTL", "zettel lang"]),
        ("brew tall beakers", "soft", ["brew tall beakers", "lead tall brews"]),
    ]
    assert [(t.name, t.cluster, t.aliases) for t in found.titles] == [
        ("Glass Joiner", "building trades", ("glass fitter", "poet of glass")),
        ("Glass Poet", "information and communications technology", ("glass bard",)),
    ]
    assert "left out: 1 forms of fewer than 3 letters" in told
    assert "left out: 1 forms that another concept has" in told
    assert f"# {SKILL}4" in (out / "skills.yml").read_text(encoding="utf-8")


@pytest.mark.req("N-38")
def test_onet_files_become_tools_and_titles() -> None:
    labels = import_concepts([Label("onet:1", "BarrelDB", "database")])

    assert labels.concepts == [{"name": "BarrelDB", "kind": "database"}]


def test_onet_rows_repeat_per_occupation_and_count_once(tmp_path: Path) -> None:
    found = read_onet(write(tmp_path, a=TECHNOLOGY, b=OCCUPATIONS, c=ALTERNATES))

    assert [(label.name, label.kind) for label in found["tools"]] == [
        ("BarrelDB", "database"),
        ('Quote "Maker" Pro', "application"),
    ]
    assert found["titles"][0].name == "Glass Scientist"
    assert found["titles"][0].kind == "computer and mathematical"
    assert "Glass Data Analyst" in found["titles"][0].aliases


def test_the_same_rows_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    labels = [Label(f"id:{n}", f"Barrel {n}", "other", ("keg", f"vat {n}")) for n in range(9)]

    assert import_concepts(labels) == import_concepts(reversed(labels))
    assert import_titles(labels) == import_titles(reversed(labels))


def test_a_known_ambiguous_name_takes_the_rules_that_ship_with_nextstep() -> None:
    shipped = load_taxonomies(share.share("taxonomies"))
    labels = [
        Label("a", "Flask", "framework"),
        Label("b", "Oak", "other"),
        Label("c", "SVG", "other"),
    ]

    found = import_concepts(labels, shipped.tools)
    forms = {one["name"]: one.get("aliases") for one in found.concepts}

    assert found.ruled == sum(
        isinstance(form, dict) for one in forms.values() for form in one or ()
    )
    assert forms["Oak"] == [{"text": "Oak", "case": "exact", "context": ["@imported"]}]
    assert forms["SVG"] is None


@pytest.mark.parametrize(
    ("reader", "text", "said"),
    [
        (
            read_esco,
            "conceptUri,preferredLabel,altLabels\n",
            "line 1: column 'skillType' is missing",
        ),
        (read_esco, "", "line 1: column 'conceptUri' is missing"),
        (read_esco, ESCO_SKILLS.replace(f"{SKILL}2", ""), "line 4: column 'conceptUri' is empty"),
        (read_onet, TECHNOLOGY.replace("Example", "Name"), "column 'Example' is missing"),
        (read_onet, ALTERNATES, "alternate titles without their occupations"),
    ],
)
def test_a_wrong_file_is_told_with_its_place_and_what_to_do(
    tmp_path: Path, reader: object, text: str, said: str
) -> None:
    with pytest.raises(FileError) as raised:
        reader(write(tmp_path, given=text))  # type: ignore[operator]

    assert said in str(raised.value)
    assert "HINT: " in str(raised.value)


def test_two_kinds_of_files_do_not_fit_one_yml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write(tmp_path, skills=ESCO_SKILLS, work=ESCO_WORK)

    code = main(["taxonomy", "import", "esco", *map(str, paths), "--out", str(tmp_path / "a.yml")])

    assert code == 2
    assert "name a folder" in capsys.readouterr().err
