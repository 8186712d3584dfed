"""pgbouncer in transaction mode before the server, in a folder of its own, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from nextstep.db.dsn import parse

#: The reason is counted at the end of a run.
NO_POOLER = "pgbouncer is not here"
#: Fewer than our clients, so that one statement and the next of a client meet different sessions.
POOL_SIZE = 3
_NOBODY = 65534


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """Yield the URL of the same database through a transaction pooler; skip where there is none."""
    program = shutil.which("pgbouncer") or shutil.which(
        "pgbouncer", path="/usr/sbin:/usr/local/bin"
    )
    if program is None:
        pytest.skip(NO_POOLER)
    dsn = parse(url)
    folder = Path(tempfile.mkdtemp(prefix="nextstep-pooler-"))
    # It refuses to run as root; a socket lets only its own account and root in.
    uid = Path(dsn.host).stat().st_uid if dsn.host.startswith("/") else _NOBODY
    account = {"user": uid, "group": uid, "extra_groups": ()} if os.geteuid() == 0 else {}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    login = f"user={dsn.user}" + (f" password={dsn.password}" if dsn.password else "")
    (folder / "pgbouncer.ini").write_text(
        "[databases]\n"
        f"* = host={dsn.host or '127.0.0.1'} port={dsn.port or 5432} {login}\n"
        "[pgbouncer]\n"
        "pool_mode = transaction\n"
        "listen_addr = 127.0.0.1\n"
        f"listen_port = {port}\n"
        "unix_socket_dir =\n"
        "auth_type = any\n"
        f"default_pool_size = {POOL_SIZE}\n"
        "max_client_conn = 200\n"
        "server_round_robin = 1\n"
    )
    if account:
        for path in (folder, folder / "pgbouncer.ini"):
            os.chown(path, uid, uid)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "pgbouncer.ini"], cwd=folder, stdout=out, stderr=out, **account
        )
    made = f"postgresql://{dsn.user}@/{dsn.database}?host=127.0.0.1&port={port}&sslmode=disable"
    try:
        _wait(process, made, log)
        yield made
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            told = log.read_text(errors="replace")[-1000:]
            assert process.poll() is None and time.monotonic() < end, told
            time.sleep(0.05)
        else:
            return
