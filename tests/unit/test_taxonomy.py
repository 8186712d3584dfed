"""The taxonomy files: what ships, what is refused and how, what changes the digest."""

from __future__ import annotations

import random
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from nextstep import share
from nextstep.errors import TaxonomyError
from nextstep.processors.io.plain_yaml import LOADER, load_yaml
from nextstep.processors.io.taxonomy_files import FILES, load_taxonomies
from nextstep.processors.shared.concepts import KINDS
from nextstep.processors.shared.taxonomy import build_matcher
from nextstep.processors.shared.taxonomy_report import compare, describe, never_hit
from nextstep.processors.shared.titles import normalize_title

SMALL = {
    "skills.yml": """
version: "1"
contexts:
  care: [ward, patient*]
concepts:
- {name: Triage, kind: domain, context: ["@care"], aliases: [ersteinschätzung]}
- {name: Patience, kind: soft}
""",
    "tools.yml": """
version: "1"
concepts:
- name: Kubernetes
  kind: platform
  aliases: [k8s, {text: EKS, case: exact, context: [aws], blockers: [eks gmbh]}]
- {name: SQL, kind: language}
""",
    "titles.yml": """
version: "1"
concepts:
- {name: Nurse, cluster: nursing, aliases: [infirmier, rn]}
- {name: Data Engineer, cluster: data engineering}
""",
}


def write(folder: Path, **changed: str) -> Path:
    """Write the small files, with those named by their stem in place of the usual ones."""
    for name, text in SMALL.items():
        (folder / name).write_text(changed.get(name.removesuffix(".yml"), text), encoding="utf-8")
    return folder


@pytest.mark.req("N-38")
def test_the_shipped_files_hold_enough_of_everything() -> None:
    shipped = load_taxonomies()
    stats = describe(shipped)
    assert len(shipped.skills) >= 1_500
    assert len(shipped.tools) >= 2_000
    assert len(shipped.titles) >= 800
    assert stats.forms["skills and tools"] >= 8_000
    assert {concept.kind for concept in shipped.skills} == set(KINDS["skill"])
    assert {concept.kind for concept in shipped.tools} == set(KINDS["tool"])
    assert set(shipped.versions) == set(FILES)
    assert re.fullmatch("[0-9a-f]{16}", shipped.digest)


@pytest.mark.req("N-38")
def test_the_shipped_files_clash_nowhere_and_start_in_bounded_time() -> None:
    start = time.process_time()
    matcher = build_matcher(load_taxonomies(share.share("taxonomies")))
    assert time.process_time() - start < 20  # about one second of a processor; a worker's start
    assert len(matcher.concepts) >= 600
    assert len(matcher.patterns) < 200_000


@pytest.mark.req("N-38")
def test_titles_are_written_as_people_write_them() -> None:
    titles = load_taxonomies().titles
    for title in titles:
        assert title.cluster == title.cluster.lower(), title.name
        assert title.name[0] == "." or not title.name[0].islower() or title.name[1].isupper()
    assert 30 <= len({title.cluster for title in titles}) <= 60


@pytest.mark.req("N-38")
def test_every_name_of_a_title_is_found_as_that_title_in_its_cluster() -> None:
    titles = load_taxonomies().titles
    wrong = [
        (title.name, found.title_norm)
        for title in titles
        if (found := normalize_title(title.name, titles)).title_norm != title.name
    ]
    assert wrong == []


@pytest.mark.req("N-38")
@pytest.mark.parametrize(
    ("raw", "name", "cluster"),
    [
        ("Senior Softwareentwickler:in (m/w/d)", "Software Engineer", "software engineering"),
        ("Ingénieur·e Data (H/F)", "Data Engineer", "data engineering"),
        ("Infirmier/Infirmière de nuit", "Registered Nurse", "nursing"),
        ("Enfermero/a de UCI", "Intensive Care Nurse", "nursing"),
        ("Boekhouder", "Bookkeeper", "accounting"),
        ("Accounts Executive", "Accountant", "accounting"),
        ("Account Executive", "Account Executive", "sales"),
        ("Chargé·e de recrutement (H/F)", "Recruiter", "recruiting"),
        ("Manager, Internal Audit", "Internal Auditor", "accounting"),
        ("Manager, Senior", "Manager", "management"),
        ("Insurance Data Scientist", "Data Scientist", "data science"),
        ("RGN Ebbw Vale", "Registered Nurse", "nursing"),
        ("Addetta alle vendite", "Retail Sales Associate", "retail"),
        ("Cientista de Dados Pleno", "Data Scientist", "data science"),
        ("HGV Class 1 Driver (Days) - Ipswich", "Truck Driver", "driving and transport"),
    ],
)
def test_titles_of_many_fields_and_languages_are_known(raw: str, name: str, cluster: str) -> None:
    found = normalize_title(raw, load_taxonomies().titles)
    assert (found.title_norm, found.cluster) == (name, cluster)


