"""Single cells: absent or not, repaired, coerced to text. No value is ever quoted in a message."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from nextstep.ingest import rejects


class Undecodable:
    """Stands in a row for a cell whose bytes are no text; readers put it there."""

    __slots__ = ()


UNDECODABLE: Final = Undecodable()


class Unfit(Exception):
    """A cell that its field cannot take: (reason, detail) of the reject."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


#: How pandas, MySQL and careless `str()` calls spell "nothing".
NOTHING = frozenset(
    {"nan", "NaN", "NAN", "None", "null", "NULL", "<NA>", "NaT", "\\N", "undefined"}
)

#: Bytes of one cell of `extra`; a whole page's source belongs into no payload.
MAX_EXTRA_BYTES = 64 * 1024

#: Nesting in `extra` beyond this is text; a hostile file cannot exhaust the stack.
MAX_DEPTH = 16

_NUMBERS_ALLOWED = frozenset(
    {"source", "source_job_id", "company", "location", "salary", "employment_type", "date_posted",
     "scraped_at"}
)  # fmt: skip
_LISTS_ALLOWED = frozenset({"company", "location", "salary", "employment_type"})

_INVISIBLE = re.compile(
    r"<!--.*?-->|<(script|style|head|title|noscript|template)\b.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_INVISIBLE_START = re.compile(
    r"<(?:!--|(?:script|style|head|title|noscript|template)\b)", re.IGNORECASE
)
_RUN = re.compile(r"(?:\A|>)([^<>]+)")
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>|&[a-zA-Z]{2,8};|&#")
_BLOCK = re.compile(
    r"(?:<|&lt;)/?(?:p|div|br|ul|ol|li|h[1-6]|table|tr|td|section|article|body|html)\b",
    re.IGNORECASE,
)
_BLANKS = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"


def is_absent(value: Any) -> bool:
    """Return whether a cell says nothing."""
    if value is None or value == "":
        return True
    if isinstance(value, str):
        return value.isspace() or (len(value) <= 9 and value.strip() in NOTHING)
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, (list, dict)) and not value


def repaired(text: str) -> tuple[str, str]:
    """Return the text that PostgreSQL can store, and what was removed ("" for nothing)."""
    removed = []
    if "\0" in text:
        text = text.replace("\0", "")
        removed.append("NUL")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            # Two halves of a pair that stand side by side are one character; a lone half is not.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
            removed.append("lone surrogates")
    return text, " and ".join(removed)


def as_text(field: str, value: Any) -> str:
    """
    Return a cell as its field's text.

    Raises:
        Unfit: undecodable, or of a type that the field cannot mean.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Undecodable):
        raise Unfit(rejects.UNDECODABLE, "its bytes are no text in the file's encoding")
    if isinstance(value, (datetime, date)) and field in ("date_posted", "scraped_at"):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        if field in _NUMBERS_ALLOWED:
            return _number(value)
    elif isinstance(value, UUID):
        return str(value)
    elif field in _LISTS_ALLOWED:
        if isinstance(value, (list, tuple)) and all(_is_scalar(item) for item in value):
            return "; ".join(as_text(field, item) for item in value if not is_absent(item))
        if isinstance(value, Mapping) and _is_scalar(value.get("name")):
            return as_text(field, value["name"])  # {"name": "Acme"}: Greenhouse, schema.org
    raise Unfit(rejects.WRONG_TYPE, f"holds {_kind(value)}, not text")


def has_visible_text(markup: str) -> bool:
    """Return whether HTML shows anything: letters outside tags, scripts and comments."""
    if "<" not in markup and "&" not in markup:
        return bool(markup.strip(_BLANKS))
    # Most pages show a letter long before their first script: do not read them to the end.
    for run in _RUN.finditer(markup):
        if html.unescape(run[1]).strip(_BLANKS):
            if not _INVISIBLE_START.search(markup, 0, run.start(1)):
                return True
            break
    shown = _INVISIBLE.sub("", markup)
    return any(html.unescape(run[1]).strip(_BLANKS) for run in _RUN.finditer(shown))


def has_markup(text: str) -> bool:
    """Return whether there is any tag or entity; text without either must keep its line ends."""
    return _TAG.search(text) is not None


def is_probably_html(text: str) -> bool:
    """Return whether a text column holds HTML all the same: two block tags, escaped or not."""
    if "<" not in text and "&lt;" not in text:
        return False
    found = _BLOCK.finditer(text)
    return next(found, None) is not None and next(found, None) is not None


def parse_extra(value: Any) -> tuple[dict[str, Any], bool]:
    """Return an `extra_json` cell as a dict, and whether it could be read as JSON."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return {}, False
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}, True
    return {"extra": value}, True


def storable(value: Any, depth: int = 0) -> Any:
    """
    Return a value of `extra` as jsonb can hold it: strings repaired, odd types as text.

    Raises:
        Unfit: binary, undecodable or too large.
    """
    if isinstance(value, (bytes, bytearray, memoryview, Undecodable)):
        raise Unfit(rejects.WRONG_TYPE, f"holds {_kind(value)}")
    if depth >= MAX_DEPTH:
        raise Unfit(rejects.TOO_LARGE, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, Mapping):
        return {storable(str(k), depth + 1): storable(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(item, depth + 1) for item in value]
    return _storable_scalar(value)


def _storable_scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):  # a truth value, too
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    text = repaired(str(value))[0] if value is not None else None
    if text is not None and len(text) * 4 > MAX_EXTRA_BYTES < len(text.encode()):
        raise Unfit(rejects.TOO_LARGE, f"larger than {MAX_EXTRA_BYTES} bytes")
    return text


def _number(value: int | float | Decimal) -> str:
    # A column of whole numbers with a gap comes out of data frames as floats: 123.0 is id 123.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return str(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes of binary data"
    names = {dict: "an object", list: "a list", bool: "a truth value", int: "a number",
             float: "a number", Undecodable: "bytes that are no text"}  # fmt: skip
    return names.get(type(value), f"a {type(value).__name__}")
