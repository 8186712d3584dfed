"""
What is written for an embedded server before it starts: settings, who may log in, its socket.

The configuration files stand outside `data/`, so that root never writes into a folder that an
unprivileged account controls, and that account cannot change who may log in.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path

from nextstep.db.server_files import PORT, Account, ServerFiles

#: Longest socket path that Linux (107) and macOS (103) both take, in bytes.
SOCKET_PATH_BYTES = 103
_MB = 1024 * 1024


def write_config(files: ServerFiles) -> None:
    """Write the settings and the access rules that the next start reads."""
    owner = pwd.getpwuid(files.data.stat().st_uid).pw_name
    users = sorted({owner, pwd.getpwuid(0).pw_name})
    _write(files.base / "pg_hba.conf", "local all all peer map=nextstep\n")
    _write(
        files.base / "pg_ident.conf",
        "".join(f'nextstep "{user}" postgres\n' for user in users),
    )
    settings: dict[str, str | int] = {
        "hba_file": str(files.base / "pg_hba.conf"),
        "ident_file": str(files.base / "pg_ident.conf"),
        "unix_socket_directories": '"{}"'.format(str(files.socket).replace('"', '""')),
        "listen_addresses": "",
        "port": PORT,
        "max_connections": 100,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",
        "log_checkpoints": "off",
        **_memory_settings(),
    }
    lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
    _write(files.base / "nextstep.conf", "# Rewritten before every start.\n" + "".join(lines))


def ensure_socket_folder(files: ServerFiles) -> None:
    """Make the folder of the socket; a path that is too long becomes a link to a short one."""
    link = files.base / "socket"
    if _is_private(link.resolve(), files.account):
        return
    if link.is_symlink():
        link.unlink()
    path = link
    if len(os.fsencode(f"{link}/.s.PGSQL.{PORT}")) > SOCKET_PATH_BYTES:
        # Never a predictable name in a shared folder: mkdtemp makes it, for us alone.
        path = Path(tempfile.mkdtemp(prefix="nextstep-"))
        link.symlink_to(path)
    own_folder(path, files.account)


def own_folder(path: Path, account: Account | None) -> None:
    """Make a folder with mode 0700 that belongs to the server's account."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _memory_settings() -> dict[str, str]:
    # A 16th of the memory: 256 MB on the 4 GB server we aim at, never more than twice that.
    memory = memory_bytes()
    settings = {
        "shared_buffers": f"{min(512, max(64, memory // 16 // _MB))}MB",
        "effective_cache_size": f"{max(256, memory // 2 // _MB)}MB",
        "maintenance_work_mem": f"{min(512, max(64, memory // 32 // _MB))}MB",
        "work_mem": "16MB",
        "max_wal_size": "2GB",
    }
    shared = Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).total < 512 * _MB:
        # Containers give 64 MB there by default: a parallel index build would fail.
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def memory_bytes() -> int:
    """Return the memory of this machine, or of this container where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if sys.platform == "linux" and limit.is_file():
        text = limit.read_text().strip()
        total = min(total, int(text)) if text.isdigit() else total
    return total


def _is_private(folder: Path, account: Account | None) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    owner = os.geteuid() if account is None else account.uid
    return folder.is_dir() and found.st_uid == owner and found.st_mode & 0o777 == 0o700


def _quoted(value: str | int) -> str:
    return "'{}'".format(str(value).replace("\\", "\\\\").replace("'", "''"))


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.rename(path)