def concepts(*entries: str, head: str = "") -> str:
    return f'version: "1"\n{head}concepts:\n' + "".join(f"- {entry}\n" for entry in entries)


FAULTS = {
    "not YAML": ("tools", "concepts: [", ["tools.yml line", "no valid YAML"]),
    "a key twice": (
        "tools",
        concepts("{name: Go, kind: language, kind: other}"),
        ["tools.yml line 3", "'kind' stands twice"],
    ),
    "empty": ("skills", "", ["skills.yml", "entry: must be a mapping, is NoneType"]),
    "a list": ("skills", "- a\n", ["skills.yml", "entry: must be a mapping, is list"]),
    "no version": (
        "skills",
        "concepts: [{name: A, kind: soft}]",
        ["skills.yml", "version: must be a text or a number"],
    ),
    "unknown head": (
        "skills",
        concepts("{name: A, kind: soft}", head="concept: 1\n"),
        ["skills.yml line 2", "concept: unknown field; known are version, contexts, concepts"],
    ),
    "no concepts": ("tools", 'version: "1"\n', ["tools.yml", "concepts: must be a list"]),
    "a concept that is a text": (
        "tools",
        concepts("Go"),
        ["tools.yml line 3", "entry 1", "must be a mapping, is str"],
    ),
    "unknown field": (
        "tools",
        concepts("{name: SQL, kind: language}", "{name: Go, kind: language, alias: [golang]}"),
        ["tools.yml line 4: concept 'Go': alias: unknown field; known are name, kind, aliases"],
    ),
    "no name": ("tools", concepts("{kind: language}"), ["entry 1: name: must be a text"]),
    "a name that is no text": (
        "tools",
        concepts("{name: 1.0, kind: language}"),
        ["entry 1: name: must be a text, is 1.0", "quote words that YAML reads"],
    ),
    "a blank name": ("tools", concepts("{name: ' ', kind: language}"), ["name: must be a text"]),
    "a name twice": (
        "tools",
        concepts("{name: Go, kind: language}", "{name: Go, kind: other}"),
        ["tools.yml line 4: concept 'Go': name: stands twice in the file"],
    ),
    "unknown kind": (
        "tools",
        concepts("{name: Go, kind: lang}"),
        ["concept 'Go': kind: 'lang' is not one of language, framework"],
    ),
    "kind of the other file": (
        "skills",
        concepts("{name: Go, kind: framework}"),
        ["skills.yml line 3: concept 'Go': kind: 'framework' is not one of technical, domain"],
    ),
    "no kind": ("skills", concepts("{name: Go}"), ["concept 'Go': kind: 'None' is not one of"]),
    "unknown case": (
        "tools",
        concepts("{name: Go, kind: language, case: upper}"),
        ["concept 'Go': case: 'upper' is not exact or fold"],
    ),
    "context that is a text": (
        "tools",
        concepts("{name: Go, kind: language, context: golang}"),
        ["concept 'Go': context: must be a list, is str"],
    ),
    "context unknown": (
        "tools",
        concepts('{name: Go, kind: language, context: ["@code"]}'),
        ["concept 'Go': context: '@code' is not among the file's contexts"],
    ),
    "context too short": (
        "tools",
        concepts('{name: Go, kind: language, context: ["c*"]}'),
        ["concept 'Go': context: 'c*' is too short"],
    ),
    "blocker that is no text": (
        "tools",
        concepts("{name: Go, kind: language, blockers: [no]}"),
        ["concept 'Go': blockers: must be a text, is False"],
    ),
    "alias that YAML reads as truth": (
        "tools",
        concepts("{name: Go, kind: language, aliases: [on]}"),
        ["concept 'Go': aliases: must be a text, is True", "quote words"],
    ),
    "alias with an unknown field": (
        "tools",
        concepts("{name: Go, kind: language, aliases: [{text: g, kind: other}]}"),
        ["concept 'Go': kind: unknown field; known are text, case, context, blockers"],
    ),
    "alias without a text": (
        "tools",
        concepts("{name: Go, kind: language, aliases: [{case: exact}]}"),
        ["concept 'Go': aliases: must be a text"],
    ),
    "nothing to match": (
        "tools",
        concepts("{name: Go, kind: language, match_name: false}"),
        ["concept 'Go': aliases: nothing to match"],
    ),
    "contexts that are a list": (
        "tools",
        concepts("{name: Go, kind: language}", head="contexts: [a]\n"),
        ["tools.yml", "contexts: must map a name to a list of words"],
    ),
    "title without cluster": (
        "titles",
        concepts("{name: Nurse}"),
        ["titles.yml line 3: concept 'Nurse': cluster: must be a text"],
    ),
    "title with a kind": (
        "titles",
        concepts("{name: Nurse, cluster: nursing, kind: domain}"),
        ["concept 'Nurse': kind: unknown field; known are name, cluster, aliases"],
    ),
    "title alias with rules": (
        "titles",
        concepts("{name: Nurse, cluster: nursing, aliases: [{text: rn}]}"),
        ["concept 'Nurse': aliases: must be a text"],
    ),
    "title alias of another": (
        "titles",
        concepts(
            "{name: Nurse, cluster: a, aliases: [RN]}", "{name: B, cluster: a, aliases: [rn]}"
        ),
        ["titles.yml line 4: concept 'B': aliases: 'rn' is a name of 'Nurse' too"],
    ),
    "a field that is gone": (
        "titles",
        concepts("{name: Nurse, cluster: a}", head="levels: {senior: [sr]}\n"),
        ["titles.yml", "levels"],
    ),
}


