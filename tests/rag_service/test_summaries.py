"""Summaries: a document that a question names is read whole, in parts, with progress; other questions are not."""

from __future__ import annotations

import pytest

from engines import OpenAIEngine
from engines.faults import Fault
from harness.rag import Stack

PAGES = "\f".join(
    f"Page {number}. " + f"Section {number} says that tank {number} holds water. " * 150 for number in range(1, 41)
)
RULES = """# Harbour rules

Visitors moor at the north pontoon and pay twelve euros a night.

| Pontoon | Places |
| --- | --- |
| North | 40 |

The harbour master is called on channel nine, day and night.
"""


def messages_to(engine: OpenAIEngine) -> list[list[dict[str, str]]]:
    """The messages of every request but the probes, which have no system prompt."""
    asked = [seen.body["messages"] for seen in engine.requests("/chat/completions")]
    return [messages for messages in asked if messages[0]["role"] == "system"]


def answer_of(prompt: str) -> str:
    """Note something of the pages; sum up notes by one sentence that stands in the document."""
    return "Section 3 says that tank 3 holds water [3]."


async def test_the_embedded_engine_quotes_sentences_and_no_table(stack: Stack) -> None:
    await stack.add(RULES, "Harbour rules")
    answer = await stack.query("Please summarise the harbour rules.")
    assert answer["answered"] is True
    assert {sentence["supported"] for sentence in answer["sentences"]} == {True}
    assert "twelve euros" in answer["text"]
    assert "|" not in answer["text"]


async def test_a_document_in_one_part_is_read_at_once(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.answer = lambda _: "Visitors pay twelve euros a night."
    await scripted.add(RULES, "Harbour rules")
    answer = await scripted.query("Give me a short summary of the harbour rules")
    assert answer["text"] == "Visitors pay twelve euros a night. [1]"
    assert len(messages_to(engine)) == 1


async def test_a_long_document_is_read_in_parts_and_the_notes_are_summed_up(
    scripted: Stack, engine: OpenAIEngine
) -> None:
    engine.answer = answer_of
    await scripted.add(PAGES, "Tanks")
    found = await scripted.events("Summarise the tanks document")
    progress = [data for name, data in found if name == "progress"]
    total = progress[0]["total"]
    assert total > 3
    assert [each["done"] for each in progress] == list(range(total + 1))
    asked = messages_to(engine)
    prompts = [messages[0]["content"] for messages in asked]
    assert len(prompts) == total + 1
    assert len(set(prompts)) == 2
    # Every page is in exactly one part, under its number.
    for number in range(1, 41):
        assert sum(f"Page {number}." in messages[1]["content"] for messages in asked[:total]) == 1
    done = found[-1][1]
    assert done["text"] == "Section 3 says that tank 3 holds water [3]."
    assert done["citations"][0]["page"] == 3
    assert done["warnings"] == []


async def test_what_is_too_much_is_said(scripted: Stack, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_service.summaries._MOST_PARTS", 2)
    engine.answer = answer_of
    await scripted.add(PAGES, "Tanks")
    answer = await scripted.query("Summarise the tanks document")
    assert len(messages_to(engine)) == 3
    (warning,) = answer["warnings"]
    assert warning.startswith("only the first")
    assert "of 40 stretches" in warning


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("Summarise this document", True),
        ("Geef een samenvatting van dit document", True),
        ("Fasse dieses Dokument zusammen", True),
        ("Summarise what was decided about pontoons in winter", False),
        ("What do visitors pay a night?", False),
    ],
)
async def test_only_a_named_document_is_read_whole(stack: Stack, question: str, whole: bool) -> None:
    await stack.add(RULES, "Harbour rules")
    answer = await stack.query(question)
    assert ("retrieval" not in answer["seconds"]) is whole


async def test_parts_that_come_too_late_are_left_out_and_counted(
    scripted: Stack, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_service.summaries._MAPPING_SHARE", 0.05)
    engine.answer = answer_of
    await scripted.add(PAGES, "Tanks")
    engine.script(Fault.hang(), path="/chat/completions")
    found = await scripted.events("Summarise the tanks document")
    total = next(data["total"] for name, data in found if name == "progress")
    assert found[-1][1]["answered"] is True
    assert f"1 of {total} parts could not be read in time" in found[-1][1]["warnings"]
