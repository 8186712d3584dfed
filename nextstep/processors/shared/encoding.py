"""
Repair characters: text read in the wrong encoding, entities, look-alikes, invisible characters.

Every check that most ads pass is one C scan; ftfy runs only where damage is seen (measured.md 1:
ten times the rate of ftfy on every ad).
"""

from __future__ import annotations

import html
import re
import unicodedata
from html.entities import html5

import ftfy

_CONTINUATION = "".join(
    dict.fromkeys(
        "".join(map(chr, range(0x80, 0xC0))) + bytes(range(0x80, 0xC0)).decode("cp1252", "ignore")
    )
)
#: Necessary for UTF-8 read as cp1252 or latin-1: a lead byte's character, then a continuation's.
_DAMAGE = re.compile(f"[\u00c2-\u00f4][{re.escape(_CONTINUATION)}\ufffd]")
_C1 = re.compile("[\x80-\x9f]")
_FTFY = ftfy.TextFixerConfig(
    unescape_html=False,
    explain=False,
    fix_character_width=False,  # full-width brackets are text, and "＜p＞" must not become a tag
    uncurl_quotes=False,  # done below for every text, damaged or not
    fix_latin_ligatures=False,
)

#: Bytes 81, 8D, 8F, 90 and 9D have no cp1252 character, so a decoder that replaces loses them.
#: Where one answer is by far the likeliest, it is taken.
_LOST_BYTE = (
    ("â€\ufffd", "”"),
    ("â—\ufffd", "●"),
    ("âœ\ufffd", "✏"),
    ("â\ufffd¤", "❤"),
    ("â\ufffd\xa0", ""),  # word joiner
    ("ï¿½", "\ufffd"),
    ("ï»¿", ""),
)
#: "â" lost before "€™" and its like; a price before the sign ("5€“) is left alone.
_LOST_LEAD = re.compile("€([\u2122\u0153\u009d\u02dc\u201c\u201d\u00a2\u00a6\u00af])")
_AFTER_LEAD = {
    "\u2122": "’", "\u0153": "“", "\u009d": "”", "\u02dc": "‘", "\u201c": "–", "\u201d": "—",
    "\u00a2": "•", "\u00a6": "…", "\u00af": " ",
}  # fmt: skip

_LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
#: C0 and C1 controls, zero-width and direction marks, byte-order marks, surrogates, non-characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
#: Printable ASCII, tab and newline. What is left of a text without them is a few signs, in which
#: the patterns below are looked for first: scans of whole texts by those sets took a tenth of all.
_COMMON = bytes([9, 10, *range(0x20, 0x7F)])
#: Any of them in a text means work; most texts have none.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c"
    "\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufb00-\ufb06\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U0001d400-\U0001d7ff\U000e0000-\U000e0fff]"
)
_FANCY = re.compile("[\ufb00-\ufb06\U0001d400-\U0001d7ff]+")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_STRAY_REPLACEMENT = re.compile(r"(?<!\w)\ufffd+|\ufffd+(?!\w)")
#: Plain forms that a reader's rules and a writer's keyboard share.
_PLAIN = (
    ("\u2018", "'"), ("\u2019", "'"), ("\u201b", "'"), ("\u201c", '"'), ("\u201d", '"'),
    ("\u201e", '"'), ("\u2010", "-"), ("\u2011", "-"), ("\u2212", "-"),
)  # fmt: skip

_FANCY_QUOTE = re.compile(f"[{''.join(fancy for fancy, _ in _PLAIN)}]")
#: Signs that are in NFC beside any other; what else a text holds is normalized.
_COMPOSED = re.compile(
    "[\x00-\u02ff\u2010-\u2044\u20ac\u2122\u25a0-\u27bf\u4e00-\u9fff\uff01-\uff60]*"
)

_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0{0,4}38|#[xX]0{0,4}26);)+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
#: An entity inside an entity inside ... is unescaped so often; what is left is broken up.
_MAX_DEPTH = 4


