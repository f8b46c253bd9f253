"""Questions about a whole table: calculated from its cells, or left to the passages where it is not sure what is asked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rag_service.aggregation.evaluation import calculate
from rag_service.aggregation.question import parse
from rag_service.aggregation.table import number_in, tables_of

PRICES = """# Trade price list

## Seedlings

| Variety | Tray | Ready from | Price per tray |
| --- | --- | --- | --- |
| Tomato Ember Plum | 84 plugs | 16 March | 31.50 |
| Tomato Little Lantern | 84 plugs | 23 March | 33.00 |
| Pepper Long Ivory | 84 plugs | 6 April | 36.75 |
| Cucumber Green Heron | 40 plugs | 20 April | 28.00 |

## Pot herbs

| Herb | Pot | Pots per crate | Price per crate |
| --- | --- | --- | --- |
| Basil | 11 cm | 10 | 12.90 |
| Flat parsley | 11 cm | 10 | 11.40 |
| Mint | 13 cm | 8 | 13.20 |
| Thyme | 11 cm | 10 | 12.40 |
"""
HOUSES = """# Houses

| House | Area | What grows there | Grower in charge |
|---|---|---|---|
| North House | 600 m² | tomato, pepper and cucumber seedlings | Tobias |
| Long House | 1,400 m² | basil, parsley, mint and thyme | Oda |
| Shop House | 300 m² | plants for sale, potting bench, till | Ruben |
| **Total** | 2,300 m² | | |
"""
KASSEN = """# Kassen

| Kas | Oppervlakte | Huurprijs |
| --- | --- | --- |
| Noord | 600 m² | € 1.234,50 |
| Zuid | 450 m² | € 980,00 |
"""


def answered(question: str) -> str | None:
    asked = parse(question)
    if asked is None:
        return None
    english = [(table, "Price list") for table in tables_of("p", [(1, PRICES)])]
    english += [(table, "Handbook") for table in tables_of("h", [(1, HOUSES)])]
    dutch = [(table, "Overzicht") for table in tables_of("k", [(1, KASSEN)])]
    found = calculate(asked, english, "en", "en") or calculate(asked, dutch, "nl", "nl")
    return found.text if found else None


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the cheapest herb?", "Flat parsley: the lowest “Price per crate” of 4 rows, 11.40."),
        ("Which herb is the most expensive?", "Mint: the highest “Price per crate” of 4 rows, 13.20."),
        ("Which tomato has the highest price per tray?", "Tomato Little Lantern: the highest “Price per tray” of 2"),
        ("Which variety is ready earliest?", "Tomato Ember Plum: the lowest “Ready from” of 4 rows, 16 March."),
        ("Which house is the largest?", "Long House: the highest “Area” of 3 rows, 1,400 m²."),
        ("Who is in charge of the largest house?", "Long House (Grower in charge: Oda)"),
        ("What is the total area of the houses?", "The sum of “Area” over 3 rows is 2,300 m²."),
        ("How much do all herbs cost in total?", "The sum of “Price per crate” over 4 rows is 49.90."),
        ("What is the average price per crate?", "The average of “Price per crate” over 4 rows is 12.475."),
        ("How many herbs are there?", "4: Basil; Flat parsley; Mint; Thyme."),
        ("Which herbs cost more than 12.50 euros?", "2 of 4 rows: Basil (12.90); Mint (13.20)."),
        ("Which herbs cost more than 100 euros?", "None of 4 rows."),
        ("Which houses have an area of at least 600 m²?", "2 of 3 rows: North House (600 m²); Long House (1,400 m²)."),
        ("How many varieties cost less than 32 euros?", "2 of 4 rows: Tomato Ember Plum (31.50); Cucumber"),
        ("How many pots of mint are in a crate?", "Mint: “Pots per crate” is 8."),
        ("What does a tray of Little Lantern tomatoes cost?", "Tomato Little Lantern: “Price per tray” is 33.00."),
        ("How large is the Long House?", "Long House: “Area” is 1,400 m²."),
        ("Welke kas is het grootste?", "Noord: de hoogste waarde van “Oppervlakte” in 2 rijen, 600 m²."),
        ("Wat is de totale huurprijs van de kassen?", "De som van “Huurprijs” over 2 rijen is € 2.214,50."),
    ],
)
def test_what_a_table_answers_is_calculated(question: str, words: str) -> None:
    assert (answered(question) or "").startswith(words)


@pytest.mark.parametrize(
    "question",
    [
        # Of two rows, or of none.
        "What does a tray of tomatoes cost?",
        "What does a tray of melons cost?",
        # A condition that the table knows nothing of would be passed over.
        "Which organic herb is the cheapest?",
        "What is the largest lake in Germany?",
        "What is the smallest order?",
        "How many days of paid leave does everyone have?",
        # Two tables have prices.
        "What is the lowest price?",
        "Who has the most to say about this?",
    ],
)
def test_other_questions_are_left_to_the_passages(question: str) -> None:
    assert answered(question) is None


def test_a_table_goes_on_under_the_same_columns_on_the_next_page() -> None:
    head = "| Day | Visitors |\n| --- | --- |\n"
    pages = [(number, head + f"| {number} May | {number * 100} |\n") for number in (1, 2, 3)]
    (table,) = tables_of("d", pages)
    assert [row.page for row in table.rows] == [1, 2, 3]
    asked = parse("What is the total number of visitors?")
    assert asked is not None
    found = calculate(asked, [(table, "Visits")], "en", "en")
    assert found is not None
    assert "600" in found.text


def test_a_row_stands_at_its_place() -> None:
    for table in tables_of("p", [(1, PRICES)]):
        for row in table.rows:
            assert PRICES[row.start : row.end].startswith(f"| {row.cells[0]} |")
            assert PRICES[row.start : row.end].endswith("|")


@pytest.mark.parametrize(
    ("cell", "number"),
    [("€ 1.234,50", "1234.5"), ("8,100 m³", "8100"), ("7.5 %", "7.5"), ("-3 °C", "-3"), ("", None), ("3 of 4", None), ("n/a", None)],
)  # fmt: skip
def test_a_cell_is_a_number_with_its_unit_or_none(cell: str, number: str | None) -> None:
    assert number_in(cell) == (None if number is None else Decimal(number))


async def test_an_answer_from_a_table_cites_its_rows(stack: Any) -> None:
    await stack.add(PRICES, "Price list")
    answer = await stack.query("Which herbs cost more than 12.50 euros?")
    assert answer["text"] == "2 of 4 rows: Basil (12.90); Mint (13.20). [1]"
    assert (answer["answered"], answer["calculated"]) == (True, True)
    (citation,) = answer["citations"]
    assert citation["quote"].startswith("| Basil |")
    assert citation["quote"].rstrip().endswith("| Mint | 13 cm | 8 | 13.20 |")
    assert answer["sentences"][0]["supported"] is True
    plain = await stack.query("What is the part number of the frost fleece?")
    assert plain["calculated"] is False
