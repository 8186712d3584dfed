"""
What a result must be, as one constant WHERE and its parameters $1 to $9.

A parameter that is NULL filters nothing; plans are made for the values at hand (retrieve.py), so
that the conditions not asked for fold away. A job that does not say a value does not pass its
filter.
"""

from __future__ import annotations

from typing import Any

from nextstep.match.profile import Filters, split_exclusions

#: Open clusters, each with the posting shown (job) and its canonical's entities (entity).
OPEN_CLUSTERS = """
FROM job_clusters AS cluster
JOIN jobs_normalized AS job ON job.job_id = cluster.latest_open_job_id
LEFT JOIN job_entities AS entity ON entity.job_id = cluster.canonical_job_id
"""

WHERE = """
cluster.status = 'open'
AND ($1::text[] IS NULL OR COALESCE(NULLIF(entity.country, ''), job.country) = ANY($1))
AND ($2::text[] IS NULL OR lower(COALESCE(NULLIF(entity.city, ''), job.city)) = ANY($2))
AND ($3::text[] IS NULL OR COALESCE(NULLIF(entity.work_mode, ''), job.work_mode) = ANY($3))
AND ($4::text[] IS NULL OR entity.seniority = ANY($4))
AND ($5::text[] IS NULL
     OR string_to_array(COALESCE(NULLIF(entity.employment_type, ''), job.employment_type), ',')
        && $5)
AND ($6::date IS NULL OR job.date_posted >= $6)
AND ($7::text[] IS NULL OR job.source = ANY($7))
AND ($8::uuid[] IS NULL OR cluster.canonical_job_id NOT IN (
      SELECT member.canonical_job_id
      FROM job_dedupe_map AS member
      WHERE member.job_id = ANY($8) AND member.canonical_job_id IS NOT NULL))
AND ($9::text[] IS NULL OR (lower(job.company) <> ALL($9) AND job.company_norm <> ALL($9)))
"""


def parameters(filters: Filters) -> tuple[Any, ...]:
    """Return the values of $1 to $9; countries and employment types are expected as stored."""
    excluded, companies = split_exclusions(filters.exclude)
    return (
        _some(filters.country),
        _some([city.strip().lower() for city in filters.city or []]),
        _some(filters.work_mode),
        _some(filters.seniority),
        _some(filters.employment_type),
        filters.posted_since,
        _some(filters.source),
        excluded or None,
        companies or None,
    )


def is_open(filters: Filters) -> bool:
    """Whether the filters let every open cluster pass."""
    return all(value is None for value in parameters(filters))


def _some(values: Any) -> list[str] | None:
    return list(values) if values else None
