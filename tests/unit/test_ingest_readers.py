"""Files to rows: kinds, encodings, damage, and memory that does not grow."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextstep.errors import FileError, InputError, MappingError
from nextstep.ingest import rejects
from nextstep.ingest.batches import make_batches
from nextstep.ingest.columns import ColumnMap, require_fit
from nextstep.ingest.io import csv_lines, jsonl_file
from nextstep.ingest.io.files import check_file, load_map, open_rows
from nextstep.ingest.io.sniff import look_at
from nextstep.ingest.mapping import Context
from nextstep.ingest.rejects import Reject
from nextstep.ingest.values import UNDECODABLE

DEFAULT = ColumnMap()


def rows_of(path: Path, column_map: ColumnMap = DEFAULT) -> list[Any]:
    """Every row as (number, cells) or Reject, and the source closed again."""
    source = open_rows(look_at(path, column_map.encoding), column_map)
    try:
        return list(source.rows)
    finally:
        source.close()


def kinds_of(rows: Iterable[Any]) -> list[str]:
    """`number` for a row, `number:reason` for a reject."""
    return [f"{r.row}:{r.reason}" if isinstance(r, Reject) else str(r[0]) for r in rows]


def cells_of(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [row[1] for row in rows if not isinstance(row, Reject)]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def make_sqlite(path: Path, rows: int = 3, extra_sql: str = "") -> Path:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, title TEXT, body TEXT)")
        database.executemany(
            "INSERT INTO jobs VALUES (?, ?, ?)",
            [(n, f"Job {n}", f"Text {n} " * 200) for n in range(1, rows + 1)],
        )
        if extra_sql:
            database.executescript(extra_sql)
    database.close()
    return path


# --- what a file is ---------------------------------------------------------------------------


def test_the_first_bytes_say_what_a_file_is_not_its_name(write: Callable[..., Path]) -> None:
    made = make_sqlite(write("a.csv", b"").with_name("b.csv"))
    assert look_at(made).kind == "sqlite"
    assert look_at(write("a.db2", "title,text\na,b\n")).kind == "csv"
    assert look_at(write("a.txt", '{"title": "a"}\n')).kind == "jsonl"
    assert look_at(write("a.dat", gzip.compress(b'{"title": "a"}\n'))).kind == "jsonl"
    assert look_at(write("a.csv.gz", gzip.compress(b"title\na\n"))).packed


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", os.urandom(5000), "binary"),
        ("a.csv", bytes(2000), "binary"),
        ("a.csv", b"\x7fELF" + bytes(100), "a program"),
        ("a.xlsx", b"PK\x03\x04" + bytes(100), "Excel"),
        ("a.pdf", b"%PDF-1.7\n", "PDF"),
        ("a.csv", b"\xfd7zXZ\x00", "xz"),
        ("a.sqlite3", b"SQLite fo", "no sqlite file"),
        ("a.parquet", b"title,text\n", "no parquet file"),
        ("a.json", b'[{"title": "a"}]', "JSON array"),
        ("a.gz", gzip.compress(b"SQLite format 3\0" + bytes(100)), "packed sqlite"),
        ("a.csv.gz", gzip.compress(b"title\na\n" * 9999)[:-30], "damaged gzip"),
    ],
)
def test_what_is_no_file_of_posts_is_refused_by_kind(
    write: Callable[..., Path], name: str, content: bytes, says: str
) -> None:
    with pytest.raises(FileError) as caught:
        look_at(write(name, content))
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.csv does not exist"):
        look_at(tmp_path / "gone.csv")
    with pytest.raises(FileError, match="is a folder"):
        look_at(tmp_path)


# --- CSV --------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiters_and_encodings_are_found(
    write: Callable[..., Path], delimiter: str, encoding: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([["Title", "Text"], ["Café", "für, alle; \t| Ö"], ["b", 'say "hi"\nnow']])
    rows = rows_of(write("a.csv", text.getvalue().encode(encoding)))
    assert cells_of(rows) == [
        {"Title": "Café", "Text": "für, alle; \t| Ö"},
        {"Title": "b", "Text": 'say "hi"\nnow'},
    ]


def test_a_byte_that_is_no_text_rejects_its_row_only(write: Callable[..., Path]) -> None:
    content = "title,text\n" + "Übung,Öl\n" * 50
    rows = rows_of(write("a.csv", content.encode() + b"bad,\xff\nlast,x\n"))
    assert cells_of(rows)[-2:] == [
        {"title": "bad", "text": UNDECODABLE},
        {"title": "last", "text": "x"},
    ]


def test_nul_bytes_in_a_text_reach_the_row(write: Callable[..., Path]) -> None:
    rows = rows_of(write("a.csv", b"title,text\na\0b,hello\n"))
    assert cells_of(rows) == [{"title": "a\0b", "text": "hello"}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a,b\nc\nd,e,f\ng,h\n", ["1", "2:wrong_columns", "3:wrong_columns", "4"]),
        ("a,b,\nc,d,,\n", ["1", "2"]),
        ("a,b\n\n\nc,d\n", ["1", "2"]),
        ('a,"b\nc,"d"\ne,f\n', ["1:broken_quoting", "2", "3"]),
        ('a,b\n"x"y,z\nc,d\n', ["1", "2:broken_quoting", "3"]),
        ('a,b\nc,"never\nd,e\nf,g\n', ["1", "2:broken_quoting", "3", "4"]),
        ('a,b\nc,"never', ["1", "2:broken_quoting"]),
        ('a,"b\nb2"\nc,"d""e"\n', ["1", "2"]),
        ('a,"one\ntwo" x\nmore text\nb,c\n', ["1:broken_quoting", "2"]),
    ],
)
def test_a_broken_record_is_one_reject_and_its_neighbours_are_read(
    write: Callable[..., Path], body: str, expected: list[str]
) -> None:
    assert kinds_of(rows_of(write("a.csv", "title,text\n" + body))) == expected


def test_a_broken_quote_says_which_lines(write: Callable[..., Path]) -> None:
    (reject, *_) = rows_of(write("a.csv", 'title,text\na,"one\ntwo" x\nmore\nb,c\n'))
    assert reject.detail.startswith("lines 2 to 4:")


@pytest.mark.parametrize("quoted", [True, False])
def test_a_giant_record_is_one_reject_and_is_not_held(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, quoted: bool
) -> None:
    monkeypatch.setattr(csv_lines, "MAX_RECORD_CHARS", 5000)
    field = '"' + "x, y\n" * 3000 + '"' if quoted else "x" * 30_000
    content = f"title,text\na,b\nc,{field}\nd,e\n"
    rows = rows_of(write("a.csv", content))
    assert kinds_of(rows) == ["1", "2:too_large", "3"]
    assert kinds_of(rows_of(write("b.csv.gz", gzip.compress(content.encode())))) == kinds_of(rows)


def test_a_quote_that_never_closes_does_not_swallow_the_file(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_lines, "MAX_RECORD_CHARS", 5000)
    content = 'title,text\na,"b\n' + "c,d\n" * 5000
    rows = rows_of(write("a.csv", content))
    assert kinds_of(rows)[0] == "1:broken_quoting"
    assert len(rows) == 5001


def test_a_field_of_megabytes_is_read_so_that_it_can_be_refused_by_size(
    write: Callable[..., Path],
) -> None:
    rows = rows_of(write("a.csv", "title,text\na," + "x" * 3_000_000 + "\n"))
    assert len(cells_of(rows)[0]["text"]) == 3_000_000


def test_names_that_repeat_or_are_empty_stay_apart(write: Callable[..., Path]) -> None:
    rows = rows_of(write("a.csv", "title,,title\na,b,c\n"))
    assert cells_of(rows) == [{"title": "a", "column_2": "b", "title_3": "c"}]


def test_a_packed_file_that_is_cut_off_fails_after_its_whole_rows(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress("".join(f"t{n},{os.urandom(40).hex()}\n" for n in range(9000)).encode())
    monkeypatch.setattr("nextstep.ingest.io.sniff.SAMPLE_BYTES", 1000)
    path = write("a.csv.gz", gzip.compress(b"title,text\n") + packed[: len(packed) // 2])
    source = open_rows(look_at(path), DEFAULT)
    read = []
    with pytest.raises(FileError, match="is damaged"):
        for row in source.rows:
            read.append(row)
    source.close()
    assert len(read) > 1000


# --- JSON lines -------------------------------------------------------------------------------


def test_bad_lines_are_rejects_with_their_line_number(write: Callable[..., Path]) -> None:
    lines = [
        b'{"title": "a"}',
        b"",
        b'{"title": ',
        b"[1]",
        b'{"title": "b\\ud800"}',
        b'{"n": NaN}',
        b'{"title": "\xff"}',
        b"[" * 100_000,
        b'{"title": "z"}',
    ]
    rows = rows_of(write("a.jsonl", b"\xef\xbb\xbf" + b"\n".join(lines)))
    assert kinds_of(rows) == [
        "1", "3:bad_json", "4:bad_json", "5", "6", "7:undecodable", "8:bad_json", "9",
    ]  # fmt: skip
    assert cells_of(rows)[1] == {"title": "b\ud800"}


def test_a_line_that_is_too_long_is_one_reject(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_file, "MAX_LINE_BYTES", 100)
    rows = rows_of(write("a.jsonl", '{"title": "%s"}\n{"title": "b"}\n' % ("x" * 950)))
    assert kinds_of(rows) == ["1:too_large", "2"]


def test_packed_json_lines_are_read(write: Callable[..., Path]) -> None:
    path = write("a.jsonl.gz", gzip.compress(b'{"title": "a"}\n{"title": "b"}\n'))
    assert [cells["title"] for cells in cells_of(rows_of(path))] == ["a", "b"]


# --- SQLite -----------------------------------------------------------------------------------


def test_rows_come_in_row_order_with_numbers_from_one(tmp_path: Path) -> None:
    path = make_sqlite(tmp_path / "a.sqlite3", extra_sql="DELETE FROM jobs WHERE id = 1")
    rows = rows_of(path)
    assert [(number, cells["title"]) for number, cells in rows] == [(1, "Job 2"), (2, "Job 3")]


def test_the_table_is_the_maps_else_jobs_else_the_only_likely_one(tmp_path: Path) -> None:
    more = "CREATE TABLE other (title TEXT); INSERT INTO other VALUES ('o');"
    path = make_sqlite(tmp_path / "a.sqlite3", extra_sql=more)
    assert len(rows_of(path)) == 3
    assert cells_of(rows_of(path, ColumnMap(table="Other"))) == [{"title": "o"}]
    renamed = make_sqlite(tmp_path / "b.sqlite3", extra_sql="ALTER TABLE jobs RENAME TO ads;"
                          "CREATE TABLE notes (n TEXT)")  # fmt: skip
    assert len(rows_of(renamed)) == 3
    unclear = make_sqlite(
        tmp_path / "c.sqlite3", extra_sql="ALTER TABLE jobs RENAME TO ads;" + more
    )
    with pytest.raises(MappingError, match="several tables may hold posts: ads, other"):
        rows_of(unclear)
    with pytest.raises(MappingError, match="has no table missing"):
        rows_of(path, ColumnMap(table="missing"))


def test_bad_text_and_blobs_stay_in_their_cells(tmp_path: Path) -> None:
    path = make_sqlite(
        tmp_path / "a.sqlite3",
        1,
        "INSERT INTO jobs VALUES (2, CAST(x'ff41' AS TEXT), x'00ff'); "
        "INSERT INTO jobs VALUES (3, 7, NULL)",
    )
    first, second, third = cells_of(rows_of(path))
    assert first["title"] == "Job 1"
    assert (second["title"], second["body"]) == (UNDECODABLE, b"\x00\xff")
    assert (third["title"], third["body"]) == ("7", None)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_found_before_any_row(tmp_path: Path, keep: float) -> None:
    path = make_sqlite(tmp_path / "a.sqlite3", 200)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(FileError) as caught:
        rows_of(path)
    assert "is cut off" in caught.value.message
    assert caught.value.detail == "nothing was read from it"


def test_a_damaged_page_ends_the_reading_with_a_file_error(tmp_path: Path) -> None:
    path = make_sqlite(tmp_path / "a.sqlite3", 400)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096 * 8] = b"\xff" * (4096 * 8)
    path.write_bytes(data)
    with pytest.raises(FileError, match="is damaged"):
        rows_of(path)


def test_nothing_is_written_beside_the_file(tmp_path: Path) -> None:
    path = make_sqlite(tmp_path / "a b#c?.sqlite3")
    path.chmod(0o444)
    assert len(rows_of(path)) == 3
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_rows_in_a_write_ahead_log_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE jobs (title TEXT)")
    database.execute("INSERT INTO jobs VALUES ('a')")
    database.commit()
    try:
        assert cells_of(rows_of(path)) == [{"title": "a"}]
    finally:
        database.close()


def test_a_table_without_row_ids_and_a_view_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (title TEXT PRIMARY KEY) WITHOUT ROWID")
        database.execute("INSERT INTO t VALUES ('a')")
        database.execute("CREATE VIEW v AS SELECT title AS job_title FROM t")
    database.close()
    assert cells_of(rows_of(path, ColumnMap(table="t"))) == [{"title": "a"}]
    assert cells_of(rows_of(path, ColumnMap(table="v"))) == [{"job_title": "a"}]


# --- Parquet ----------------------------------------------------------------------------------


def test_parquet_rows_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "title": pa.array(["a", None, "c"]).dictionary_encode(),
            "text": pa.array([b"x", b"\xff", None], pa.binary()),
            "salary": [1.0, None, 2.5],
            "scraped_at": pa.array([1_548_757_230_000_000_001, None, None], pa.timestamp("ns")),
            "tags": [["a"], [], None],
        }
    )
    pq.write_table(table, path, row_group_size=2)
    first, second, third = cells_of(rows_of(path))
    assert first["title"] == "a" and first["text"] == "x" and first["tags"] == ["a"]
    assert first["scraped_at"].replace(tzinfo=UTC) == datetime(2019, 1, 29, 10, 20, 30, tzinfo=UTC)
    assert second["text"] is UNDECODABLE and second["title"] is None
    assert third["salary"] == 2.5


def test_a_parquet_file_without_its_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"title": ["a"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileError, match="cannot be read as Parquet"):
        rows_of(path)


# --- maps, checks, memory ---------------------------------------------------------------------


def test_a_map_file_is_read(write: Callable[..., Path]) -> None:
    path = write("m.yml", "columns:\n  title: [Stelle, title]\n  text: Aufgaben\nsource: bund\n")
    found = load_map(path)
    assert found.columns == {"title": ["Stelle", "title"], "text": ["Aufgaben"]}
    assert found.source == "bund"
    assert load_map(write("empty.yml", "")) == DEFAULT


@pytest.mark.parametrize(
    ("content", "says"),
    [("columns: [", "no YAML in line"), (b"\xff\xfe", "no YAML"), ("- a", "no column map")],
)
def test_a_map_file_that_is_none_is_refused(
    write: Callable[..., Path], content: Any, says: str
) -> None:
    with pytest.raises(MappingError, match=says):
        load_map(write("m.yml", content))


def test_a_missing_map_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.yml"):
        load_map(tmp_path / "gone.yml")


@pytest.mark.parametrize("source", ["", "board"])
def test_a_file_whose_rows_name_no_source_needs_one(
    write: Callable[..., Path], source: str
) -> None:
    facts = look_at(write("a.csv", "title,text\na,b\n"))
    if source:
        assert check_file(facts, DEFAULT, source) is not None
        return
    with pytest.raises(InputError) as caught:
        check_file(facts, DEFAULT, source)
    assert "--source" in caught.value.hint
    assert caught.value.exit_code == 2


def _write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write("source,job_id,title,text\n")
        for n in range(rows):
            handle.write(f"s,{n},Job {n},{'word ' * 400}\n")


def _write_jsonl(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as handle:
        for n in range(rows):
            handle.write(json.dumps({"source": "s", "job_id": n, "text": "word " * 400}) + "\n")


def _write_sqlite(path: Path, rows: int) -> None:
    make_sqlite(path, rows)


@pytest.mark.parametrize(
    ("name", "make"), [("a.csv", _write_csv), ("a.jsonl", _write_jsonl), ("a.db", _write_sqlite)]
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, name: str, make: Callable[[Path, int], None]
) -> None:
    peaks = []
    for rows in (500, 4000):
        path = tmp_path / f"{rows}{name}"
        make(path, rows)
        facts = look_at(path)
        tracemalloc.start()
        source = open_rows(facts, DEFAULT)
        context = Context(DEFAULT, "s", name, facts.modified_at, facts.modified_at, 2**21)
        plan = require_fit(DEFAULT, source.columns, name)
        read = 0
        for batch in make_batches(
            source.rows,
            context,
            plan=plan if source.fixed else None,
            max_rows=100,
            fraction=source.fraction,
        ):
            read += batch.rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == rows
        assert source.fraction() > 0.9
        source.close()
    assert peaks[1] < peaks[0] * 1.3


def test_batches_are_bounded_by_rows_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextstep.ingest.batches.MAX_BATCH_BYTES", 5000)
    at = datetime(2024, 1, 1, tzinfo=UTC)
    context = Context(DEFAULT, "s", "a", at, at, 2**21)

    def batches(size: int) -> list[int]:
        rows = ((n, {"job_id": n, "text": "x" * size}) for n in range(1, 8))
        made = make_batches(rows, context, plan=None, max_rows=3, fraction=lambda: 0.0)
        return [len(batch.drafts) for batch in made]

    assert batches(10) == [3, 3, 1]
    assert batches(3000) == [2, 2, 2, 1]


def test_rejects_count_as_rows_of_a_batch() -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    context = Context(DEFAULT, "s", "a", at, at, 2**21)
    rows = iter([(1, {"title": ""}), Reject(2, "", rejects.BAD_JSON), (3, {"title": "a"})])
    (first, second) = make_batches(rows, context, plan=None, max_rows=2, fraction=lambda: 1.0)
    assert (first.rows, len(first.rejects), len(second.drafts)) == (2, 2, 1)
