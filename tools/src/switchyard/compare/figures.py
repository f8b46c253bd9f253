"""Figures of one backend under one load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from llm_providers.percentile import percentile
from switchyard.compare.load import Level

POINTS = (50, 95, 99)


def figures(level: Level) -> dict[str, Any]:
    """Summarise a level for the report; failed requests count as requests, but not for speed.

    Times are in seconds, by percentile (p50, p95, p99), and None where nothing was answered.
    """
    good = [answer for answer in level.answers if answer.ok]
    tokens = sum(answer.completion_tokens for answer in good)
    wall = level.seconds
    streams = [
        (answer.completion_tokens - 1) / (answer.seconds - answer.first_token)
        for answer in good
        if answer.first_token is not None and answer.completion_tokens > 1 and answer.seconds > answer.first_token
    ]
    return {
        "backend": level.backend,
        "users": level.users,
        "whole": level.whole,
        "requests": len(level.answers),
        "failed": len(level.answers) - len(good),
        "errors": dict(Counter(answer.error for answer in level.answers if answer.error is not None)),
        "wall_seconds": wall,
        "requests_per_second": len(good) / wall if wall > 0 else 0.0,
        "tokens": tokens,
        "tokens_per_second": tokens / wall if wall > 0 else 0.0,
        # Of one answer, once it has begun: the median.
        "stream_tokens_per_second": percentile(streams, 50) if streams else None,
        # Until the end of the search, by the service's clock: part of the first token, whatever the engine.
        "search": percentiles([answer.search for answer in good if answer.search is not None]),
        "first_token": percentiles([answer.first_token for answer in good if answer.first_token is not None]),
        "seconds": percentiles([answer.seconds for answer in good]),
    }


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """Return p50, p95 and p99 by nearest rank, or None for no values."""
    return {f"p{point}": percentile(values, point) for point in POINTS} if values else None
