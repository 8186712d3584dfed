"""One row of a file to one observed post, or to the reason why it cannot be one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events import kinds
from nextstep.events.codec import content_hash, encode_payload
from nextstep.events.identity import job_identity
from nextstep.events.model import Draft, JobPost
from nextstep.events.upcast import SCHEMA_VERSIONS
from nextstep.ingest import rejects
from nextstep.ingest.columns import ColumnMap, Plan
from nextstep.ingest.moments import accepted, parse_moment
from nextstep.ingest.rejects import Reject
from nextstep.ingest.values import (
    Unfit,
    as_text,
    has_markup,
    has_visible_text,
    is_absent,
    is_probably_html,
    parse_extra,
    repaired,
    storable,
)

#: Bytes of any field but the description. Real titles and salaries are far below it; what is above
#: is a shifted column.
MAX_FIELD_BYTES = 32 * 1024

#: A source is a name in an index, and a person types it.
MAX_SOURCE_CHARS = 200

_SHORT = ("source_job_id", "url", "title", "company", "location", "date_posted", "salary",
          "employment_type", "scraped_at")  # fmt: skip
_KEYS = frozenset({"source", "source_job_id", "url"})
_JOINTS = {"html": "\n", "text": "\n\n", "location": ", "}


class Context(msgspec.Struct, frozen=True):
    """
    What a row's meaning depends on besides the row.

    Attributes:
        column_map: the map in force.
        source: source of rows that name none; "" if there is none.
        file_name: goes into `origin`; a name, never a path.
        fallback_at: occurred_at of rows without a usable time: `--observed-at`, else the file's.
        latest: no row can speak of a later time.
        max_text_bytes: a longer description is a reject.
    """

    column_map: ColumnMap
    source: str
    file_name: str
    fallback_at: datetime
    latest: datetime
    max_text_bytes: int


class Observation(msgspec.Struct, frozen=True):
    """A post, the stream it belongs to, and when it was so."""

    job_id: UUID
    post: JobPost
    occurred_at: datetime


def map_row(
    row: int, cells: Mapping[str, Any], plan: Plan, context: Context
) -> Observation | Reject:
    """
    Return what a row says.

    Args:
        row: number of the data row, from 1.
        cells: column -> value; values may be text, numbers, dates, lists or nested objects.
        plan: the column map laid over this row's columns.
    """
    column = source = ""
    used: set[str] = set()
    repairs: list[str] = []
    values: dict[str, str] = {}
    try:
        for field in ("source", *_SHORT, "html", "text"):
            for names in plan.fields[field]:
                column = names[0]
                value = _value(field, names, cells)
                if value:
                    used.update(names)
                    values[field] = _checked(field, value, context.max_text_bytes, repairs)
                    break
            if field == "source":
                source = values["source"] = _source(values.get("source", ""), context)
        column = ""
        _choose_body(values, not used.isdisjoint(plan.maybe_html))
        if not any(name in values for name in ("title", "html", "text")):
            raise Unfit(rejects.NO_CONTENT, "neither a title nor a text")
    except Unfit as unfit:
        return Reject(row, column, unfit.reason, unfit.detail, source)
    job_id, rule = job_identity(values)
    occurred_at = _occurred_at(values, context, repairs)
    post = JobPost(
        identity_rule=rule,
        extra=_extra(cells, plan, used, repairs),
        repairs=repairs,
        origin=f"{context.file_name}:{row}",
        **values,
    )
    return Observation(job_id, post, occurred_at)


def to_draft(observation: Observation, significant: frozenset[str]) -> Draft:
    """Return an observation as the log takes it; the server picks posted, revised or reopened."""
    return Draft(
        job_id=observation.job_id,
        kind=kinds.OBSERVED,
        source=observation.post.source,
        schema_version=SCHEMA_VERSIONS[kinds.POSTED],
        payload=encode_payload(observation.post),
        content_hash=content_hash(observation.post, significant),
        occurred_at=observation.occurred_at,
    )


def _source(named: str, context: Context) -> str:
    source = named or context.source
    if not source:
        raise Unfit(rejects.NO_SOURCE, "the row names no source and --source was not given")
    if len(source) > MAX_SOURCE_CHARS:
        raise Unfit(rejects.TOO_LARGE, f"a source has at most {MAX_SOURCE_CHARS} characters")
    return source


def _value(field: str, names: tuple[str, ...], cells: Mapping[str, Any]) -> str:
    if len(names) == 1:
        cell = _cell(cells, names[0])
        text = "" if is_absent(cell) else as_text(field, cell)
    else:
        found = [cell for cell in (_cell(cells, name) for name in names) if not is_absent(cell)]
        text = _JOINTS.get(field, " ").join(as_text(field, cell) for cell in found)
    # Two ids that differ by a blank are one.
    return text.strip() if field in _KEYS else text


def _checked(field: str, value: str, max_text_bytes: int, repairs: list[str]) -> str:
    text, removed = repaired(value)
    if removed:
        repairs.append(f"{field}: {removed} removed")
    limit = max_text_bytes if field in ("html", "text") else MAX_FIELD_BYTES
    if len(text) * 4 > limit and (size := len(text.encode())) > limit:
        raise Unfit(rejects.TOO_LARGE, f"is {size:,} bytes; the limit is {limit:,}")
    return text


def _choose_body(values: dict[str, str], maybe_html: bool) -> None:
    """Leave one of html and text: HTML wins where it shows anything."""
    markup = values.get("html", "")
    if markup and not has_visible_text(markup):
        del values["html"]
    elif markup:
        values.pop("text", None)
        if not has_markup(markup):
            # Plain text in the HTML column: read as HTML its line ends would be lost.
            values["text"] = values.pop("html")
        return
    text = values.get("text", "")
    if text and maybe_html and is_probably_html(text):
        del values["text"]
        if has_visible_text(text):
            values["html"] = text


def _occurred_at(values: Mapping[str, str], context: Context, repairs: list[str]) -> datetime:
    for field in ("scraped_at", "date_posted"):
        text = values.get(field, "")
        if not text:
            continue
        moment = parse_moment(text, context.column_map.date_formats)
        if found := accepted(moment, context.latest):
            return found
        why = "out of range" if moment else "not understood"
        repairs.append(f"{field}: {why} as a time, not used for occurred_at")
    return context.fallback_at


def _extra(
    cells: Mapping[str, Any], plan: Plan, used: set[str], repairs: list[str]
) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for (column,) in plan.fields["extra"]:
        cell = _cell(cells, column)
        if is_absent(cell):
            continue
        found, is_json = parse_extra(cell)
        if not is_json:
            repairs.append(f"{column}: not valid JSON, kept as text")
            found = {column: cell}
        _keep(extra, found, repairs)
    spare = [column for column in plan.spare if column not in used]
    _keep(extra, {column: _cell(cells, column) for column in (*spare, *plan.rest)}, repairs)
    return extra


def _keep(extra: dict[str, Any], found: Mapping[str, Any], repairs: list[str]) -> None:
    for key, value in found.items():
        if is_absent(value):
            continue
        name = repaired(key)[0]
        try:
            extra.setdefault(name, storable(value))
        except Unfit as unfit:
            repairs.append(f"{name}: {unfit.detail}, left out")


def _cell(cells: Mapping[str, Any], name: str) -> Any:
    if name in cells:
        return cells[name]
    if "." not in name:
        return None
    value: Any = cells
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
