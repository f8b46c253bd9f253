"""Numbers, dates, times and units are compared in one form."""

from __future__ import annotations

from time import perf_counter

import pytest

from service_kit.statements.facts import facts_of
from service_kit.statements.numbers import Number, numbers_of, spelled


def numbers(text: str) -> set[Number]:
    return set(numbers_of(spelled(text)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234.5", "1.234,5"),
        ("1,234.50 EUR", "€1.234,5"),
        ("5 %", "5 per cent"),
        ("5%", "fünf Prozent"),
        ("1.5 million people", "1,500,000 people"),
        ("$5m", "$5,000,000"),
        ("two hundred boats", "200 boats"),
        ("twenty-five boats", "25 boats"),
        ("vijfentwintig boten", "25 boten"),
        ("fünfundzwanzig Boote", "25 Boote"),
        ("9 am", "9:00"),
        ("9 am", "09:00"),
        ("9:30 p.m.", "21:30"),
        ("8,100 m³", "8100 m3"),
        ("13 °C", "13 Celsius"),
    ],
)
def test_two_ways_to_write_one_number(one: str, other: str) -> None:
    assert numbers(one) == numbers(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("8,100 m³", "8,100 m²"),
        ("8,100 m³", "9,100 m³"),
        ("-5 °C", "5 °C"),
        ("13 °C", "13 °F"),
        ("40 litres", "40 gallons"),
        ("9 am", "9 pm"),
        ("5 million", "5 billion"),
        ("12.5 kg", "125 kg"),
        ("twenty-five", "twenty-six"),
    ],
)
def test_numbers_that_differ(one: str, other: str) -> None:
    assert numbers(one) != numbers(other)


@pytest.mark.parametrize("date", ["2024-05-03", "03.05.2024", "3 May 2024", "May 3, 2024", "3. Mai 2024", "3 mei 2024"])
def test_one_day_in_many_forms(date: str) -> None:
    facts = facts_of(f"on {date}")
    assert facts.dates == {"m5"}
    assert {number.value for number in facts.numbers} == {"3", "2024"}
    assert not facts.names


@pytest.mark.parametrize(
    "text", ["1," * 50_000, "9" * 100_000, "-" * 100_000, "€" * 100_000, "€1," * 30_000, "12:00 a" * 14_000, "per " * 25_000, "two hundred " * 8_000, "a-" * 50_000]
)  # fmt: skip
def test_hostile_texts_take_linear_time(text: str) -> None:
    began = perf_counter()
    numbers(text)
    assert perf_counter() - began < 2
