"""A server with TCP and passwords, as one's own is: the embedded data under another access file."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from nextstep.db import embedded
from nextstep.db.server_files import ServerFiles, as_account, locate
from nextstep.settings import Settings


@contextmanager
def tcp_server(settings: Settings) -> Iterator[str]:
    """Yield a superuser's URL with the password `right`; every login needs one."""
    with embedded.running(settings) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres PASSWORD 'right'")
    files = locate(settings.home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Until the next start of our own, which rewrites both files.
    with (files.base / "nextstep.conf").open("a") as config:
        config.write(f"listen_addresses = '127.0.0.1'\nport = {port}\n")
    with (files.base / "pg_hba.conf").open("a") as access:
        access.write("host all all 127.0.0.1/32 scram-sha-256\n")
    _pg_ctl(files, "start", "-l", "server.log")
    try:
        yield f"postgresql://postgres:right@127.0.0.1:{port}/nextstep"
    finally:
        _pg_ctl(files, "stop", "-m", "fast")


def _pg_ctl(files: ServerFiles, *args: str) -> None:
    command = [str(files.binaries / "pg_ctl"), "-D", "data", "-w", *args]
    done = as_account(files.account, command, cwd=files.base)
    assert done.returncode == 0, done.stdout
