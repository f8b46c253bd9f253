"""The extraction without a model: values, names, their types, and what stands in one sentence."""

from __future__ import annotations

import random
import time

import pytest

from graph_service.extraction import Extraction, Passage
from graph_service.extraction.gazetteer import Gazetteer
from graph_service.extraction.literals import literals
from graph_service.extraction.patterns import PatternExtractor
from graph_service.settings import GraphSettings

TYPES = GraphSettings.model_construct().types


def read(text: str, language: str = "en", around: str = "") -> Extraction:
    gazetteer = Gazetteer.of([around, text], language)
    return PatternExtractor(TYPES).read(Passage(1, "d", "t", 1, 0, text, gazetteer))


def named(text: str, language: str = "en", around: str = "") -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.type) for each in read(text, language, around).mentions]


@pytest.mark.parametrize(
    ("text", "written", "type_", "key"),
    [
        ("It began on 3 March 2026.", "3 March 2026", "date", "2026-03-03"),
        ("It began on March 3rd, 2026.", "March 3rd, 2026", "date", "2026-03-03"),
        ("Es begann am 3. März 2026.", "3. März 2026", "date", "2026-03-03"),
        ("Het begon op 3 maart 2026.", "3 maart 2026", "date", "2026-03-03"),
        ("Es begann am 03.03.2026.", "03.03.2026", "date", "2026-03-03"),
        ("Since 2026-03-03 it works.", "2026-03-03", "date", "2026-03-03"),
        ("It ended in May 2024.", "May 2024", "date", "2024-05"),
        ("It ended on 5 May.", "5 May", "date", "--05-05"),
        ("It was built in 1912.", "1912", "date", "1912"),
        ("It costs €12,500 a year.", "€12,500", "amount", "12500 €"),
        ("It costs 12.500 euro.", "12.500 euro", "amount", "12500 €"),
        ("It costs $5.5 million.", "$5.5 million", "amount", "5500000 $"),
        ("It rose by 3.5%.", "3.5%", "amount", "3.5 %"),
        ("It holds 40 litres.", "40 litres", "amount", "40 l"),
        ("Order part AS-278 now.", "AS-278", "code", "as278"),
        (
            "Write to Anna.Berg@harbour.example, please.",
            "Anna.Berg@harbour.example",
            "email",
            "anna.berg@harbour.example",
        ),
        ("See https://harbour.example/A?b=1.", "https://harbour.example/A?b=1", "url", "https://harbour.example/a?b=1"),
    ],
)
def test_values_are_found_and_have_one_key(text: str, written: str, type_: str, key: str) -> None:
    assert [(text[each.start : each.end], each.type, each.key) for each in literals(text)] == [(written, type_, key)]


@pytest.mark.parametrize(
    "text", ["I may come in 5 minutes.", "It may rain.", "He ran 5 in total.", "March on!", "On 45 March."]
)
def test_what_only_looks_like_a_value_is_none(text: str) -> None:
    assert [each for each in literals(text) if each.type == "date"] == []


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Yesterday Dr. Anna de Vries met Mrs. Clinton.", [("Anna de Vries", "person"), ("Clinton", "person")]),
        ("en", "She works for Acme Corp in Rotterdam.", [("Acme Corp", "organisation"), ("Rotterdam", "place")]),
        ("en", "The University of Twente teaches it.", [("University of Twente", "organisation")]),
        ("en", "World War II ended it.", [("World War II", "event")]),
        ("en", "The Clean Air Act forbids it.", [("Clean Air Act", "law")]),
        ("en", "It lies in Lawrence, KS, by a lake.", [("Lawrence", "place"), ("KS", "place")]),
        ("en", "Google's office is near London.", [("Google", "organisation"), ("London", "place")]),
        ("en", "Ilse Vos: Good. Anna Berg: Let us go.", [("Ilse Vos", "person"), ("Anna Berg", "person")]),
        ("en", "| Grower | Area |\n| Anna Berg | Rotterdam |", [("Anna Berg", "person"), ("Rotterdam", "place")]),
        ("en", "- Beneficial insects\n- Makes compost", []),
        ("de", "Der Hund von Angela Merkel lebt in Berlin.", [("Angela Merkel", "person"), ("Berlin", "place")]),
        (
            "nl",
            "Gisteren sprak Jan de Boer met de Gemeente Utrecht.",
            [("Jan de Boer", "person"), ("Gemeente Utrecht", "place")],
        ),
        ("en", "The house is old. Whatever happens, it stays.", []),
        ("en", "How To Get There And Back", []),
        ("en", "THIS IS VERY IMPORTANT", []),
    ],
)
def test_names_have_the_type_that_their_words_say(language: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert named(text, language) == expected


def test_a_name_at_the_beginning_of_a_sentence_is_known_from_elsewhere() -> None:
    assert named("Zorvex sells lamps.") == []
    assert named("Zorvex sells lamps.", around="A lamp by Zorvex is expensive.") == [("Zorvex", "other")]
    assert named("Vries came late.", around="They met Anna Vries.") == [("Vries", "person")]


def test_a_relation_joins_two_of_one_sentence_but_no_two_values() -> None:
    text = "Anna Berg paid €20 on 3 March 2026. Peter Jansen came later."
    found = read(text)
    pairs = {
        (text[a.start : a.end], text[b.start : b.end])
        for a, b in ((found.mentions[r.subject], found.mentions[r.object]) for r in found.relations)
    }
    assert pairs == {("Anna Berg", "€20"), ("Anna Berg", "3 March 2026")}
    assert {relation.kind for relation in found.relations} == {"occurs-with"}


def test_a_list_of_names_is_no_network() -> None:
    names = ", ".join(f"Anna Berg{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200))
    assert len(read(f"Present were {names}.").relations) <= 8 * 200


HOSTILE = [
    "A. " * 30_000,
    "Anna " * 20_000,
    "a@" * 50_000,
    "a." * 50_000 + "@",
    "1," * 50_000,
    "€" * 100_000,
    "http://" * 20_000,
    "von der " * 15_000,
    "University of " * 8_000,
    "3 March " * 15_000,
    "'" * 100_000,
    "\u0130" * 50_000,
    "X" * 100_000,
    "You are in relation with everybody. " * 3_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_take_linear_time(text: str) -> None:
    """A square would take minutes; the bound is of CPU, and leaves room for a slow machine."""
    read(text[:1000])
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 20


def test_every_mention_stands_at_its_span_whatever_the_text() -> None:
    dice = random.Random(7)
    parts = [
        "Anna",
        "de",
        "Vries",
        "Dr.",
        " ",
        "\n",
        "€5",
        "3 March",
        "É",
        "\u0130",
        "ﬁ",
        "…",
        "Corp.",
        "'s",
        "-",
        "AS-278",
        "x@y.zz",
        "中文",
        "😀",
        "of",
        "Bank",
    ]
    for _ in range(300):
        text = " ".join(dice.choice(parts) for _ in range(40))
        for each in read(text).mentions:
            assert 0 <= each.start < each.end <= len(text)
            assert text[each.start : each.end].strip()
            assert each.key
