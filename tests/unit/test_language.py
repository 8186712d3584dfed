"""The language of a text, as the library gives it, and what is too short to have one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from nextstep.processors.shared.language import LanguageModel, classify, detect_language, load_model

TEXTS = (
    "We are looking for a data engineer who builds pipelines.",
    "Wir suchen eine Ingenieurin für Datenbanken in München.",
    "ＷＥ ＡＲＥ ＨＩＲＩＮＧ",
    "我们正在寻找一位经验丰富的数据分析师",
    "DATA ENGINEER WANTED IN LEEDS",
    "e\u0301quipe de donne\u0301es",
    "abcde",
    "abcdefg",
)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load_model()


@pytest.fixture(scope="module")
def library() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def agrees(text: str, model: LanguageModel, library: LanguageIdentifier) -> bool:
    code, confidence = classify(text, model)
    theirs, sure = library.classify(text)
    if not code:  # nothing known: all are as likely to the library, and one of them has two columns
        return sure == pytest.approx(2 / len(library.nb_classes), rel=1e-3)
    return (code, confidence) == (theirs, pytest.approx(sure, abs=1e-5))


@pytest.mark.parametrize("text", TEXTS)
def test_the_answer_is_the_librarys(
    text: str, model: LanguageModel, library: LanguageIdentifier
) -> None:
    assert agrees(text, model, library)


@given(text=st.text(max_size=40))
def test_the_answer_is_the_librarys_for_any_text(
    text: str, model: LanguageModel, library: LanguageIdentifier
) -> None:
    assert agrees(text, model, library)


def test_the_answer_is_the_librarys_on_real_ads(
    model: LanguageModel,
    library: LanguageIdentifier,
    real_ads: Callable[..., list[dict[str, str]]],
) -> None:
    texts = [ad["description_text"][:360] for ad in real_ads(limit=400)]
    differing = sum(not agrees(text, model, library) for text in texts)
    assert (len(texts), differing) == (400, 0)


def test_what_is_too_short_has_no_language(model: LanguageModel) -> None:
    assert detect_language("Data engineer", model) == ""
    assert detect_language("1234567890 " * 40, model) == ""
    assert detect_language(TEXTS[0], model) == "en"
    assert detect_language(TEXTS[1], model) == "de"


@pytest.mark.req("N-32")
def test_common_english_words_give_the_answer_that_the_model_gives(
    model: LanguageModel, real_ads: Callable[..., list[dict[str, str]]]
) -> None:
    texts = [ad["description_text"][:240] for ad in real_ads(limit=300)]
    found = [detect_language(text, model) for text in texts]
    assert len(found) == 300
    sure = [text for text in texts if classify(text, model)[1] >= 0.5]
    differing = [text for text in sure if detect_language(text, model) != classify(text, model)[0]]
    assert differing == []
    assert len(sure) > 100, len(sure)


def test_an_ad_in_two_languages_is_not_english_for_its_first_line(model: LanguageModel) -> None:
    front = "We are the company that you and your friends know from the market. "
    german = "Ihre Aufgaben sind die Entwicklung und der Betrieb unserer Anlagen im Werk. "
    assert detect_language(front + german * 14, model) == "de"
    assert detect_language(front * 14, model) == "en"
