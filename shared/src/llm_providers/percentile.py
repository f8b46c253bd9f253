"""Percentiles by nearest rank, as the gates of a canary use them."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest of `values` that at least `percent` (0 to 100) of them do not exceed.

    Raises ValueError for no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no percentile of no values")
    return ordered[max(0, ceil(percent * len(ordered) / 100) - 1)]
