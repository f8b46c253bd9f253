"""From text to terms."""

from __future__ import annotations

from time import perf_counter

import pytest

from rag_service.keyword.analysis import language_of, query_terms, terms
from service_kit.statements.codes import codes


def test_a_code_is_one_term_and_its_parts() -> None:
    assert terms("Spare part 4410-2303/C", "en") == ["spare", "part", "44102303c", "4410", "2303", "c"]
    assert terms("state-of-the-art", "en") == ["state", "of", "the", "art"]


def test_scripts_are_told_apart_where_they_touch() -> None:
    assert terms("PX-200を確認", "ja") == ["px200", "px", "200", "を確", "確認"]


def test_stop_words_are_left_out_unless_nothing_else_is_left() -> None:
    assert query_terms("Where is the harbour?", ["en"]) == ["harbour"]
    assert query_terms("¿Dónde está el puerto?", ["es"])[-1] == "puert"
    assert query_terms("To be or not to be", ["en"]) == ["to", "be", "or", "not"]


def test_a_question_is_stemmed_in_every_language_of_the_documents() -> None:
    assert query_terms("Häuser bauen", ["de", "en"]) == ["haus", "hauser", "bau", "bauen"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fuse of H-211.01 and part 4410-2303/C", {"h21101", "44102303c"}),
        ("px200 v2.0.0 COVID-19 AS-278", {"px200", "v200", "covid19", "as278"}),
        ("the 19th century, the mid-1960s, a 3D-printed part, 2-delige 400-Unternehmen", set()),
        ("12.50 euros at 10:30 on 01.02.2026, 1914-1918, 1,234 in 2008, 10km", set()),
    ],
)
def test_codes_are_told_from_words_and_numbers(text: str, found: set[str]) -> None:
    assert codes(text) == found


def test_languages() -> None:
    assert language_of("Der Hafen wurde im Jahr 1874 gebaut und liegt im Norden.") == "de"
    assert language_of("De haven werd gebouwd in 1874 en ligt in het noorden.") == "nl"
    assert language_of("港口建于1874年，位于城市北部，是重要的贸易中心。") == "zh"
    assert language_of("PX-200") == language_of("") == language_of("1 2 3 " * 100) == ""


@pytest.mark.parametrize(
    "text", ["a-" * 50_000, "1." * 50_000, "漢" * 100_000, "'" * 100_000, "é̂" * 30_000, "a1" * 50_000]
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    began = perf_counter()
    terms(text, "en")
    codes(text)
    assert perf_counter() - began < 3
