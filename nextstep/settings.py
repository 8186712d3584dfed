"""
One frozen value that holds every setting: flags > environment > TOML > defaults.

The TOML file is the one named by NEXTSTEP_CONFIG; nothing is read from the working directory.
Source: decisions.md 25, J-17.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import platformdirs

from nextstep.errors import UsageError


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much each named part counts in a match; the parts of one answer sum to its score."""

    similarity: float = 0.40
    skills: float = 0.25
    title: float = 0.12
    location: float = 0.08
    seniority: float = 0.05
    salary: float = 0.04
    recency: float = 0.06


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every setting, validated. Units end the names."""

    database_url: str | None = None
    home: Path = msgspec.field(
        default_factory=lambda: Path(platformdirs.user_data_dir("nextstep", appauthor=False))
    )
    taxonomies: Path | None = None  # a folder of YAML files; None means those that are shipped
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    embedding_model: str = "all-MiniLM-L6-v2"
    embedding_max_tokens: int = 128
    embedding_threads: int = 0  # 0: one per core
    #: `fast` is the prepared model (`nextstep models prepare`), `reference` sentence-transformers
    #: in fp32; `auto` takes the prepared one where there is one. A damaged one is refused, never
    #: skipped.
    encoder: Literal["auto", "fast", "reference"] = "auto"
    encoder_folder: Path | None = None  # prepared models; None: `<home>/encoders`

    executor: Literal["processes", "inline", "ray"] = "processes"
    workers: int = 0  # processes a parallel stage may use; 0: one per core
    batch_size: int = 0  # rows a stage reads at most at once; 0: each stage's own
    #: With ray: `host:port` of a cluster's head; empty: a private cluster on this machine, with an
    #: object store of so many bytes. Batches pass through it, tables never do.
    ray_address: str = ""
    ray_object_store_bytes: int = 128 * 1024 * 1024
    #: Seconds between polls when nothing wakes us; the worst delay of a lost notification.
    poll_interval_s: float = 2.0
    notifications: bool = True
    pooler: Literal["none", "transaction"] = "none"
    #: So many dead letters in a row mean a fault of the stage, not of the posts.
    dead_letter_limit: int = 50

    ingest_batch: int = 1000
    #: A longer description is a rejected row.
    max_text_bytes: int = 2 * 1024 * 1024

    http_host: str = "127.0.0.1"
    http_port: int = 8080
    #: Requests of one token in a minute; 0: as many as it likes.
    http_rate_per_min: int = 1200

    #: Whom backups are encrypted to: public age keys, commas between several.
    backup_recipient: str = ""

    #: Vectors below this number are scanned exactly; an index pays only above it.
    vector_index_min_rows: int = 2000
    #: Of a page of results, one employer may take so much while others are there; 1: no limit.
    match_employer_share: float = 0.25
    #: Vectors of open jobs that the server keeps in memory, at most: 512 MB are 460,000 of 384
    #: numbers. Above that, and with 0, the database compares them.
    match_vectors_mb: int = 512
    #: Requests that are worked on at once, and those that may wait; more are told to come again.
    http_concurrency: int = 4
    http_waiting: int = 32
    weights: Weights = Weights()


_ENVIRONMENT = {
    "DATABASE_URL": "database_url",
    **{
        f"NEXTSTEP_{name.upper()}": name
        for name in Settings.__struct_fields__
        if name not in ("database_url", "weights")
    },
}


def load_settings(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """
    Return the settings in force.

    Args:
        flags: values given on the command line; None values are left out.
        environ: the environment to read; nothing else of the process is consulted.

    Raises:
        UsageError: a value has the wrong type, or a name is unknown.
    """
    environ = environ or {}
    merged: dict[str, Any] = {}
    if environ.get("NEXTSTEP_CONFIG"):
        merged |= _read_toml(Path(environ["NEXTSTEP_CONFIG"]))
    merged |= {
        name: environ[variable] for variable, name in _ENVIRONMENT.items() if environ.get(variable)
    }
    merged |= {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return msgspec.convert(merged, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"setting not understood: {error}",
            detail="flags, environment, the file in NEXTSTEP_CONFIG and defaults were merged",
            hint="see nextstep.env.example for every name and its type",
        ) from error


def _decode(wanted: type, value: Any) -> Any:
    # msgspec knows no paths; every one of ours is written as text.
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"a value of type {wanted.__name__}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as handle:
            return tomllib.load(handle)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"cannot read the settings file {path}: {error}",
            hint="mend the file, or unset NEXTSTEP_CONFIG",
        ) from error
