"""
The sentence encoder: texts in, unit vectors out, on the CPU, offline and silent.

There are two: the reference (sentence-transformers in fp32, `Encoder`) and a prepared model
(`fast_encoder.py`); `load_encoder` and `load_query_encoder` choose by the settings.

Only an executor's worker makes one: torch costs ten seconds and 700 MB, which the parent process
must never pay (decisions.md 11). `encoder_identity` is what the parent may ask.

Source: N-08, N-27, N-46, S-01, X-07.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nextstep.errors import ModelError
from nextstep.processors.io.fast_encoder import load_fast_encoder, load_fast_query_encoder
from nextstep.processors.io.model_files import ModelFiles, find_model, model_identity
from nextstep.processors.io.prepared import serves_fast
from nextstep.settings import Settings

Vectors = npt.NDArray[np.float32]

#: Texts per forward pass. 8, 32 and 128 measured alike; 32 keeps memory at 370 MB.
_BATCH = 32

_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


class TextEncoder(Protocol):
    """What stage and server need of an encoder; `model_sha256` tells two sets of weights apart."""

    model_name: str
    model_sha256: str
    dim: int

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of posts, shape (len(texts), dim), in the same order."""

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of profiles, shape (len(texts), dim), in the same order."""


class Encoder:
    """
    sentence-transformers in fp32 with explicit threads.

    Raises:
        ModelError: the model is missing, damaged, or gives vectors of another size.
    """

    def __init__(self, settings: Settings, *, threads: int | None = None) -> None:
        files = find_model(settings)
        identity = model_identity(settings)
        self.model_name = identity.name
        self.model_sha256 = identity.sha256
        self.dim = identity.dim
        self._query_prefix = files.query_prefix
        self._passage_prefix = files.passage_prefix
        self.model = _load(files, threads or settings.embedding_threads or _cores())
        self.own_max_tokens = int(self.model.max_seq_length or 512)
        self.model.max_seq_length = min(settings.embedding_max_tokens, self.own_max_tokens)
        self._prove()

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of posts, shape (len(texts), dim), in the same order."""
        return self._encode([self._passage_prefix + text for text in texts])

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of profiles, shape (len(texts), dim), in the same order."""
        return self._encode([self._query_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        # `encode` sorts by length itself, so that a batch pads to its own longest text only.
        vectors = self.model.encode(
            texts,
            batch_size=_BATCH,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _prove(self) -> None:
        vector = self._encode(["proof of work"])[0]
        if vector.shape != (self.dim,):
            raise ModelError(
                f"model {self.model_name} gives {vector.shape[0]} dimensions, not {self.dim}",
                detail="config.json and the weights do not belong together",
                hint="copy the model folder again",
            )
        if not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            raise ModelError(
                f"model {self.model_name} gives no usable vectors",
                detail="a test sentence came out with NaN or without length",
                hint="copy the model folder again",
            )


def load_encoder(settings: Settings) -> TextEncoder:
    """Return the stage's encoder; a plain function, so that a worker can be told to."""
    if serves_fast(settings):
        return load_fast_encoder(settings, threads=threads_per_worker(settings))
    return Encoder(settings)


def load_query_encoder(settings: Settings) -> TextEncoder:
    """
    Return an encoder for single queries: one thread.

    In fp32 a query takes 20 ms on one thread and 18 on two; where the stages are at work as well,
    two threads wait for each other and it takes 200.
    """
    if serves_fast(settings):
        return load_fast_query_encoder(settings)
    return Encoder(settings, threads=1)


def threads_per_worker(settings: Settings) -> int:
    """Return one where the stage has a process per core, else one thread per core."""
    if settings.embedding_threads:
        return settings.embedding_threads
    alone = settings.executor == "inline" or settings.workers == 1
    return _cores() if alone else 1


def _load(files: ModelFiles, threads: int) -> Any:
    os.environ.update(_QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torch  # noqa: PLC0415 - workers only
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415
            from transformers.utils import logging as _logging  # noqa: PLC0415
        except ImportError as error:
            raise ModelError(
                f"the encoder's libraries cannot be loaded: {error}",
                hint="reinstall nextstep; the README says which build of torch suits a CPU",
            ) from error
        speaker: Any = _logging
        speaker.set_verbosity_error()
        speaker.disable_progress_bar()
        torch.set_num_threads(threads)
        try:
            model = SentenceTransformer(str(files.folder), device="cpu", local_files_only=True)
        except Exception as error:
            raise ModelError(
                f"model {files.name} cannot be loaded: {type(error).__name__}",
                detail=f"files in {files.folder}",
                hint="copy the model folder again, or unset NEXTSTEP_EMBEDDING_MODEL",
            ) from error
    model.default_prompt_name = None
    return model.float().eval()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
