"""
The server's disk is full: nothing is lost, nothing is parked, the line goes on when there is room.

Where this account may mount, the tables lie in a tablespace on a volume of a few megabytes, and the
error is the server's own. Everywhere, a trigger raises the same SQLSTATE (53100) in the middle of
the transaction, since that is all that a client ever sees of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
import psycopg
import pytest

from nextstep.db import pools
from nextstep.db.dsn import parse
from nextstep.events.io import log
from nextstep.events.io.line import Line
from nextstep.settings import Settings
from tests.drafts import draft
from tests.faults.test_kill_points import append, tables
from tests.toy_stages import TOYS

_VOLUME_BYTES = 4 * 1024 * 1024


@contextmanager
def small_volume(owner: int) -> Iterator[Path]:
    """Yield a mounted volume of 4 MB that belongs to the server's account."""
    folder = Path(tempfile.mkdtemp(prefix="nextstep-volume-"))
    folder.chmod(0o711)
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_VOLUME_BYTES},mode=700", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    try:
        if mounted.returncode != 0:
            pytest.skip("no small volume can be mounted here")
        os.chown(place, owner, owner)
        yield place
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(place)], check=True)
        shutil.rmtree(folder)


@pytest.fixture
def volume(toys: str, admin: psycopg.Connection[Any]) -> Iterator[Path]:
    """A full volume on which the log and a toy table live; `filler` takes what is free."""
    host = parse(toys).host
    if os.geteuid() != 0 or not host.startswith("/"):
        pytest.skip("no small volume can be mounted here")
    name = f"small_{parse(toys).database}"
    with small_volume(Path(host).stat().st_uid) as place:
        admin.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'".encode())
        with psycopg.connect(toys, autocommit=True) as owner:
            for table in ("toy_second", "job_events"):
                owner.execute(f"ALTER TABLE {table} SET TABLESPACE {name}".encode())
        try:
            yield place
        finally:
            (place / "filler").unlink(missing_ok=True)
            with psycopg.connect(toys, autocommit=True) as owner:
                for table in ("toy_second", "job_events"):
                    owner.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default".encode())
            admin.execute("CHECKPOINT")
            admin.execute(f"DROP TABLESPACE {name}".encode())


def fill(place: Path, left: int = 0) -> None:
    """Take the volume's free bytes, all but `left`."""
    free = shutil.disk_usage(place).free - left
    with (place / "filler").open("ab") as filler:
        filler.write(b"\0" * max(0, free))


@asynccontextmanager
async def running(url: str, settings: Settings) -> AsyncIterator[Line]:
    stop, line = anyio.Event(), Line(url, settings, TOYS)
    async with anyio.create_task_group() as group:
        group.start_soon(line.run, stop)
        try:
            yield line
        finally:
            stop.set()


async def until(url: str, query: str, answer: Any) -> None:
    with psycopg.connect(url, autocommit=True) as look, anyio.fail_after(60):
        while look.execute(query.encode()).fetchone() != answer:
            await anyio.sleep(0.02)


_HEAD = (
    "SELECT min(position) = (SELECT max(position) FROM job_events), count(*) FROM stage_offsets"
    " WHERE status = 'running'"
)
_STRUGGLING = (
    "SELECT status, position < (SELECT max(position) FROM job_events), last_error <> ''"
    " FROM stage_offsets WHERE stage = 'second'"
)


@pytest.mark.req("X-04")
async def test_the_line_waits_for_room_on_a_full_volume_and_an_append_is_refused_whole(
    toys: str, volume: Path, settings: Settings
) -> None:
    quick = msgspec.structs.replace(settings, poll_interval_s=0.1, batch_size=20)
    long = "t" * 3000  # not so long that it is stored beside the row
    drafts = [draft(n, f"{long} {n}") for n in range(200)]
    async with running(toys, quick):
        await append(toys, quick, drafts[:20])
        await until(toys, _HEAD, (True, 2))
        fill(volume, left=64 * 1024)
        # The log has room for some posts more, the table for fewer.
        connection = await pools.connect(toys, "ingest", quick)
        sent, refused = 20, None
        while refused is None:
            try:
                await log.append(connection, drafts[sent : sent + 1])
                sent += 1
            except asyncpg.DiskFullError as error:
                refused = error
            assert sent < len(drafts), "the volume never was full"
        with psycopg.connect(toys) as look:
            kept = look.execute("SELECT count(*), max(position) FROM job_events").fetchone()
        assert kept == (sent, sent), "what was refused left nothing"
        await until(toys, _STRUGGLING, ("running", True, True))
        with psycopg.connect(toys) as look:
            told = look.execute(
                "SELECT last_error FROM stage_offsets WHERE stage = 'second'"
            ).fetchone()
        assert told is not None and "No space left on device" in told[0]
        (volume / "filler").unlink()
        await until(toys, _HEAD, (True, 2))
        await log.append(connection, drafts[sent:])
        await connection.close()
        await until(toys, _HEAD, (True, 2))
    found = await tables(toys, quick)
    assert len(found["second"]) == 200 and found["letters"] == []
    worker = await pools.connect(toys, "worker", quick)
    assert (await log.verify(worker)).faults == []
    await worker.close()


_FULL = """
CREATE TABLE disk (is_full boolean NOT NULL);
INSERT INTO disk VALUES (true);
GRANT SELECT ON disk TO nextstep_worker;
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT is_full FROM disk) AND NEW.position > 5 THEN
    RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device'
      USING ERRCODE = 'disk_full';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON toy_second
  FOR EACH ROW EXECUTE FUNCTION no_room();
"""


@pytest.mark.req("X-04")
async def test_a_refused_extension_of_a_table_is_retried_until_there_is_room(
    toys: str, settings: Settings
) -> None:
    quick = msgspec.structs.replace(settings, poll_interval_s=0.1, batch_size=5)
    with psycopg.connect(toys, autocommit=True) as owner:
        owner.execute(_FULL)
        async with running(toys, quick):
            await append(toys, quick, [draft(n) for n in range(20)])
            await until(toys, _STRUGGLING, ("running", True, True))
            found = await tables(toys, quick)
            assert found["offsets"][1] == ("second", 5) and len(found["second"]) == 5
            owner.execute("UPDATE disk SET is_full = false")
            await until(toys, _HEAD, (True, 2))
    found = await tables(toys, quick)
    assert len(found["second"]) == 20 and found["letters"] == []
