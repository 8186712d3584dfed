"""
From what a rule is worth in its author's eyes to how often it was right.

Rules give raw confidences: their order is meant, their size is a guess. A field in TABLE has the
share observed on the labelled set's dev part (tests/golden/extraction, never its held-out third),
as `python -m tests.golden.calibrate` prints it; raise `VERSION` of extract with a change. On the
held-out third every bin of 15 values or more lies within 0.10 of what it says.

Source: issue 5 item 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

#: Field (of mentions: their kind) -> raw confidences up to which a share holds, with that share.
TABLE: Mapping[str, tuple[tuple[float, float], ...]] = {
    "education": ((1.0, 0.985),),
    "experience": ((1.0, 0.988),),
    "knowledge": ((1.0, 0.738),),
    "location": ((0.96, 0.938), (1.0, 0.982)),
    "salary": ((1.0, 0.98),),
    "title": ((1.0, 0.914),),
    "tool": ((1.0, 0.964),),
    "work_mode": ((0.75, 0.981), (0.8, 0.984), (1.0, 0.99)),
}


@lru_cache(maxsize=4096)
def calibrated(field: str, raw: float) -> float:
    """
    Return the share of such values that were right, rounded to 3 decimals; 0 stays 0.

    A field that no label speaks of keeps its raw confidence.
    """
    if not raw:
        return 0.0
    for upper, share in TABLE.get(field, ()):
        if raw <= upper:
            return share
    return round(raw, 3)
