"""
The encoder of prepared models: OpenVINO for batches, ONNX Runtime for single queries, no torch.

A worker is one process of one thread: two of them beat one of two
threads, if the library does not pin both to the same core.

Source: issue 6 (encoder seam), measured.md 4.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nextstep.errors import ModelError
from nextstep.processors.io.prepared import TOKENIZER, Manifest, Prepared, find_prepared
from nextstep.settings import Settings

Vectors = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int64]
#: Token ids and mask, both of shape (texts, length), to vectors of shape (texts, dim).
Forward = Callable[[Tokens, Tokens], Vectors]

#: Texts per forward pass; 8, 32 and 128 measured alike, memory grows with it.
_BATCH = 32
_REINSTALL = "reinstall nextstep: pip install --force-reinstall nextstep"


class FastEncoder:
    """
    A prepared model with the engine that suits its use.

    Texts are sorted by length, so that a batch pads to its own longest text. All scales of the
    int8 form are constants of the model and padding is masked: a text's vector does not depend on
    the texts beside it (cosine ≥ 0.9999, decisions.md 12).

    Args:
        prepared: the model's files.
        max_tokens: a longer text is cut; never more than the model's own limit.
        forward: the engine.
        batch: texts per forward pass; 1 where scales are taken from each batch.
    """

    def __init__(
        self, prepared: Prepared, max_tokens: int, forward: Forward, *, batch: int = _BATCH
    ) -> None:
        manifest = prepared.manifest
        self.model_name = manifest.name
        self.model_sha256 = prepared.sha256
        self.dim = manifest.dim
        self._manifest = manifest
        self._forward = forward
        self._batch = batch
        self._tokenizer = _tokenizer(
            prepared.folder / TOKENIZER, manifest, min(max_tokens, manifest.max_tokens)
        )
        self._prove()

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of posts, shape (len(texts), dim), in the same order."""
        return self._encode([self._manifest.passage_prefix + text for text in texts])

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of profiles, shape (len(texts), dim), in the same order."""
        return self._encode([self._manifest.query_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> Vectors:
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(ids)), key=lambda place: (-len(ids[place]), place))
        vectors = np.empty((len(ids), self.dim), dtype=np.float32)
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            vectors[places] = self._forward(*pad([ids[place] for place in places]))
        return vectors

    def _prove(self) -> None:
        try:
            vector = self._forward(*pad([self._tokenizer.encode("proof of work").ids]))[0]
        except Exception as error:
            raise _broken(
                self._manifest, f"its first sentence failed: {type(error).__name__}"
            ) from (error)
        if vector.shape != (self.dim,):
            raise _broken(self._manifest, f"it gives {vector.shape[-1]} dimensions, not {self.dim}")
        if not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            raise _broken(self._manifest, "a test sentence came out with NaN or without length")


def load_fast_encoder(settings: Settings, *, threads: int) -> FastEncoder:
    """Return the encoder for batches; raises ModelError where the model may not serve."""
    return batch_encoder(find_prepared(settings), settings.embedding_max_tokens, threads)


def load_fast_query_encoder(settings: Settings) -> FastEncoder:
    """Return the encoder for single queries; raises ModelError where the model may not serve."""
    return query_encoder(find_prepared(settings), settings.embedding_max_tokens)


def batch_encoder(prepared: Prepared, max_tokens: int, threads: int) -> FastEncoder:
    """Return a model's encoder for batches, be it fit to serve or not."""
    return FastEncoder(prepared, max_tokens, openvino_forward(prepared, threads))


def query_encoder(prepared: Prepared, max_tokens: int) -> FastEncoder:
    """Return a model's encoder for single queries, be it fit to serve or not: one thread."""
    if prepared.manifest.precision == "fp32":
        return batch_encoder(prepared, max_tokens, threads=1)
    # The scales of this form are taken from each batch: each text must be one of its own.
    return FastEncoder(prepared, max_tokens, onnxruntime_forward(prepared, 1), batch=1)


def pad(ids: Sequence[Sequence[int]]) -> tuple[Tokens, Tokens]:
    """Return ids and mask of shape (texts, longest text); what is masked is zero."""
    shape = (len(ids), max(map(len, ids)))
    padded, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, one in enumerate(ids):
        padded[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return padded, mask


def openvino_forward(prepared: Prepared, threads: int) -> Forward:
    """Compile the model for batches; `threads` are this process's, unpinned."""
    try:
        import openvino  # noqa: PLC0415 - 0.3 s, workers only
    except ImportError as error:
        raise _not_installed("openvino", error) from error
    options: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Two processes otherwise pin themselves to one core.
        "ENABLE_CPU_PINNING": False,
        # Processors with bf16 would use it for what is not int8: other vectors than elsewhere.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    try:
        compiled = openvino.Core().compile_model(
            str(prepared.folder / "passages.xml"), "CPU", options
        )
        request = compiled.create_infer_request()
    except RuntimeError as error:
        raise _broken(prepared.manifest, "OpenVINO cannot read passages.xml") from error

    def forward(ids: Tokens, mask: Tokens) -> Vectors:
        request.infer({"input_ids": ids, "attention_mask": mask})
        vectors: Vectors = request.get_output_tensor(0).data.copy()
        return vectors

    return forward


def onnxruntime_forward(prepared: Prepared, threads: int) -> Forward:
    """Load the model for single queries."""
    try:
        import onnxruntime  # noqa: PLC0415 - 0.2 s, the query process only
    except ImportError as error:
        raise _not_installed("onnxruntime", error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(prepared.folder / "queries.onnx"), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # The library's errors have no common class of their own.
        raise _broken(prepared.manifest, "ONNX Runtime cannot read queries.onnx") from error

    def forward(ids: Tokens, mask: Tokens) -> Vectors:
        vectors: Vectors = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    return forward


def _tokenizer(path: Path, manifest: Manifest, max_tokens: int) -> Any:
    # One thread a process, also here; the library warns of forks otherwise.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - workers only
    except ImportError as error:
        raise _not_installed("tokenizers", error) from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        # The library raises plain Exception.
        raise _broken(manifest, f"{path.name} cannot be read") from error
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _broken(manifest: Manifest, what: str) -> ModelError:
    versions = ", ".join(f"{name} {made}" for name, made in sorted(manifest.versions.items()))
    return ModelError(
        f"prepared model {manifest.name} cannot serve: {what}",
        detail=f"prepared with {versions}",
        hint="nextstep models verify says more; nextstep models prepare --again makes it anew",
    )


def _not_installed(package: str, error: ImportError) -> ModelError:
    return ModelError(f"{package} cannot be loaded: {error}", hint=_REINSTALL)
