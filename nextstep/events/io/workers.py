"""What every spawned process of ours does first."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading


def settle_in() -> None:
    """Leave ctrl-C to the parent, and end when the parent does, however it ends."""
    # A terminal's ctrl-C reaches the whole group; the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """A worker whose parent was killed would wait for work for ever."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
