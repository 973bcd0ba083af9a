"""What Prometheus reads: requests, how long they took, batches, how full the desk is, memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from service.jobs.types import STATES, State

if TYPE_CHECKING:
    from service.desk import Desk

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counts of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "lumenscribe_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "lumenscribe_request_seconds", "From the request to its answer.", ["route"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._batches = Histogram(
            "lumenscribe_batch_requests", "Requests that were described together.", buckets=_SIZES,
            registry=self._registry,
        )  # fmt: skip

    def watch(self, desk: Desk) -> None:
        """Tells how full a desk is, whenever it is asked."""
        waiting = Gauge("lumenscribe_waiting", "Requests that wait.", registry=self._registry)
        under_way = Gauge("lumenscribe_under_way", "Requests that are being described.", registry=self._registry)
        waiting.set_function(lambda: desk.state.waiting)
        under_way.set_function(lambda: desk.state.under_way)

    def watch_jobs(self, counted: Callable[[State], int]) -> None:
        """Tells how many jobs there are of each state, whenever it is asked."""
        jobs = Gauge("lumenscribe_jobs", "Jobs by their state.", ["state"], registry=self._registry)
        for state in STATES:
            jobs.labels(state).set_function(partial(counted, state))

    def batch(self, size: int) -> None:
        """A batch was begun."""
        self._batches.observe(size)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `method` is of a closed list and `route` a pattern, never what a client wrote."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
