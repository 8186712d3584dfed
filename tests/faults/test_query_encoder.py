"""The server's encoder, in a process and in a thread: killed, failing, overloaded."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from nextstep.errors import ModelError
from nextstep.http import encoding
from nextstep.http.encoding import QueryEncoder
from nextstep.http.problem import Overloaded
from nextstep.settings import Settings
from tests.encoder import BagOfWords, bag, load_bag_of_words


def refuse(_: Settings) -> BagOfWords:
    raise ModelError("model nowhere is not on this machine", hint="install it")


def worker_pid(encoder: QueryEncoder) -> int:
    seat = encoder._seat
    assert isinstance(seat, encoding._Process)
    assert seat._pool is not None
    (pid,) = seat._pool._processes
    return pid


async def test_a_killed_encoder_is_started_anew(home: Path) -> None:
    encoder = QueryEncoder(Settings(home=home), load_bag_of_words)
    try:
        await encoder.start()
        first = worker_pid(encoder)
        os.kill(first, signal.SIGKILL)
        vectors = await encoder.encode(["nurse"])
        assert np.allclose(vectors[0], bag("nurse"))
        assert worker_pid(encoder) != first
    finally:
        await encoder.close()


async def test_a_model_that_cannot_be_loaded_keeps_its_hint(home: Path) -> None:
    encoder = QueryEncoder(Settings(home=home), refuse)
    try:
        with pytest.raises(ModelError) as refused:
            await encoder.start()
        assert refused.value.hint == "install it"
        assert not encoder.is_warm
    finally:
        await encoder.close()


async def test_too_long_a_queue_is_refused_and_kept_vectors_are_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_MOST_WAITING", 1)
    encoder = QueryEncoder(Settings(home=home), load_bag_of_words)
    try:
        await encoder.encode(["known"])
        busy = asyncio.create_task(encoder.encode(["new"]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await encoder.encode(["newer"])
        assert np.allclose((await encoder.encode(["known"]))[0], bag("known"))
        assert np.allclose((await busy)[0], bag("new"))
    finally:
        await encoder.close()


async def test_a_prepared_model_sits_in_a_thread_and_refuses_as_clearly(home: Path) -> None:
    encoder = QueryEncoder(Settings(home=home, encoder="fast"))
    try:
        with pytest.raises(ModelError, match="not prepared"):
            await encoder.start()
        assert not encoder.is_warm
        assert isinstance(encoder._seat, encoding._Thread)
    finally:
        await encoder.close()


async def test_a_thread_encodes_as_a_process_does_and_ends(home: Path) -> None:
    settings = Settings(home=home)
    thread = encoding._Thread(settings, load_bag_of_words)
    process = encoding._Process(settings, load_bag_of_words)
    try:
        texts = ["nurse", "night shift nurse"]
        assert np.array_equal(await thread.run(texts), await process.run(texts))
    finally:
        await thread.close()
        await process.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("encoder")]
