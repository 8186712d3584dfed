"""Everything that migrations make in a database, as comparable text."""

from __future__ import annotations

from typing import Any

import psycopg

#: Each gives one column of text. Identifiers only, no oids, so that two databases compare.
_PARTS = {
    "columns": """
        SELECT concat_ws(' ', c.relname, c.relkind,
               -- A dropped column leaves a hole in the numbers, which is no difference.
               row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
          format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attidentity,
          pg_get_expr(d.adbin, d.adrelid))
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace""",
    "relations": """
        SELECT concat_ws(' ', relname, relkind, pg_get_userbyid(relowner), relacl::text,
          reloptions::text, relpersistence)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace""",
    "constraints": """
        SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": """
        SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid)
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace""",
    "functions": """
        SELECT concat_ws(' ', p.oid::regprocedure, pg_get_userbyid(p.proowner), p.proacl::text,
          CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END)
        FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace""",
    "triggers": """
        SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
    "views": """
        SELECT concat_ws(' ', viewname, definition) FROM pg_views WHERE schemaname = 'public'""",
    "types": """
        SELECT concat_ws(' ', typname, typtype) FROM pg_type
        WHERE typnamespace = 'public'::regnamespace""",
    "extensions": "SELECT concat_ws(' ', extname, extversion) FROM pg_extension",
    "schemas": """
        SELECT concat_ws(' ', nspname, pg_get_userbyid(nspowner), nspacl::text)
        FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'""",
    "versions": "SELECT version FROM schema_migrations",
}


def read_catalog(url: str) -> dict[str, list[str]]:
    """Return sorted lines per kind of object in `public`."""
    with psycopg.connect(url) as connection:
        return {
            part: sorted(str(row[0]) for row in _rows(connection, query))
            for part, query in _PARTS.items()
        }


def _rows(connection: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()
