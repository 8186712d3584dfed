"""
The Ray cluster that work is handed to: the one that a setting names, or a private one made here.

A private cluster is this machine's: every port of it is bound to loopback, it asks for a token that
only this process and its children know, it reports no usage, runs no dashboard, holds a bounded
object store, and ends with whoever used it last. A named cluster stays as it is when we leave.

Ray is an extra; nothing here is imported before it is asked for.

Source: design.md 7, issue 9 item 6.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
from typing import Any

from nextstep.errors import Unreachable, UsageError
from nextstep.settings import Settings

#: The least object store that Ray accepts.
LEAST_STORE_BYTES = 80 * 1024 * 1024

#: Read by Ray when it is imported, and by every process that it starts.
_PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # "No cluster of several machines": what makes Ray bind to loopback only, on Linux too.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_AUTH_MODE": "token",
}

_lock = threading.Lock()
_users = 0
_folder: str | None = None


def require_ray(settings: Settings) -> Any:
    """
    Return the module `ray`.

    Raises:
        UsageError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not settings.ray_address:
        for name, value in _PRIVATE.items():
            os.environ.setdefault(name, value)
    try:
        import ray  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise UsageError(
            "ray is not installed",
            detail="the executor `ray` and `nextstep bulk` run on it",
            hint="pip install 'nextstep[ray]'",
        ) from error
    return ray


def join(settings: Settings) -> Any:
    """
    Join the cluster, starting a private one where none is named, and return the module `ray`.

    Blocks for seconds; call it from a thread that is not the main one where signal handlers are
    one's own (Ray puts its own in their place from the main thread). Each call needs one `leave`.

    Raises:
        UsageError: ray is not installed.
        Unreachable: the cluster does not answer, or none could be started.
    """
    global _users  # noqa: PLW0603
    ray = require_ray(settings)
    with _lock:
        if not ray.is_initialized():
            _start(ray, settings)
        _users += 1
    return ray


def leave() -> None:
    """Leave the cluster; the last one to leave ends a private one."""
    global _users  # noqa: PLW0603
    with _lock:
        _users = max(0, _users - 1)
        if _users == 0:
            _end()


def reset() -> None:
    """Forget a cluster that no longer answers; the next `join` starts or joins anew."""
    global _users  # noqa: PLW0603
    with _lock:
        _users = 0
        _end()


def cpus(settings: Settings) -> int:
    """Return how many workers a parallel stage has by default: one per core of the cluster."""
    import ray  # noqa: PLC0415 (an extra)

    return settings.workers or int(ray.cluster_resources().get("CPU", 0)) or os.cpu_count() or 1


def _start(ray: Any, settings: Settings) -> None:
    global _folder  # noqa: PLW0603
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    try:
        if settings.ray_address:
            ray.init(address=settings.ray_address, **quiet)
            return
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Paths of sockets have a limit of 107 bytes: a short folder of its own, with its logs.
        _folder = tempfile.mkdtemp(prefix="nextstep-ray-")
        ray.init(
            include_dashboard=False,
            num_cpus=settings.workers or os.cpu_count() or 1,
            object_store_memory=max(LEAST_STORE_BYTES, settings.ray_object_store_bytes),
            _node_ip_address="127.0.0.1",
            _temp_dir=_folder,
            **quiet,
        )
    except Exception as error:
        _end()
        named = settings.ray_address
        raise Unreachable(
            "no Ray cluster: " + (f"{named} does not answer" if named else "none starts"),
            detail=f"{type(error).__name__}: {str(error)[:300]}",
            hint="ray status, on the cluster's head; or unset NEXTSTEP_RAY_ADDRESS"
            if named
            else "free memory and space in /dev/shm and in the folder for temporary files",
        ) from error


def _end() -> None:
    global _folder  # noqa: PLW0603
    import ray  # noqa: PLC0415 (an extra)

    ray.shutdown()
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)
        _folder = None
