"""`nextstep extract`: ads as JSON lines on stdin, what they say as JSON lines on stdout."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from nextstep.events.model import JobPost
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.concepts import Taxonomies
from nextstep.processors.shared.extraction import ExtractIn, Extraction, Kit, build_kit, extract
from nextstep.processors.shared.language import load_model
from nextstep.processors.shared.normal import Context, normalize_post
from nextstep.settings import Settings

#: Cleaning asks when an ad was seen only to settle relative dates, which are not extracted.
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class AdLine(msgspec.Struct, frozen=True):
    """One line of input: interface.md's "extract in". `html` wins over `text`."""

    id: str | int
    title: str | None = None
    company: str | None = None
    location: str | None = None
    salary: str | int | float | None = None
    employment_type: str | None = None
    date_posted: str | None = None
    text: str | None = None
    html: str | None = None


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "extract", help="read ads as JSON lines on stdin, write what they say on stdout"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Answer every line of stdin in order; a bad line is answered with its error."""
    taxonomies = load_taxonomies(settings.taxonomies)
    bad = answer_lines(sys.stdin.buffer, sys.stdout.buffer, taxonomies)
    if bad:
        print(f"nextstep extract: {bad} line(s) could not be read", file=sys.stderr)
    return 0


def answer_lines(lines: Iterable[bytes], out: BinaryIO, taxonomies: Taxonomies) -> int:
    """Write one line per input line, each at once, and return how many were bad."""
    kit, context = build_kit(taxonomies), Context(taxonomies, load_model())
    encoder = msgspec.json.Encoder()
    decoder = msgspec.json.Decoder(AdLine)
    bad = 0
    for line in lines:
        answer = _answer(line, decoder, kit, context)
        bad += isinstance(answer, dict)
        out.write(encoder.encode(answer) + b"\n")
        out.flush()
    return bad


def _answer(
    line: bytes, decoder: msgspec.json.Decoder[AdLine], kit: Kit, context: Context
) -> Extraction | dict[str, Any]:
    try:
        ad = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        repaired = _repaired(line)
        if repaired is None:
            return {"id": _id_of(line), "error": f"not an ad: {error}"}
        ad = repaired
    return extract(clean_ad(ad, context), kit)


def _repaired(line: bytes) -> AdLine | None:
    """Read a line whose only fault are lone surrogates, which scrapers write and JSON forbids."""
    try:
        return msgspec.convert(json.loads(line), AdLine)
    except (ValueError, RecursionError):
        return None


def clean_ad(ad: AdLine, context: Context) -> ExtractIn:
    """Return the ad as the clean stage would store it."""
    post = JobPost(
        source="",
        identity_rule="",
        title=_plain(ad.title),
        company=_plain(ad.company),
        location=_plain(ad.location),
        salary=_plain(ad.salary),
        employment_type=_plain(ad.employment_type),
        html=_plain(ad.html),
        text="" if ad.html else _plain(ad.text),
    )
    normal = normalize_post(post, context, _ANY_TIME)
    return ExtractIn(
        id=ad.id,
        title=normal.title,
        location=normal.location_raw,
        salary=normal.salary_raw,
        employment_type=normal.employment_type_raw,
        description_clean=normal.description_clean,
        sections=normal.sections,
        language=normal.language,
        company=normal.company,
    )


def _plain(value: str | float | None) -> str:
    """Return a text as ingest stores it: without NUL and lone surrogates (decisions.md 7)."""
    text = "" if value is None else str(value)
    text = text.replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")


def _id_of(line: bytes) -> Any:
    """Return the id of a line that is JSON but no ad, None where there is none."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str | int) else None
