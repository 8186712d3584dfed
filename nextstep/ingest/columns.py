"""
Which column means what: the default map, a map of the user's own, and their fit to one file.

Names are compared without case, blanks, underscores or any other mark: `Job Title`, `job_title`
and `jobTitle` are one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nextstep.errors import MappingError

#: Field -> names that mean it, best first. A row takes the first one that holds something; the two
#: fields of ONE_COLUMN take the first one that the file has. "a + b" joins those that are there.
DEFAULT_NAMES: dict[str, tuple[str, ...]] = {
    "source": ("source", "source_name", "site", "board", "job_board", "portal", "provider"),
    "source_job_id": (
        "source_job_id", "external_id", "external_job_id", "job_id", "jobid", "id_job",
        "posting_id", "job_posting_id", "listing_id", "job_listing_id", "vacancy_id",
        "requisition_id", "req_id",
        "job_key", "job_ref", "reference", "ad_id", "offer_id", "uuid", "guid", "id",
    ),
    "url": (
        "url", "job_url", "source_url", "link", "job_link", "job_posting_url", "posting_url",
        "listing_url", "absolute_url", "hosted_url", "canonical_url", "apply_url", "apply_link",
        "application_url", "href",
    ),
    "title": (
        "title", "job_title", "position", "position_title", "job_name", "role", "vacancy_title",
        "designation", "headline", "jobtitel", "titel", "stellentitel", "titre", "intitule",
    ),
    "company": (
        "company", "company_name", "employer", "employer_name", "organisation", "organization",
        "organisation_name", "organization_name", "hiring_organization", "firm", "unternehmen",
        "firma", "arbeitgeber", "entreprise",
    ),
    "location": (
        "location", "job_location", "location_raw", "location_name", "candidate_required_location",
        "work_location", "place", "city + state + region + province + country", "town", "ort",
        "standort", "lieu", "ville",
    ),
    "date_posted": (
        "date_posted", "posted_date", "posted_at", "posted_on", "posted", "post_date",
        "posting_date", "job_posted_at", "date", "published_at", "published",
        "publication_date", "date_published",
        "pub_date", "listed_at", "listed_time", "original_listed_time", "created_at", "created",
        "date_created", "opened_at", "datum", "date_publication",
    ),
    "salary": (
        "salary", "salary_raw", "salary_range", "salary_text", "salary_estimate", "pay",
        "pay_range", "compensation", "compensation_range", "wage", "remuneration",
        "gehalt", "salaire",
    ),
    "employment_type": (
        "employment_type", "job_type", "contract_type", "contract", "work_type",
        "formatted_work_type", "type", "schedule_type", "commitment", "employment",
        "anstellungsart", "type_contrat",
    ),
    "html": (
        "description_html", "html", "job_description_html", "html_description", "body_html",
        "content_html", "raw_html", "text_html",
    ),
    "text": (
        "converted_to_text", "description_text", "description_plain", "plain_text", "text",
        "job_description", "description", "body", "content", "full_description", "full_text",
        "details", "job_details", "posting", "advert", "beschreibung", "stellenbeschreibung",
        "summary",
    ),
    "scraped_at": (
        "scraped_at", "crawled_at", "fetched_at", "retrieved_at", "collected_at", "extracted_at",
        "observed_at", "scrape_date", "scraped_date", "scraped", "crawl_date", "crawl_timestamp",
        "date_scraped", "last_seen_at", "timestamp",
    ),
    "extra": ("extra_json", "extra", "extras", "metadata"),
}  # fmt: skip

FIELDS = tuple(DEFAULT_NAMES)

#: A row without a value of its own in this column must not borrow one of another kind: a store's
#: row counter is no id of the source.
ONE_COLUMN = frozenset({"source_job_id", "extra"})

#: Names of text columns that often hold HTML all the same; their values are looked at.
TEXT_OR_HTML = frozenset(
    {"description", "jobdescription", "body", "content", "fulldescription", "details", "jobdetails",
     "posting", "advert", "beschreibung", "stellenbeschreibung", "summary"}
)  # fmt: skip


class ColumnMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What a map file says; each key may be left out.

    Attributes:
        columns: field -> column names, best first; an empty list leaves the field unset. "a + b"
            joins columns, "a.b" reaches into a nested object. Fields that are not named keep their
            default names, unless `defaults` is false.
        extra_significant: keys of `extra` whose change is a change of the post.
        source: source of every row that names none; `--source` wins over it.
        table: the table to read, for SQLite.
        date_formats: strptime formats tried before the built-in ones.
        encoding: of a CSV or JSONL file; guessed when left out.
        delimiter: of a CSV file; guessed when left out.
    """

    columns: dict[str, list[str]] = {}
    extra_significant: list[str] = []
    source: str = ""
    table: str = ""
    date_formats: list[str] = []
    encoding: str = ""
    delimiter: str = ""
    defaults: bool = True

    @property
    def significant(self) -> frozenset[str]:
        """`extra_significant` as the content hash takes it."""
        return frozenset(self.extra_significant)


#: The file's columns that are joined to one value.
Joined = tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """
    A column map laid over one file's columns.

    Attributes:
        fields: field -> what may feed it, best first.
        spare: columns of other fields than html and text that a row may not need, because a better
            one is filled; what they hold then goes to `extra`.
        rest: columns that nobody claimed; they go to `extra`.
        maybe_html: text columns whose values are looked at for tags.
    """

    fields: dict[str, tuple[Joined, ...]]
    spare: tuple[str, ...]
    rest: tuple[str, ...]
    maybe_html: frozenset[str] = frozenset()


