"""Cleaning of texts and one-line fields: tables of cases, and what holds for any input."""

from __future__ import annotations

import html
import re
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nextstep.processors.shared.encoding import _COMPOSED, fix_encoding, unescape
from nextstep.processors.shared.markup import html_to_text, looks_like_markup
from nextstep.processors.shared.text import (
    CAP,
    clean_line,
    clean_text,
    normalize_whitespace,
)

LINKEDIN = """<div class="description__text">
    <section class="show-more-less-html"><div class="show-more-less-html__markup relative
            overflow-hidden">
          <p><strong>Your role</strong></p><p><br></p><ul><li>Build <em>models</em></li><li>Ship
them</li></ul><strong>Requirements</strong><br>SQL &amp; Python
    </div><button class="show-more-less-html__button" aria-label="Show more">
            Show more
    <icon><svg><path d="M8"></path></svg></icon></button></section></div>"""


@pytest.mark.req("N-32")
@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<ul><li>a</li><li>b</li></ul>after", "- a\n- b\n\nafter"),
        ("<ul><li><p>a</p></li><li></li><li> <b>b</b></li></ul>", "- a\n- b"),
        ("<ol><li>• a<li>* b</ol>", "- a\n- b"),
        ("<h2>Head</h2>text", "Head\n\ntext"),
        ("<div>a</div>b<span><div>c</div></span>d", "a\nb\nc\nd"),
        ("<table><tr><td>Pay</td><td>50k</td></tr><tr><td>x</td></tr></table>", "Pay | 50k\nx"),
        ("<p>a</p><script>var b='<p>c</p>'</script><style>p{}</style><noscript>d</noscript>", "a"),
        ('<p>a</p><p hidden>b</p><p style="display: none">c</p>', "a"),
        ("<p>a</p><button>Show more</button>", "a"),
        ("<p>a&nbsp;&amp;&#160;b &lt;3 &euro;5</p>", "a & b <3 €5"),
        ("<p>Skills:\n* SQL\n* R</p>", "Skills:\n- SQL\n- R"),
        ("<p>we have changed little\nsince then</p>", "we have changed little since then"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("<p>the &lt;RED CODE/&gt; team</p>", "the <RED CODE/> team"),
        ("plain\n\n\n\ntext,  no tags ", "plain\n\ntext, no tags"),
        ("", ""),
        (LINKEDIN, "Your role\n\n- Build models\n- Ship them\n\nRequirements\nSQL & Python"),
    ],
)
def test_html_keeps_paragraphs_lists_breaks_and_cells_and_drops_what_is_no_text(
    markup: str, expected: str
) -> None:
    assert clean_text(markup).text == expected


@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_markup_that_was_escaped_again_and_again_is_read_as_markup(times: int) -> None:
    markup = "<p>Research &amp; Development</p><ul><li>C++</li></ul>"
    for _ in range(times):
        markup = html.escape(markup)
    cleaned = clean_text(markup)
    assert cleaned.text == "Research & Development\n\n- C++"
    assert cleaned.changes["unescaped"]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("<p>a</p>", True),
        ("a<br>b", True),
        ("we want <b>you</b>", True),
        ('see <a href="x">this', True),
        ("List<String> and <T>", False),
        ("pay < 5 and > 3, we <3 you", False),
        ("a tag like <b> or <span>", False),
        ("<intent>", False),
    ],
)
def test_markup_is_told_from_text_that_mentions_a_tag(text: str, markup: bool) -> None:
    assert looks_like_markup(text) is markup


def test_a_text_column_that_holds_markup_is_read_as_html_and_plain_text_keeps_its_lines() -> None:
    assert clean_text("", "<div>a<br>b</div>").text == "a\nb"
    assert clean_text("", "a\nb\n\nc").text == "a\nb\n\nc"
    assert clean_text("", "Vector<int> and <vector>").text == "Vector<int> and <vector>"


def test_html_wins_over_text() -> None:
    assert clean_text("<p>from html</p>", "from text").text == "from html"