def is_damaged(text: str) -> bool:
    """Return whether the text may be UTF-8 that was read as cp1252 or latin-1."""
    return _looks_damaged(text, _uncommon(text))


def fix_encoding(text: str) -> str:
    """Return the text with its encoding damage repaired, as far as the lost bytes allow."""
    return _mend(text, _uncommon(text))


def repair(text: str) -> tuple[str, bool, bool]:
    """
    Return the text after `fix_encoding` and `plain_characters`.

    Also returns whether it was damaged, and whether it is known that nothing is left to repair,
    however its white space is changed.
    """
    few = _uncommon(text)
    if not few:
        return text, False, True
    mended = _mend(text, few)
    if mended is not text:
        return _plain(mended, _uncommon(mended)), mended != text, False
    return _plain(text, few), False, _ODD.search(few) is None and bool(_COMPOSED.fullmatch(few))


def _uncommon(text: str) -> str:
    """Return the characters of a text that are not in _COMMON, in order."""
    left = text.encode("utf-8", "surrogatepass").translate(None, _COMMON)
    return left.decode("utf-8", "surrogatepass") if left else ""


def _looks_damaged(text: str, few: str) -> bool:
    if _C1.search(few) is not None:
        return True
    # Signs that stand side by side in `few` may have stood apart in the text.
    return _DAMAGE.search(few) is not None and _DAMAGE.search(text) is not None


def _mend(text: str, few: str) -> str:
    if not few or few.isascii():
        return text
    if _looks_damaged(text, few):
        for broken, mended in _LOST_BYTE:
            text = text.replace(broken, mended)
        # C1 controls behind a lost "â" are bytes of the same character; ftfy would make them signs.
        text = _LOST_LEAD.sub(_add_lead, text)
        text = str(ftfy.fix_text(text, _FTFY))
    return _LOST_LEAD.sub(_add_lead, text) if "€" in text else text


def _add_lead(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 2) : match.start()].rstrip()[-1:]
    return match[0] if before == "â" or before.isdecimal() else _AFTER_LEAD[match[1]]


def plain_characters(text: str) -> str:
    """
    Return the text without controls and invisible characters, in NFC, with typewriter quotes.

    Every kind of line break becomes a newline, no-break spaces stay, symbol-font bullets are "•".
    """
    return _plain(text, _uncommon(text))


def _plain(text: str, few: str) -> str:
    if not few:
        return text
    if _ODD.search(few):
        text = _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text))
        text = _PRIVATE.sub("•", text)
        text = _FANCY.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
        text = _STRAY_REPLACEMENT.sub(" ", text)
        few = _uncommon(text)
    if few.isascii():
        return text
    if _FANCY_QUOTE.search(few):
        for fancy, plain in _PLAIN:
            text = text.replace(fancy, plain)
    return text if _COMPOSED.fullmatch(few) else unicodedata.normalize("NFC", text)


def has_entity(text: str) -> bool:
    """Return whether the text holds a character reference that ends with a semicolon."""
    return "&" in text and _ENTITY.search(text) is not None


def unescape(text: str) -> str:
    """
    Return the text with its entities decoded, however often they were escaped.

    Only references with a semicolon count, so that "?a=1&copy=2" stays as it is.
    """
    for _ in range(_MAX_DEPTH):
        if not has_entity(text):
            return text
        known = _ENTITY.sub(_decode, _AMPERSANDS.sub("&", text))
        if known == text:
            return text
        text = known
    return _ENTITY.sub(lambda m: m[0].replace("&", "& "), text)


def unescape_all_references(text: str) -> str:
    """Return the text with its references decoded once, as an HTML parser does it."""
    if "&" not in text:
        return text
    # html.unescape turns the digits into a number, which fails above 4300 of them.
    return html.unescape(_LONG_NUMBER.sub("\ufffd", text))


def _decode(match: re.Match[str]) -> str:
    if match[0][1] == "#":
        return html.unescape(match[0])
    return html5.get(match[0][1:], match[0])
