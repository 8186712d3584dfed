"""The embedded server under kills, reused pids, odd paths, other users and wrong passwords."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from servers import tcp_server

from nextstep.db import embedded, pools
from nextstep.db.migrate import migrate
from nextstep.db.server_config import SOCKET_PATH_BYTES
from nextstep.db.server_files import Account, as_account, locate
from nextstep.errors import Unreachable, UnsupportedServer
from nextstep.settings import Settings
from tests.conftest import command_environment

#: A process that uses the server until it is told to stop; prints the URL when it has it.
USER = """
import sys, time
from pathlib import Path
from nextstep.db import embedded
from nextstep.settings import Settings
with embedded.running(Settings(home=Path(sys.argv[1]))) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def kept_home() -> Iterator[Path]:
    """A home whose data are made once; each test starts and stops the server itself."""
    path = Path(tempfile.mkdtemp(prefix="nextstep fault 'home' "))  # spaces and quotes
    path.chmod(0o711)
    yield path
    embedded.stop(Settings(home=path), now=True)
    shutil.rmtree(path)


@pytest.fixture
def own(kept_home: Path) -> Iterator[Settings]:
    settings = Settings(home=kept_home)
    yield settings
    embedded.stop(settings, now=True)


@contextmanager
def user_of(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A second process that uses the server, and the URL it got."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=command_environment(settings.home),
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            if process.poll() is None:
                process.kill()


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def wait_until(condition: Callable[[], bool], deadline_s: float = 20) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)


def server_pid(settings: Settings) -> int:
    text = (locate(settings.home).data / "postmaster.pid").read_text()
    return int(text.split("\n", 1)[0])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_path_with_spaces_and_quotes_gives_a_server_with_our_settings(own: Settings) -> None:
    with embedded.running(own) as url, psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('TimeZone', 'jit', 'listen_addresses', 'max_connections', 'max_wal_size')"
            ' ORDER BY name COLLATE "C"'
        ).fetchall()
        assert rows == [
            ("TimeZone", "UTC"),
            ("jit", "off"),
            ("listen_addresses", ""),
            ("max_connections", "100"),
            ("max_wal_size", "2048"),
        ]
        assert connection.execute("SELECT lower('ÉCOLE'), 'a' < 'B'").fetchone() == (
            "école",
            False,
        )
        names = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'nextstep%%' ORDER BY 1"
        )
        assert [name for (name,) in names] == [
            "nextstep_api",
            "nextstep_ingest",
            "nextstep_owner",
            "nextstep_rebuild",
            "nextstep_worker",
        ]
    assert not answers(url)


def test_two_processes_share_one_server_and_the_last_stops_it(own: Settings) -> None:
    with embedded.running(own) as url:
        pid = server_pid(own)
        with user_of(own) as (other, other_url):
            assert other_url == url
            assert server_pid(own) == pid
            other.communicate("", timeout=20)
            assert other.returncode == 0
        assert answers(url)
    assert not answers(url)


def test_a_killed_user_does_not_count_any_more(own: Settings) -> None:
    with user_of(own) as (other, url):
        other.kill()
        other.wait(20)
    assert answers(url)  # nobody stopped it ...
    with embedded.running(own):
        pass
    assert not answers(url)  # ... but the next user that leaves does


def test_sigterm_stops_what_was_started(own: Settings) -> None:
    with user_of(own) as (other, url):
        other.send_signal(signal.SIGTERM)
        other.wait(20)
        assert other.returncode == 128 + signal.SIGTERM
    assert not answers(url)


def test_a_started_server_outlives_its_users_until_it_is_stopped(own: Settings) -> None:
    url = embedded.start(own)
    with embedded.running(own) as same:
        assert same == url
    assert embedded.status(own).running and embedded.status(own).kept
    assert embedded.stop(own)
    assert not answers(url)


def test_stop_waits_for_the_last_user_unless_told_otherwise(own: Settings) -> None:
    with user_of(own) as (other, url):
        assert not embedded.stop(own)
        assert answers(url)
        assert embedded.stop(own, now=True)
        other.communicate("", timeout=20)


def test_a_server_killed_outright_is_started_again_with_its_data(own: Settings) -> None:
    url = embedded.start(own)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    pid = server_pid(own)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    with embedded.running(own) as again, psycopg.connect(again) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
        connection.execute("DROP TABLE kept")
        assert server_pid(own) != pid


