"""An answer is attributed to passages sentence by sentence, whatever the model labelled."""

from __future__ import annotations

import random
import re
from time import perf_counter

import pytest

from rag_service.grounding import Grounding, ground
from rag_service.grounding.attribution import attribute
from rag_service.ranking import Passage

RENT = (
    "Boats can be rented from April to October.\nA rowing boat costs nine euros,\nand a canoe seven. Deposits are returned. "
    "The reservoir holds 8,100 m³ and is not open to swimmers. Mr Osei checks the pumps before noon."
)
PUMPS = "Pump PX-200 was serviced on 3 May 2024 by Anna Berg. Its pressure is 4.1 bar."
TABLE = "| Pump | Pressure | Year |\n|---|---|---|\n| North | 4.1 bar | 2019 |\n| South | 3.8 bar | 2021 |"


def passage(text: str = RENT, title: str = "Rent", start: int = 100) -> Passage:
    return Passage(1, "doc_1", 0, title, "rent.md", "en", 3, start, start + len(text), "", text, 1.0)


def verdicts(answer: str, *texts: str) -> list[bool | None]:
    return [
        sentence.supported for sentence in ground(answer, [passage(text) for text in texts or (RENT, PUMPS)]).sentences
    ]


def test_words_that_stand_there_are_quoted_where_they_stand() -> None:
    grounded = ground("A rowing boat costs nine euros,\nand a canoe seven. [1]", [passage()])
    (citation,) = grounded.citations
    assert grounded.unknown_labels == ()
    assert citation.supported
    assert citation.quote == "A rowing boat costs nine euros,\nand a canoe seven."
    assert RENT[citation.start - 100 : citation.end - 100] == citation.quote
    assert citation.page == 3


@pytest.mark.parametrize(
    "sentence",
    [
        "Renting a rowing boat costs 9 euros.",
        "A rowing boat costs 9 €.",
        "The reservoir holds 8100 m³.",
        "The reservoir holds 8.100 m³.",
        "The reservoir is not open to swimmers.",
        "Pump PX-200 was serviced by Anna Berg on 3 May 2024.",
        "Mr Osei checks the pumps before noon.",
    ],
)
def test_what_the_passages_say_is_supported(sentence: str) -> None:
    assert verdicts(sentence) == [True]


@pytest.mark.parametrize(
    "sentence",
    [
        "A rowing boat costs eight euros.",
        "A rowing boat costs nine dollars.",
        "The reservoir holds 9,100 m³.",
        "The reservoir holds 8,100 m².",
        "The reservoir is open to swimmers.",
        "Deposits are not returned.",
        "Pump PX-201 was serviced on 3 May 2024.",
        "Pump PX-200 was serviced on 3 June 2024.",
        "Pump PX-200 was serviced by Anna Holm.",
        "Mr Osei checks the pumps after noon.",
        "The price of a ticket to Mars is 20 euros.",
        "The museum opens at dawn every second Sunday [1].",
    ],
)
def test_one_wrong_fact_makes_a_sentence_unsupported(sentence: str) -> None:
    assert verdicts(sentence) == [False]


def test_wrong_labels_are_corrected_and_missing_ones_added() -> None:
    grounded = ground("Its pressure is 4.1 bar [1]. Deposits are returned.", [passage(), passage(PUMPS, "Pumps")])
    assert grounded.text == "Its pressure is 4.1 bar. [2] Deposits are returned. [1]"
    assert [citation.label for citation in grounded.citations] == ["2", "1"]


def test_labels_that_bear_a_sentence_out_are_kept() -> None:
    grounded = ground("Deposits are returned. [1] [2]", [passage(), passage()])
    assert [citation.label for citation in grounded.citations] == ["1", "2"]
    assert grounded.text == "Deposits are returned. [1] [2]"


@pytest.mark.parametrize("answer", ["Nothing is here [7].", "[0] and [99] are here.", "See it here [1, 9]."])
def test_labels_that_name_no_passage_are_named(answer: str) -> None:
    assert ground(answer, [passage()]).unknown_labels


