"""
Read the taxonomy files of a folder.

Source: N-38, decisions.md 13.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from nextstep import share
from nextstep.errors import TaxonomyError
from nextstep.processors.io.plain_yaml import LOADER, load_yaml
from nextstep.processors.shared.concepts import Taxonomies, digest_of
from nextstep.processors.shared.taxonomy_schema import (
    LineOf,
    parse_concepts,
    parse_titles,
    parse_version,
)

FILES = ("skills.yml", "tools.yml", "titles.yml")


def load_taxonomies(folder: Path | None = None) -> Taxonomies:
    """
    Return the taxonomies of `folder`, or those that ship with NextStep.

    The files are read at each call; what they say is worked out once per contents.

    Raises:
        TaxonomyError: a file is missing or is no YAML, or a concept does not fit the schema;
            names file, line, concept and field.
    """
    base = folder if folder is not None else share.share("taxonomies")
    return _parse(*(_text(base / name) for name in FILES))


@lru_cache(maxsize=2)
def _parse(skills_text: str, tools_text: str, titles_text: str) -> Taxonomies:
    skills, tools, titles = (
        _file(name, text)
        for name, text in zip(FILES, (skills_text, tools_text, titles_text), strict=True)
    )
    title_concepts = parse_titles(titles.content, file=FILES[2], line_of=titles.line_of)
    taxonomies = Taxonomies(
        skills=parse_concepts(skills.content, "skill", file=FILES[0], line_of=skills.line_of),
        tools=parse_concepts(tools.content, "tool", file=FILES[1], line_of=tools.line_of),
        titles=title_concepts,
        versions={
            name: parse_version(part.content, file=name)
            for name, part in zip(FILES, (skills, tools, titles), strict=True)
        },
    )
    return msgspec.structs.replace(taxonomies, digest=digest_of(taxonomies))


class _File(msgspec.Struct, frozen=True):
    content: Any
    line_of: LineOf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(
            f"{path.name} cannot be read",
            detail=str(error),
            hint="the folder must hold " + ", ".join(FILES),
        ) from error


def _file(name: str, text: str) -> _File:
    try:
        content = load_yaml(text)
    except yaml.YAMLError as error:
        raise TaxonomyError(
            f"{name}{_mark(error)}: no valid YAML",
            detail=str(getattr(error, "problem", "") or "")[:200],
            hint="quote texts that hold : # & * ! | > ' \" % @ or start with [ or {",
        ) from error
    return _File(content, _line_finder(text))


def _mark(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" line {mark.line + 1}" if mark is not None else ""


def _line_finder(text: str) -> LineOf:
    """Return a function that parses once more, with positions; only a faulty file pays for it."""

    def line_of(index: int, field: str) -> int:
        root = yaml.compose(text, Loader=LOADER)
        node = _child(root, field) if index < 0 else _item(_child(root, "concepts"), index)
        if index >= 0:
            node = _child(node, field) or node
        return int(node.start_mark.line) + 1 if node is not None else 0

    return line_of


def _child(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _item(node: Any, index: int) -> Any:
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    return items[index] if 0 <= index < len(items) else None
