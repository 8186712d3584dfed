"""
Charts of trends as SVG or PNG, drawn by matplotlib (`pip install nextstep[plot]`).

A gap in the crawl is grey and no line goes through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from nextstep.errors import UsageError
from nextstep.projections.months import shifted
from nextstep.projections.trend_charts import Chart

#: The same answer gives the same file: no date, no chance in the ids of an SVG's parts.
_STABLE = {"svg.hashsalt": "nextstep", "svg.fonttype": "none"}


def check_path(path: Path) -> None:
    """
    Refuse a file that could not be drawn, before any work.

    Raises:
        UsageError: another ending than .svg or .png, or no such folder.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"{path.name}: a chart is .svg or .png", hint="--plot chart.svg")
    if not path.resolve().parent.is_dir():
        raise UsageError(f"{path}: no such folder")


def draw(chart: Chart, path: Path) -> None:
    """
    Write the chart.

    Raises:
        UsageError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "charts need the package matplotlib, which is not installed",
            hint="pip install 'nextstep[plot]'",
        ) from error
    kind = path.suffix.lower().lstrip(".")
    with mpl.rc_context(_STABLE):
        height = max(4.5, 0.32 * len(chart.bars)) if chart.bars else 4.5
        figure = Figure(figsize=(10, height), layout="constrained")
        axes = figure.add_subplot()
        if chart.bars:
            _bars(axes, chart)
        else:
            _lines(axes, chart)
        axes.set_title(chart.title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        metadata = {"Date": None, "Creator": "nextstep"} if kind == "svg" else {"Software": ""}
        try:
            figure.savefig(path, format=kind, dpi=144, metadata=metadata)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error


def _lines(axes: Any, chart: Chart) -> None:
    for number, line in enumerate(chart.lines):
        color = f"C{number % 10}"
        values = [float("nan") if value is None else value for value in line.values]
        axes.plot(
            _at(line.months), values, label=line.label, color=color, marker=".", linewidth=1.4
        )
        if line.low:
            low, high = (
                [float("nan") if v is None else v for v in x] for x in (line.low, line.high)
            )
            axes.fill_between(_at(line.months), low, high, color=color, alpha=0.15, linewidth=0)
    for number, gap in enumerate(chart.gaps):
        first, last = _at([gap.first, shifted(gap.last, 1)])
        label = "not crawled" if number == 0 else None
        axes.axvspan(first, last, color="0.88", zorder=0, label=label)
    for mark in chart.marks:
        axes.axvline(_at([mark])[0], color="0.3", linewidth=0.8, linestyle=":")
    axes.set_ylabel(chart.unit)
    axes.set_ylim(bottom=0)
    if chart.is_share:
        from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, loc="best")


def _bars(axes: Any, chart: Chart) -> None:
    labels = list(dict.fromkeys(label for label, _, _ in chart.bars))
    places = {label: place for place, label in enumerate(reversed(labels))}
    for label, first, last in chart.bars:
        axes.barh(places[label], last - first, left=first, color="C0", height=0.6)
    axes.set_yticks(list(places.values()), list(places))
    axes.set_xlabel(chart.unit)
    if chart.is_share:
        from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

        axes.xaxis.set_major_formatter(PercentFormatter(1.0))


def _at(months: Sequence[date]) -> list[datetime]:
    return [datetime(month.year, month.month, 1) for month in months]
