"""
What an actor of the bulk path does with a range: its export's file to files of finished rows.

Only names of files and counts travel through Ray; rows go from disk to disk, some hundred at a
time, so that memory does not grow with a range. A folder that all machines see is all they share.

Source: issue 9 item 6.
"""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from nextstep.errors import FileError, NextStepError
from nextstep.events.io.faults import Fault, classify
from nextstep.events.io.runner import failure_of
from nextstep.events.io.workers import spare_collector
from nextstep.events.stage import Found, InputRow, Stage, Upsert
from nextstep.ops.artifacts.layout import TableFile
from nextstep.ops.bulk import files
from nextstep.ops.bulk.files import Writer
from nextstep.ops.bulk.ledger import Letter, Range
from nextstep.processors.shared.clean_fold import COLUMNS, FILL, TABLE, VERDICTS, EventRow
from nextstep.processors.shared.clean_stream import Scans, fold_stream, last_content
from nextstep.settings import Settings

#: Streams, then posts, worked on at once; each a few milliseconds and kilobytes.
_STREAMS = 250
#: How often a range is begun whose worker ends while it works. Ray would give it out for ever, and
#: a post that ends every worker would never be told of.
_TRIES = 3
#: The tables of clean, as files of a range.
CLEANED = (TABLE, FILL, VERDICTS)


class Kit(msgspec.Struct, frozen=True):
    """What an actor needs: stages, the run's folder, its scans, and the shape of each table."""

    settings: Settings
    stages: tuple[Stage, ...]
    folder: str
    scans: TableFile
    shapes: dict[str, TableFile]

    def stage(self, name: str) -> Stage:
        """Return the stage of that name, `embed` meaning that of any model."""
        return next(stage for stage in self.stages if stage.name.partition(":")[0] == name)


class Answer(msgspec.Struct):
    """What came of a range. `damaged`: its input is not what was exported."""

    range: Range
    parts: tuple[TableFile, ...] = ()
    letters: tuple[Letter, ...] = ()
    error: str = ""
    damaged: bool = False


class _Actor:
    """Takes batches of ranges as JSON, one row each, and gives batches of answers."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._folder = Path(kit.folder)
        self._ready = False

    def _setup(self) -> None:
        raise NotImplementedError

    def work(self, answer: Answer) -> Answer:
        """Return the answer with what this actor adds to it."""
        raise NotImplementedError

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        answers = [msgspec.json.decode(text, type=Answer) for text in batch["answer"]]
        return {"answer": [msgspec.json.encode(self._safely(a)).decode() for a in answers]}

    def _safely(self, answer: Answer) -> Answer:
        if answer.error:
            return answer
        tries = self._folder / f".{answer.range.name(type(self).__name__)}.tries"
        if not _tried(tries):
            tries.unlink()
            return Answer(answer.range, error=f"its worker ended while it worked, {_TRIES} times")
        try:
            done = self._told(answer)
        finally:
            tries.unlink(missing_ok=True)
        return done

    def _told(self, answer: Answer) -> Answer:
        try:
            if not self._ready:
                # Here and not in __init__, where an error would only say that no actor starts.
                self._setup()
                spare_collector()
                self._ready = True
            return self.work(answer)
        except Exception as error:
            # Values of a post may stand in a message that is not ours; the place is enough.
            place = traceback.extract_tb(error.__traceback__)[-1]
            ours = isinstance(error, NextStepError)
            told = str(error).splitlines()[0] if ours else f"{place.name}:{place.lineno}"
            return Answer(
                range=answer.range,
                error=f"{type(error).__name__}: {told}",
                damaged=isinstance(error, FileError) and not answer.parts,
            )

    def _context(self, stage: Stage) -> Any:
        return stage.setup(self._kit.settings) if stage.setup else None

    def _ordered(self, op: Upsert) -> list[tuple[Any, ...]]:
        """The rows with their values in the order of the table's columns."""
        columns = self._kit.shapes[op.table].columns
        if columns == op.columns:
            return op.rows
        places = [op.columns.index(column) for column in columns]
        return [tuple(row[place] for place in places) for row in op.rows]

    def _writer(self, opened: ExitStack, part: Range, table: str) -> Writer:
        shape = self._kit.shapes[table]
        return opened.enter_context(Writer(self._folder, part.name(table), shape))


class Posts(_Actor):
    """Cleans the streams of a range, and extracts from every post that is left."""

    def _setup(self) -> None:
        self._clean, self._extract = self._kit.stage("clean"), self._kit.stage("extract")
        self._cleaning, self._extracting = self._context(self._clean), self._context(self._extract)
        path = files.require_whole(self._folder, self._kit.scans)
        self._scans = Scans((row[0], row[1], row[2]) for row in files.read_rows(path))

    def work(self, answer: Answer) -> Answer:
        part = answer.range
        assert part.input is not None
        path = files.require_whole(self._folder, part.input)
        letters: list[Letter] = []
        tables = (*CLEANED, *self._extract.tables)
        with ExitStack() as opened:
            writers = {table: self._writer(opened, part, table) for table in tables}
            for streams in _chunks(_streams(path), _STREAMS):
                self._fold(streams, writers, letters)
        return Answer(part, tuple(_made(each) for each in writers.values()), tuple(letters))

    def _fold(
        self,
        streams: Sequence[list[EventRow]],
        writers: dict[str, Writer],
        letters: list[Letter],
    ) -> None:
        last = [(rows, place) for rows in streams if (place := last_content(rows)) is not None]
        contents = [rows[place] for rows, place in last]
        values = _prepared(self._clean, self._cleaning, contents, letters)
        jobs = []
        for (rows, _), value in zip(last, values, strict=True):
            if isinstance(value, Letter):
                continue  # it has no row anywhere
            whole = fold_stream(rows, value, self._scans)
            for table, row in zip(CLEANED, (whole.job, whole.fill, whole.verdict), strict=True):
                if row is not None:
                    writers[table].add([row])
            if whole.job is not None:
                jobs.append(_posting(self._extract, whole.job))
        for op in _rows(self._extract, self._extracting, jobs, letters):
            writers[op.table].add(self._ordered(op))


