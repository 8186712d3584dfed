"""Two processes own one stage, the first stopped past the take-over: exactly one commits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from nextstep.settings import Settings
from tests.drafts import draft, job
from tests.faults.killing import Forks, forks, wait_until
from tests.faults.test_kill_points import append, tables
from tests.toy_stages import DDL

#: Where the first owner is stopped: before it writes, with rows locked, with its offset locked.
STOPS = (
    "_attempt: self._executor.decide",
    "_attempt: self._checkpoint",
    "_attempt: transaction.commit",
)
EVENTS = 40
#: A session that has parsed the statement, holds row locks and waits for the rest of its message.
_HALFWAY = """
SELECT 1 FROM pg_stat_activity
 WHERE datname = current_database() AND state = 'active' AND wait_event = 'ClientRead'
   AND query LIKE '%moved AS%'
"""
#: Seconds within which a standby owns the stage.
_TAKE_OVER_S = 5.0


def ask(url: str, query: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchone()


def holder(url: str) -> tuple[int, int]:
    """Return pid and epoch of who owns the first stage; pid 0 is nobody."""
    name, epoch = ask(url, "SELECT holder, epoch FROM stage_offsets WHERE stage = 'first'") or (
        "",
        0,
    )
    return int(name.rpartition(":")[2] or 0), epoch


def stopped_at(
    first: Forks, url: str, point: str, mode: str = "stop", skip: int = 2
) -> tuple[int, Future[Any]]:
    """Start an owner that is stopped at `point`; return its pid and its answer to come."""
    # The third time: a batch is committed and the next one is read ahead.
    answer = in_thread(lambda: first.run(point, mode, skip=skip))
    pid = wait_until(lambda: holder(url)[0])
    process = psutil.Process(pid)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
    return pid, answer


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def overtake(url: str, second: Forks, pid: int) -> dict[str, Any]:
    """Let the second drain the line; say when it took the stage from `pid`."""
    before = holder(url)[1]
    since = ask(url, "SELECT clock_timestamp()")[0]
    answer = in_thread(second.run)
    wait_until(lambda: holder(url)[1] > before)
    took = ask(url, "SELECT clock_timestamp()")[0] - since
    return {"answer": answer.result(90), "took_s": took.total_seconds()}


def one_duel(url: str, home: Path, point: str) -> dict[str, Any]:
    """Stop the owner at `point`, let a second process take over and finish, let the first go on."""
    with forks(url, home) as first, forks(url, home) as second:
        pid, answer = stopped_at(first, url, point)
        try:
            position = ask(url, "SELECT position FROM stage_offsets WHERE stage = 'first'")[0]
            told = overtake(url, second, pid)
        finally:
            os.kill(pid, signal.SIGCONT)
        return {
            "point": point,
            "position": position,
            "took_s": told["took_s"],
            "second": told["answer"],
            "first": answer.result(90),
        }


@pytest.fixture
async def urls(make_database: Any, template: str, settings: Settings) -> list[str]:
    made = [make_database(template) for _ in STOPS]
    for url in made:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(DDL)
        await append(url, settings, [draft(n) for n in range(EVENTS)])
    return made


@pytest.mark.req("D-04", "N-35", "X-06")
async def test_an_owner_stopped_past_the_take_over_commits_nothing_when_it_goes_on(
    urls: list[str], home: Path, settings: Settings
) -> None:
    with ThreadPoolExecutor(len(STOPS)) as threads:
        duels = list(threads.map(lambda url, point: one_duel(url, home, point), urls, STOPS))
    for url, duel in zip(urls, duels, strict=True):
        assert duel["first"]["hit"]["point"] == duel["point"]
        assert 0 < duel["position"] < EVENTS, "a batch was in flight"
        for who in ("first", "second"):
            assert (duel[who]["code"], duel[who]["error"]) == (0, ""), (duel["point"], who)
        found = await tables(url, settings)
        assert found["offsets"] == [("first", EVENTS), ("second", EVENTS)]
        assert found["second"] == sorted((job(n), f"TITLE {n}", n + 1) for n in range(EVENTS))
        counted = ask(
            url,
            "SELECT sum((counts ->> 'in')::int) FILTER (WHERE stage = 'first'),"
            " sum((counts ->> 'in')::int) FILTER (WHERE stage = 'second') FROM pipeline_runs",
        )
        assert counted == (EVENTS, EVENTS), f"{duel['point']}: a batch was committed twice or not"
    slowest = max(duels, key=lambda duel: duel["took_s"])
    assert slowest["took_s"] <= _TAKE_OVER_S, (slowest["point"], slowest["took_s"])


@pytest.mark.req("D-04")
async def test_an_owner_stopped_halfway_through_a_statement_keeps_nobody_waiting(
    urls: list[str], home: Path, settings: Settings
) -> None:
    """Its rows are written and locked, and the server does not count it as idle."""
    url, point = urls[0], "_checkpoint: connection.fetch 'checkpoint'"
    with forks(url, home) as first, forks(url, home) as second:
        # The first time: the statement is not yet prepared, so its parts travel one by one.
        pid, answer = stopped_at(first, url, point, "stop during", skip=0)
        try:
            wait_until(lambda: ask(url, _HALFWAY))
            told = overtake(url, second, pid)
        finally:
            os.kill(pid, signal.SIGCONT)
        said = answer.result(90)
    assert said["hit"]["stage"] == "first"
    assert (told["answer"]["code"], told["answer"]["error"]) == (0, "")
    assert (said["code"], said["error"]) == (0, "")
    assert told["took_s"] <= _TAKE_OVER_S
    found = await tables(url, settings)
    assert found["offsets"] == [("first", EVENTS), ("second", EVENTS)]
    assert found["second"] == sorted((job(n), f"TITLE {n}", n + 1) for n in range(EVENTS))


@pytest.mark.req("X-06")
async def test_a_standby_takes_over_from_a_killed_owner(
    urls: list[str], home: Path, settings: Settings
) -> None:
    url = urls[0]
    with forks(url, home) as first, forks(url, home) as second:
        pid, answer = stopped_at(first, url, "_attempt: transaction.commit")
        os.kill(pid, signal.SIGKILL)
        told = overtake(url, second, pid)
    assert answer.result(90)["signal"] == signal.SIGKILL
    assert (told["answer"]["code"], told["answer"]["error"]) == (0, "")
    # Its connection is gone, so its lock is: nobody waits for the heartbeat to grow old.
    assert told["took_s"] <= _TAKE_OVER_S
    found = await tables(url, settings)
    assert found["offsets"] == [("first", EVENTS), ("second", EVENTS)]
    assert len(found["second"]) == EVENTS
