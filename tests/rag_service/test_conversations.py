"""Conversations as a page keeps them: titles, search, whole answers, asking anew, ratings, and answers that go on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.rag import ScriptedProcessor, Stack, running
from service_kit.keys import KeyStore, Scope

PUMPS = "# Pumps\n\nPump 7 was repaired on Tuesday. Pump 9 stands still since Friday."


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with running(tmp_path, ScriptedProcessor()) as stack:
        await stack.add(PUMPS, "Pumps")
        yield stack


async def turns(stack: Stack, conversation: str) -> list[dict[str, Any]]:
    return list((await stack.http.get(f"/v1/conversations/{conversation}")).json()["turns"])


async def listed(http: httpx2.AsyncClient, words: str = "") -> list[str]:
    found = (await http.get("/v1/conversations", params={"words": words})).json()["items"]
    return [conversation["title"] for conversation in found]


async def test_a_conversation_has_a_title_and_is_found_by_its_words(stack: Stack) -> None:
    first = (await stack.query("When was pump 7  repaired?", remember=True))["conversation_id"]
    await stack.query("Since when does pump 9 stand still?", remember=True)
    assert await listed(stack.http) == ["Since when does pump 9 stand still?", "When was pump 7 repaired?"]
    assert await listed(stack.http, "friday") == ["Since when does pump 9 stand still?"]
    assert await listed(stack.http, "100%_") == []
    renamed = await stack.http.patch(f"/v1/conversations/{first}", json={"title": "Repairs"})
    assert renamed.status_code == 204
    assert await listed(stack.http, "repairs") == ["Repairs"]
    other = KeyStore(stack.data_dir / "auth").create("anna", Scope.USER)
    headers = {"Authorization": f"Bearer {other}"}
    refused = await stack.http.patch(f"/v1/conversations/{first}", json={"title": "Mine"}, headers=headers)
    assert refused.status_code == 404


async def test_a_turn_holds_the_whole_answer(stack: Stack) -> None:
    answer = await stack.query("When was pump 7 repaired?", remember=True)
    asked, answered = await turns(stack, answer["conversation_id"])
    assert (asked["answer"], answered["content"]) == (None, answer["text"])
    answer["conversation_id"] = answered["answer"]["conversation_id"]
    assert answered["answer"] == answer


async def test_a_question_is_asked_anew_in_its_place(stack: Stack) -> None:
    first = await stack.query("When was pump 7 repaired?", remember=True)
    conversation = first["conversation_id"]
    await stack.query("And pump 9?", conversation_id=conversation)
    before = await turns(stack, conversation)
    assert len(before) == 4
    again = await stack.query(
        "Since when does pump 9 stand still?", conversation_id=conversation, replaces=before[0]["id"]
    )
    after = await turns(stack, conversation)
    assert [turn["content"] for turn in after] == ["Since when does pump 9 stand still?", again["text"]]
    assert "Friday" in again["text"]


async def test_answers_are_rated_and_the_ratings_exported(stack: Stack) -> None:
    conversation = (await stack.query("When was pump 7 repaired?", remember=True))["conversation_id"]
    asked, answered = await turns(stack, conversation)
    path = f"/v1/conversations/{conversation}/turns"
    given = {"rating": "bad", "reason": "It was Monday."}
    assert (await stack.http.put(f"{path}/{answered['id']}/rating", json=given)).status_code == 204
    assert (await stack.http.put(f"{path}/{asked['id']}/rating", json=given)).status_code == 404
    (row,) = (await stack.http.get("/v1/ratings")).json()["items"]
    assert (row["question"], row["rating"], row["reason"]) == ("When was pump 7 repaired?", "bad", "It was Monday.")
    assert (row["answer"], row["collection"]) == (answered["content"], "default")
    await stack.http.put(f"{path}/{answered['id']}/rating", json={"rating": None})
    assert (await stack.http.get("/v1/ratings")).json()["items"] == []
    anna = KeyStore(stack.data_dir / "auth").create("anna", Scope.USER)
    assert (await stack.http.get("/v1/ratings", headers={"Authorization": f"Bearer {anna}"})).status_code == 403


async def test_an_answer_goes_on_when_its_reader_goes_away(stack: Stack) -> None:
    body = {"question": "When was pump 7 repaired?", "remember": True, "detached": True}
    headers = {"Accept": "text/event-stream"}
    async with stack.http.stream("POST", "/v1/query", json=body, headers=headers) as stream:
        conversation = stream.headers["X-Conversation-Id"]
    events = []
    async with stack.http.stream("GET", f"/v1/conversations/{conversation}/answer") as stream:
        assert stream.status_code == 200
        events = [line async for line in stream.aiter_lines()]
    names = [line[7:] for line in events if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("sources", "done")
    done = json.loads([line for line in events if line.startswith("data: ")][-1][6:])
    assert [turn["content"] for turn in await turns(stack, conversation)] == [body["question"], done["text"]]
    none = await stack.http.get("/v1/conversations/conv_none/answer")
    assert none.status_code == 404


async def test_a_failed_document_says_why_and_can_be_read_again(stack: Stack) -> None:
    stack.processor.refuse = {
        "status": 422,
        "type": "urn:switchyard:problem:unreadable-document",
        "detail": "cut short",
    }
    job = await stack.add("Something else.", "Broken")
    assert job["status"] == "failed"
    (failed,) = (await stack.http.get("/v1/documents", params={"named": "brok"})).json()["items"]
    assert (failed["status"], failed["error"]["detail"]) == ("failed", "cut short")
    stack.processor.refuse = None
    again = await stack.http.post(f"/v1/documents/{failed['id']}/retry")
    assert again.status_code == 202
    assert (await stack.ended(again.json()["job_id"]))["status"] == "ready"
    document = (await stack.http.get(f"/v1/documents/{failed['id']}")).json()
    assert (document["status"], document["error"], document["title"]) == ("ready", None, "Broken")
    assert (await stack.http.get("/v1/documents", params={"named": "nothing"})).json()["items"] == []
