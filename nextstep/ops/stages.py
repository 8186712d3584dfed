"""The whole line as the settings ask for it: every stage and projection, in order."""

from __future__ import annotations

from collections.abc import Sequence

from nextstep.errors import UsageError
from nextstep.events.stage import Stage
from nextstep.processors import STAGES
from nextstep.processors.embed import EMBED, embed_stage
from nextstep.projections import PROJECTIONS
from nextstep.settings import Settings


def line_stages(settings: Settings) -> tuple[Stage, ...]:
    """Return all stages and projections; the vector stage is that of the configured model."""
    return tuple(
        embed_stage(settings) if stage is EMBED else stage for stage in (*STAGES, *PROJECTIONS)
    )


def choose(stages: Sequence[Stage], names: str | None) -> tuple[Stage, ...]:
    """
    Return the stages named in a comma-separated list, all of them for None.

    `embed` alone means the vector stage of whatever model.

    Raises:
        UsageError: a name is not a stage.
    """
    if not names:
        return tuple(stages)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {stage.name: stage for stage in stages} | {
        stage.name.partition(":")[0]: stage for stage in stages
    }
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise UsageError(
            f"no stage is named {', '.join(unknown) or repr(names)}",
            detail=f"stages: {', '.join(stage.name for stage in stages)}",
            hint="nextstep run --stages clean,dedupe",
        )
    chosen = {known[name].name for name in wanted}
    return tuple(stage for stage in stages if stage.name in chosen)
