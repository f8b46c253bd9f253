"""Metrics of the doc-processor, in addition to those of every service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.005, 0.02, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class PageMetrics:
    """Pages by the engine that read them, and the time that each took, including the time in the queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pages = Counter("switchyard_pages", "Pages read", ("engine",), registry=registry)
        self._seconds = Histogram(
            "switchyard_page_seconds", "Time of a page", ("engine",), buckets=_SECONDS, registry=registry
        )

    def on_page(self, engine: str, seconds: float) -> None:
        self._pages.labels(engine).inc()
        self._seconds.labels(engine).observe(seconds)
