"""Figures of one backend under one load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm_providers.percentile import percentile
from switchyard.compare.load import Level

POINTS = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Figures:
    """Times in seconds; percentiles by name (p50, p95, p99), None where nothing was answered."""

    backend: str
    users: int
    whole: bool
    requests: int
    failed: int
    errors: dict[str, int]
    wall_seconds: float
    requests_per_second: float
    tokens: int
    tokens_per_second: float
    stream_tokens_per_second: float | None
    """Of one answer, once it has begun: the median."""
    search: dict[str, float] | None
    """Until the end of the search, by the service's clock: part of the first token, whatever the engine."""
    first_token: dict[str, float] | None
    seconds: dict[str, float] | None


def figures(level: Level) -> Figures:
    """Summarise a level; failed requests count as requests, but not for speed."""
    good = [answer for answer in level.answers if answer.ok]
    tokens = sum(answer.completion_tokens for answer in good)
    wall = level.seconds
    streams = [
        (answer.completion_tokens - 1) / (answer.seconds - answer.first_token)
        for answer in good
        if answer.first_token is not None and answer.completion_tokens > 1 and answer.seconds > answer.first_token
    ]
    return Figures(
        level.backend,
        level.users,
        level.whole,
        len(level.answers),
        len(level.answers) - len(good),
        dict(Counter(answer.error for answer in level.answers if answer.error is not None)),
        wall,
        len(good) / wall if wall > 0 else 0.0,
        tokens,
        tokens / wall if wall > 0 else 0.0,
        percentile(streams, 50) if streams else None,
        percentiles([answer.search for answer in good if answer.search is not None]),
        percentiles([answer.first_token for answer in good if answer.first_token is not None]),
        percentiles([answer.seconds for answer in good]),
    )


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """Return p50, p95 and p99 by nearest rank, or None for no values."""
    return {f"p{point}": percentile(values, point) for point in POINTS} if values else None
