"""Metrics of jobs: how many are open, how they ended, and their progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

STATES = ("queued", "running", "waiting")
"""The states of an open job; `waiting` is a job that has begun and waits for an unavailable peer."""
OUTCOMES = ("ready", "failed", "cancelled")


class JobMetrics:
    """The metrics of a service's jobs; `kinds` maps each kind of job to the units in which its progress is counted.

    All counters exist from the start: one that appears with its first event hides that event from `increase()`.
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