@pytest.mark.req("N-32")
@pytest.mark.parametrize(
    "original",
    [
        "the team’s “best” work – a lot • of it… €50",
        "Müller & Söhne suchen für Köln: Gehälter über 50 % höher",
        "développement à Montréal, été, où, naïve, cœur",
        "Señor Ingeniería, año, ¿qué?",
        "São Paulo, Florianópolis, ações",
        "Zażółć gęślą jaźń",
    ],
)
def test_utf8_that_was_read_as_cp1252_or_latin1_is_repaired(original: str) -> None:
    plain = normalize_whitespace(clean_text("", original).text)
    once = original.encode().decode("cp1252", "replace")
    assert clean_text("", once).text == plain
    assert clean_text(f"<p>{html.escape(once)}</p>").text == plain
    assert clean_text("", original.encode().decode("latin-1")).text == plain
    assert clean_text("", once).changes["encoding"] is True


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("â€œquotedâ€\ufffd", '"quoted"'),  # the byte 9D is lost
        ("the employee€™s €œbest€\x9d work €“ always", 'the employee\'s "best" work – always'),
        ("ÃƒÂ©tÃƒÂ©", "été"),
        ("unitsÃ¢â\x82¬â\x84¢ requests", "units' requests"),
        ("rÃ©sumÃ©", "résumé"),
        ("Itï¿½s here", "It\ufffds here"),
        ("from 5€ “net”", "from 5€ “net”"),
        ("nur 5€“, sagte er", "nur 5€“, sagte er"),
        ("employé·e, marché»", "employé·e, marché»"),
        ("naïve café — fine", "naïve café — fine"),
    ],
)
def test_encoding_damage_is_repaired_and_sound_text_is_left_alone(broken: str, mended: str) -> None:
    fixed = fix_encoding(broken)
    for curly, straight in (("’", "'"), ("“", '"'), ("”", '"')):
        if curly not in mended:
            fixed = fixed.replace(curly, straight)
    assert fixed == mended


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Duties€¢ Plan€¢ Build", "Duties\n- Plan\n- Build"),
        ("• a\n•\tb\n\uf0b7 c\n* d\n- e\n– f\n·  g", "- a\n- b\n- c\n- d\n- e\n- f\n- g"),
        ("•\nalone", "- alone"),
        ("London • Full-time • £50k", "London • Full-time • £50k"),
        (
            "We need: • someone who knows how to plan • someone who knows how to build a house",
            "We need:\n- someone who knows how to plan\n- someone who knows how to build a house",
        ),
        ("o Develop\no Test", "- Develop\n- Test"),
        ("𝗔𝗯𝗼𝘂𝘁 us", "About us"),
        ("a\u200bb\u202ec\u2060d\x07e\u2028f", "abcde\nf"),
        ("oﬃce", "office"),
        ("text\n\nShow more\n\nShow less", "text"),
        ("mail #EMAIL_395225df8eed70288fc67310349d63d49d5f2ca6bc14dbb5dcbf929606# now", "mail now"),
    ],
)  # fmt: skip
def test_bullets_and_junk_in_plain_text(text: str, expected: str) -> None:
    assert clean_text("", text).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Roles & ResponsibilitiesCompany Overview We build",
            "Roles & Responsibilities\nCompany Overview\nWe build",
        ),
        ("ResponsibilitiesCompany overview", "Responsibilities\nCompany overview"),
        ("as they ariseRequirementsDegree", "as they arise\nRequirements\nDegree"),
        ("Roles & Responsibilities Plan. Requirements PhD",
         "Roles & Responsibilities\nPlan.\nRequirements\nPhD"),
        ("Good.\xa0 \xa0Requirements\xa0 Must", "Good.\nRequirements Must"),
        ("Know Java.We pay.You win.Apply", "Know Java.\nWe pay.\nYou win.\nApply"),
        ("skills:- Plan a- Build a- Ship", "skills:\n- Plan a\n- Build a\n- Ship"),
        ("Type:Full-time", "Type: Full-time"),
        ("Node.Js, ASP.Net, JavaScript, LinkedIn, PostgreSQL and e.g.Python", None),
        ("mail john.Smith@corp.example or see www.Example.Com", None),
    ],
)  # fmt: skip
def test_line_breaks_that_were_lost_are_put_back_where_they_are_certain(
    text: str, expected: str | None
) -> None:
    assert clean_text("", text).text == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('<font color="#000000">Palo Alto, CA – Full-time, permanent – Flipboard, Inc',
         "Palo Alto, CA – Full-time, permanent – Flipboard, Inc"),
        ('HelloSign (<a href="https://h.example" rel="nofollow">h.example</a>) is hiring',
         "HelloSign (h.example) is hiring"),
        ('Educreations (<a href="http://www.educr', "Educreations ("),
        ("Keppel Offshore &amp;amp; Marine", "Keppel Offshore & Marine"),
        ("Business Intelligence Analyst â\x80\x93 Data", "Business Intelligence Analyst – Data"),
        ("  Data \n\t Analyst\u202e ", "Data Analyst"),
        ("<intent>", "<intent>"),
        ("x" * 1000, "x" * CAP),
        ("", ""),
    ],
)  # fmt: skip
def test_a_field_becomes_one_clean_line(raw: str, expected: str) -> None:
    assert clean_line(raw) == expected


def test_query_strings_are_not_taken_for_entities() -> None:
    url = "see http://x.example/?a=1&copy=2&section=3"
    assert unescape(url) == url
    assert unescape("&foo; &bar") == "&foo; &bar"


