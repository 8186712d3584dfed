"""
HTML to lines of text: paragraphs, list items, headings and table rows stay lines.

One parse by lexbor and one walk of its tree (measured.md 1). A browser's tree construction is
quadratic for hostile nesting and attributes, in time and in memory; documents past the bounds that
real ads keep are read tag by tag instead, with the same table of marks.
"""

from __future__ import annotations

import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from nextstep.processors.shared.encoding import unescape_all_references

#: Marks of the walk; `_resolve` turns them into text. No source keeps these controls.
_ITEM, _CELL, _SOFT, _LINE = "\x1c", "\x1d", "\x1e", "\x1f"

_BEFORE = {
    **dict.fromkeys(str.split("p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote hr"), "\n\n"),
    **dict.fromkeys(
        str.split(
            "div section article header footer main aside nav form fieldset address figure "
            "figcaption center details summary tr dt dd option legend caption"
        ),
        _LINE,
    ),
    "br": "\n",
    "li": "\n" + _ITEM,
    "td": _CELL,
    "th": _CELL,
}
_AFTER = {tag: mark for tag, mark in _BEFORE.items() if tag not in ("li", "td", "th", "br", "hr")}
_AFTER["li"] = _LINE
#: Their contents are no text of the ad: code, vector pictures, "Show more" buttons, form controls.
_SKIPPED = frozenset(
    str.split(
        "script style noscript template head title svg button select textarea iframe object canvas "
        "audio video math"
    )
)
#: Their contents hold no tags, whatever they look like.
_RAW = {
    tag: re.compile(rf"</{tag}[\s/>]", re.IGNORECASE)
    for tag in ("script", "style", "textarea", "title", "iframe")
}
_VOID = frozenset(str.split("area base br col embed hr img input link meta source track wbr"))

_KNOWN = (
    "a abbr article aside b big blockquote body br center code col dd div dl dt em figure font "
    "footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins label li link main "
    "meta nav ol p pre s script section small span strike strong style sub sup svg table tbody td "
    "tfoot th thead tr tt u ul button icon title noscript path"
)
_NAMES = "|".join(sorted(_KNOWN.split(), key=lambda name: (-len(name), name)))
_TAG = re.compile(rf"<(?:/\s*)?({_NAMES})(?:\s[^<>]*|\s*/)?>", re.IGNORECASE)
#: What only markup has: an end tag, a break, an attribute. A lone "<b>" may be talk about HTML.
_SURE = re.compile(
    rf"</\s*(?:{_NAMES})\s*>|<(?:br|hr|p|li|div)\s*/?>|<(?:{_NAMES})\s+[a-z-]+\s*=[^<>]*>",
    re.IGNORECASE,
)
_CUT = re.compile(rf"<(?:/\s*)?(?:{_NAMES})(?:\s[^<>]*)?$", re.IGNORECASE)
_HIDDEN = re.compile(r"\shidden(?=[\s>=/])|display\s*:\s*none", re.IGNORECASE)
_HIDDEN_CSS = '[hidden],[style*="display:none"],[style*="display: none"]'

#: Bounds within which lexbor is used; the largest of 71 000 real ads has 25 356 characters.
_TREE_CHARS = 32_000
_TREE_TAGS = 1_500

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<[!?][^>]*(?:>|\Z)", re.DOTALL)
_ANY_TAG = re.compile(
    r"<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]|=\s*+(?:\"[^\"]*+\"|'[^']*+')?)*+)>", re.DOTALL
)

# No pattern begins with optional white space: that is quadratic in a long run of it.
# Python counts the marks among white space, hence no \\s where one could follow.
_BREAKS = re.compile(rf"{_SOFT}[{_SOFT} \t\r\n\xa0]*")
_LINES = re.compile(rf"{_LINE}[{_LINE} \t\xa0]*")
_ITEMS = re.compile(rf"{_ITEM}[{_ITEM}\s]*")
_CELLS = re.compile(rf"{_CELL}[{_CELL} \t\r\n\xa0]*")


def looks_like_markup(text: str) -> bool:
    """Return whether a text is HTML, not a text that mentions a tag or a "<"."""
    return "<" in text and _SURE.search(text) is not None


def strip_tags(text: str) -> str:
    """Return one line's text without known tags, an end that was cut inside a tag included."""
    return _CUT.sub("", _TAG.sub(_tag_gap, text)) if "<" in text else text


def _tag_gap(match: re.Match[str]) -> str:
    name = match[1].lower()
    return " " if name in _BEFORE else ""


