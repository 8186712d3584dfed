"""
Print the calibration table that the labelled set's dev part gives.

    python -m tests.golden.calibrate

Put it into `nextstep/processors/shared/calibration.py`, raise the code version of extract and pin
anew. Shares are made to rise with the raw confidence (pool adjacent violators), a block holds at
least `_LEAST` values, and one right and one wrong value are added to each, so that a block of few
values never claims certainty.
"""

from __future__ import annotations

from nextstep.cli.evaluate_extraction import SHIPPED, read_sets
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared import calibration
from nextstep.processors.shared.evaluation import DEV, JUDGES, Said, part_of
from nextstep.processors.shared.extraction import build_kit

_LEAST = 60

#: A field with fewer values keeps its raw confidence.
_WORTH_IT = 20

#: A block: highest raw confidence, right values, values.
_Block = tuple[float, int, int]


def _share(block: _Block) -> float:
    return (block[1] + 1) / (block[2] + 2)


def blocks_of(said: list[Said]) -> list[tuple[float, float]]:
    """Return highest raw confidence and share of each block, rising; the last one is open to 1."""
    merged: list[_Block] = []
    for raw in sorted({one.confidence for one in said}):
        values = [one.right for one in said if one.confidence == raw]
        merged.append((raw, sum(values), len(values)))
        while len(merged) > 1 and (
            merged[-2][2] < _LEAST or _share(merged[-1]) <= _share(merged[-2])
        ):
            top, below = merged.pop(), merged.pop()
            merged.append((top[0], below[1] + top[1], below[2] + top[2]))
    if len(merged) > 1 and merged[-1][2] < _LEAST:
        top, below = merged.pop(), merged.pop()
        merged.append((top[0], below[1] + top[1], below[2] + top[2]))
    return [
        (1.0 if at == len(merged) - 1 else block[0], round(_share(block), 3))
        for at, block in enumerate(merged)
    ]


def main() -> None:
    """Print TABLE."""
    calibration.TABLE = {}
    calibration.calibrated.cache_clear()
    kit = build_kit(load_taxonomies())
    said: dict[str, list[Said]] = {}
    for field, rows in read_sets(sorted(SHIPPED.glob("*.jsonl"))).items():
        for row in rows:
            if part_of(str(row["id"])) == DEV:
                for mark in JUDGES[field](row, kit):
                    for one in mark.said:
                        said.setdefault(one.rule, []).append(one)
    for rule, values in sorted(said.items()):
        if len(values) >= _WORTH_IT:
            print(f'    "{rule}": {tuple(blocks_of(values))},  # {len(values)} values')


if __name__ == "__main__":
    main()
