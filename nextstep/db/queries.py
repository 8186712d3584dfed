"""
Named SQL blocks, read from one file beside the code that uses them.

    -- name: head
    -- The highest position, 0 for an empty log.
    SELECT coalesce(max(position), 0) FROM job_events;
"""

from __future__ import annotations

import re
from pathlib import Path

from nextstep.errors import FileError

_NAME = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)\s*$")


def read_queries(path: Path) -> dict[str, str]:
    """
    Return name -> SQL without its closing semicolon, in the file's order.

    Raises:
        FileError: a name repeats, a block is empty, or its one comment line is missing.
    """
    blocks: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := _NAME.match(line):
            if found[1] in blocks:
                raise FileError(f"{path.name}: two blocks are named {found[1]}")
            lines = blocks[found[1]] = []
        elif lines is not None:
            lines.append(line)
        elif line.strip() and not line.startswith("--"):
            raise FileError(f"{path.name}: SQL before the first `-- name:`")
    return {name: _sql(path, name, block) for name, block in blocks.items()}


def _sql(path: Path, name: str, block: list[str]) -> str:
    if not block or not block[0].startswith("--"):
        raise FileError(f"{path.name}: {name} needs one comment line under its name")
    text = "\n".join(block[1:]).strip().removesuffix(";").rstrip()
    if not text:
        raise FileError(f"{path.name}: {name} holds no SQL")
    return text