def test_introductions_claim_nothing() -> None:
    assert verdicts("Here is what the documents say:\n\nDeposits are returned.") == [None, True]
    assert verdicts("Sure!") == [None]


@pytest.mark.parametrize(
    "sentence",
    [
        "The documents do not mention the price of a berth.",
        "I'm sorry, but I don't know.",
        "Sure, I can help you with that!",
        "Based on the documents, here is the answer.",
        "De documenten bevatten geen informatie over honden.",
        "Die Dokumente enthalten keine Angaben zu Hunden.",
    ],
)
def test_refusals_greetings_and_offers_claim_nothing(sentence: str) -> None:
    assert verdicts(sentence) == [None]


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("The pump PX-300 costs 20 EUR.", "The pump PX-200 costs 20 EUR. The pump PX-300 costs 30 EUR."),
        ("Paris is the capital of Germany.", "Berlin is the capital of Germany. Paris is the capital of France."),
        ("Ramp 4 has 30 places.", "Ramp 3 has 30 places. Ramp 4 has 20 places."),
        ("At least 5 people came.", "At most 5 people came."),
        ("Visitors need no ticket.", "Visitors need a ticket."),
        ("Das hat nicht, unter anderem, zu Prüfungen geführt.", "Das hat, unter anderem, zu Prüfungen geführt."),
    ],
)
def test_what_is_said_of_another_is_no_support(sentence: str, source: str) -> None:
    assert verdicts(sentence, source) == [False]


def test_a_pronoun_takes_its_name_from_the_sentence_before() -> None:
    assert verdicts("Anna Berg works in Oslo.", "Anna Berg checks the pumps. She works in Oslo.") == [True]
    assert verdicts("Pump PX-200 has a pressure of 4.1 bar.", PUMPS) == [True]


def test_names_are_compared_by_their_stems() -> None:
    found = Passage(1, "d", 0, "Hafen", "h.md", "de", 1, 0, 60, "", "Im Hafen liegen 25 Boote mit gelben Segeln.", 1.0)
    assert ground("Es liegen 25 Boote im Hafen.", [found], "Wie viele?").answers
    assert not ground("Es liegen 25 Yachten im Hafen.", [found], "Wie viele?").answers


@pytest.mark.parametrize(
    ("sentence", "supported"),
    [
        ("Een roeiboot kost negen euro per dag voor bezoekers.", True),
        ("Ein Ruderboot kostet für die Besucher neun Euro am Tag.", True),
        ("De heer Osei controleert de pompen altijd voor de middag.", True),
        ("Een roeiboot kost acht euro per dag voor bezoekers.", False),
        ("De heer Bakker controleert de pompen altijd voor de middag.", False),
        ("Het water van het meer is zeer geschikt om in te zwemmen.", False),
    ],
)
def test_a_sentence_in_another_language_is_judged_by_its_facts(sentence: str, supported: bool) -> None:
    assert verdicts(sentence) == [supported]


def test_a_passage_without_a_sentence_bears_nothing_out() -> None:
    assert not ground("Deposits are returned.", [passage("— | —")], "What is returned?").answers


@pytest.mark.parametrize(
    ("answer", "supported"), [("Osei.", True), ("Nine euros.", True), ("Berg.", False), ("Dawn.", False)]
)
def test_an_answer_of_one_word_is_a_claim(answer: str, supported: bool) -> None:
    assert verdicts(answer, RENT) == [supported]


HARBOUR = """Visitors moor at the north pontoon and pay twelve euros a night. Payment is due on arrival, by card or in cash.
The harbour master is called on channel nine, day and night.

From November to March the fresh water is switched off on all pontoons. The crane lifts up to 8 tonnes and costs € 95 per lift.

| Service | Price | Hours |
|---|---|---|
| Shower | €2 | 07:00–22:00 |
| Laundry | €6.50 | 08:00–20:00 |"""


