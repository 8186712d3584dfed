"""What an ingest says while it runs and at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from nextstep.cli import ingest
from nextstep.ingest.io.append import Progress
from nextstep.ingest.rejects import Reject
from nextstep.ingest.report import Counts, IngestReport


@pytest.fixture
def report() -> IngestReport:
    found = IngestReport()
    file = Counts()
    found.note_outcomes(["a", "a", "b", "b"], ["new", "changed", "unchanged", "stale"], file)
    found.note_rejects(
        "x.csv", [Reject(n, "title", "wrong_type", "holds a list") for n in range(1, 13)], file
    )
    found.note_closed("a", 2)
    return found


def test_counts_add_up_over_sources_and_reasons(report: IngestReport) -> None:
    assert report.totals == Counts(
        rows=16, new=1, changed=1, unchanged=1, stale=1, rejected=12, closed=2
    )
    assert report.sources[""].rejected == 12
    assert report.reasons == {"wrong_type": 12}
    assert len(report.rejects) == 10


def test_the_report_as_json_has_totals_at_the_top(report: IngestReport) -> None:
    plain = json.loads(ingest.report_json(report))
    assert (plain["rows"], plain["rejected"], plain["closed"]) == (16, 12, 2)
    shown = plain["rejects"][0]
    assert (shown["file"], shown["row"], shown["column"]) == ("x.csv", 1, "title")
    assert (shown["reason"], shown["detail"]) == ("wrong_type", "holds a list")


def test_the_report_for_a_person_shows_ten_rejects_and_where_the_others_are(
    report: IngestReport, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest.print_report(report, [Path("x.csv")])
    said = capsys.readouterr().out
    assert "12 row(s) rejected: wrong_type 12" in said
    assert "x.csv row 10 title: wrong_type (holds a list)" in said
    assert "row 11" not in said and "ingest_rejects" in said


def test_without_a_terminal_there_is_a_log_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: Iterator[float] = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(ingest.clock, "monotonic_s", lambda: next(times))
    with structlog.testing.capture_logs() as logged, ingest.showing_progress() as show:
        for rows in (100, 600, 700, 1200):
            show(Progress("x.csv", rows, 1, rows / 2400))
    assert [line["rows"] for line in logged] == [600, 1200]
    assert logged[0]["rate_per_s"] == 100.0
    assert logged[0]["eta_s"] == 18.0
    assert logged[0]["event"] == "ingesting"
