"""
/metrics for Prometheus: what requests took, and how the line stands at the moment of the scrape.

Label values are routes' patterns, stages and statuses of ours, so that their number is bounded.

Source: issue 8 item 4, J-165.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from nextstep import __version__
from nextstep.events.io.offsets import status
from nextstep.http.routes import SERVICES

#: Seconds; a match takes tens of milliseconds, a page is to stay below 0.1.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10)
_STATES = ("running", "paused", "halted")
_LETTERS = "SELECT stage, status, count(*) AS letters FROM dead_letters GROUP BY stage, status"
_LONG_LIVED = "/console/events"

#: Metric -> (field of the status document, help); each has the label `stage`.
_STAGE_GAUGES = {
    "nextstep_stage_offset": ("offset", "Last position the stage has finished"),
    "nextstep_stage_lag_events": ("lag", "Events between the head and the stage's offset"),
    "nextstep_stage_oldest_age_seconds": ("oldest_age_s", "Age of its oldest unprocessed event"),
    "nextstep_stage_rate_per_second": ("rate_per_s", "Rows per second of its latest run"),
    "nextstep_stage_stale": ("stale", "1 where code, taxonomies or model changed since its rows"),
    "nextstep_stage_epoch": ("epoch", "Take-overs of the stage"),
}


class Metrics:
    """Counts of one server; its registry is its own, so that two servers in a process are two."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "nextstep_http_request_seconds",
            "Time to answer a request",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def observe(self, method: str, route: str, status_code: int, seconds: float) -> None:
        """Count a request; one that stays open for as long as somebody watches is left out."""
        if route != _LONG_LIVED:
            known = method if method in ("GET", "HEAD", "POST") else "other"
            self._requests.labels(known, route or "none", str(status_code)).observe(seconds)


METRICS = web.AppKey("metrics", Metrics)


class _Line(Collector):
    """The line's state as metrics, read before the scrape is written."""

    def __init__(self, found: dict[str, Any], letters: Iterable[Any]) -> None:
        self._found = found
        self._letters = letters

    def collect(self) -> Iterable[Metric]:
        version = GaugeMetricFamily("nextstep_build", "Version that answers", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        yield GaugeMetricFamily(
            "nextstep_head_position", "Highest position of the log", value=self._found["head"]
        )
        stages = self._found["stages"]
        for name, (field, about) in _STAGE_GAUGES.items():
            family = GaugeMetricFamily(name, about, labels=["stage"])
            for stage in stages:
                if stage[field] is not None:
                    family.add_metric([stage["stage"]], float(stage[field]))
            yield family
        states = GaugeMetricFamily(
            "nextstep_stage_status", "1 for the status the stage has", labels=["stage", "status"]
        )
        for stage in stages:
            for state in _STATES:
                states.add_metric([stage["stage"], state], float(stage["status"] == state))
        yield states
        family = GaugeMetricFamily(
            "nextstep_dead_letters", "Dead letters by status", labels=["stage", "status"]
        )
        counted = {(row["stage"], row["status"]): row["letters"] for row in self._letters}
        # A stage without any has a 0: an alert on a series that is not there never fires.
        counted = {(stage["stage"], "parked"): 0 for stage in stages} | counted
        for labels, number in sorted(counted.items()):
            family.add_metric(list(labels), number)
        yield family


async def get_metrics(request: web.Request) -> web.Response:
    """Everything in the text format of Prometheus."""
    services = request.app[SERVICES]
    stages = await services.versioned_stages()
    async with services.connection() as connection:
        found = await status(cast(Any, connection), services.settings, stages)
        letters = await connection.fetch(_LETTERS)
    line = CollectorRegistry()
    line.register(_Line(found, letters))
    body = generate_latest(request.app[METRICS].registry) + generate_latest(line)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