@pytest.mark.parametrize(
    "sentence",
    [
        "Visitors pay 12 euros per night to moor at the north pontoon.",
        "It costs 12 euros.",
        "You can pay by card or in cash when you arrive.",
        "During winter (November to March), fresh water is switched off.",
        "Each lift with the crane costs 95 euros.",
        "A shower costs €2.",
        "The laundry is open from 8 am to 8 pm.",
        "**Visitors** pay *twelve euros* a night.",
    ],
)
def test_the_same_in_other_words_is_supported(sentence: str) -> None:
    assert verdicts(sentence, HARBOUR) == [True]


@pytest.mark.parametrize(
    "sentence",
    [
        "Children pay twelve euros a night.",
        "The harbour master is called on channel nine at night only.",
        "Payment is due on departure.",
        "The fresh water is switched off from October to March.",
        "A shower costs €6.50.",
        "The laundry is open from 7 am to 8 pm.",
    ],
)
def test_nearly_the_same_is_not(sentence: str) -> None:
    assert verdicts(sentence, HARBOUR) == [False]


def test_a_row_of_a_table_counts_with_the_names_of_its_columns() -> None:
    assert verdicts("The pressure of the North pump is 4.1 bar.", TABLE) == [True]
    assert verdicts("The pressure of the North pump is 3.9 bar.", TABLE) == [False]
    assert verdicts("The pressure of the North pump is 3.8 bar.", TABLE) == [False]


def test_a_row_written_out_answers_and_ends_at_its_degrees() -> None:
    table = "| House | Day | Night | Alarm below |\n|---|---|---|---|\n| Long House | 18 °C | 12 °C | 8 °C |"
    row = "House: Long House; Day: 18 °C; Night: 12 °C; Alarm below: 8 °C."
    answer = ground(f"{row} [1] The pumps are new.", [passage(table)], "How warm is the Long House by day?")
    assert [(each.text, each.supported, each.answers) for each in answer.sentences] == [
        (row, True, True),
        ("The pumps are new.", False, False),
    ]


def test_unsupported_sentences_can_be_taken_out() -> None:
    grounding = Grounding([passage()], "", drop=True)
    found = grounding.finish(
        "The museum opens at dawn. Deposits are returned. A ticket to Mars is 9 euros. A canoe costs seven."
    )
    assert grounding.text == "Deposits are returned. [1] A canoe costs seven. [1]"
    assert [grounding.text[sentence.start : sentence.end] for sentence in found] == [
        "Deposits are returned. [1]",
        "A canoe costs seven. [1]",
    ]
    assert len(grounding.dropped) == 2


def test_an_answer_is_grounded_the_same_however_it_comes() -> None:
    dice = random.Random(11)
    words = [*(RENT + PUMPS).replace("\n", " ").split(), "[1]", "[1, 2]", "[9].", "6.", "Mai", "\n\n", "\n- ", "e.g."]
    passages = [passage(), passage(PUMPS, "Pumps", 7)]
    for _ in range(150):
        text = " ".join(dice.choices(words, k=dice.randint(1, 60)))
        grounding, told, place = Grounding(passages, ""), [], 0
        while place < len(text):
            size = dice.randint(1, 9)
            told += grounding.add(text[place : place + size])
            place += size
        told += grounding.finish()
        assert grounding.answer() == ground(text, passages)
        assert told == grounding.sentences


def test_a_sentence_is_told_soon_after_its_end() -> None:
    grounding = Grounding([passage()], "")
    assert grounding.add("Deposits are returned. [1") == []
    assert grounding.add("] The reservoir holds 8,100 m³, and is not open to swimmers") != []


