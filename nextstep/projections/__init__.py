"""The projections: subscriptions whose rows are read by people and by the match, not by stages."""

from __future__ import annotations

from nextstep.events.stage import Stage
from nextstep.projections.trends import TRENDS

PROJECTIONS: tuple[Stage, ...] = (TRENDS,)
