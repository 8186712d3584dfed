"""
What every test may ask for: a migrated database of its own, settings, the command, real ads.

One server per session: the one named by NEXTSTEP_TEST_DATABASE_URL, else our embedded launcher's.
The schema is migrated once into a template; each test gets a clone of it.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # a checkout that is not installed
    sys.path.insert(0, str(ROOT))

import psycopg  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402
from psycopg import sql  # noqa: E402

from nextstep.db import embedded, pools  # noqa: E402
from nextstep.db.dsn import with_database  # noqa: E402
from nextstep.db.migrate import migrate  # noqa: E402
from nextstep.settings import Settings  # noqa: E402

# A commit's verdict is the same each time. `--hypothesis-profile explore` looks for new failures,
# with `--hypothesis-seed` to find them again; each one found becomes an @example.
hypothesis_settings.register_profile("pinned", derandomize=True, deadline=None)
hypothesis_settings.register_profile("explore", deadline=None)
hypothesis_settings.load_profile("pinned")

SHARED_DATA = ROOT.parent / "shared" / "data"
_NO_DATA = "real ads are not here"
_NO_NOTIFICATIONS = "it asserts on notifications, which are switched off"
#: Reasons for which a test may be skipped; the end of a run says how many were.
_SKIPS = (
    _NO_DATA,
    _NO_NOTIFICATIONS,
    "pgbouncer is not here",
    "no small volume can be mounted",
    "systemd-analyze is not here",
    "no browser is here",
    "the axe rules are not here",
    "schemathesis is not here",
    "ray is not here",
    "no pg_dump of the named server's version is here",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--req", action="append", default=[], metavar="ID", help="only tests of this requirement"
    )
    parser.addoption(
        "--no-notifications",
        action="store_true",
        help="run everything with NEXTSTEP_NOTIFICATIONS=false, in this process and in commands",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--no-notifications"):
        os.environ["NEXTSTEP_NOTIFICATIONS"] = "false"


def notifications() -> bool:
    """Whether this run has notifications: what every `Settings` of a test is made with."""
    return os.environ.get("NEXTSTEP_NOTIFICATIONS") != "false"


@pytest.fixture(autouse=True)
def _nobody_listens(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without notifications, a line that listens all the same fails its test."""
    if notifications():
        return
    from nextstep.events.io.wake import Wake

    async def listen(_: Wake) -> None:
        raise AssertionError("a line listens, though notifications are switched off")

    monkeypatch.setattr(Wake, "_session", listen)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--no-notifications"):
        for item in items:
            if item.get_closest_marker("notifications"):
                item.add_marker(pytest.mark.skip(reason=_NO_NOTIFICATIONS))
    wanted = set(config.getoption("--req"))
    if not wanted:
        return
    kept = [
        item
        for item in items
        if wanted & {name for mark in item.iter_markers("req") for name in mark.args}
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in _SKIPS:
        count = sum(reason in str(report.longrepr) for report in skipped)
        if count:
            terminalreporter.write_line(f"{count} test(s) not run: {reason}")


def _folder(prefix: str) -> Path:
    # Open for passing through, so that root's unprivileged server account reaches its data.
    path = Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o711)
    return path


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server on which databases may be made."""
    named = os.environ.get("NEXTSTEP_TEST_DATABASE_URL")
    if named:
        yield named
        return
    home = _folder("nextstep-suite-")
    try:
        with embedded.running(Settings(home=home)) as url:
            yield url
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def admin(server: str) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection of the server's login user."""
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def make_database(
    server: str, admin: psycopg.Connection[Any]
) -> Iterator[Callable[[str | None], str]]:
    """A function that makes a database, from a template or empty, and returns its URL."""
    prefix = f"nextstep_test_{secrets.token_hex(4)}"
    numbers = itertools.count(1)
    made: list[str] = []

    def make(template: str | None = None) -> str:
        name = f"{prefix}_{next(numbers)}"
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template0")
            )
        )
        made.append(name)
        return with_database(server, name)

    yield make
    for name in made:
        drop_database(admin, name)


def drop_database(admin: psycopg.Connection[Any], name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def template(make_database: Callable[[str | None], str]) -> str:
    """The name of a migrated database that nobody is connected to."""
    url = make_database(None)
    migrate(url)
    return _name(url)


@pytest.fixture
def empty_database(
    make_database: Callable[[str | None], str], admin: psycopg.Connection[Any]
) -> Iterator[str]:
    """The URL of a database without any migration."""
    url = make_database(None)
    yield url
    drop_database(admin, _name(url))


@pytest.fixture
def database(
    make_database: Callable[[str | None], str], template: str, admin: psycopg.Connection[Any]
) -> Iterator[str]:
    """The URL of a fresh migrated database."""
    url = make_database(template)
    yield url
    drop_database(admin, _name(url))


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty folder for NEXTSTEP_HOME."""
    path = _folder("nextstep-home-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def settings(database: str, home: Path) -> Settings:
    """Settings with that database, a temporary home, and no processes of their own."""
    return Settings(
        database_url=database, home=home, executor="inline", notifications=notifications()
    )


@pytest.fixture
async def connection(database: str, settings: Settings) -> AsyncIterator[Any]:
    """An asyncpg connection of the login user."""
    opened = await pools.connect(database, None, settings)
    yield opened
    await opened.close(timeout=5)


@pytest.fixture
def command(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """
    A function that runs the command in a process of its own and returns what it printed.

    `url` names the database; without it the embedded server under `home` is used.
    """

    def run(
        *args: str, url: str | None = None, stdin: str = "", timeout_s: float = 120, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nextstep", *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd="/",
            env=command_environment(home, url) | env,
        )

    return run


def command_environment(home: Path, url: str | None = None) -> dict[str, str]:
    """The environment of a command under test: nothing of the developer's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NEXTSTEP_HOME": str(home),
        **({"DATABASE_URL": url} if url else {}),
        **({} if notifications() else {"NEXTSTEP_NOTIFICATIONS": "false"}),
    }


@pytest.fixture(scope="session")
def real_ads() -> Callable[..., list[dict[str, str]]]:
    """
    A function `(name=None, limit=500)` that returns real ads as the files have them.

    `name` is a file without `.csv.gz`; without it every file gives its part of `limit`.
    """
    if not SHARED_DATA.is_dir():
        pytest.skip(_NO_DATA)
    csv.field_size_limit(16 * 1024 * 1024)

    def read(name: str | None = None, limit: int = 500) -> list[dict[str, str]]:
        paths = sorted(SHARED_DATA.glob(f"{name or '*'}.csv.gz"))
        share = -(-limit // len(paths))
        rows: list[dict[str, str]] = []
        for path in paths:
            with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
                rows += itertools.islice(csv.DictReader(handle), share)
        return rows[:limit]

    return read


def _name(url: str) -> str:
    from nextstep.db.dsn import parse

    return parse(url).database
