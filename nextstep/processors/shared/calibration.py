"""
From what a rule is worth in its author's eyes to how often it was right.

Rules give raw confidences: their order is meant, their size is a guess. A field in TABLE has the
share observed on the labelled set's dev part (tests/golden/extraction, never its held-out third).
No field is fitted yet: every value keeps its raw confidence. `nextstep eval extraction
--reliability` prints what to fit on; raise `VERSION` of extract with a change.

Source: issue 5 item 4.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Field (of mentions: their kind) -> raw confidences up to which a share holds, with that share.
TABLE: Mapping[str, tuple[tuple[float, float], ...]] = {}


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
