"""The text of digest queries: what is refused, what is quoted."""

from __future__ import annotations

import pytest

from nextstep.errors import UsageError
from nextstep.projections.digest import Column, TableDigest, differing, digest_sql, ranges_sql
from nextstep.projections.tables import projection_tables
from nextstep.projections.trends import TRENDS


def test_texts_of_the_key_are_ordered_by_code_point() -> None:
    sql = digest_sql("t", [Column("name", "text"), Column("n", "integer")], ["name", "n"])
    assert 'ORDER BY "name" COLLATE "C", "n")' in sql


def test_names_are_quoted() -> None:
    assert 'FROM "od""d"' in digest_sql('od"d', [Column("n", "integer")], ["n"])


@pytest.mark.parametrize("kind", ["vector(384)", "json", "double precision[]", "text[][]", "money"])
def test_a_type_without_a_fixed_text_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="cannot be part of a digest"):
        digest_sql("t", [Column("id", "uuid"), Column("x", kind)], ["id"])


def test_a_key_that_is_not_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="is not among the compared columns"):
        ranges_sql("t", [Column("x", "integer")], ["id"])
    with pytest.raises(UsageError):
        digest_sql("t", [Column("x", "integer")], [])


def test_ranges_that_differ_are_named_in_order() -> None:
    mine = {0: TableDigest(1, "a"), 3: TableDigest(2, "b"), 9: TableDigest(1, "c")}
    theirs = {0: TableDigest(1, "a"), 9: TableDigest(1, "d"), 11: TableDigest(5, "e")}
    assert differing(mine, theirs) == [3, 9, 11]
    assert differing(mine, dict(mine)) == []


def test_tables_come_once_with_their_stage_and_columns() -> None:
    tables = projection_tables([TRENDS, TRENDS])
    assert [table.name for table in tables] == list(TRENDS.tables)
    assert {table.stage for table in tables} == {"trends"}
    assert tables[0].compared[0] == "job_id"
