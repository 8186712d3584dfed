"""Every stage of the line, in order. A new stage is one file, one line here, one migration."""

from __future__ import annotations

from nextstep.events.stage import Stage
from nextstep.processors.clean import CLEAN
from nextstep.processors.dedupe import DEDUPE
from nextstep.processors.embed import EMBED
from nextstep.processors.extract import EXTRACT

STAGES: tuple[Stage, ...] = (CLEAN, DEDUPE, EXTRACT, EMBED)