def test_a_stale_pid_file_whose_pid_a_stranger_has_is_removed(own: Settings) -> None:
    files = locate(own.home)
    embedded.start(own)
    text = (files.data / "postmaster.pid").read_text()
    embedded.stop(own, now=True)
    account = files.account
    # A stranger of the same account: the case in which pg_ctl says "running".
    with subprocess.Popen(
        ["/bin/sleep", "60"], user=account.uid if account else None, cwd="/"
    ) as stranger:
        try:
            stale = files.data / "postmaster.pid"
            stale.write_text(f"{stranger.pid}\n" + text.split("\n", 1)[1])
            if account:
                os.chown(stale, account.uid, account.gid)
            with embedded.running(own) as url:
                assert answers(url)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_long_path_gets_a_private_short_socket_folder() -> None:
    parent = Path(tempfile.mkdtemp(prefix="nextstep-long-"))
    parent.chmod(0o711)
    home = parent / ("x" * 100)
    try:
        with embedded.running(Settings(home=home)) as url:
            assert answers(url)
            files = locate(home)
            found = files.socket.stat()
            assert len(os.fsencode(files.socket)) < SOCKET_PATH_BYTES
            assert found.st_mode & 0o777 == 0o700
            assert found.st_uid == (files.account.uid if files.account else os.geteuid())
    finally:
        shutil.rmtree(files.socket, ignore_errors=True)
        shutil.rmtree(parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
def test_another_account_of_this_host_cannot_become_superuser(own: Settings) -> None:
    with embedded.running(own):
        files = locate(own.home)
        command = [str(files.binaries / "psql"), files.url("postgres"), "-c", "SELECT 1"]
        stranger = Account(name="stranger", uid=12345, gid=12345)
        refused = as_account(stranger, command)
        assert refused.returncode == 2 and "Permission denied" in refused.stdout
        # Were the socket's folder open, the server itself would refuse them.
        files.socket.chmod(0o755)
        refused = as_account(stranger, command)
        assert refused.returncode == 2 and "authentication failed" in refused.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server an account")
def test_a_home_that_the_account_cannot_reach_keeps_its_permissions() -> None:
    parent = Path(tempfile.mkdtemp(prefix="nextstep-closed-"))  # 0700
    home = parent / "home"
    settings = Settings(home=home)
    try:
        with embedded.running(settings) as url:
            assert answers(url)
        base = locate(home).base
        assert parent.stat().st_mode & 0o777 == 0o700
        assert not base.is_relative_to(parent)
        assert base.stat().st_uid == 0 and base.stat().st_mode & 0o777 == 0o711
        assert (base / "data").stat().st_mode & 0o777 == 0o700
        with embedded.running(settings) as again:
            assert again == url
    finally:
        shutil.rmtree((home / "postgres").resolve())
        shutil.rmtree(parent)


def test_data_of_another_major_version_are_refused(own: Settings) -> None:
    embedded.start(own)
    embedded.stop(own, now=True)
    version = locate(own.home).data / "PG_VERSION"
    true = version.read_text()
    version.write_text("13\n")
    try:
        with pytest.raises(UnsupportedServer, match="belong to PostgreSQL 13"):
            embedded.start(own)
    finally:
        version.write_text(true)


def test_a_broken_configuration_is_told_with_the_servers_own_words(own: Settings) -> None:
    embedded.start(own)
    embedded.stop(own, now=True)
    config = locate(own.home).data / "postgresql.conf"
    true = config.read_text()
    config.write_text(true + "no_such_setting = 1\n")
    try:
        with pytest.raises(Unreachable) as caught:
            embedded.start(own)
        assert 'unrecognized configuration parameter "no_such_setting"' in caught.value.detail
        assert "server.log" in caught.value.hint
    finally:
        config.write_text(true)


def test_a_home_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable) as caught:
        embedded.start(Settings(home=tmp_path / "file" / "home"))
    assert "NEXTSTEP_HOME" in caught.value.hint


def test_a_half_made_data_folder_is_not_taken_for_a_whole_one(own: Settings) -> None:
    files = locate(own.home)
    (files.base / "fresh-killed").mkdir()
    (files.base / "fresh-killed" / "PG_VERSION").write_text("18\n")
    shutil.rmtree(files.data, ignore_errors=True)
    with embedded.running(own) as url:
        assert answers(url)
    assert not (files.base / "fresh-killed").exists()


def test_asking_for_the_status_makes_nothing(home: Path) -> None:
    settings = Settings(home=home / "never")
    assert not embedded.status(settings).running
    assert embedded.stop(settings)
    assert list(home.iterdir()) == []


def test_database_url_wins_and_nothing_is_started(home: Path) -> None:
    settings = Settings(home=home, database_url="postgresql://u@nowhere.invalid/d")
    with embedded.running(settings) as url:
        assert url == "postgresql://u@nowhere.invalid/d"
    assert list(home.iterdir()) == []
    with pytest.raises(Unreachable, match="DATABASE_URL"):
        embedded.stop(settings)


async def test_a_wrong_password_is_unreachable_and_not_repeated(own: Settings) -> None:
    with tcp_server(own) as url:
        assert answers(url)
        wrong = url.replace("right", "wrong-sesame")
        for attempt in (lambda: migrate(wrong), None):
            with pytest.raises(Unreachable) as caught:
                if attempt:
                    attempt()
                else:
                    await pools.connect(wrong, "worker", own)
            assert "password authentication failed" in caught.value.detail
            assert "check user and password" in caught.value.hint
            assert "sesame" not in str(caught.value)