# --- what holds for any input ---------------------------------------------------------------------

WORDS = """<p> </p> <b> </b> <li> <ul> </ul> <br> <td> <script> </script> <!-- --> < > & ; &amp;
    &lt; &gt; &amp;amp; lt; #60; &#x3c; &#0; &#200000000; amp; p br â€ ™ â€™ Ã © Ã© \ufffd € ¢ €¢
    \u200b \u202e \x80 \x9d \x00 \xa0 • · - * o # Requirements Responsibilities A b. Word Show
    Experience more Net ﬁ ｐ ＜ ＞ \ud800 é e\u0301 \uf0b7 𝗔 1 : . ! ( ) | " ' \\ ’"""
SPACES = [" ", "\n", "  ", "\xa0 ", " - ", "\x1c", "\x1d", "\x1e", "\x1f", "\r", "\t", "\u2028"]
PIECES = st.sampled_from([*WORDS.split(), *SPACES])
SOUP = st.lists(PIECES, max_size=40).map("".join)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@settings(max_examples=400, deadline=None)
@given(SOUP, SOUP)
@example("<<b>p>", "")
@example("&am&#112;;lt;p&gt;", "")
@example("Ã\u200b©", "")
@example("", ":Word<p>")
@example("", "RequirementsShow more")
@example("", "<" * 12 + "p>" * 12)
@example("", "&amp;" * 12 + "lt;p" + "&gt;" * 3)
def test_cleaning_never_raises_leaves_no_controls_and_a_second_time_changes_nothing(
    markup: str, text: str
) -> None:
    for cleaned in (clean_text(markup, text).text, clean_text("", text).text):
        assert not _CONTROL.search(cleaned)
        assert clean_text("", cleaned).text == cleaned
        assert not looks_like_markup(cleaned)
        assert "\n\n\n" not in cleaned
        assert cleaned == cleaned.strip()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_unicode_text_is_cleaned_and_stays_cleaned(text: str) -> None:
    cleaned = clean_text("", text).text
    assert not _CONTROL.search(cleaned)
    assert clean_text("", cleaned).text == cleaned


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_a_field_is_one_short_line_and_stays_it(raw: str) -> None:
    line = clean_line(raw)
    assert len(line) <= CAP
    assert "\n" not in line
    assert not _CONTROL.search(line)
    assert clean_line(line) == line


HOSTILE: dict[str, Callable[[int], str]] = {
    "nested divs": lambda n: "<div>" * n,
    "nested lists": lambda n: "<ul><li>" * n,
    "open bold": lambda n: "".join(f"<p><b id={i}>x</p>" for i in range(n)),
    "fonts": lambda n: "".join(f"<font size={i}>" for i in range(n)) + "<p>x" * n,
    "attributes": lambda n: "<a " + " ".join(f"a{i}" for i in range(n)) + ">x",
    "less-thans": lambda n: "<" * n,
    "open tags": lambda n: "<a " * n,
    "open quotes": lambda n: "<a b='" * n,
    "comments": lambda n: "<!--" * n,
    "scripts": lambda n: "<script>" * n,
    "end tags": lambda n: "</b" * n,
    "ampersands": lambda n: "&" * n + "amp;" * n,
    "nested entities": lambda n: "&amp" * n + ";" * n + "lt;",
    "huge number": lambda n: "&#" + "9" * n + ";<p>",
    "spaces": lambda n: "a" + " " * n + "b\n" + "\xa0" * n + "c",
    "blank lines": lambda n: "a" + "\n" * n + "b",
    "bullets": lambda n: "• " * n,
    "dashes": lambda n: "a - B" * n,
    "glue": lambda n: "wordRequirementsExperience." * n,
    "cells": lambda n: "<td>" * n,
    "hashes": lambda n: "#URL_" * n,
    "mojibake": lambda n: "â€" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length_only(name: str) -> None:
    """Eight times the input may take at most three times eight the time: far below its square."""

    def cost(size: int) -> float:
        source = HOSTILE[name](size)
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            clean_text(source)
            html_to_text(source)
            best = min(best, time.process_time() - start)
        return best

    small, large = cost(4_000), cost(32_000)
    assert large < 24 * max(small, 0.002), f"{small:.4f} s, then {large:.4f} s"


def test_signs_that_are_not_normalized_need_no_normalizing() -> None:
    """Each stands as it is beside a letter, an accent and itself: the short way changes nothing."""
    signs = [chr(code) for code in range(0x80, 0x1_0000) if _COMPOSED.fullmatch(chr(code))]
    assert len(signs) > 20_000
    for sign in signs:
        assert unicodedata.combining(sign) == 0
        assert all(
            unicodedata.is_normalized("NFC", around)
            for around in (sign, f"e{sign}", f"{sign}e", sign * 2)
        )