class Vectors(_Actor):
    """Encodes every post of a range, from the files that `Posts` made of it."""

    def _setup(self) -> None:
        self._embed = self._kit.stage("embed")
        self._encoder = self._context(self._embed)

    def work(self, answer: Answer) -> Answer:
        made = {part.name: self._folder / part.file for part in answer.parts}
        posts = files.read_rows(made[TABLE], _STREAMS)
        skills = _skills(made["job_entities"])
        letters: list[Letter] = []
        (table,) = self._embed.tables
        with ExitStack() as opened:
            writer = self._writer(opened, answer.range, table)
            for rows in _chunks(posts, self._embed.batch_size):
                jobs = [
                    _posting(self._embed, row, skills=skills(row[0]), stored_hash=None)
                    for row in map(_from_file, rows)
                ]
                for op in _rows(self._embed, self._encoder, jobs, letters):
                    writer.add(self._ordered(op))
        return Answer(answer.range, (*answer.parts, _made(writer)), (*answer.letters, *letters))


def _tried(path: Path) -> bool:
    """Note one more try; False where there were enough. Only a worker that ends leaves the file."""
    with path.open("ab") as handle:
        if handle.tell() >= _TRIES:
            return False
        handle.write(b".")
    return True


def _made(writer: Writer) -> TableFile:
    assert writer.made is not None
    return writer.made


def _streams(path: Path) -> Iterator[list[EventRow]]:
    events = (EventRow(row[0], UUID(row[1]), *row[2:]) for row in files.read_rows(path, _STREAMS))
    for _, rows in itertools.groupby(events, key=lambda row: row.job_id):
        yield list(rows)


def _chunks(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def _from_file(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row of `jobs_normalized` as the fold made it: ids and JSON are text in the file."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["job_id"] = UUID(values["job_id"])
    values["sections"] = msgspec.json.decode(values["sections"])
    return tuple(values.values())


def _skills(path: Path) -> Callable[[UUID], list[str] | None]:
    """
    A function that is asked job by job, in the order of the file, what was found in it: its tools,
    then its skills, as the embed stage reads them; None for one that has no entities.
    """
    columns = ("job_id", "tools", "skills")
    entities = files.read_rows(path, _STREAMS, columns)
    ahead = next(entities, None)

    def ask(job_id: UUID) -> list[str] | None:
        nonlocal ahead
        if ahead is None or UUID(ahead[0]) != job_id:
            return None
        found = [*ahead[1], *ahead[2]]
        ahead = next(entities, None)
        return found

    return ask


def _posting(stage: Stage, row: Sequence[Any], **more: Any) -> Any:
    """
    A job as the stage reads it, taken for canonical: which ones are is known after dedupe.

    A field that is neither cleaned nor among `more` is an error: the stage reads something new.
    """
    values = dict(zip(COLUMNS, row, strict=True))
    values["canonical_job_id"] = values["job_id"] if values["status"] != "erased" else None
    values |= more
    known: dict[str, Any] = {name: values[name] for name in stage.row.__struct_fields__}
    return stage.row(**known)


def _rows(stage: Stage, context: Any, rows: list[Any], letters: list[Letter]) -> list[Upsert]:
    """What a stage writes of posts it has never seen."""
    pairs = [
        (row, value)
        for row, value in zip(rows, _prepared(stage, context, rows, letters), strict=True)
        if not isinstance(value, Letter)
    ]
    if not pairs:
        return []
    found: Found = {lookup.name: [] for lookup in stage.lookups}
    writes = stage.decide(None, [row for row, _ in pairs], [value for _, value in pairs], found)
    return [op for op in writes.ops if isinstance(op, Upsert)]


def _prepared(stage: Stage, context: Any, rows: list[Any], letters: list[Letter]) -> list[Any]:
    """`prepare` of the rows; in the place of one that fails stands its letter."""
    if not rows:
        return []
    try:
        return stage.prepare(context, rows)
    except Exception as error:
        if classify(error) is not Fault.HANDLER:
            raise
    return [_alone(stage.prepare, stage.name, context, row, letters) for row in rows]


def _alone(
    prepare: Callable[[Any, list[Any]], list[Any]],
    name: str,
    context: Any,
    row: InputRow,
    letters: list[Letter],
) -> Any:
    try:
        return prepare(context, [row])[0]
    except Exception as error:
        if classify(error) is not Fault.HANDLER:
            raise
        told = failure_of(row, error, 1)
        letters.append(Letter(name, str(row.job_id), row.position, told.error, told.detail))
        return letters[-1]
