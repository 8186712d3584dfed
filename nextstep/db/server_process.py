"""
The life of one server process: make its data, launch it, tell whether it answers, stop it.

Every function here is called under the server's lock. Source: design.md 8.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from nextstep.db.server_config import ensure_socket_folder, own_folder, write_config
from nextstep.db.server_files import DATABASE, PORT, ServerFiles, as_account
from nextstep.errors import NextStepError, Unreachable, UnsupportedServer
from nextstep.share import share

#: Seconds a start may take; crash recovery of a large log needs minutes.
START_TIMEOUT_S = 300
#: An empty cluster takes 40 MB, its first log segments and a small corpus the rest.
_ROOM_BYTES = 128 * 1024**2
#: macOS has no C.UTF-8 of its own; the server's builtin one sorts and folds the same.
_LOCALE = (
    ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    if sys.platform == "darwin"
    else ("--locale=C.UTF-8",)
)
#: pg_ctl waits until the server answers, or is down.
_IN_DATA = ("-Ddata", "-w")
_INITDB = (
    *_LOCALE,
    "--encoding=UTF8",
    "--username=postgres",
    "--auth-local=peer",
    "--auth-host=scram-sha-256",
    "--no-instructions",
)


def ensure_started(files: ServerFiles) -> None:
    """Start the server unless it answers; make roles and the database that are missing."""
    if not answers(files):
        _start(files)
    try:
        _make_database(files)
    except psycopg.Error as error:
        raise _failure("prepare", files, str(error)) from error


def _start(files: ServerFiles) -> None:
    try:
        if not (files.data / "PG_VERSION").exists():
            _make_data(files)
        _check_version(files)
        _clear_stale_pid(files)
        if not answers(files):
            ensure_socket_folder(files)
            write_config(files)
            _own_log(files)
            _launch(files)
    except OSError as error:
        raise _failure("start", files, str(error)) from error


def _make_data(files: ServerFiles) -> None:
    free = shutil.disk_usage(files.base).free
    if free < _ROOM_BYTES:
        raise Unreachable(
            f"cannot create the embedded database in {files.base}: the volume is full",
            detail=f"{free // 1024**2} MB are free, {_ROOM_BYTES // 1024**2} MB are needed",
            hint="free disk space there, or name another NEXTSTEP_HOME",
        )
    # Made beside its place and renamed, so that a kill half-way leaves nothing that looks whole.
    for leftover in files.base.glob("fresh-*"):
        shutil.rmtree(leftover)
    fresh = Path(tempfile.mkdtemp(prefix="fresh-", dir=files.base))
    own_folder(fresh, files.account)
    # Without TCP nobody can use the password; initdb demands one where scram is configured.
    secret = fresh.with_suffix(".secret")
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(32))
    if files.account is not None:
        os.chown(secret, files.account.uid, files.account.gid)
    try:
        done = _run(files, "initdb", "-D", fresh.name, "--pwfile", secret.name, *_INITDB)
    finally:
        secret.unlink(missing_ok=True)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise _failure("create", files, done.stdout)
    config = os.open(fresh / "postgresql.conf", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    with os.fdopen(config, "a") as handle:
        handle.write("include_if_exists = '../nextstep.conf'\n")
    fresh.rename(files.data)


def _check_version(files: ServerFiles) -> None:
    found = (files.data / "PG_VERSION").read_text().strip()
    done = _run(files, "postgres", "--version")
    bundled = done.stdout.rsplit(" ", 1)[-1].split(".")[0].strip()
    if found != bundled:
        raise UnsupportedServer(
            f"the data in {files.data} belong to PostgreSQL {found}; the programs are {bundled}",
            detail="a server cannot open the data of another major version",
            hint="export with the old programs and import here, run pg_upgrade, "
            "or choose another NEXTSTEP_HOME and load again",
        )


def _clear_stale_pid(files: ServerFiles) -> None:
    """Wait for a server that is coming up or going down; remove the pid file of one that died."""
    pid_file = files.data / "postmaster.pid"
    deadline = time.monotonic() + START_TIMEOUT_S
    while (pid := _read_pid(pid_file)) and _is_our_server(pid, files):
        if answers(files):
            return
        if time.monotonic() > deadline:
            raise _failure("reach", files, f"process {pid} does not answer")
        time.sleep(0.1)
    # After a reboot the pid may belong to a stranger, whom pg_ctl would take for the server. Both
    # lock files name it.
    pid_file.unlink(missing_ok=True)
    (files.socket / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def _is_our_server(pid: int, files: ServerFiles) -> bool:
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self/comm").exists():
        command = ["ps", "-o", "command=", "-p", str(pid)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return "postgres" in listed and "-D" in listed
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return False
    except OSError:
        return False
    # Asked as the server's account: root in a container may not look at another account's process.
    done = as_account(files.account, ["/bin/sh", "-c", 'cd "$1/cwd" && pwd -P', "sh", str(process)])
    return done.stdout.rstrip("\n") == str(files.data.resolve())


def _launch(files: ServerFiles) -> None:
    # A killed server's children may hold its shared memory for a moment longer.
    for _ in range(20):
        done = _run(files, "pg_ctl", *_IN_DATA, f"-t{START_TIMEOUT_S}", "-lserver.log", "start")
        if done.returncode == 0 or "still in use" not in _tail(files.log):
            break
        time.sleep(0.5)
    if done.returncode != 0 or not answers(files):
        raise _failure("start", files, done.stdout)


def stop_server(files: ServerFiles) -> None:
    pid = _read_pid(files.data / "postmaster.pid")
    if pid is None or not _is_our_server(pid, files):
        return
    done = _run(files, "pg_ctl", *_IN_DATA, "-t120", "-mfast", "stop")
    if done.returncode != 0 and answers(files):
        raise _failure("stop", files, done.stdout)


def _make_database(files: ServerFiles) -> None:
    with psycopg.connect(files.url("postgres"), autocommit=True) as connection:
        connection.execute((share("sql") / "ops" / "roles.sql").read_bytes())
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER nextstep_owner").format(sql.Identifier(DATABASE))
            )


def answers(files: ServerFiles) -> bool:
    return (files.socket / f".s.PGSQL.{PORT}").exists() and select_one(files.url("postgres"))


def select_one(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def _run(files: ServerFiles, program: str, *args: str) -> subprocess.CompletedProcess[str]:
    # Relative paths, because pg_ctl passes them through a shell.
    return as_account(files.account, [str(files.binaries / program), *args], cwd=files.base)


def _failure(action: str, files: ServerFiles, output: str) -> NextStepError:
    # Every start begins a new log, so its last lines are about this failure.
    noise = ("LOG:  starting", "LOG:  database system is shut down")
    told = [line for line in _tail(files.log).splitlines() if not any(n in line for n in noise)]
    text = "\n".join([*output.splitlines(), *told])
    hint = f"read {files.log}; another folder can be named by NEXTSTEP_HOME"
    if "No space left" in text:
        hint = f"free disk space on the volume of {files.base}, then try again"
    elif "ermission denied" in text:
        hint = f"make {files.base} writable for this account, or name another NEXTSTEP_HOME"
    return Unreachable(
        f"cannot {action} the embedded database in {files.base}",
        detail="; ".join((told if action == "start" and told else output.splitlines())[-4:]),
        hint=hint,
    )


def _tail(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[-2000:]
    except OSError:
        return ""


def _own_log(files: ServerFiles) -> None:
    # Each start begins a new file; the one before it is kept for whoever looks for a crash.
    if files.log.exists():
        files.log.rename(files.log.with_suffix(".log.1"))
    files.log.touch(mode=0o600)
    if files.account is not None:
        os.chown(files.log, files.account.uid, files.account.gid, follow_symlinks=False)


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
