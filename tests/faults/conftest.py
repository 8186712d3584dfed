"""What the fault tests share."""

from __future__ import annotations

import psycopg
import pytest

from tests.toy_stages import DDL


@pytest.fixture
def toys(database: str) -> str:
    """The URL of a fresh database with the tables of the toy stages."""
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(DDL)
    return database
