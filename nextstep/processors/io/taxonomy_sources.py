"""
Read the public files of ESCO (CSV) and O*NET (tab separated) as labels, and write taxonomy files.

A file is known by its columns, not by its name: releases rename files, seldom columns.
ESCO v1.2: https://esco.ec.europa.eu/en/use-esco/download; O*NET: https://www.onetcenter.org/database.html

Source: issue 5 item 1.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from nextstep.errors import FileError
from nextstep.processors.shared.occupations import (
    ISCO_GROUPS,
    SOC_GROUPS,
    singular,
    technology_kind,
)
from nextstep.processors.shared.taxonomy_import import CONTEXTS, Imported, Label

Target = Literal["skills", "tools", "titles"]

#: Columns by which a file is known, with what is made of it.
_ESCO: tuple[tuple[Target, tuple[str, ...]], ...] = (
    ("skills", ("conceptUri", "preferredLabel", "altLabels", "skillType")),
    ("titles", ("conceptUri", "preferredLabel", "altLabels", "iscoGroup")),
)
_CODE = "O*NET-SOC Code"
_ONET: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tools", (_CODE, "Example", "Commodity Code", "Commodity Title")),
    ("skills", (_CODE, "Element ID", "Element Name", "Scale ID", "Data Value")),
    ("alternates", (_CODE, "Alternate Title")),
    ("titles", (_CODE, "Title", "Description")),
)
_HINTS = {
    "esco": "give skills_en.csv or occupations_en.csv of the ESCO download (CSV, v1.2)",
    "onet": "give Technology Skills.txt, Skills.txt, Occupation Data.txt or Alternate Titles.txt"
    " of the O*NET database (tab delimited text)",
}


def read_esco(paths: list[Path]) -> dict[Target, list[Label]]:
    """
    Return the labels of ESCO files by what they are for.

    Raises:
        FileError: a file cannot be read, or its columns are those of no known file.
    """
    found: dict[Target, list[Label]] = {}
    for path in paths:
        header, rows = _rows(path, ",", "esco")
        target = next((t for t, columns in _ESCO if set(columns) <= set(header)), None)
        if target is None:
            raise _unknown(path, header, dict(_ESCO), "esco")
        for number, row in rows:
            if row.get("status", "released") not in ("released", ""):
                continue
            name = _required(row, "preferredLabel", path, number)
            uri = _required(row, "conceptUri", path, number)
            aliases = tuple(
                part.strip()
                for column in ("altLabels", "hiddenLabels")
                for part in (row.get(column) or "").split("\n")
                if part.strip()
            )
            kind = _esco_kind(row) if target == "skills" else _isco(row.get("iscoGroup", ""))
            made = name if target == "skills" else _titled(name)
            found.setdefault(target, []).append(Label(uri, made, kind, aliases))
    return found


def read_onet(paths: list[Path]) -> dict[Target, list[Label]]:
    """Return the labels of O*NET files by what they are for; raises as `read_esco`."""
    parts: dict[str, list[Mapping[str, str]]] = {}
    for path in paths:
        header, rows = _rows(path, "\t", "onet")
        target = next((t for t, columns in _ONET if set(columns) <= set(header)), None)
        if target is None:
            raise _unknown(path, header, dict(_ONET), "onet")
        wanted = dict(_ONET)[target]
        for number, row in rows:
            for column in wanted[:2]:
                _required(row, column, path, number)
            parts.setdefault(target, []).append({**row, "device": str("Hot Technology" not in row)})
    if "alternates" in parts and "titles" not in parts:
        raise FileError(
            "alternate titles without their occupations",
            detail="the other names of an occupation need its own name",
            hint="give Occupation Data.txt as well",
        )
    found: dict[Target, list[Label]] = {}
    if "tools" in parts:
        found["tools"] = _onet_tools(parts["tools"])
    if "skills" in parts:
        found["skills"] = _onet_skills(parts["skills"])
    if "titles" in parts:
        found["titles"] = _onet_titles(parts["titles"], parts.get("alternates", []))
    return found


def _onet_tools(rows: list[Mapping[str, str]]) -> list[Label]:
    found: dict[str, Label] = {}
    for row in rows:
        name = row["Example"].strip()
        kind = "device" if row["device"] == "True" else technology_kind(row["Commodity Title"])
        found.setdefault(name, Label(f"onet:{row['Commodity Code']}:{name}", name, kind))
    return list(found.values())


def _onet_skills(rows: list[Mapping[str, str]]) -> list[Label]:
    found: dict[str, Label] = {}
    for row in rows:
        element, name = row["Element ID"], row["Element Name"].strip()
        # 2.C is knowledge; of the skills only 2.B.3 are technical, the others are of people.
        kind = "domain" if element.startswith("2.C") else "soft"
        kind = "technical" if element.startswith("2.B.3") else kind
        found.setdefault(name, Label(f"onet:{element}", name, kind))
    return list(found.values())


def _onet_titles(rows: list[Mapping[str, str]], alternates: list[Mapping[str, str]]) -> list[Label]:
    others: dict[str, list[str]] = {}
    for row in alternates:
        others.setdefault(row[_CODE], []).append(row["Alternate Title"].strip())
    return [
        Label(
            f"onet:{row[_CODE]}",
            singular(row["Title"].strip()),
            SOC_GROUPS.get(row[_CODE][:2], "other"),
            tuple(map(singular, [*others.get(row[_CODE], ()), row["Title"].strip()])),
        )
        for row in rows
    ]


def write_taxonomy(path: Path, target: Target, found: Imported, version: str) -> None:
    """Write one taxonomy file; the id of each concept stands beside it as a comment."""
    lines = [f"version: {json.dumps(version)}", ""]
    if target != "titles":
        lines += [f"contexts: {json.dumps(CONTEXTS)}", ""]
    lines.append("concepts:" if found.concepts else "concepts: []")
    for concept, source in zip(found.concepts, found.ids, strict=True):
        # JSON is YAML, and quotes every word that YAML would read as something else.
        lines.append(f"- {json.dumps(concept, ensure_ascii=False)}  # {_comment(source)}")
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write {path.name}", detail=str(error)) from error


def _comment(text: str) -> str:
    return re.sub(r"[^\x21-\x7e]+", " ", text)[:200]


def _rows(
    path: Path, delimiter: str, source: str
) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{path.name} cannot be read", detail=str(error), hint=_HINTS[source]
        ) from error
    # Not splitlines(): it would also cut inside a quoted field, at a form feed or U+2028.
    lines = io.StringIO(text, newline="")
    if delimiter == "\t":
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    else:
        reader = csv.DictReader(lines, delimiter=delimiter, restval="")
    return list(reader.fieldnames or ()), _numbered(reader, path)


def _numbered(reader: csv.DictReader[str], path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise FileError(f"{path.name} line {reader.line_num}: {error}") from error


def _required(row: Mapping[str, str], column: str, path: Path, number: int) -> str:
    value = (row.get(column) or "").strip()
    if not value:
        raise FileError(
            f"{path.name} line {number}: column '{column}' is empty",
            detail="every concept needs its id and its name",
            hint="take the file from the download again; it may have been cut",
        )
    return value


def _unknown(
    path: Path, header: list[str], known: Mapping[str, tuple[str, ...]], source: str
) -> FileError:
    nearest = max(known.values(), key=lambda columns: len(set(columns) & set(header)))
    missing = [column for column in nearest if column not in header]
    return FileError(
        f"{path.name} line 1: column '{missing[0]}' is missing",
        detail=f"it has {', '.join(filter(None, header))[:300] or 'no column'}; "
        f"needed are {', '.join(nearest)}",
        hint=_HINTS[source],
    )


def _esco_kind(row: Mapping[str, str]) -> str:
    scheme = row.get("inScheme") or ""
    if "language" in scheme:
        return "language"
    if "transversal" in scheme or row.get("reuseLevel") == "transversal":
        return "soft"
    return "technical" if row["skillType"] == "knowledge" else "domain"


def _isco(code: str) -> str:
    digits = code.lstrip("C")
    return ISCO_GROUPS.get(digits[:2]) or ISCO_GROUPS.get(digits[:1], "other")


def _titled(name: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in name.split())
