"""Evidence for a question: the names it is about, what joins them, in which order, and who may see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from graph_service.evidence import EvidenceSearch
from graph_service.tables import Chunk, Document, Entity, Graph, Name, Relation, Sentence
from service_kit.auth import ANONYMOUS
from service_kit.database import Database

YARD = "The Corvane Shipyard launched the ferry in 2019 under Marta Ellingham. Marta Ellingham left in May."
SCHOOL = (
    "Before that Marta Ellingham had taught at the Tolland Academy for six years.\n\n"
    "The Tolland Academy has a pool. The Tolland Academy is closed on Sunday."
)
ROPES = "The Corvane Shipyard buys its ropes from Hask Brothers. Hask Brothers pay in Norway."


async def evidence(stack: Any, question: str, **given: Any) -> Any:
    answer = await stack.http.post("/v1/evidence", json={"question": question, **given})
    assert answer.status_code == 200, answer.text
    return answer.json()


def quotes(found: Any) -> list[str]:
    return [each["evidence"]["quote"] for each in found["connections"]]


@pytest.fixture
async def built(stack: Any, rag: Any) -> Any:
    for title, text in {"Yard": YARD, "School": SCHOOL, "Ropes": ROPES}.items():
        rag.add(title, text)
    await stack.build()
    return stack


async def test_what_joins_two_names_of_a_question_comes_first(built: Any, rag: Any) -> None:
    found = await evidence(built, "What has the Corvane Shipyard to do with the Tolland Academy?")
    assert {each["name"] for each in found["entities"]} == {"Corvane Shipyard", "Tolland Academy"}
    first = found["connections"][:2]
    assert {each["evidence"]["document"] for each in first} == {"Yard", "School"}
    for each in first:
        place = each["evidence"]
        assert "Marta Ellingham" in place["quote"]
        assert "Marta Ellingham" in [entity["name"] for entity in each["entities"]]
        page = rag.documents[place["document_id"]]["text"].split("\f")[place["page"] - 1]
        assert page[place["start"] : place["end"]] == place["quote"]
    scores = [each["score"] for each in found["connections"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


async def test_a_sentence_with_two_names_of_the_question_is_before_all_others(built: Any) -> None:
    found = await evidence(built, "When did Marta Ellingham launch something at the Corvane Shipyard?")
    assert found["connections"][0]["steps"] == 0
    assert found["connections"][0]["evidence"]["quote"].startswith("The Corvane Shipyard launched")


async def test_what_is_said_two_steps_away_is_found_by_the_questions_words(built: Any) -> None:
    found = await evidence(built, "Who launched at the Corvane Shipyard, and taught for how many years?")
    assert [each["name"] for each in found["entities"]] == ["Corvane Shipyard"]
    steps = {each["evidence"]["quote"]: each["steps"] for each in found["connections"]}
    assert steps == {
        "The Corvane Shipyard launched the ferry in 2019 under Marta Ellingham.": 1,
        "Before that Marta Ellingham had taught at the Tolland Academy for six years.": 2,
        "The Corvane Shipyard buys its ropes from Hask Brothers.": 1,
    }


async def test_names_are_found_as_people_write_them(built: Any, rag: Any) -> None:
    async def names(question: str) -> set[str]:
        return {each["name"] for each in (await evidence(built, question))["entities"]}

    assert await names("who is marta ellingham?") == {"Marta Ellingham"}
    assert await names("Is DR. MARTA ELLINGHAM’s ferry from the Corvane  Shipyard?") == {
        "Marta Ellingham",
        "Corvane Shipyard",
    }
    assert await names("What happened in 2019?") == {"2019"}
    assert await names("Who is it?") == set()
    rag.add("Will", "The owner is Will Tanner. Ask Will about it in the US today, and Norway, not us.")
    await built.build()
    assert await names("What will they tell us about it?") == set()
    assert "Norway" in await names("what is in norway")
    assert "Norway" not in await names("What does Marta see in norway?")


async def test_at_most_so_many_sentences(built: Any) -> None:
    question = "What has the Corvane Shipyard to do with the Tolland Academy?"
    assert len((await evidence(built, question, limit=1))["connections"]) == 1
    refused = await built.http.post("/v1/evidence", json={"question": question, "limit": 1000})
    assert refused.status_code == 422


async def test_a_deleted_document_is_no_evidence(built: Any, rag: Any) -> None:
    question = "What has the Corvane Shipyard to do with the Tolland Academy?"
    before = await evidence(built, question)
    gone = next(each["evidence"] for each in before["connections"] if each["evidence"]["document"] == "School")
    del rag.documents[gone["document_id"]]
    await built.build()
    after = await evidence(built, question)
    assert [each["name"] for each in after["entities"]] == ["Corvane Shipyard"]
    assert not any("Tolland" in quote for quote in quotes(after))


async def test_a_key_gets_evidence_of_its_collections_only(built: Any, rag: Any) -> None:
    rag.add("Secret", "Marta Ellingham met Otto Branveldt.", "closed")
    await built.build("closed")
    head = built.key("default")
    asked = {"question": "Whom did Marta Ellingham meet?"}
    refused = await built.http.post("/v1/evidence", json={**asked, "collection": "closed"}, headers=head)
    assert refused.status_code == 403
    shown = await built.http.post("/v1/evidence", json=asked, headers=head)
    assert shown.status_code == 200
    assert "Branveldt" not in shown.text
    assert (await built.http.post("/v1/evidence", json={**asked, "collection": "nothing"})).status_code == 404


@pytest.mark.parametrize(
    "question", ["Ω" * 8000, "A " * 4000, "'); drop table names; --", "%_\\", "http://a.example/\x00b", "\u202ea😀"]
)
async def test_any_question_is_answered(built: Any, question: str) -> None:
    assert (await evidence(built, question))["entities"] == []


async def test_the_work_does_not_grow_with_the_relations_of_an_entity(tmp_path: Path) -> None:
    """Ten times as many relations of an entity do not make the service fetch more rows."""
    rows = [await _fetched(tmp_path / str(relations), relations) for relations in (2_000, 20_000)]
    assert rows[1] == rows[0]


async def _fetched(folder: Path, relations: int) -> int:
    database = Database.beside(folder, "graph", None)
    one = {"collection": "made", "type": "person"}
    text = "Hub Person met somebody."
    span = {"document_id": "doc", "page": 1, "start": 0, "end": len(text)}
    numbers = range(2, relations + 2)
    try:
        await database.migrate("graph_service")
        async with database.writing() as session:
            await session.execute(insert(Graph), [{"collection": "made", "job_id": "job", "revision": 1}])
            document = {"id": "doc", "collection": "made", "title": "t", "language": "en", "content": "c"}
            await session.execute(insert(Document), [document])
            await session.execute(insert(Chunk), [{"id": 1, "done": True, **span}])
            people = [{"id": 1, "name": "Hub Person", **one}, *({"id": n, "name": f"P {n}", **one} for n in numbers)]
            await session.execute(insert(Entity), people)
            keys = [{"id": n, "entity_id": n, "text": "P", "key": f"p {n}", **one} for n in numbers]
            hub = {"id": 1, "entity_id": 1, "text": "Hub Person", "key": "hub person", **one}
            await session.execute(insert(Name), [hub, *keys])
            await session.execute(insert(Sentence), [{"id": n, "chunk_id": 1, "text": text, **span} for n in numbers])
            ends = [{"sentence_id": n, "subject_id": 1, "object_id": n, "kind": "occurs-with"} for n in numbers]
            await session.execute(insert(Relation), ends)
        fetched = 0

        def count(*_: Any) -> None:
            nonlocal fetched
            fetched += 1

        event.listen(Entity, "load", count)
        try:
            found = await EvidenceSearch(database, ("person",)).find("made", "Whom has Hub Person met?", 20, ANONYMOUS)
        finally:
            event.remove(Entity, "load", count)
        assert len(found.connections) == 20
        return fetched
    finally:
        await database.aclose()
