"""Compares a candidate with the stable backend, and stops it at the first gate that it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from time import monotonic
from typing import Any

from llm_providers.percentile import percentile
from llm_providers.routing.policy import Gates

_LONGEST = 2000
"""Samples kept of one side, however long the window."""


@dataclass(frozen=True, slots=True)
class RequestSample:
    """One request: `at` monotonic seconds; what does not apply to it is None."""

    at: float
    seconds: float
    error: bool = False
    first_token_seconds: float | None = None
    unusable: bool | None = None
    json_valid: bool | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """One side over the window: rates are shares, times seconds, None where nothing was measured."""

    requests: int
    errors: int
    error_rate: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    first_token_p50_seconds: float | None
    first_token_p95_seconds: float | None
    unusable_rate: float | None
    invalid_json_rate: float | None
    quality: float | None
    json_requests: int
    graded: int


@dataclass(frozen=True, slots=True)
class Trip:
    """A gate that did not hold."""

    gate: str
    value: float
    limit: float
    words: str


class Window:
    """The last samples of one side."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._samples: deque[RequestSample] = deque(maxlen=_LONGEST)

    def add(self, sample: RequestSample) -> None:
        self._samples.append(sample)

    def summary(self) -> Summary:
        since = self._clock() - self._seconds
        while self._samples and self._samples[0].at < since:
            self._samples.popleft()
        samples = list(self._samples)
        answered = [s for s in samples if not s.error]
        seconds = [s.seconds for s in answered]
        firsts = [s.first_token_seconds for s in answered if s.first_token_seconds is not None]
        parsed = [s.json_valid for s in answered if s.json_valid is not None]
        errors = len(samples) - len(answered)
        return Summary(
            requests=len(samples),
            errors=errors,
            error_rate=errors / len(samples) if samples else None,
            p50_seconds=_percentile(seconds, 50),
            p95_seconds=_percentile(seconds, 95),
            first_token_p50_seconds=_percentile(firsts, 50),
            first_token_p95_seconds=_percentile(firsts, 95),
            unusable_rate=mean(bool(s.unusable) for s in answered),
            invalid_json_rate=mean(not valid for valid in parsed),
            quality=mean(s.quality for s in answered),
            json_requests=len(parsed),
            graded=sum(s.quality is not None for s in answered),
        )


class Trial:
    """A candidate and the stable backend side by side; `on_trip` is called once, with every gate that did not hold."""

    def __init__(self, gates: Gates, on_trip: Callable[[Sequence[Trip]], None]) -> None:
        self._gates, self._on_trip = gates, on_trip
        self.stable, self.candidate = Window(gates.window_seconds), Window(gates.window_seconds)
        self.tripped: tuple[Trip, ...] = ()

    def add_stable(self, sample: RequestSample) -> None:
        self.stable.add(sample)

    def add_candidate(self, sample: RequestSample) -> None:
        """Count the sample, and look at the gates."""
        self.candidate.add(sample)
        if not self.tripped and (trips := judge(self._gates, self.stable.summary(), self.candidate.summary())):
            self.tripped = tuple(trips)
            self._on_trip(self.tripped)

    def report(self) -> dict[str, Any]:
        """Both sides, and the gates that tripped."""
        return {
            "stable": asdict(self.stable.summary()),
            "candidate_window": asdict(self.candidate.summary()),
            "tripped": [asdict(trip) for trip in self.tripped],
        }


def judge(gates: Gates, stable: Summary, candidate: Summary) -> list[Trip]:
    """The gates that `candidate` does not hold; none before it has had its minimum of requests.

    A rate that the stable side shares is no fault of the candidate's: those gates count what it is worse.
    """
    trips: list[Trip] = []

    def gate(name: str, value: float | None, words: str, enough: int = candidate.requests) -> None:
        limit: float = getattr(gates, f"max_{name}")
        if value is not None and enough >= gates.min_requests and value > limit:
            trips.append(Trip(name, round(value, 4), limit, f"{words}: {value:.3g}, limit {limit:g}"))

    def worse(mine: float | None, theirs: float | None) -> float | None:
        return None if mine is None else mine - (theirs or 0.0)

    gate("error_rate", candidate.error_rate, "share of its requests that failed")
    gate("p95_seconds", candidate.p95_seconds, "seconds to the end, 95th percentile")
    gate("first_token_p95_seconds", candidate.first_token_p95_seconds, "seconds to the first token, 95th percentile")
    unusable = worse(candidate.unusable_rate, stable.unusable_rate)
    gate("unusable_rate", unusable, "empty or cut-off answers, more than the stable side's share")
    invalid = worse(candidate.invalid_json_rate, stable.invalid_json_rate)
    words = "answers that are not the JSON asked for, more than the stable side's share"
    gate("invalid_json_rate", invalid, words, candidate.json_requests)
    loss = None if stable.quality is None or candidate.quality is None else stable.quality - candidate.quality
    enough = min(candidate.graded, stable.graded)
    gate("quality_loss", loss, "citations that hold, less than the stable side", enough)
    return trips


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(percentile(values, percent), 4) if values else None


def mean(values: Iterable[float | None], middle: Callable[[list[float]], float] = fmean) -> float | None:
    """Return the mean, or another `middle`, of those values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return round(middle(known), 4) if known else None
