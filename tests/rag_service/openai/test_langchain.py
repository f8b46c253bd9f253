"""LangChain's client of OpenAI's protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from engines import OpenAIEngine
from harness.rag import KEY, Stack

ANSWER = "Three weeks, and ten cents a day after that."


Chat = Callable[[str], ChatOpenAI]


@pytest.fixture
async def connections() -> AsyncIterator[httpx2.AsyncClient]:
    """LangChain never closes connections of its own."""
    async with httpx2.AsyncClient() as made:
        yield made


@pytest.fixture
def chat(scripted: Stack, connections: httpx2.AsyncClient) -> Chat:
    def made(model: str) -> ChatOpenAI:
        url, key = f"{scripted.url}/v1", SecretStr(KEY)
        return ChatOpenAI(base_url=url, api_key=key, model=model, max_retries=0, http_async_client=connections)

    return made


async def test_a_collection_answers(filled: Stack, chat: Chat) -> None:
    model = chat("default")
    assert (await model.ainvoke("How long are books lent?")).content == f"{ANSWER} [1]"
    pieces = [piece async for piece in model.astream("How long are books lent?", stream_usage=True)]
    assert "".join(str(piece.content) for piece in pieces) == ANSWER
    assert any(piece.usage_metadata for piece in pieces)


async def test_a_conversation_with_tools_and_stop_words(chat: Chat, engine: OpenAIEngine) -> None:
    messages = [
        SystemMessage("Be brief."),
        HumanMessage("How long?"),
        AIMessage("", tool_calls=[{"name": "look_up", "args": {"word": "loan"}, "id": "c1"}]),
        ToolMessage("three weeks", tool_call_id="c1"),
    ]
    answer = await chat("switchyard/direct").ainvoke(messages, stop=["ten"])
    assert answer.content == "Three weeks, and "
    roles = [message["role"] for message in engine.requests("/chat/completions")[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


async def test_structured_output(chat: Chat) -> None:
    schema = {
        "title": "Loan",
        "description": "A loan.",
        "type": "object",
        "properties": {"days": {"type": "integer"}},
        "required": ["days"],
    }
    model = chat("switchyard/direct").with_structured_output(schema, method="json_schema")
    assert await model.ainvoke("How long?") == {"days": 1}


async def test_embeddings_as_text_and_never_as_tokens(scripted: Stack, connections: httpx2.AsyncClient) -> None:
    made = OpenAIEmbeddings(
        base_url=f"{scripted.url}/v1",
        api_key=SecretStr(KEY),
        model="switchyard/embeddings",
        check_embedding_ctx_length=False,
        http_async_client=connections,
    )
    rows = await made.aembed_documents(["books", "fines"])
    assert [len(row) for row in rows] == [64, 64]
    assert rows[0] == pytest.approx(await made.aembed_query("books"), abs=1e-6)
