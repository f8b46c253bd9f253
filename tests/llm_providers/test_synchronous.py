"""The synchronous names, for code written for the earlier systems."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import ollama as ollama_sdk
import openai
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, SystemMessage

from engines import OllamaEngine, OpenAIEngine
from engines.contract import ask, collect, soon
from llm_providers import OllamaProvider, Providers, ProviderSettings, VLLMProvider, get_provider
from llm_providers.errors import Unavailable
from llm_providers.langchain import ProviderChatModel
from llm_providers.portal import Portal
from llm_providers.settings import OllamaSettings, ResilienceSettings, SelectionSettings
from llm_providers.testing import FakeLLM
from llm_providers.types import Role


async def test_invoke_works_inside_a_running_loop(providers: Providers) -> None:
    assert providers.invoke("hello there") == "You said: hello there"
    assert providers.invoke("and again") == "You said: and again"
    await collect(providers.text.chat(ask(), soon()))


@pytest.fixture
def outside(ollama_engine: OllamaEngine) -> Iterator[Providers]:
    """Providers in a thread without an event loop."""
    settings = ProviderSettings(
        selection=SelectionSettings(llm_provider="ollama"),
        ollama=OllamaSettings(url=ollama_engine.url),
        resilience=ResilienceSettings(retry_attempts=1),
    )
    providers = get_provider(settings)
    yield providers
    asyncio.run(providers.aclose())


def test_invoke_works_without_a_loop(outside: Providers) -> None:
    assert outside.invoke("hello there") == "You said: hello there"


def test_synchronous_calls_share_one_loop_and_its_connections(outside: Providers, ollama_engine: OllamaEngine) -> None:
    for _ in range(3):
        outside.invoke("hello there")
    # The first answer shows whether the server keeps connections.
    assert len({seen.peer for seen in ollama_engine.requests("/api/chat")[1:]}) == 1


async def test_synchronous_calls_follow_the_policy(settings: ProviderSettings, tmp_path: Path) -> None:
    async with get_provider(settings, policy_file=tmp_path / "policy.json") as providers:
        await asyncio.to_thread(providers.invoke, "hello")
        await providers.change(
            1, lambda policy: policy.with_role(Role.TEXT, stable="ollama", fallbacks=()), "ada", "try"
        )

        async def stable(other: Providers) -> str:
            return other.status()[Role.TEXT].active.backend

        async with asyncio.timeout(5):
            while await asyncio.to_thread(providers._portal.call, stable) != "ollama":
                await asyncio.sleep(0.05)


def test_invoke_raises_what_chat_raises(outside: Providers, ollama_engine: OllamaEngine) -> None:
    ollama_engine.stop()
    with pytest.raises(Unavailable):
        outside.invoke("hello")


def test_a_portal_closes_what_it_opened_and_opens_again() -> None:
    made: list[FakeLLM] = []

    async def open_() -> FakeLLM:
        made.append(FakeLLM())
        return made[-1]

    async def name(fake: FakeLLM) -> str:
        return fake.name

    portal = Portal(open_)
    assert [portal.call(name), portal.call(name)] == ["fake", "fake"]
    portal.close()
    portal.close()
    assert [fake.closed for fake in made] == [True]
    portal.call(name)
    portal.close()
    assert len(made) == 2


async def test_the_direct_client_is_the_sdks_own(
    vllm: VLLMProvider, ollama: OllamaProvider, providers: Providers
) -> None:
    client = vllm.get_direct_client()
    assert isinstance(client, openai.AsyncOpenAI)
    listed = await client.models.list()
    assert "llama3.2" in [model.id for model in listed.data]
    direct = ollama.get_direct_client()
    assert isinstance(direct, ollama_sdk.AsyncClient)
    assert "llama3.2" in [model.model for model in (await direct.list()).models]
    assert isinstance(providers.get_direct_client(), openai.AsyncOpenAI)


async def test_langchain_objects_reach_the_engine(providers: Providers, openai_engine: OpenAIEngine) -> None:
    llm, embeddings = providers.initialize_llm(), providers.initialize_embeddings()
    assert isinstance(llm, BaseChatModel)
    assert isinstance(embeddings, Embeddings)
    assert llm.invoke("hello there").text == "You said: hello there"
    assert len(embeddings.embed_documents(["one", "two"])) == 2
    assert len(embeddings.embed_query("one")) == 64
    sent = openai_engine.requests("/embeddings")
    assert sent[0].body["input"] == ["search_document: one", "search_document: two"]
    assert sent[1].body["input"] == ["search_query: one"]
    await asyncio.gather(*[collect(providers.text.chat(ask(), soon())) for _ in range(2)])


async def no_portal() -> FakeLLM:
    raise AssertionError("asynchronous calls need no portal")


async def test_langchain_streams_and_keeps_roles_usage_and_stop() -> None:
    fake = FakeLLM()
    llm = ProviderChatModel(chat=fake, portal=Portal(no_portal))
    messages = [SystemMessage("Be brief."), HumanMessage("one two"), AIMessage("three"), HumanMessage("four")]
    chunks = [chunk async for chunk in llm.astream(messages, stop=["END"])]
    assert "".join(str(chunk.text) for chunk in chunks) == "You said: four"
    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 3
    assert [message.role for message in fake.requests[0].messages] == ["system", "user", "assistant", "user"]
    assert fake.requests[0].stop == ("END",)
    whole = await llm.ainvoke("five")
    assert whole.text == "You said: five"
    assert whole.response_metadata["finish_reason"] == "stop"


async def test_a_message_without_counterpart_is_refused() -> None:
    llm = ProviderChatModel(chat=FakeLLM(), portal=Portal(no_portal))
    with pytest.raises(ValueError, match="function"):
        await llm.ainvoke([FunctionMessage(content="x", name="f")])
