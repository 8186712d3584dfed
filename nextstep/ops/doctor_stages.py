"""Checks of what the tables are made with: code, taxonomies, model, and what rebuilds left."""

from __future__ import annotations

from collections.abc import Iterator

from nextstep.db.prepare import Connection
from nextstep.errors import NextStepError
from nextstep.events.io.space import OLD_SCHEMA, SHADOW_SCHEMA
from nextstep.events.stage import stage_version
from nextstep.ops.finding import Finding, Target
from nextstep.ops.stages import line_stages
from nextstep.processors.io.prepared import encoder_identity

_VERSIONS = "SELECT stage, version FROM stage_offsets WHERE version <> '' ORDER BY stage"
_LEFT = """
SELECT count(*), coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relkind = 'r'
"""
_MB = 1024 * 1024


def model(connection: Connection, target: Target) -> Iterator[Finding]:
    """Is the encoder there, and are its weights the ones that are pinned for its name?"""
    try:
        encoder_identity(target.settings)
    except NextStepError as error:
        yield Finding("model", "error", f"{error.message}: {error.detail}", error.hint)


def versions(connection: Connection, target: Target) -> Iterator[Finding]:
    """Were all rows made by this code, these taxonomies and this model?"""
    if connection.execute("SELECT to_regclass('public.stage_offsets')::text").fetchone() == (None,):
        return
    made = {str(stage): str(version) for stage, version in connection.execute(_VERSIONS).fetchall()}
    for stage in line_stages(target.settings):
        try:
            now = stage_version(stage, target.settings)
        except NextStepError as error:
            if not stage.keep_on_reset:  # a missing model has a finding of its own
                yield Finding("versions", "error", error.message, error.hint)
            continue
        if made.get(stage.name, now) != now:
            yield Finding(
                "versions",
                "warning",
                f"{stage.name} is stale: made by {made[stage.name]}, this is {now}",
                f"nextstep rebuild {stage.name}; then with --swap",
            )


def rebuilds(connection: Connection, target: Target) -> Iterator[Finding]:
    """Did a rebuild leave something behind?"""
    for schema, what, fix in (
        (SHADOW_SCHEMA, "a rebuild is at work, was killed or was kept", "nextstep rebuild"),
        (OLD_SCHEMA, "a swap put tables aside", "nextstep rebuild --drop-old"),
    ):
        row = connection.execute(_LEFT, [schema]).fetchone()
        tables, size = (int(str(value)) for value in row or (0, 0))
        if tables:
            yield Finding(
                "rebuilds", "notice", f"{what}: {tables} tables, {size / _MB:.0f} MB", fix
            )
