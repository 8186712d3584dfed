"""
A process that forks processors and has each of them killed at one await of the runner.

    python -m tests.faults.forks URL HOME toys|whole BATCH_SIZE

Reads one JSON order a line, `{"point": ..., "mode": ..., "fault": ..., "skip": n}`,
forks a process that drains the line, waits for its end and answers with one JSON line:
`{"pid", "signal", "code", "hit": {"point", "mode", "stage", "batch"} | null, "error"}`. Forking
saves the second that the imports take, so a hundred kills fit into a test.

`mode` "before" kills ahead of the await, "during" when its first bytes are on the way; "stop" and
"stop during" stop the process there (SIGSTOP) until somebody lets it go on. `fault` has
the stage fail once: "systemic" or "transient". `skip` passes a point so many times first.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec

from nextstep import logs
from nextstep.errors import ModelError
from nextstep.events.io import line as line_module
from nextstep.events.io.line import run_line
from nextstep.events.stage import Lookup, Stage, Writes
from nextstep.settings import Settings, load_settings
from tests.faults.awaits import gated_runner
from tests.toy_stages import FIRST, SECOND, decide_first, decide_second
from tests.whole_line import test_stages

_ERRORS: dict[str, Callable[[], Exception]] = {
    "systemic": lambda: ModelError("the model is gone for once"),
    "transient": lambda: asyncpg.ConnectionDoesNotExistError("gone for once"),
}
_order: dict[str, Any] = {}


def _fail_once() -> None:
    fault = _order.pop("fault", None)
    if fault:
        raise _ERRORS[fault]()


def _decide_first(context: Any, rows: Any, prepared: Any, found: Any) -> Writes:
    _fail_once()
    return decide_first(context, rows, prepared, found)


def _decide_second(context: Any, rows: Any, prepared: Any, found: Any) -> Writes:
    known = {row[0] for row in found["known"]}
    assert known <= {row.job_id for row in rows}
    return decide_second(context, rows, prepared, found)


_KNOWN = Lookup(
    "known",
    "SELECT job_id, title FROM toy_second WHERE job_id = ANY ($1::uuid[]) ORDER BY job_id",
    lambda rows, prepared, found: ([row.job_id for row in rows],),
)
#: The toys, with a look-up, so that no await of the runner is left out.
TOYS = (
    msgspec.structs.replace(FIRST, decide=_decide_first),
    msgspec.structs.replace(SECOND, decide=_decide_second, lookups=(_KNOWN,)),
)


def stages_of(kind: str, settings: Settings) -> tuple[Stage, ...]:
    """Return the toys, or all stages on the test encoder."""
    return TOYS if kind == "toys" else test_stages(settings)


async def _gate(point: str, scope: dict[str, Any], start: Callable[[], Awaitable[Any]]) -> Any:
    if point != _order.get("point"):
        return await start()
    _order["skip"] = _order.get("skip", 0) - 1
    if _order["skip"] >= 0:
        return await start()
    runner, batch = scope["self"], scope.get("batch")
    report = {
        "point": point,
        "mode": _order["mode"],
        "stage": runner.stage.name,
        "batch": [batch.start, batch.end] if hasattr(batch, "start") else None,
    }
    task = None
    if _order["mode"].endswith("during"):

        async def begin() -> Any:
            return await start()

        task = asyncio.create_task(begin())
        await asyncio.sleep(0)
        report["was_done"] = task.done()
    os.write(_order["report"], json.dumps(report).encode() + b"\n")
    if _order["mode"].startswith("stop"):
        _order["point"] = ""
        os.kill(os.getpid(), signal.SIGSTOP)
        return await (task or start())
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def _work(url: str, settings: Settings, stages: tuple[Stage, ...]) -> None:
    async def drain() -> None:
        with anyio.fail_after(60):
            await run_line(url, settings, stages, once=True)

    anyio.run(drain)


def _fork(order: dict[str, Any], work: Callable[[], None]) -> dict[str, Any]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _order.clear()
        _order.update(order, report=writing)
        try:
            work()
        except BaseException as error:
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            os.write(writing, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = [json.loads(line) for line in told.splitlines()]
    return {
        "pid": pid,
        "signal": -status if status < 0 else 0,
        "code": max(status, 0),
        "hit": next((each for each in said if "point" in each), None),
        "error": "; ".join(each["error"] for each in said if "error" in each),
    }


def main() -> None:
    url, home, kind, batch_size = sys.argv[1:5]
    settings = msgspec.structs.replace(
        load_settings(environ=os.environ),
        database_url=url,
        home=Path(home),
        executor="inline",
        batch_size=int(batch_size),
        log_level="error",
    )
    logs.configure(settings)
    module, points = gated_runner(_gate)
    line_module.StageRunner = module.StageRunner  # type: ignore[misc]
    stages = stages_of(kind, settings)
    for stage in stages:  # loaded once, inherited by every fork
        if stage.setup is not None:
            context = stage.setup(settings)
            stages = tuple(
                msgspec.structs.replace(s, setup=_constant(context)) if s is stage else s
                for s in stages
            )
    print(json.dumps(points), flush=True)
    for text in sys.stdin:
        answer = _fork(json.loads(text), lambda: _work(url, settings, stages))
        print(json.dumps(answer), flush=True)


def _constant(context: Any) -> Callable[[Settings], Any]:
    return lambda _: context


if __name__ == "__main__":
    main()
