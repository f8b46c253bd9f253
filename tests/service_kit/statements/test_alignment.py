"""A fact that took the place of another is found, even where both stand in the text."""

from __future__ import annotations

import pytest

from service_kit.statements.alignment import exchanged

NAMES = frozenset({"paris", "berlin"})


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("He was born in 1990 and died in 2010.", "He was born in 2010 and died in 1990."),
        ("The pump PX-300 costs 20 EUR.", "The pump PX-200 costs 20 EUR."),
        ("Paris is the capital of Germany.", "Berlin is the capital of Germany."),
        ("It moved to Maandag evening that year.", "It moved to Sunday evening that year."),
        ("The second answer is right.", "The first answer is right."),
        ("The price went from 5 to 8 euros.", "The price went from 8 to 5 euros."),
        ("Anna pays Berg 20 euros.", "Berg pays Anna 20 euros."),
        ("Half of the boats are out.", "A third of the boats are out."),
    ],
)
def test_exchanged_facts_are_found(claim: str, source: str) -> None:
    assert exchanged(claim, source, NAMES)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("On 3 May the pump was serviced by Anna Berg.", "The pump was serviced by Anna Berg on 3 May."),
        ("Anna Berg moved to Paris.", "Anna Berg, who was born in Oslo in 1990, moved to Paris."),
        ("Guests pay twelve euros a night.", "Visitors pay twelve euros a night."),
        ("1.5 million people live there.", "About 1,500,000 people live there."),
        ("", "Anything."),
        ("word " * 300, "other " * 300),
    ],
)
def test_other_words_for_the_same_are_none(claim: str, source: str) -> None:
    assert not exchanged(claim, source, NAMES)
