"""What the rag-service counts besides its requests."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

JOB_UNITS = {"ingest": ("pages", "chunks"), "fill": ("chunks",), "reread": ("pages", "chunks")}
"""The kinds of jobs here, and what their progress is counted in."""


class SearchMetrics:
    """Searches, by which part of them was missing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._searches = Counter(
            "switchyard_searches", "Searches, by the part that was missing", ("degraded",), registry=registry
        )
        self._searches.labels("no")

    def searched(self, degraded: Sequence[str]) -> None:
        self._searches.labels(",".join(degraded) or "no").inc()