@pytest.mark.req("N-38")
@pytest.mark.parametrize(("stem", "text", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_its_file_concept_and_field(
    tmp_path: Path, stem: str, text: str, said: list[str]
) -> None:
    with pytest.raises(TaxonomyError) as caught:
        load_taxonomies(write(tmp_path, **{stem: text}))
    for part in said:
        assert part in str(caught.value)
    assert "HINT: " in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.req("N-38")
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "titles.yml").unlink()
    with pytest.raises(TaxonomyError, match=r"titles\.yml cannot be read"):
        load_taxonomies(tmp_path)


@pytest.mark.req("N-38")
def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "tools.yml").write_bytes(b'version: "\xff"')
    with pytest.raises(TaxonomyError, match=r"tools\.yml cannot be read"):
        load_taxonomies(tmp_path)


def shuffled(value: Any, chance: random.Random) -> Any:
    """Return the value with keys and lists in another order."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    if isinstance(value, list):
        return chance.sample([shuffled(item, chance) for item in value], len(value))
    return value


@pytest.mark.req("N-38", "X-06")
def test_the_digest_ignores_comments_spacing_and_every_order(tmp_path: Path) -> None:
    before = load_taxonomies(write(tmp_path)).digest
    chance = random.Random(3)
    for name, text in SMALL.items():
        content = shuffled(yaml.safe_load(text), chance)
        dump = yaml.safe_dump(content, sort_keys=False, default_flow_style=False, indent=4)
        (tmp_path / name).write_text(f"# another hand\n\n{dump}\n# end\n", encoding="utf-8")
    assert load_taxonomies(tmp_path).digest == before


@pytest.mark.req("N-38", "X-06")
@pytest.mark.parametrize(
    ("stem", "old", "new"),
    [
        ("skills", "Patience", "Calm"),
        ("skills", "kind: soft", "kind: domain"),
        ("skills", "patient*", "patients"),
        ("skills", 'context: ["@care"], ', ""),
        ("skills", 'version: "1"', 'version: "2"'),
        ("tools", "k8s", "kube"),
        ("tools", "case: exact", "case: fold"),
        ("tools", "eks gmbh", "eks ag"),
        ("tools", "- {name: SQL, kind: language}\n", ""),
        ("titles", "cluster: nursing", "cluster: care"),
        ("titles", "infirmier", "infirmière"),
    ],
)
def test_every_edit_of_meaning_changes_the_digest(
    tmp_path: Path, stem: str, old: str, new: str
) -> None:
    before = load_taxonomies(write(tmp_path)).digest
    text = SMALL[f"{stem}.yml"]
    assert old in text
    assert load_taxonomies(write(tmp_path, **{stem: text.replace(old, new)})).digest != before


@pytest.mark.req("N-38")
def test_an_edited_copy_of_the_shipped_files_is_seen_at_the_next_load(tmp_path: Path) -> None:
    folder = shutil.copytree(share.share("taxonomies"), tmp_path / "own")
    before = load_taxonomies(folder)
    assert before.digest == load_taxonomies().digest

    with (folder / "titles.yml").open("a", encoding="utf-8") as file:
        file.write("- {name: Lamplighter, cluster: public sector, aliases: [réverbérier]}\n")
    after = load_taxonomies(folder)
    assert after.digest != before.digest
    assert normalize_title("Réverbérier", after.titles).title_norm == "Lamplighter"
    assert normalize_title("Réverbérier", before.titles).cluster == ""


@pytest.mark.req("N-38")
def test_loading_the_same_contents_again_gives_the_same_object(tmp_path: Path) -> None:
    # The memo of titles is kept per object: a second one would start it anew.
    assert load_taxonomies(write(tmp_path)).titles is load_taxonomies(tmp_path).titles


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: 1\nb: [1.5, yes, null, ~, 2026-11-01, '1', \"x\", y z]\nc: {d: e}\n",
        "a: &x [1]\nb: *x\n",
        "base: &b {a: 1}\nmore:\n  <<: *b\n  c: 2\n",
        "a: !!str 1\n",
        "? [1, 2]\n: x\n",
        "a: |\n  two\n  lines\nb: >\n  folded\n  text\n",
        "text",
        "- - 1\n  - 2\n- {}\n- []\n-\n",
        "---\na: 1\n...\n",
    ],
)
def test_the_fast_reader_reads_what_the_whole_of_yaml_reads(text: str) -> None:
    try:
        expected = yaml.load(text, Loader=LOADER)
    except yaml.YAMLError:
        with pytest.raises(yaml.YAMLError):
            load_yaml(text)
        return
    assert load_yaml(text) == expected


@pytest.mark.parametrize("name", FILES)
def test_the_fast_reader_reads_the_shipped_files_as_the_whole_of_yaml_does(name: str) -> None:
    text = (share.share("taxonomies") / name).read_text(encoding="utf-8")
    assert load_yaml(text) == yaml.load(text, Loader=LOADER)


@pytest.mark.req("N-38")
def test_forms_that_differ_by_case_plural_or_hyphen_count_once(tmp_path: Path) -> None:
    tools = concepts("{name: Data Vault, kind: other, aliases: [data-vaults, DataVault, dv 2]}")
    stats = describe(load_taxonomies(write(tmp_path, tools=tools)))

    assert stats.forms["tools"] == 2
    assert stats.concepts["tool other"] == 1


@pytest.mark.req("N-38")
def test_forms_that_no_text_holds_are_listed(tmp_path: Path) -> None:
    tools = concepts("{name: Data Vault, kind: other, aliases: [vault modeling, dv modeling]}")
    taxonomies = load_taxonomies(write(tmp_path, tools=tools))

    unused = never_hit(taxonomies, ["We keep data vaults.", "Vault modeling is all we do."])

    assert [form for name, form in unused if name == "Data Vault"] == ["dv modeling"]


@pytest.mark.req("N-38")
def test_a_difference_names_the_concept_and_its_forms(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    one = concepts("{name: Git, kind: other}", "{name: Bash, kind: language}")
    two = concepts("{name: Git, kind: other, aliases: [git scm]}", "{name: Zsh, kind: language}")
    old, new = (
        load_taxonomies(write(tmp_path / name, tools=tools))
        for name, tools in (("old", one), ("new", two))
    )

    assert compare(old, new) == ["- tool Bash", "~ tool Git: +git scm", "+ tool Zsh"]
    assert compare(old, old) == []
