"""Finding and checking the encoder's files, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from nextstep.errors import ModelError
from nextstep.processors.io.model_files import find_model, model_identity, short_name
from nextstep.settings import Settings

PINNED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def model_folder(folder: Path, *, dim: int = 4, body: bytes | None = None) -> Path:
    """Write a folder with a config and a tiny but valid safetensors file."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": dim}))
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + b"12345678"
    (folder / "model.safetensors").write_bytes(whole if body is None else body)
    return folder


def named(settings: Settings, model: str | Path) -> Settings:
    return msgspec.structs.replace(settings, embedding_model=str(model))


@pytest.mark.req("N-27")
def test_the_default_model_is_the_installed_one_and_is_whole(plain: Settings) -> None:
    assert model_identity(plain) == ("all-MiniLM-L6-v2", PINNED, 384)
    (entry,) = json.loads((plain.home / "models" / "verified.json").read_bytes())
    assert entry[3] == PINNED


def test_a_verdict_is_kept_until_the_file_changes(plain: Settings, tmp_path: Path) -> None:
    settings = named(plain, model_folder(tmp_path / "tiny"))
    first = model_identity(settings)
    weights = tmp_path / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"9")
    assert model_identity(settings).sha256 != first.sha256


def test_a_damaged_verdict_file_is_no_obstacle(plain: Settings, tmp_path: Path) -> None:
    settings = named(plain, model_folder(tmp_path / "tiny"))
    before = model_identity(settings)
    (plain.home / "models" / "verified.json").write_text("{")
    assert model_identity(settings) == before


@pytest.mark.req("X-07")
def test_other_weights_under_a_pinned_name_are_refused(plain: Settings, tmp_path: Path) -> None:
    settings = named(plain, model_folder(tmp_path / "all-MiniLM-L6-v2", dim=384))
    with pytest.raises(ModelError, match="is damaged: sha256"):
        model_identity(settings)


@pytest.mark.parametrize("body", [b"", b"short", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}extra"])
def test_weights_that_are_cut_off_are_refused(plain: Settings, tmp_path: Path, body: bytes) -> None:
    settings = named(plain, model_folder(tmp_path / "tiny", body=body))
    with pytest.raises(ModelError, match="cut off or is no weight file"):
        model_identity(settings)


def test_a_known_name_of_another_size_is_refused(plain: Settings, tmp_path: Path) -> None:
    settings = named(plain, model_folder(tmp_path / "e5-base-v2", dim=384))
    with pytest.raises(ModelError, match="has 384 dimensions, not 768"):
        find_model(settings)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(plain: Settings, tmp_path: Path, missing: str) -> None:
    folder = model_folder(tmp_path / "tiny")
    (folder / missing).unlink()
    with pytest.raises(ModelError) as refused:
        model_identity(named(plain, folder))
    assert missing in str(refused.value) and refused.value.hint


@pytest.mark.req("X-07")
@pytest.mark.parametrize("model", ["/no/such/folder", "nobody/no-such-model"])
def test_an_absent_model_is_a_refusal_with_a_hint(plain: Settings, model: str) -> None:
    with pytest.raises(ModelError) as refused:
        find_model(named(plain, model))
    assert refused.value.exit_code == 5
    assert "NEXTSTEP_EMBEDDING_MODEL" in refused.value.hint


@pytest.mark.parametrize(
    ("folder", "config", "prefixes"),
    [
        ("e5-small-v2", {}, ("query: ", "passage: ")),
        ("tiny", {}, ("", "")),
        ("tiny", {"prompts": {"query": "q: ", "document": "d: "}}, ("q: ", "d: ")),
        ("tiny", {"prompts": None}, ("", "")),
    ],
)
@pytest.mark.req("N-46")
def test_prefixes_come_from_the_known_models_or_the_folder(
    plain: Settings,
    tmp_path: Path,
    folder: str,
    config: dict[str, object],
    prefixes: tuple[str, str],
) -> None:
    path = model_folder(tmp_path / folder, dim=384)
    (path / "config_sentence_transformers.json").write_text(json.dumps(config))
    files = find_model(named(plain, path))
    assert (files.query_prefix, files.passage_prefix) == prefixes


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("intfloat/e5-small-v2", "e5-small-v2"),
        ("/models/my model/", "my-model"),
        ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
    ],
)
def test_a_short_name_fits_tables_and_stages(model: str, name: str) -> None:
    assert short_name(model) == name


def test_the_identity_is_known_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nextstep.settings import Settings;"
        "from nextstep.processors.embed import EMBED;"
        "from nextstep.events.stage import stage_version;"
        "print(stage_version(EMBED, Settings(home=Path(sys.argv[1]))));"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"2-{PINNED[:12]}-title-skills-role@128-")
