"""Answers are the sources' own sentences, or none."""

from __future__ import annotations

import pytest

from llm_providers.backends.embedded.answers import answer, digest
from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.grounding import NO_ANSWER
from llm_providers.types import Source

HARBOUR = Source(
    "1", "Harbour", "The harbour was built in 1874. Its crane was designed by Anna Vos. It is painted blue."
)
PUMPS = Source("2", "Pumps", "The harbour was built in 1874. Each pump moves 40 litres of water a second.")


@pytest.mark.parametrize(
    ("question", "held"),
    [
        ("When was the harbour built?", "The harbour was built in 1874. [1]"),
        ("Who designed the crane?", "Its crane was designed by Anna Vos. [1]"),
        ("How much water does each pump move?", "Each pump moves 40 litres of water a second. [2]"),
    ],
)
def test_the_sentence_is_quoted_with_its_label(encoder: Encoder, question: str, held: str) -> None:
    assert held in answer(encoder, question, [HARBOUR, PUMPS])


def test_shared_sentences_are_quoted_once(encoder: Encoder) -> None:
    assert answer(encoder, "When was the harbour built?", [HARBOUR, PUMPS]).count("1874") == 1


def test_no_answer(encoder: Encoder) -> None:
    assert answer(encoder, "How do I bake sourdough bread?", [HARBOUR, PUMPS]) == NO_ANSWER
    assert answer(encoder, "When?", []) == NO_ANSWER
    assert answer(encoder, "When?", [Source("1", "", "🍐\0\n")]) == NO_ANSWER


def test_a_digest_is_made_of_the_text(encoder: Encoder) -> None:
    text = f"{HARBOUR.text} Each pump moves 40 litres. The tide is low at noon."
    assert all(part.strip(".") in text for part in digest(encoder, text, 2).split(". "))


def test_what_one_sentence_lacks_another_of_the_same_source_adds(encoder: Encoder) -> None:
    """The sentence with the part number does not say which fuse it is."""
    notices = [
        Source(
            str(n),
            "Notice",
            f"Message H-21{n}.01 at the line: exchange fuse T{n}. Spare part 4410-230{n}/C. Issued today.",
        )
        for n in range(1, 4)
    ]
    found = answer(encoder, "Which fuse belongs to spare part 4410-2302/C?", [notices[1], notices[0], notices[2]])
    assert "4410-2302/C" in found
    assert "fuse T2" in found
    assert "T1" not in found
    assert "T3" not in found


TABLE = Source(
    "1",
    "Price list",
    "| Herb | Pot | Pots per crate |\n|---|---|---|\n| Basil | 11 cm | 10 |\n| Mint | 13 cm | 8 |\n| Thyme | | 12 |",
)


def test_a_row_of_a_table_is_quoted_with_the_names_of_its_columns(encoder: Encoder) -> None:
    assert answer(encoder, "How many pots of mint are in a crate?", [TABLE]) == (
        "Herb: Mint; Pot: 13 cm; Pots per crate: 8. [1]"
    )
    assert "Herb: Thyme; Pots per crate: 12." in answer(encoder, "How many pots of thyme are in a crate?", [TABLE])


def test_the_kind_of_thing_that_is_asked_for_may_stand_in_the_next_sentence(encoder: Encoder) -> None:
    supplier = Source("1", "Suppliers", "Hollin sells compost in bags of 70 litres. Delivers on Tuesdays before 11:00.")
    assert "Tuesdays" in answer(encoder, "On which day does Hollin deliver compost?", [supplier, PUMPS])


def test_a_question_in_another_language_is_answered(encoder: Encoder) -> None:
    assert "1874" in answer(encoder, "Wanneer is de haven gebouwd?", [HARBOUR, PUMPS])
    assert answer(encoder, "Hoe bak ik zuurdesembrood?", [HARBOUR, PUMPS]) == NO_ANSWER


def test_a_word_of_the_question_is_not_enough(encoder: Encoder) -> None:
    grower = Source("1", "Handbook", "Wrenfield Glasshouse grows herbs under three glass houses and sells them.")
    assert answer(encoder, "Who is the mayor of Wrenfield?", [grower]) == NO_ANSWER


def test_a_row_of_a_table_from_a_pdf_is_quoted_alone(encoder: Encoder) -> None:
    manual = Source(
        "1",
        "Manual",
        "The following values are set.\n\nHouse Day Night Alarm below\nNorth House 21 °C 16 °C 13 °C\nLong House 18 °C 12 °C 8 °C",
    )
    found = answer(encoder, "What is the alarm temperature of the North House?", [manual])
    assert "House Day Night Alarm below: North House 21 °C 16 °C 13 °C. [1]" in found
    assert "Long House" not in found
