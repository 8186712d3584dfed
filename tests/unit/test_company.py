"""Company names: the rating line, and the form in which two spellings are equal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstep.processors.shared.company import normalize_company, strip_rating


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Affinity Solutions", "affinity solutions"),
        ("10 Percent Recruiting Ltd.", "10 percent recruiting"),
        ("Ncs Pte. Ltd.", "ncs"),
        ("NCS PTE LTD", "ncs"),
        ("Müller & Söhne GmbH & Co. KG", "muller and sohne"),
        ("Banco Santander, S.A.", "banco santander"),
        ("Société Générale SA", "societe generale"),
        ("Amazon.com, Inc.", "amazon com"),
        ("Yahoo! Inc", "yahoo"),
        ("AT&T", "at and t"),
        ("Ørsted A/S", "orsted"),
        ("Allegro Sp. z o.o.", "allegro"),
        ("Philips Electronics N.V.", "philips electronics"),
        ("International Application Solutions Pte Ltd", "international application solutions"),
        ("PT Bank Mandiri Tbk", "bank mandiri"),
        ("Limited", "limited"),
        ("The Company Co., Ltd.", "the"),
        ("日本電気株式会社", "日本電気株式会社"),
        ("", ""),
        ("  ...  ", ""),
    ],
)
def test_accents_case_signs_and_legal_forms_do_not_count(name: str, expected: str) -> None:
    assert normalize_company(name) == expected


def test_the_rating_that_a_site_put_under_the_name_goes() -> None:
    assert strip_rating("Affinity Solutions\n2.9") == "Affinity Solutions"
    assert strip_rating("Studio 5.1") == "Studio 5.1"


@given(st.text(max_size=60))
def test_a_normalized_name_stays_as_it_is(name: str) -> None:
    once = normalize_company(name)
    assert normalize_company(once) == once or once == ""


@pytest.mark.parametrize("name", ["0:+:0", "a_+_b", "x + + y", "+ plus", "A&B", "& Sons"])
def test_signs_between_words_are_read_once(name: str) -> None:
    once = normalize_company(name)
    assert normalize_company(once) == once