def test_every_quote_stands_where_it_says_and_every_sentence_too() -> None:
    dice = random.Random(5)
    words = [*(RENT + PUMPS + TABLE).split(), "[1]", "[2]", "[9]", "\n", "|", "…", "1,2.3", "“", "漢字"]
    passages = [passage(), passage(PUMPS, "Pumps", 7), passage(TABLE, "Table", 0)]
    for _ in range(150):
        grounded = ground(" ".join(dice.choices(words, k=dice.randint(1, 40))), passages)
        for citation in grounded.citations:
            source = passages[int(citation.label) - 1]
            assert source.start <= citation.start <= citation.end <= source.end
            assert source.text[citation.start - source.start : citation.end - source.start] == citation.quote
        for sentence in grounded.sentences:
            written = grounded.text[sentence.start : sentence.end]
            assert re.sub(r"\s*\[\d+\]", "", written).rstrip() == sentence.text


@pytest.mark.parametrize(
    "answer",
    [
        "1," * 30_000,
        "a" * 60_000,
        "[1]" * 20_000,
        "x" + " " * 60_000,
        "[" + "1 , " * 20_000,
        "A. " * 5_000,
        "not " * 15_000,
        "|" * 60_000,
    ],
)
def test_hostile_answers_take_bounded_time(answer: str) -> None:
    began = perf_counter()
    ground(answer, [passage(), passage(PUMPS)])
    assert perf_counter() - began < 20


@pytest.mark.parametrize(
    ("question", "answer", "answers"),
    [
        ("What caused the oil crisis of 1973?", "The crisis of 1973 was caused.", False),
        ("What caused the oil crisis of 1973?", "The crisis of 1973 was caused by an embargo.", True),
        ("When did the oil crisis begin?", "The oil crisis began in 1973.", True),
        ("Did the oil crisis begin in 1973?", "The oil crisis began in 1973.", True),
        ("Wodurch und wann kam die Ölkrise?", "Die Ölkrise kam.", False),
    ],
)
def test_to_say_the_question_again_is_no_answer(question: str, answer: str, *, answers: bool) -> None:
    found = passage(
        "The oil crisis began in 1973. The crisis of 1973 was caused by an embargo. Die Ölkrise kam 1973 durch ein Embargo."
    )
    assert ground(answer, [found], question).answers is answers


IMMUNITY = (
    "The immune system tells self from non-self molecules. Buoy 12 was painted red by the harbour crew in spring."
)


@pytest.mark.parametrize(
    ("question", "answer", "answers"),
    [
        ("Which colour has buoy 12?", "Buoy 12 was painted red.", True),
        ("Who painted buoy 12?", "It was the harbour crew that painted buoy 12.", True),
        # True, and no answer: the question's own subject is in another place, or nowhere.
        ("Which bank pays for the lighthouse keeper's pension?", "Buoy 12 was painted red.", False),
        ("What did the harbour crew do?", "The harbour crew did these things:", False),
        # Most of what it adds stands nowhere, though enough of it is alike.
        ("What does the immune system do?", "The immune system tells self from eager dolphins.", False),
        # In another language the words can't be compared.
        ("Welke kleur heeft boei 12?", "Boei 12 is door de ploeg van de haven geschilderd.", True),
    ],
)
def test_a_written_sentence_must_answer_with_words_of_the_quote(question: str, answer: str, *, answers: bool) -> None:
    found = ground(answer, [passage(IMMUNITY)], question)
    assert found.answers is answers, found


def test_what_a_vision_model_wrote_of_a_figure_is_never_quoted() -> None:
    described = "[figure: A bar chart of the rent of the boat shed; it rises to 900 euros in 2026]"
    text = f"The rent is paid by the month.\n\n{described}\n\nKeys lie in the office."
    found = attribute("The rent of the boat shed rises to 900 euros in 2026.", [passage(text)])
    assert not any(each.supported for each in found)
    assert all("figure" not in text[each.start : each.end] for each in found)
    cut = text[: text.index("euros")]
    assert all(
        "figure" not in cut[each.start : each.end] for each in attribute("The rent rises to 900.", [passage(cut)])
    )
    said = attribute("Keys lie in the office.", [passage(text)])[0]
    assert said.supported
    assert text[said.start : said.end] == "Keys lie in the office."
