"""Decisions, tasks, owners and due dates in three languages."""

from __future__ import annotations

from time import perf_counter

import pytest

from llm_providers.backends.embedded import cues


@pytest.mark.parametrize(
    "sentence",
    [
        "We decided to buy two pumps.",
        "Then it is agreed.",
        "Let's go with the second offer.",
        "Wij hebben besloten de brug te sluiten.",
        "Der Haushalt wurde beschlossen.",
    ],
)
def test_decisions(sentence: str) -> None:
    assert cues.is_decision(sentence)


@pytest.mark.parametrize("sentence", ["Have we decided to buy it?", "The pumps are blue.", "I am undecided."])
def test_what_is_no_decision(sentence: str) -> None:
    assert not cues.is_decision(sentence)


@pytest.mark.parametrize(
    ("sentence", "said_by", "owner", "due"),
    [
        ("I will send the offer by Friday.", "Anna", "Anna", "Friday"),
        ("Ben, please book the room for tomorrow.", "Anna", "Ben", "tomorrow"),
        ("Clara Vos will order the parts before 3 March.", None, "Clara Vos", "3 March"),
        ("Ik zal de notulen vrijdag sturen.", "Joris", "Joris", "vrijdag"),
        ("Ich werde den Plan bis Montag schicken.", "Jonas", "Jonas", "Montag"),
        ("Petra muss den Vertrag heute lesen.", "Jonas", "Petra", "heute"),
        ("Action: check the valves by 2026-12-01", None, None, "2026-12-01"),
    ],
)
def test_tasks(sentence: str, said_by: str | None, owner: str | None, due: str | None) -> None:
    assert cues.is_action(sentence, said_by)
    assert (cues.owner(sentence, said_by), cues.due(sentence)) == (owner, due)


@pytest.mark.parametrize(
    "sentence", ["It will rain in the north.", "I will.", "Thanks, that was a good talk.", "We should know more."]
)
def test_what_is_no_task(sentence: str) -> None:
    assert not cues.is_action(sentence, "Anna")


def test_speakers() -> None:
    assert cues.speaker("Anna: Hello.") == "Anna"
    assert cues.speaker("[00:12:01] Anna Vries (chair): Good morning.") == "Anna Vries"
    assert cues.without_speaker("Anna: Hello.") == "Hello."
    assert cues.speaker("nothing of the kind") is None


@pytest.mark.parametrize("piece", ["A-", "A'", "Anna ", "Anna (", "end of the ", "oct 1 ", "a", " ", "\0", "we have "])
def test_a_megabyte_takes_linear_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    begun = perf_counter()
    cues.is_action(text, "Anna")
    cues.owner(text, "Anna")
    cues.due(text)
    cues.speaker(text)
    assert perf_counter() - begun < 20
