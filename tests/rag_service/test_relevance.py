"""Whether what was found has to do with the question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag_service.ranking import Passage
from rag_service.relevance import is_relevant

E5 = "multilingual-e5-small"
BASE = Passage(1, "doc", 0, "Harbour", "h.md", "en", 1, 0, 10, "", "The ferry to Aland leaves at nine.", 0.0)


@pytest.mark.parametrize(
    ("question", "language", "cosine", "relevant"),
    [
        ("When does the ferry leave?", "en", 0.80, True),
        ("When does the crossing begin?", "en", 0.80, False),
        ("When does the crossing begin?", "en", 0.83, True),
        ("When does the ferry to Aland leave?", "en", 0.80, True),
        ("When does the ferry to Mars leave?", "en", 0.80, False),
        ("Wann legt das Schiff ab?", "de", 0.79, True),
        ("Wann legt das Schiff ab?", "de", 0.78, False),
        ("ferry?", "", 0.79, True),
        ("Who won the cup?", "en", 0.71, False),
    ],
)
def test_by_cosine_words_and_names(question: str, language: str, cosine: float, *, relevant: bool) -> None:
    far = replace(BASE, text="Dogs travel free of charge.", cosine=0.7)
    assert is_relevant(question, language, [replace(BASE, cosine=cosine), far], E5) is relevant


def test_capitals_of_german_nouns_are_no_names() -> None:
    german = replace(BASE, language="de", text="Die Fähre legt um neun ab.", cosine=0.82)
    assert is_relevant("Wann legt die Fähre mit Passagieren ab?", "de", [german], E5)


def test_a_passage_with_the_code_always_is() -> None:
    far = [replace(BASE, text="Message H-210.00: exchange fuse T5.", cosine=0.5)]
    assert is_relevant("H-210.00", "", far, f"intfloat/{E5}")
    assert not is_relevant("H-210.01", "", far, E5)


def test_by_a_model_without_a_scale_all_are() -> None:
    assert is_relevant("Who won the cup?", "en", [replace(BASE, cosine=0.1)], "another-model")
    assert is_relevant("Who won the cup?", "en", [replace(BASE, cosine=None)], E5), "found by its words"
    assert not is_relevant("Who won the cup?", "en", [], E5)