def squeeze(name: str) -> str:
    """Return a column name without case and marks."""
    return "".join(c for c in name.casefold() if c.isalnum())


def parse_map(data: Any, name: str) -> ColumnMap:
    """
    Return the column map that a parsed YAML file holds.

    Raises:
        MappingError: a key, field or type is not one of a map; the message names it.
    """
    if not isinstance(data, Mapping):
        raise MappingError(
            f"{name} is no column map: it holds a {type(data).__name__}, not keys with values",
            hint="docs/ingest.md shows one",
        )
    plain = dict(data)
    columns = plain.get("columns") or {}
    if isinstance(columns, Mapping):
        plain["columns"] = {field: _as_list(names) for field, names in columns.items()}
    try:
        found = msgspec.convert(plain, ColumnMap)
    except msgspec.ValidationError as error:
        raise MappingError(
            f"{name} does not fit a column map: {error}",
            detail=f"its keys are {', '.join(ColumnMap.__struct_fields__)}",
            hint="docs/ingest.md shows one",
        ) from error
    unknown = sorted(set(found.columns) - set(FIELDS))
    if unknown:
        raise MappingError(
            f"{name} maps fields that do not exist: {', '.join(unknown)}",
            detail=f"fields are {', '.join(FIELDS)}",
            hint="docs/ingest.md says what each one means",
        )
    return found


def fit(column_map: ColumnMap, columns: Iterable[str], counter: str = "") -> Plan:
    """
    Return the plan for a file, or a JSON object, with these columns.

    `counter` is a column that only counts the store's own rows. It is no id of the source, and it
    names a post only where there is not even an address.
    """
    listed = tuple(columns)
    present: dict[str, str] = {}
    for column in listed:
        present.setdefault(squeeze(column), column)
    fields: dict[str, tuple[Joined, ...]] = {}
    for field in FIELDS:
        if field in column_map.columns:
            names: Iterable[str] = column_map.columns[field]
        else:
            names = DEFAULT_NAMES[field] if column_map.defaults else ()
        found = [joined for name in names if (joined := _locate(name, present))]
        fields[field] = tuple(dict.fromkeys(found[:1] if field in ONE_COLUMN else found))
    _settle_claims(fields, column_map)
    is_guessed = "source_job_id" not in column_map.columns
    if is_guessed and fields["url"] and fields["source_job_id"] == ((counter,),):
        fields["source_job_id"] = ()
    claims = {field: _columns_of(joined) for field, joined in fields.items()}
    claimed = set().union(*claims.values()) | {
        name.split(".")[0] for n in claims.values() for name in n
    }
    spare = [
        name
        for field, joined in fields.items()
        if field not in ("html", "text") and len(joined) > 1
        for name in claims[field]
    ]
    named = set(column_map.columns.get("text", ()))
    return Plan(
        fields=fields,
        spare=tuple(dict.fromkeys(spare)),
        rest=tuple(column for column in listed if column not in claimed),
        maybe_html=frozenset(
            name for name in claims["text"] if name in named or squeeze(name) in TEXT_OR_HTML
        ),
    )


def require_fit(
    column_map: ColumnMap, columns: Iterable[str], name: str, counter: str = ""
) -> Plan:
    """
    Return the plan, after checking that the file can give posts at all.

    Raises:
        MappingError: no title and no text column, or the map names only columns that are not there.
    """
    listed = sorted(columns)
    plan = fit(column_map, listed, counter)
    for field, wanted in sorted(column_map.columns.items()):
        if wanted and not plan.fields[field]:
            raise MappingError(
                f"{name} has none of the columns that the map names for {field}: "
                f"{', '.join(wanted)}",
                detail=f"its columns are {_shown(listed)}",
                hint="correct the names in the map; case, blanks and underscores do not matter",
            )
    if not any(plan.fields[field] for field in ("title", "text", "html")):
        raise MappingError(
            f"{name} has no column that is known as a title or a text",
            detail=f"its columns are {_shown(listed)}",
            hint="write a column map and name it with --map; docs/ingest.md shows how",
        )
    return plan


def _settle_claims(fields: dict[str, tuple[Joined, ...]], column_map: ColumnMap) -> None:
    """A column that the user's map gives to one field is no longer guessed for another."""
    owned = {name for f in column_map.columns for name in _columns_of(fields[f])}
    for field in FIELDS:
        if field not in column_map.columns:
            free = (tuple(n for n in joined if n not in owned) for joined in fields[field])
            fields[field] = tuple(joined for joined in free if joined)


def _columns_of(candidates: Iterable[Joined]) -> list[str]:
    return [name for joined in candidates for name in joined]


def _locate(name: str, present: Mapping[str, str]) -> Joined:
    """The file's own spelling of a name, of each part of "a + b", of the first part of "a.b"."""
    if squeeze(name) in present and "+" not in name:
        return (present[squeeze(name)],)
    found = []
    for part in (part.strip() for part in name.split(" + ")):
        root, dot, path = part.partition(".")
        if squeeze(part) in present:
            found.append(present[squeeze(part)])
        elif dot and squeeze(root) in present:
            found.append(f"{present[squeeze(root)]}.{path}")
    return tuple(found)


def _as_list(names: Any) -> Any:
    if names is None:
        return []
    return [names] if isinstance(names, str) else names


def _shown(columns: list[str]) -> str:
    names = [column[:60] for column in columns[:40]]
    return ", ".join(names) + (f" and {len(columns) - 40} more" if len(columns) > 40 else "")
