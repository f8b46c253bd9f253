"""Other wordings of a question: asked for where the search is unsure, in the documents' language, and never needed."""

from __future__ import annotations

import pytest

from engines import OpenAIEngine
from engines.faults import Fault
from harness.rag import Stack
from rag_service.comparison import sides
from rag_service.ranking import Passage, interleaved, merged
from rag_service.rewriting import documents_language

TWINS = [f"# Report {number}\n\nThe pump of hall {number} was inspected in spring." for number in range(4)]


def asked_for_wordings(engine: OpenAIEngine) -> list[str]:
    """The system prompts of requests for other wordings."""
    prompts = [str(seen.body["messages"][0]["content"]) for seen in engine.requests("/chat/completions")]
    return [prompt for prompt in prompts if "other ways" in prompt]


def wordings_then_answer(prompt: str) -> str:
    if "other ways" in prompt:
        return "1. Which hall has a centrifugal machine?\n- Where is the machine?\n\nWhere is the machine?"
    return "The pump of hall 1 was inspected in spring [1]."


def passage(number: int, score: float, language: str = "en") -> Passage:
    return Passage(number, f"d{number}", 0, "Title", "f.txt", language, 1, 0, 4, "", f"text {number}", score)


async def test_an_unsure_search_is_repeated_in_other_words(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.answer = wordings_then_answer
    for number, text in enumerate(TWINS):
        await scripted.add(text, f"Report {number}")
    answer = await scripted.query("Which pump was inspected in spring?")
    assert answer["answered"] is True
    assert len(asked_for_wordings(engine)) == 1
    assert answer["seconds"]["wordings"] >= 0
    # The question and its wordings, each once, are embedded in one request.
    batches = [seen.body["input"] for seen in engine.requests("/embeddings")]
    together = [batch for batch in batches if any("centrifugal" in text for text in batch)]
    assert len(together) == 1
    assert sum("Where is the machine?" in text for text in together[0]) == 1


async def test_a_sure_search_costs_no_second_call(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.answer = lambda _: "Books are lent for three weeks [1]."
    await scripted.add("# Library\n\nBooks are lent for three weeks.", "Library")
    assert (await scripted.query("How long are books lent?"))["answered"] is True
    assert asked_for_wordings(engine) == []


async def test_without_wordings_the_question_is_searched_as_it_is(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.answer = wordings_then_answer
    for number, text in enumerate(TWINS):
        await scripted.add(text, f"Report {number}")
    engine.script(Fault.refused(400, "no"), path="/chat/completions")
    answer = await scripted.query("Which pump was inspected in spring?")
    assert answer["answered"] is True
    assert answer["text"].startswith("The pump of hall 1")


async def test_a_question_in_another_language_is_worded_in_the_documents(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.answer = lambda _: "Books are lent for three weeks [1]."
    await scripted.add("# Library\n\nBooks from the library are lent for three weeks at most.", "Library")
    await scripted.query("Hoe lang mogen boeken van de bibliotheek worden uitgeleend?")
    (prompt,) = asked_for_wordings(engine)
    assert prompt.endswith("Write them in this language: English.")


def test_the_language_is_named_where_it_differs_and_both_are_known() -> None:
    dutch = "Hoe lang mogen boeken van de bibliotheek worden uitgeleend?"
    assert documents_language(dutch, [passage(1, 1.0)]) == "en"
    assert documents_language(dutch, [passage(1, 1.0, "nl")]) == ""
    assert documents_language(dutch, [passage(1, 1.0, "")]) == ""
    assert documents_language("?", [passage(1, 1.0)]) == ""


def test_another_wording_can_lift_a_passage_but_not_above_the_questions_own_first() -> None:
    own = [passage(1, 1.0), passage(2, 0.5), passage(3, 0.1)]
    found = merged(own, [[passage(3, 1.0), passage(2, 0.2)]])
    assert [each.chunk_id for each in found] == [1, 3, 2]
    assert found[2].score == 0.5


@pytest.mark.parametrize(
    ("question", "compared"),
    [
        ("Compare the North House and the Long House.", ("the North House", "the Long House")),
        ("What is the difference between E17 and E23?", ("E17", "E23")),
        ("Wat is het verschil tussen basilicum en tijm?", ("basilicum", "tijm")),
        ("Was ist der Unterschied zwischen Basilikum und Thymian?", ("Basilikum", "Thymian")),
        ("Compare", ()),
        ("What is a comparator?", ()),
        ("compare " * 3000, ()),
    ],
)
def test_a_comparison_has_two_sides(question: str, compared: tuple[str, ...]) -> None:
    assert sides(question) == compared


def test_rankings_take_turns_and_each_passage_comes_once() -> None:
    first, second = [passage(1, 0.9), passage(2, 0.8)], [passage(3, 0.9), passage(1, 0.8)]
    assert [each.chunk_id for each in interleaved([first, second], 3)] == [1, 3, 2]


async def test_both_sides_of_a_comparison_are_found(stack: Stack) -> None:
    for number in range(8):
        await stack.add(
            f"# Basil {number}\n\nBasil of bed {number} is watered before noon and harvested in July.",
            f"Basil {number}",
        )
    await stack.add("# Thyme\n\nThyme is kept dry.", "Thyme")
    found = await stack.http.post("/v1/search", json={"question": "Compare basil and thyme", "limit": 3})
    assert found.status_code == 200
    answer = await stack.query("Compare basil and thyme", top_k=3)
    titles = {citation["title"] for citation in answer["citations"]}
    assert "Thyme" in titles, answer["text"]
