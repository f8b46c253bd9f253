"""Questions: streamed, remembered, abstained from, degraded."""

from __future__ import annotations

from typing import Any

import pytest

from llm_providers.errors import StreamBroken, Unavailable
from service_kit.state import service_state

HARBOUR = """# Harbour rules

Visitors moor at the north pontoon and pay twelve euros a night.

The harbour master is called on channel nine, day and night.

## Winter

From November to March the fresh water is switched off on all pontoons.
"""


async def test_a_stream_is_sources_then_tokens_then_one_done(stack: Any) -> None:
    await stack.add(HARBOUR, "Harbour")
    found = await stack.events("What do visitors pay a night?")
    names = [name for name, _ in found]
    assert names[0] == "sources"
    assert names[-1] == "done"
    assert set(names[1:-1]) == {"token", "sentence"}
    assert all(data["supported"] for name, data in found if name == "sentence")
    done = found[-1][1]
    said = "".join(data["text"] for name, data in found if name == "token")
    assert (said, len(said)) == (done["text"], done["streamed"])
    assert done["citations"][0]["quote"].startswith("Visitors moor")
    assert done["provider"] == "embedded"
    assert done["extractive"] is True
    assert done["degraded"] == []
    assert {"retrieval", "first_token", "generation", "total"} <= done["seconds"].keys()


async def test_what_is_not_there_is_not_invented(stack: Any) -> None:
    await stack.add(HARBOUR, "Harbour")
    answer = await stack.query("Who won the chess championship in Reykjavik?")
    assert answer["answered"] is False
    assert answer["citations"] == []
    assert "not found" in answer["text"]
    empty = await stack.http.post("/v1/collections", json={"name": "empty"})
    assert empty.status_code == 201
    assert (await stack.query("Anything?", collection="empty"))["answered"] is False


async def test_a_conversation_is_remembered_and_belongs_to_its_key(stack: Any) -> None:
    await stack.add(HARBOUR, "Harbour")
    first = await stack.query("What do visitors pay a night?", remember=True)
    conversation = first["conversation_id"]
    await stack.query("And where do they moor?", conversation_id=conversation)
    detail = (await stack.http.get(f"/v1/conversations/{conversation}")).json()
    assert [turn["role"] for turn in detail["turns"]] == ["user", "assistant", "user", "assistant"]
    assert detail["turns"][1]["citations"] == first["citations"]
    other = service_state(stack.app).keys.create("other", "user")
    seen = await stack.http.get(f"/v1/conversations/{conversation}", headers={"Authorization": f"Bearer {other}"})
    assert seen.status_code == 404
    assert (await stack.http.delete(f"/v1/conversations/{conversation}")).status_code == 204
    assert (await stack.http.get(f"/v1/conversations/{conversation}")).status_code == 404


async def test_search_finds_by_word_and_by_meaning(stack: Any) -> None:
    await stack.add(HARBOUR, "Harbour")
    await stack.add("The bakery sells rye bread on Saturdays.", "Bakery")
    found = (await stack.http.post("/v1/search", json={"question": "price of an overnight berth"})).json()
    assert found["items"][0]["title"] == "Harbour"
    assert found["items"][0]["cosine"] > 0.2
    assert found["degraded"] == []


async def test_without_embeddings_the_keywords_answer_and_say_so(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await stack.add(HARBOUR, "Harbour")

    async def away(*_: Any) -> Any:
        raise Unavailable("the embedding server is down")

    monkeypatch.setattr(stack.app.state.rag.index_build.indexes.fallback, "embed", away)
    answer = await stack.query("On which channel is the harbour master called?")
    assert answer["degraded"] == ["embeddings"]
    assert answer["answered"] is True


async def test_an_index_that_lost_its_vectors_says_so_until_it_is_made_anew(stack: Any) -> None:
    """As after the loss of Chroma's volume: the server is there, and empty."""
    await stack.add(HARBOUR, "Harbour")
    rag = stack.app.state.rag
    index = await rag.index_build.indexes.active("default")
    await rag.documents._vectors.drop(index.name)
    answer = await stack.query("On which channel is the harbour master called?")
    assert answer["answered"] is True
    assert answer["degraded"] == ["embeddings"]
    assert "reindex" in answer["warnings"][0]
    started = await stack.http.post("/v1/reindex", json={"collection": "default"})
    assert started.status_code == 202, started.text
    await stack.ended(started.json()["job_ids"][0])
    assert (await stack.query("On which channel is the harbour master called?"))["degraded"] == []


@pytest.mark.parametrize(("after", "terminal"), [(0, None), (3, "error")])
async def test_a_model_that_breaks_is_a_status_before_the_first_token_and_an_event_after_it(
    stack: Any, monkeypatch: pytest.MonkeyPatch, after: int, terminal: str | None
) -> None:
    await stack.add(HARBOUR, "Harbour")
    chat = stack.app.state.rag.questions.chat
    whole = chat.chat

    async def breaking(request: Any, deadline: Any) -> Any:
        seen = 0
        async for event in whole(request, deadline):
            if seen >= after:
                raise StreamBroken("cut", backend="embedded")
            seen += 1
            yield event

    monkeypatch.setattr(chat, "chat", breaking)
    body = {"question": "What do visitors pay a night?"}
    if terminal is None:
        answer = await stack.http.post("/v1/query", json=body, headers={"Accept": "text/event-stream"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        found = await stack.events(body["question"])
        assert [name for name, _ in found if name in ("done", "error", "cancelled")] == [terminal]
        assert found[-1][1]["status"] == 503
