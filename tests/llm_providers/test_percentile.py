"""Percentiles by nearest rank."""

from __future__ import annotations

import pytest

from llm_providers.percentile import percentile


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2
    assert percentile([7], 99) == 7
    assert percentile(range(1, 101), 95) == 95
    assert percentile(range(1, 21), 95) == 19
    assert percentile([3, 1], 0) == 1


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
