"""A point behind a day or an abbreviation ends no sentence, and every sentence stands where it says."""

from __future__ import annotations

import random

import pytest

from rag_service.grounding.sentences import split


@pytest.mark.parametrize(
    "text",
    [
        "Am 6. Oktober 1973 begann der Krieg.",
        "It weighs approx. five kilograms.",
        "It costs 1.50 euros.",
        "See Fig. 3 for it.",
    ],
)
def test_one_sentence(text: str) -> None:
    assert [sentence.text for sentence in split(text)] == [text]


@pytest.mark.parametrize("text", ["It costs 6. October is free.", "Ask Anna. Berg pays.", "One.\ntwo", "- one\n- two"])
def test_lines_and_sentences_stay_apart(text: str) -> None:
    assert len(split(text)) <= 2


def test_spans_are_in_order_and_quote_what_stands_there() -> None:
    dice = random.Random(3)
    parts = [
        "Am 6.",
        "Oktober",
        "\n",
        "- ",
        "| a | b |\n",
        "e.g.",
        "x.",
        "Boats",
        "pay.",
        "# H\n",
        "1.5",
        "[1]",
        "…",
        "“",
        " ",
    ]
    for _ in range(300):
        text = " ".join(dice.choices(parts, k=dice.randint(0, 30)))
        end = 0
        for sentence in split(text):
            assert end <= sentence.start < sentence.end
            assert text[sentence.start : sentence.end] == sentence.text
            end = sentence.end
