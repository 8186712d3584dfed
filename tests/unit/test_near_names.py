"""Misspelled names: the short way finds what comparing with every name finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from nextstep.processors.shared.near_names import Name, NearNames

WORDS = ("data analyst", "data annalist", "ward nurse", "analyst", "nurse of ward", "zä dåta")


def _all_ways(names: list[Name], text: str, most: int) -> tuple[int, int] | None:
    short = {word for word in text.split(" ") if len(word) <= 4}
    found = [
        (OSA.distance(text, name.text), name.rank, name.owner)
        for name in names
        if name.text.count(" ") == text.count(" ") and short <= set(name.text.split(" "))
    ]
    near = [one for one in found if one[0] <= most]
    return (min(near)[0], min(near)[2]) if near else None


@given(
    texts=st.lists(
        st.one_of(st.sampled_from(WORDS), st.text("abn é", min_size=1, max_size=12)), max_size=12
    ),
    text=st.one_of(st.sampled_from(WORDS), st.text("abn é", min_size=1, max_size=12)),
    most=st.integers(0, 2),
)
def test_it_finds_what_comparing_with_every_name_finds(
    texts: list[str], text: str, most: int
) -> None:
    names = [Name(one, rank, 100 + rank) for rank, one in enumerate(texts)]

    assert NearNames(names).nearest(text, most) == _all_ways(names, text, most)


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("data analist", 0),
        ("data anaylst", 0),
        ("data analysts", 0),
        ("data anlts", None),
        ("adta analyst", None),  # four letters are an abbreviation: MES is not HSE
        ("nurse wards", 1),
    ],
)
def test_a_misspelled_name_is_found_up_to_two_edits(text: str, owner: int | None) -> None:
    found = NearNames([Name("data analyst", 0, 0), Name("nurse ward", 1, 1)]).nearest(text, 2)

    assert (found and found[1]) == owner
