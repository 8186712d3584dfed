"""
Making a prepared model out of a sentence-transformers folder: export, quantize, write.

The whole chain of the folder's modules is traced (encoder, pooling, whatever stands behind it), so
that any local sentence-transformers folder works. Needs the reference's libraries and, for int8,
NNCF and ONNX; none of them is needed to serve.

Source: issue 6 (encoder seam), measured.md 4.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nextstep.errors import ModelError
from nextstep.processors.io.encoder import Encoder
from nextstep.processors.io.fast_encoder import pad
from nextstep.processors.io.model_files import find_model, model_identity
from nextstep.processors.io.prepared import (
    FORMAT,
    MANIFEST,
    TOKENIZER,
    Check,
    Manifest,
    Precision,
    model_names,
)
from nextstep.settings import Settings

#: ONNX operators of 2021: everything here needs no newer ones, and each engine knows them.
_OPSET = 17
_TOOLS = ("nncf", "onnx", "onnxruntime", "openvino", "tokenizers", "torch", "transformers")
_UNCHECKED = Check(texts=0, cosine_mean=0.0, cosine_min=-1.0, overlap_at_10=0.0)
_INSTALL = "pip install 'nextstep[prepare]'"

Say = Callable[[str], None]


def export(
    settings: Settings,
    reference: Encoder,
    folder: Path,
    *,
    precision: Precision,
    texts: Sequence[str],
    say: Say,
) -> Manifest:
    """
    Write the configured model's prepared form into an empty folder; it has yet to be compared.

    Args:
        reference: the encoder of the same settings.
        texts: what int8 scales are taken from; passages as the stage makes them.
        say: told of each step.

    Returns:
        The manifest that was written; its checks are those of no text, with which it may not serve.

    Raises:
        ModelError: a module cannot be traced, or a library is missing.
    """
    files = find_model(settings)
    model = reference.model
    tokenizer = _write_tokenizer(model, folder / TOKENIZER, reference, texts)
    with _quiet():
        traced = folder / "traced.onnx"
        say("tracing the model")
        _trace(model, traced, files.name)
        say(f"writing it in {precision}" + (", a minute or two" if precision == "int8" else ""))
        if precision == "int8":
            inputs = [_inputs(tokenizer, files.passage_prefix + text) for text in texts]
            _quantize_for_openvino(traced, folder, inputs)
            _quantize_for_onnxruntime(traced, folder)
        else:
            _convert(traced, folder)
        traced.unlink()
    manifest = Manifest(
        format=FORMAT,
        name=files.name,
        source_sha256=model_identity(settings).sha256,
        dim=files.dim,
        pooling=_pooling(model),
        query_prefix=files.query_prefix,
        passage_prefix=files.passage_prefix,
        max_tokens=reference.own_max_tokens,
        precision=precision,
        files={
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in sorted((TOKENIZER, *model_names(precision)))
        },
        versions={name: _installed(name) for name in _TOOLS},
        passages=_UNCHECKED,
        queries=_UNCHECKED,
    )
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest, keys in order, for people as well."""
    text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
    (folder / MANIFEST).write_bytes(text + b"\n")


def _write_tokenizer(model: Any, path: Path, reference: Encoder, texts: Sequence[str]) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415 - only where a model is prepared

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"model {reference.model_name} cannot be prepared: it has no fast tokenizer",
            hint="NEXTSTEP_ENCODER=reference serves it as it is",
        )
    backend.save(str(path))
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(model.max_seq_length)
    tokenizer.no_padding()
    for text in texts:
        # Normalizers of the folder that stand outside the tokenizer (lower case, say) would show.
        if tokenizer.encode(text).ids != model.preprocess([text])["input_ids"][0].tolist():
            raise ModelError(
                f"model {reference.model_name} cannot be prepared: its tokens differ",
                detail="the folder's text handling is not in its tokenizer alone",
                hint="NEXTSTEP_ENCODER=reference serves it as it is",
            )
    return tokenizer


def _trace(model: Any, path: Path, name: str) -> None:
    import torch  # noqa: PLC0415 - only where a model is prepared

    class Whole(torch.nn.Module):  # type: ignore[misc] # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            vectors = self.model(features)["sentence_embedding"]
            return torch.nn.functional.normalize(vectors, dim=-1)

    if hasattr(model[0], "auto_model"):
        # Plain matrix products, which every quantizer knows; the fused ones give the same numbers.
        model[0].auto_model.set_attn_implementation("eager")
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    axes = {0: "texts", 1: "length"}
    try:
        with torch.no_grad():
            torch.onnx.export(
                Whole().eval(), (ids, mask), str(path),
                input_names=["input_ids", "attention_mask"], output_names=["embedding"],
                dynamic_axes={
                    "input_ids": axes, "attention_mask": axes, "embedding": {0: "texts"},
                },
                opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
    except Exception as error:
        # Whatever the modules of a folder do wrong under tracing.
        raise ModelError(
            f"model {name} cannot be prepared: its modules cannot be traced",
            detail=f"{type(error).__name__}: {str(error)[:200]}",
            hint="NEXTSTEP_ENCODER=reference serves it as it is",
        ) from error


def _convert(traced: Path, folder: Path) -> None:
    openvino = _import("openvino")
    openvino.save_model(
        openvino.Core().read_model(str(traced)),
        str(folder / "passages.xml"),
        compress_to_fp16=False,
    )


def _quantize_for_openvino(traced: Path, folder: Path, inputs: Sequence[dict[str, Any]]) -> None:
    # NNCF reports its use to its makers unless it believes to run in their CI.
    os.environ["NNCF_CI"] = "1"
    openvino, nncf = _import("openvino"), _import("nncf")
    nncf.set_log_level(40)
    quantized = nncf.quantize(
        openvino.Core().read_model(str(traced)),
        nncf.Dataset(inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
    )
    openvino.save_model(quantized, str(folder / "passages.xml"), compress_to_fp16=False)


def _quantize_for_onnxruntime(traced: Path, folder: Path) -> None:
    _import("onnx")
    tools = _import("onnxruntime.quantization")
    tools.quantize_dynamic(
        str(traced),
        str(folder / "queries.onnx"),
        weight_type=tools.QuantType.QInt8,
        per_channel=True,
        extra_options={"MatMulConstBOnly": True},
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tools' warnings of their own insides away, and their progress out of stdout."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _inputs(tokenizer: Any, text: str) -> dict[str, Any]:
    ids, mask = pad([tokenizer.encode(text).ids])
    return {"input_ids": ids, "attention_mask": np.asarray(mask)}


def _pooling(model: Any) -> str:
    modes = [str(mode) for part in model if (mode := getattr(part, "pooling_mode", None))]
    return "+".join(modes) or "none"


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f"a model cannot be prepared without {name}: {error}", hint=_INSTALL
        ) from error


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
