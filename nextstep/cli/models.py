"""`nextstep models`: prepare the encoder, compare it with the reference, carry it about."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from nextstep.cli.common import add_json, print_json
from nextstep.errors import FileError, ModelError, UsageError
from nextstep.ops import models
from nextstep.processors.io.fast_encoder import batch_encoder, query_encoder
from nextstep.processors.io.model_pack import file_sha256, pack, unpack
from nextstep.processors.io.prepared import (
    Check,
    Prepared,
    encoders_folder,
    find_prepared,
    identity_digest,
    prepared_folder,
    read_manifest,
)
from nextstep.settings import Settings

_MB = 1024 * 1024


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb with its sub-verbs."""
    group = verbs.add_parser("models", help="prepare, list, verify, pack and load the encoder")
    below = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    make = below.add_parser(
        "prepare",
        help="export and quantize the configured model, compare it with the reference",
        description="Makes the form of the model that serves at twice the speed and without torch: "
        "int8 where this processor has VNNI, else fp32. A few minutes, once; one that does not "
        "agree with the reference is refused.",
    )
    make.add_argument("--precision", choices=("int8", "fp32"), help="default: what suits this CPU")
    make.add_argument("--again", action="store_true", help="also where it is prepared already")
    add_json(make)
    make.set_defaults(run=_prepare)

    show = below.add_parser("list", help="what is prepared, and what would serve")
    add_json(show)
    show.set_defaults(run=_list)

    check = below.add_parser("verify", help="read every file and compare with the reference anew")
    add_json(check)
    check.set_defaults(run=_verify)

    wrap = below.add_parser("pack", help="write the prepared model into one file")
    wrap.add_argument("file", nargs="?", type=Path, help="default: <model>-<precision>.nsmodel")
    add_json(wrap)
    wrap.set_defaults(run=_pack)

    load = below.add_parser("load", help="take a packed model; needs neither torch nor a hub")
    load.add_argument("file", type=Path)
    load.add_argument("--sha256", help="refuse any other file than this")
    load.add_argument("--again", action="store_true", help="replace the one that is there")
    add_json(load)
    load.set_defaults(run=_load)


def _prepare(args: argparse.Namespace, settings: Settings) -> int:
    if settings.encoder == "reference":
        raise UsageError(
            "NEXTSTEP_ENCODER is reference: a prepared model would not serve", hint="unset it"
        )
    if not args.again and prepared_folder(settings).is_dir():
        prepared = find_prepared(settings)
        if args.precision in (None, prepared.manifest.precision):
            return _answer(args, prepared, "is prepared already")
    prepared = models.prepare(settings, args.precision, _say)
    return _answer(args, prepared, "prepared")


def _list(args: argparse.Namespace, settings: Settings) -> int:
    found = models.listed(settings)
    if args.json:
        print_json({"encoder": settings.encoder, "models": msgspec.to_builtins(found)})
        return 0
    for one in found:
        state = one.problem or ("serves" if one.serves else "ready")
        size = f"{one.bytes / _MB:.0f} MB"
        print(f"{one.name}  {one.precision}  {one.dim}  {size}  {one.sha256[:12]}  {state}")
    if not any(one.serves for one in found):
        print(
            "the reference (sentence-transformers) serves; nextstep models prepare", file=sys.stderr
        )
    return 0


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    prepared, passages, queries = models.verify(settings)
    if args.json:
        checks = {"passages": passages, "queries": queries}
        print_json({**_facts(prepared), **msgspec.to_builtins(checks)})
    else:
        _print(prepared, "agrees with the reference", passages, queries)
    return 0


def _pack(args: argparse.Namespace, settings: Settings) -> int:
    prepared = find_prepared(settings)
    manifest = prepared.manifest
    out = args.file or Path(f"{manifest.name}-{manifest.precision}.nsmodel")
    sha256 = pack(prepared, out)
    if args.json:
        print_json({**_facts(prepared), "file": str(out), "file_sha256": sha256})
    else:
        print(f"{out}  {out.stat().st_size / _MB:.0f} MB  sha256 {sha256}")
        print(f"there: nextstep models load {out.name} --sha256 {sha256}", file=sys.stderr)
    return 0


def _load(args: argparse.Namespace, settings: Settings) -> int:
    if args.sha256 and args.file.is_file() and file_sha256(args.file) != args.sha256.lower():
        raise FileError(
            f"{args.file.name} has another sha256 than {args.sha256[:12]}…",
            hint="copy it again from where it was packed",
        )
    root = encoders_folder(settings)
    root.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".load-", dir=root))
    try:
        prepared = unpack(args.file, draft)
        # Both engines read it and give a vector of the right size and length, or it stays outside.
        batch_encoder(prepared, settings.embedding_max_tokens, threads=1)
        query_encoder(prepared, settings.embedding_max_tokens)
        place = root / prepared.manifest.name
        if place.is_dir() and not args.again and not _same(place, prepared):
            raise ModelError(
                f"another model {place.name} is prepared here",
                detail="its vectors would be stale: every post would be encoded anew",
                hint="nextstep models load --again replaces it",
            )
        models.put_in_place(prepared.folder, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    named = msgspec.structs.replace(
        settings, embedding_model=place.name, encoder="fast", encoder_folder=root
    )
    return _answer(args, find_prepared(named), "loaded")


def _same(place: Path, prepared: Prepared) -> bool:
    try:
        there = read_manifest(place)
    except ModelError:
        return False
    return identity_digest(there) == prepared.sha256


def _answer(args: argparse.Namespace, prepared: Prepared, what: str) -> int:
    manifest = prepared.manifest
    if args.json:
        print_json(_facts(prepared))
    else:
        _print(prepared, what, manifest.passages, manifest.queries)
    return 0


def _facts(prepared: Prepared) -> dict[str, object]:
    return {
        "folder": str(prepared.folder),
        "sha256": prepared.sha256,
        **msgspec.to_builtins(prepared.manifest),
    }


def _print(prepared: Prepared, what: str, passages: Check, queries: Check) -> None:
    manifest = prepared.manifest
    print(f"{manifest.name} {what}: {manifest.precision}, {manifest.dim} dimensions")
    for name, check in (("passages", passages), ("queries", queries)):
        print(
            f"  {name}: cosine {check.cosine_mean:.4f} (least {check.cosine_min:.4f}), "
            f"overlap@10 {check.overlap_at_10:.3f} on {check.texts} texts"
        )
    print(f"  sha256 {prepared.sha256}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
