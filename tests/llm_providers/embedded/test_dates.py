"""Due dates as they are said."""

from __future__ import annotations

import pytest

from llm_providers.backends.embedded import dates


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("I will send it by Friday.", "Friday"),
        ("by tomorrow, the fifteenth of October", "tomorrow, the fifteenth of October"),
        ("We met on Monday, and you get it by 12 March.", "12 March"),
        ("before the first frost week", None),
        ("in by the twenty-fifth.", "the twenty-fifth"),
        ("no later than the middle of October", "the middle of October"),
        ("Ik stuur het voor 1 maart.", "1 maart"),
        ("Ihr bekommt es bis zum 15. Mai.", "15. Mai"),
        ("Ich mache das nächste Woche.", "nächste Woche"),
        ("due 2026-12-01", "2026-12-01"),
        ("It may rain.", None),
    ],
)
def test_due(said: str, day: str | None) -> None:
    assert dates.due(said) == day


def test_a_limit_is_more_than_a_day() -> None:
    assert dates.limit_in("It has to be done by Friday.") == "Friday"
    assert dates.limit_in("We met on Friday.") is None