def html_to_text(html: str) -> str:
    """
    Return the readable text of a document or fragment, white space not yet normalized.

    Blocks and breaks are newlines, list items begin with "- ", table cells are parted by " | ".
    Scripts, styles, hidden parts and buttons are left out. Linear in the length for any input.
    """
    if len(html) <= _TREE_CHARS and html.count("<") <= _TREE_TAGS:
        parts = _walk(html)
    else:
        parts = _read_tags(html)
    return _resolve("".join(parts))


def _walk(html: str) -> list[str]:
    try:
        root: Any = LexborHTMLParser(html).body
    except UnicodeEncodeError:  # lone surrogates
        root = LexborHTMLParser(html.encode("utf-8", "ignore").decode()).body
    if root is None:
        return _read_tags(html)
    if (" hidden" in html or "\nhidden" in html or "display" in html) and _HIDDEN.search(html):
        for node in root.css(_HIDDEN_CSS):
            node.decompose()
    parts: list[str] = []
    open_nodes: list[tuple[Any, str]] = []
    verbatim = 0
    node = root.first_child
    while True:
        if node is None:
            if not open_nodes:
                return parts
            node, tag = open_nodes.pop()
            verbatim -= tag == "pre"
            parts.append(_AFTER.get(tag, ""))
            node = node.next
            continue
        tag = node.tag
        if tag == "-text":
            parts.append(_text(node.text_content or "", verbatim))
        elif tag not in _SKIPPED:
            parts.append(_BEFORE.get(tag, ""))
            child = node.first_child
            if child is not None:
                open_nodes.append((node, tag))
                verbatim += tag == "pre"
                node = child
                continue
            parts.append(_AFTER.get(tag, ""))
        node = node.next


def _text(text: str, verbatim: int) -> str:
    if verbatim or "\n" not in text:
        return text
    return text.replace("\n", _SOFT) if text.strip() else " "


def _read_tags(html: str) -> list[str]:
    """Read tag by tag, without a tree; a tag that is never closed ends the text."""
    parts: list[str] = []
    at, skip, depth, verbatim = 0, "", 0, 0
    while True:
        start = html.find("<", at)
        if not skip:
            text = html[at : start if start >= 0 else None]
            parts.append(_text(unescape_all_references(text), verbatim))
        if start < 0:
            return parts
        comment = _COMMENT.match(html, start)
        found = None if comment else _ANY_TAG.match(html, start)
        if found is None:
            if comment is None and html[start + 1 : start + 3].lstrip("/")[:1].isalpha():
                return parts
            if comment is None and not skip:
                parts.append("<")
            at = comment.end() if comment else start + 1
            continue
        at, closing, tag = found.end(), found[1], found[2].lower()
        if tag in _RAW and not closing:
            end = _RAW[tag].search(html, at)
            if end is None:
                return parts
            at = end.start()
        elif skip:
            depth += 0 if tag != skip else -1 if closing else 1
            skip = skip if depth > 0 else ""
        elif not closing and _starts_hidden(tag, found[3]):
            skip, depth = tag, 1
        else:
            verbatim = max(0, verbatim + (0 if tag != "pre" else -1 if closing else 1))
            parts.append((_AFTER if closing else _BEFORE).get(tag, ""))


def _starts_hidden(tag: str, attributes: str) -> bool:
    return tag not in _VOID and (
        tag in _SKIPPED or ("d" in attributes and _HIDDEN.search(attributes + " ") is not None)
    )


def _resolve(text: str) -> str:
    """Turn the walk's marks into text."""
    if _SOFT in text:
        text = _BREAKS.sub(_soft_break, text)
    if _CELL in text:
        text = _CELLS.sub(_cell, text)
    if _LINE in text:  # a break that another one beside it makes needless
        text = _LINES.sub(_LINE, text).replace("\n" + _LINE, "\n").replace(_LINE + "\n", "\n")
        text = text.replace(_LINE, "\n")
    return _ITEMS.sub("- ", text) if _ITEM in text else text


def _soft_break(match: re.Match[str]) -> str:
    """
    Return what a newline of the source stands for.

    A browser shows a space, but people who type a post mean the line break, unless the next line
    goes on in lower case or the last one ends with a comma: then the editor wrapped it.
    """
    text, start, end = match.string, match.start(), match.end()
    last = text[max(0, start - 4) : start].rstrip()[-1:]
    return " " if text[end : end + 1].islower() or last in (",", "&", "(", "/") else "\n"


def _cell(match: re.Match[str]) -> str:
    last = match.string[max(0, match.start() - 1) : match.start()]
    return " | " if last not in ("", "\n", _ITEM, _LINE) else ""
