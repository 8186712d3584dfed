"""
How many requests in a minute: one bucket per caller that fills by itself. Pure but for its state.

The `limits` package would do it, but its asynchronous store starts a task and a thread's work for
every request; this is one look-up.
"""

from __future__ import annotations

from collections import OrderedDict

#: Buckets kept; the one that was used longest ago goes first, and it is the fullest, too.
_MOST_BUCKETS = 10_000


class Rate:
    """At most `per_minute` at once, and as many in every further minute."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now_s: float) -> bool:
        """Take one from a caller's bucket; False where it is empty. `now_s` never goes back."""
        left, at = self._buckets.pop(key, (float(self.per_minute), now_s))
        left = min(float(self.per_minute), left + (now_s - at) * self.per_minute / 60)
        has = left >= 1
        self._buckets[key] = (left - 1 if has else left, now_s)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return has
