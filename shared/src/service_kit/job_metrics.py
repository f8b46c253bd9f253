"""What a service counts of its jobs: how many there are now, how they ended, and how far they get meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

STATES = ("queued", "running", "waiting")
"""Of an open job; one that waits is under way, but for a peer that is away."""
OUTCOMES = ("ready", "failed", "cancelled")


class JobMetrics:
    """`kinds` says which kinds of jobs the service has, and in what units each one's progress is counted.

    All of them are shown from the start: a counter that appears with its first event hides that event from `increase()`.
    """

    def __init__(self, registry: CollectorRegistry, kinds: Mapping[str, Sequence[str]]) -> None:
        self._kinds = kinds
        self._open = Gauge("switchyard_jobs", "Open jobs, by state", ("kind", "state"), registry=registry)
        self._results = Counter(
            "switchyard_job_results", "Jobs that ended, by how", ("kind", "outcome"), registry=registry
        )
        self._progress = Counter(
            "switchyard_job_progress", "Parts of jobs that were done", ("kind", "unit"), registry=registry
        )
        for kind, units in kinds.items():
            for outcome in OUTCOMES:
                self._results.labels(kind, outcome)
            for unit in units:
                self._progress.labels(kind, unit)

    def show(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Show how many jobs of each kind are in each state now."""
        for kind in self._kinds:
            for state in STATES:
                self._open.labels(kind, state).set(counts.get((kind, state), 0))

    def hide(self) -> None:
        """Show no number rather than an old one."""
        self._open.clear()

    def ended(self, kind: str, outcome: str) -> None:
        self._results.labels(kind, outcome).inc()

    def progressed(self, kind: str, unit: str, count: int) -> None:
        self._progress.labels(kind, unit).inc(count)
