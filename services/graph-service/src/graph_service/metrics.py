"""What the graph-service counts besides its requests and jobs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from graph_service.extraction import Extraction
from graph_service.extraction.patterns import PATTERNS

JOB_UNITS = {"graph": ("chunks",)}
"""The kinds of jobs here, and what their progress is counted in."""
_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 120)
_OUTCOMES = ("model", PATTERNS, "incomplete")
"""What has read a chunk; `incomplete`: patterns, since a model's answer was of no use."""


class GraphMetrics:
    """Chunks by how they were read, and what was found in them.

    All counters exist from the start: one that appears with its first event hides that event from `increase()`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        words = "Chunks by what has read them; incomplete: by patterns, since a model's answer was of no use"
        self._chunks = Counter("switchyard_graph_chunks", words, ("outcome",), registry=registry)
        words = "Time of a chunk, in which it may have waited for its turn or for an engine"
        self._seconds = Histogram(
            "switchyard_graph_chunk_seconds", words, ("outcome",), buckets=_SECONDS, registry=registry
        )
        words = "What chunks hold: mentions and relations; dropped: what a model gave and the text does not hold"
        self._found = Counter("switchyard_graph_found", words, ("kind",), registry=registry)
        for outcome in _OUTCOMES:
            self._chunks.labels(outcome)
            self._seconds.labels(outcome)
        for kind in ("mentions", "relations", "dropped"):
            self._found.labels(kind)

    def on_chunk(self, found: Extraction, seconds: float) -> None:
        outcome = "incomplete" if found.failed else PATTERNS if found.by == PATTERNS else "model"
        self._chunks.labels(outcome).inc()
        self._seconds.labels(outcome).observe(seconds)
        self._found.labels("mentions").inc(len(found.mentions))
        self._found.labels("relations").inc(len(found.relations))
        self._found.labels("dropped").inc(found.dropped)
