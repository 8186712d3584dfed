"""
Packing: the log, every table and their digests from one snapshot, into a folder that appears whole.

Source: N-13, N-23, N-91, issue 9 item 1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from nextstep import __version__, clock
from nextstep.db.migrate import connected
from nextstep.db.prepare import Connection
from nextstep.errors import FileError
from nextstep.events.stage import Stage
from nextstep.ops.artifacts import catalog, layout, rows
from nextstep.ops.artifacts.layout import EmbeddingMeta, Manifest, ModelMeta, StageState, TableFile

OnTable = Callable[[str, int], None]

_STAGES = """
SELECT stage, position, version, status, reason, last_error FROM stage_offsets
 ORDER BY stage COLLATE "C"
"""
_HEAD = "SELECT position, encode(chain, 'hex') FROM job_events ORDER BY position DESC LIMIT 1"
_SERVER = """
SELECT current_setting('server_version'),
       (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       ARRAY(SELECT version FROM schema_migrations ORDER BY version)
"""
_MODELS = """
SELECT model_name, recipe, dim, count(*) FROM job_embeddings
 GROUP BY model_name, recipe, dim
 ORDER BY count(*) DESC, model_name COLLATE "C", recipe COLLATE "C", dim
"""


def pack(
    url: str,
    folder: Path,
    stages: Sequence[Stage],
    *,
    format: layout.Format = "csv",
    on_table: OnTable | None = None,
) -> Manifest:
    """
    Write an artifact and return its manifest; the line may go on meanwhile.

    Args:
        folder: must not exist, or be empty; it appears when all of it is written.
        on_table: called with name and rows after each table.

    Raises:
        FileError: the folder is taken or cannot be written.
        DatabaseError: the server, or its schema.
    """
    partial = _open_partial(folder)
    try:
        with connected(url) as connection, connection.transaction():
            catalog.begin(connection, read_only=True)
            manifest = pack_into(connection, partial, stages, format, on_table)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except OSError as error:
        raise FileError(
            f"cannot write the artifact {folder}: {error.strerror or error}",
            hint="free space there, or name another folder",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def pack_into(
    connection: Connection,
    folder: Path,
    stages: Sequence[Stage],
    format: layout.Format = "csv",
    on_table: OnTable | None = None,
) -> Manifest:
    """Write all files from the snapshot that the connection is in; see `catalog.begin`."""
    write = rows.write_parquet if format == "parquet" else rows.write_csv
    made: list[TableFile] = []
    for table in catalog.tables(connection, stages):
        path = folder / f"{table.name}.{format}"
        count, sha256 = write(connection, table, path)
        found = (
            catalog.digest(connection, table.name, table.compared)
            if table.compared
            else (count, "")
        )
        assert found[0] == count, table.name  # one snapshot
        made.append(
            TableFile(
                table.name,
                path.name,
                table.columns,
                table.types,
                count,
                path.stat().st_size,
                sha256,
                table.compared,
                found[1],
            )
        )
        if on_table is not None:
            on_table(table.name, count)
    manifest = _manifest(connection, tuple(made), format)
    _write_documents(folder, manifest, _meta(connection, manifest))
    return manifest


def _open_partial(folder: Path) -> Path:
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileError(
                f"{folder} is there already", hint="name a new folder; artifacts are never changed"
            )
        # Only for its owner: the log holds what sources said of people.
        partial.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise FileError(
            f"cannot write into {folder.parent}: {error.strerror}", hint="name another folder"
        ) from error
    return partial


def _manifest(
    connection: Connection, tables: tuple[TableFile, ...], format: layout.Format
) -> Manifest:
    row = connection.execute(_HEAD).fetchone()
    head, chain = (int(str(row[0])), str(row[1])) if row else (0, "00" * 32)
    server = connection.execute(_SERVER).fetchone()
    assert server is not None
    stages = connection.execute(_STAGES).fetchall()
    return Manifest(
        schema=layout.SCHEMA,
        artifact_id=layout.artifact_id(tables, head, chain),
        format=format,
        made_at=clock.now().isoformat(timespec="seconds"),
        nextstep=__version__,
        server=str(server[0]),
        pgvector=str(server[1] or ""),
        migrations=tuple(map(str, server[2])),  # type: ignore[call-overload]
        head=head,
        chain=chain,
        stages=tuple(StageState(*each) for each in stages),  # type: ignore[arg-type]
        tables=tables,
    )


def _meta(connection: Connection, manifest: Manifest) -> EmbeddingMeta:
    rows = connection.execute(_MODELS).fetchall()
    models = tuple(ModelMeta(*each) for each in rows)  # type: ignore[arg-type]
    first = models[0] if models else ModelMeta("", "", 0, 0)
    return EmbeddingMeta(
        artifact_id=manifest.artifact_id,
        model_name=first.model_name,
        recipe=first.recipe,
        dim=first.dim,
        date=manifest.made_at[:10],
        corpus_size=manifest.rows("jobs_normalized"),
        models=models,
    )


def _write_documents(folder: Path, manifest: Manifest, meta: EmbeddingMeta) -> None:
    sums = {table.file: table.sha256 for table in manifest.tables}
    for name, document in ((layout.MANIFEST, manifest), (layout.META, meta)):
        text = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
        (folder / name).write_bytes(text)
        sums[name] = layout.file_sha256(folder / name)
    layout.write_checksums(folder, sums)
