"""Sentences stand where they say they stand, whatever the text."""

from __future__ import annotations

import random
from textwrap import fill
from time import process_time

import pytest

from llm_providers.sentences import split, words


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
        ("It was 8 °C. J. Smith left.", ["It was 8 °C.", "J. Smith left."]),
        ("See fig. 3 and No. 5 there. Then stop.", ["See fig. 3 and No. 5 there.", "Then stop."]),
        ("Dat is bijv. Delft. Zo is het.", ["Dat is bijv. Delft.", "Zo is het."]),
        ("Pi is 3.14 or so! Really? Yes.", ["Pi is 3.14 or so!", "Really?", "Yes."]),
        ("- one thing\n- another thing", ["one thing", "another thing"]),
        ("1. First step\n2. Second step", ["First step", "Second step"]),
        ("Anna: I will do it.\nBen: Good. Thanks.", ["Anna: I will do it.", "Ben: Good.", "Thanks."]),
        ("她说好。他走了！对吗？", ["她说好。", "他走了！", "对吗？"]),
        ("「はい。」と言った。", ["「はい。」", "と言った。"]),
        ('He said "Stop." Then he went.', ['He said "Stop."', "Then he went."]),
        ("", []),
        ("\0\n \n🍐🍐 …", []),
    ],
)
def test_boundaries(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_headings_are_marked() -> None:
    assert [(s.text, s.heading) for s in split("# Pumps\n\nThey run.\n## Care\n\nOil them.")] == [
        ("Pumps", True),
        ("They run.", False),
        ("Care", True),
        ("Oil them.", False),
    ]


def test_offsets_hold_for_any_text() -> None:
    pieces = [
        *"aB1.!?…。」\"') \n\t-*#>:\0",
        "\n\n",
        "Dr. ",
        "no. ",
        "Anna: ",
        "🍐",
        "梨",
        "1. ",
        "word ",
        "\u2028",
        "\r\n",
    ]
    chance = random.Random(7)
    for _ in range(3000):
        text = "".join(chance.choices(pieces, k=chance.randrange(60)))
        end = 0
        for sentence in split(text):
            assert text[sentence.start : sentence.end] == sentence.text
            assert sentence.text == sentence.text.strip() != ""
            assert sentence.start >= end
            end = sentence.end


@pytest.mark.parametrize("piece", ["a", ".", "\n", " ", "!)", "A-", "1. ", "\n ", '."', "🍐", "梨。", "Anna (", "\0"])
def test_a_megabyte_takes_linear_time(piece: str) -> None:
    """A quadratic pattern would take hours for this; the bound is of CPU, and leaves room for a slow machine."""
    begun = process_time()
    split(piece * (1_000_000 // len(piece)))
    assert process_time() - begun < 20


def test_words_are_stems_without_stop_words() -> None:
    assert words("The pumps were running and the pump runs") == words("pump runn pump runs")


def test_headings_with_nothing_below_are_sentences() -> None:
    hours = "# Opening hours\n## Monday to Friday: 8:00 to 17:30\n## Sunday: closed"
    assert [sentence.heading for sentence in split(hours)] == [True, False, False]
    hosts = "# The gateway is 10.44.0.1\n# The printer is at 10.44.0.77"
    assert [sentence.heading for sentence in split(hosts)] == [False, False]
    assert [sentence.heading for sentence in split("# One\n\n## Two\n\nWords.")] == [True, True, False]


def test_lines_of_a_program_are_no_sentence_and_long_sentences_are() -> None:
    program = "\n".join(
        ["rows = [", *(f'    ["House {number}", "{number} °C", "vents"],' for number in range(30)), "]", "x = 1"]
    )
    assert [sentence.text for sentence in split(program)][1] == '["House 0", "0 °C", "vents"],'
    long = " ".join(["The keeper of the lighthouse writes into the book who came and what was seen, and so on,"] * 8)
    wrapped = fill(f"{long} until the evening.", 80)
    assert [sentence.text for sentence in split(wrapped)] == [wrapped]
