"""What all verbs share: one JSON document on stdout, whatever a library prints there."""

from __future__ import annotations

import json

import pytest

from nextstep.cli.common import only_json, print_json


def test_only_the_answer_reaches_stdout(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with only_json():
        print("a worker died")
        print_json({"head": 7})
    print_json({"head": 8})
    said = capsysbinary.readouterr()
    assert [json.loads(line) for line in said.out.splitlines()] == [{"head": 7}, {"head": 8}]
    assert said.err == b"a worker died\n"


def test_stdout_is_given_back_after_an_error(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(ValueError, match="broken"), only_json():
        raise ValueError("broken")
    print("a table")
    assert capsysbinary.readouterr().out == b"a table\n"
