"""
Ranges through Ray Data: actors with warm taxonomies and encoders make files of finished rows.

Ray places the actors, hands out the ranges, starts actors that died anew and gives their range out
again. What we keep is the ledger: each answer is noted when it comes, so that whatever ends this
process loses only what was in the making.

Source: issue 9 item 6.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from nextstep.db.prepare import Connection
from nextstep.errors import Unreachable
from nextstep.events.io import ray_cluster
from nextstep.events.stage import Stage, stage_version
from nextstep.ops.bulk import files, ledger
from nextstep.ops.bulk.ledger import Range, Run
from nextstep.ops.bulk.worker import CLEANED, Answer, Kit, Posts, Vectors
from nextstep.processors.shared.clean_fold import (
    COLUMNS,
    FILL,
    FILL_COLUMNS,
    TABLE,
    VERDICT_COLUMNS,
    VERDICTS,
)
from nextstep.settings import Settings

_TYPES = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
 WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attgenerated = ''
 ORDER BY a.attnum
"""

OnAnswer = Callable[[Answer], None]
Answers = Callable[[Settings, Kit, Sequence[Range]], Iterator[Answer]]


class ComputeReport(msgspec.Struct):
    """What came of a call. `letters` counts posts that a stage could not handle, in all ranges."""

    run_id: str
    ranges: int
    done: int = 0
    failed: int = 0
    waiting: int = 0
    streams: int = 0
    letters: int = 0
    restarted: bool = False


def on_ray(settings: Settings, kit: Kit, waiting: Sequence[Range]) -> Iterator[Answer]:
    """Yield an answer for every range, as they come from the actors of a cluster."""
    ray = ray_cluster.join(settings)
    try:
        importlib.import_module("ray.data")
        _quiet(ray)
        pools = [Posts, *([Vectors] if len(kit.stages) > 2 else [])]
        size = min(ray_cluster.cpus(settings), len(waiting))
        rows = [{"answer": msgspec.json.encode(Answer(part)).decode()} for part in waiting]
        ranges = ray.data.from_items(rows, override_num_blocks=len(rows))
        for pool in pools:
            ranges = ranges.map_batches(
                pool,
                fn_constructor_args=(kit,),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=size),
                # All pools share the cores; a little is left for what Ray Data does itself.
                num_cpus=round(0.9 / len(pools), 2),
            )
        for row in ranges.iter_rows():
            yield msgspec.json.decode(row["answer"], type=Answer)
    except ray.exceptions.RayError as error:
        raise Unreachable(
            "the Ray cluster lost work or does not answer",
            detail=f"{type(error).__name__}; what was answered is in the ledger",
            hint="ray status on the cluster's head; the same command goes on where it was",
        ) from error
    finally:
        ray_cluster.leave()


def _quiet(ray: Any) -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def compute(
    connection: Connection,
    folder: Path,
    settings: Settings,
    stages: Sequence[Stage],
    *,
    with_vectors: bool = True,
    answers: Answers = on_ray,
    on_answer: OnAnswer | None = None,
) -> ComputeReport:
    """
    Compute the ranges that are exported or failed; the others stay as they are.

    Args:
        connection: from `ledger.opened`.
        stages: the whole line.
        answers: what works on the ranges.
        on_answer: called with each answer.

    Raises:
        UsageError: no run is open in the folder, or ray is not installed.
        Unreachable: no cluster.
    """
    run = ledger.require(connection, folder)
    taken = computed(stages, with_vectors=with_vectors)
    versions = {stage.name: stage_version(stage, settings) for stage in taken}
    restarted = ledger.made_by(connection, run, versions)
    waiting = [
        part for part in ledger.ranges(connection, run)
        if part.input is not None and part.status in ("exported", "failed")
    ]  # fmt: skip
    if waiting:
        kit = _kit(connection, folder, run, settings, taken)
        for answer in answers(settings, kit, waiting):
            _note(connection, run, answer)
            if on_answer is not None:
                on_answer(answer)
    return _report(connection, run, restarted)


def computed(stages: Sequence[Stage], *, with_vectors: bool) -> tuple[Stage, ...]:
    """Return the stages that are functions of one post, in line order."""
    names = ("clean", "extract", "embed") if with_vectors else ("clean", "extract")
    return tuple(stage for stage in stages if stage.name.partition(":")[0] in names)


def _kit(
    connection: Connection, folder: Path, run: Run, settings: Settings, stages: Sequence[Stage]
) -> Kit:
    columns = {TABLE: COLUMNS, FILL: FILL_COLUMNS, VERDICTS: VERDICT_COLUMNS}
    shapes = {}
    for table in (*CLEANED, *(t for stage in stages[1:] for t in stage.tables)):
        rows: list[tuple[Any, ...]] = connection.execute(_TYPES, [f"public.{table}"]).fetchall()
        types = {str(name): str(kind) for name, kind in rows}
        shapes[table] = files.shape_of(table, columns.get(table) or tuple(types), types)
    scans = msgspec.structs.replace(files.SCANS, file=files.SCANS_FILE, sha256=run.scans_sha256)
    # A worker has nothing to do with the database, and one core.
    told = msgspec.structs.replace(settings, database_url=None, executor="ray")
    return Kit(told, tuple(stages), str(folder.resolve()), scans, shapes)


def _note(connection: Connection, run: Run, answer: Answer) -> None:
    if answer.damaged:
        ledger.lost(connection, run, answer.range, answer.error)
    elif answer.error:
        ledger.failed(connection, run, answer.range, answer.error)
    else:
        ledger.done(connection, run, answer.range, answer.parts, answer.letters)


def _report(connection: Connection, run: Run, restarted: bool) -> ComputeReport:
    parts = ledger.ranges(connection, run)
    counts = [part.status for part in parts]
    return ComputeReport(
        run_id=str(run.run_id),
        ranges=len(parts),
        done=counts.count("done"),
        failed=counts.count("failed"),
        waiting=counts.count("planned") + counts.count("exported"),
        streams=sum(part.streams for part in parts if part.status == "done"),
        letters=sum(len(part.letters) for part in parts),
        restarted=restarted,
    )
