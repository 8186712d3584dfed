"""What every process of ours that works on batches does first."""

from __future__ import annotations

import gc
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


def spare_collector() -> None:
    """
    Let the collector of cycles look at new objects, seldom, and never at what is loaded by now.

    A batch makes hundreds of thousands of objects that all live until its end; at the default the
    collector walks them, and the taxonomies, over and over: an eighth of the time of dedupe.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _end_with(sentinel: int) -> None:
    """A worker whose parent was killed would wait for work for ever."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
