"""The names that code written for the earlier systems calls."""

from __future__ import annotations

import asyncio

import ollama as ollama_sdk
import openai
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, SystemMessage

from engines import OllamaEngine, OpenAIEngine
from engines.contract import ask, collect, soon
from llm_providers import OllamaProvider, Providers, VLLMProvider
from llm_providers.errors import Unavailable
from llm_providers.testing import FakeEmbeddings, FakeLLM


@pytest.fixture(params=["vllm", "ollama", "providers", "fake"])
async def provider(
    request: pytest.FixtureRequest, vllm: VLLMProvider, ollama: OllamaProvider, providers: Providers
) -> VLLMProvider | OllamaProvider | Providers | FakeLLM:
    known = {"vllm": vllm, "ollama": ollama, "providers": providers, "fake": FakeLLM()}
    return known[request.param]  # type: ignore[return-value]


async def test_invoke_works_inside_a_running_loop(provider: VLLMProvider) -> None:
    assert provider.invoke("hello there") == "You said: hello there"
    assert provider.invoke("and again") == "You said: and again"
    await collect(provider.chat(ask(), soon()))


def test_invoke_works_without_a_loop(openai_engine: OpenAIEngine) -> None:
    provider = VLLMProvider(openai_engine.api, "llama3.2")
    assert provider.invoke("hello there") == "You said: hello there"


def test_invoke_raises_what_chat_raises(openai_engine: OpenAIEngine) -> None:
    provider = VLLMProvider(openai_engine.api, "llama3.2")
    openai_engine.stop()
    with pytest.raises(Unavailable):
        provider.invoke("hello")


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


def test_they_reach_vllm(openai_engine: OpenAIEngine) -> None:
    provider = VLLMProvider(
        openai_engine.api, "llama3.2", embed_url=openai_engine.api, embed_model="nomic-embed-text", api_key="k"
    )
    llm, embeddings = provider.initialize_llm(), provider.initialize_embeddings()
    assert llm.invoke("hello there").text == "You said: hello there"
    assert len(embeddings.embed_documents(["one", "two"])) == 2
    assert len(embeddings.embed_query("one")) == 64
    sent = openai_engine.requests("/embeddings")
    assert sent[0].body["input"] == ["search_document: one", "search_document: two"]
    assert sent[1].body["input"] == ["search_query: one"]
    assert openai_engine.requests("/chat/completions")[0].headers["Authorization"] == "Bearer k"


def test_they_reach_ollama(ollama_engine: OllamaEngine) -> None:
    provider = OllamaProvider(ollama_engine.url, "llama3.2", embed_model="nomic-embed-text", keep_alive="1h")
    llm, embeddings = provider.initialize_llm(), provider.initialize_embeddings()
    assert llm.invoke("hello there").text == "You said: hello there"
    assert len(embeddings.embed_documents(["one", "two"])) == 2
    assert len(embeddings.embed_query("one")) == 64
    asked = ollama_engine.requests("/api/chat")[0].body
    assert (asked["options"]["num_ctx"], asked["keep_alive"]) == (4096, "1h")
    sent = ollama_engine.requests("/api/embed")
    assert sent[0].body["input"] == ["search_document: one", "search_document: two"]
    assert sent[1].body["input"] == ["search_query: one"]
    assert sent[0].body["keep_alive"] == "1h"


async def test_asynchronous_calls_carry_the_prefix_too(vllm: VLLMProvider, openai_engine: OpenAIEngine) -> None:
    embeddings = vllm.initialize_embeddings()
    await embeddings.aembed_query("one")
    await embeddings.aembed_documents(["two"])
    sent = [seen.body["input"] for seen in openai_engine.requests("/embeddings")]
    assert sent == [["search_query: one"], ["search_document: two"]]


def test_the_adapters_are_langchain_objects_over_any_provider() -> None:
    llm, embeddings = FakeLLM().initialize_llm(), FakeEmbeddings().initialize_embeddings()
    assert isinstance(llm, BaseChatModel)
    assert isinstance(embeddings, Embeddings)
    assert llm.invoke("hello there").text == "You said: hello there"
    assert len(embeddings.embed_documents(["a", "b"])) == 2
    assert embeddings.embed_query("a") == embeddings.embed_documents(["a"])[0]


async def test_the_adapters_stream_and_keep_roles_usage_and_stop() -> None:
    fake = FakeLLM()
    llm = fake.initialize_llm()
    messages = [SystemMessage("Be brief."), HumanMessage("one two"), AIMessage("three"), HumanMessage("four")]
    chunks = [chunk async for chunk in llm.astream(messages, stop=["END"])]
    assert "".join(str(chunk.text) for chunk in chunks) == "You said: four"
    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 3
    assert [message.role for message in fake.requests[0].messages] == ["system", "user", "assistant", "user"]
    assert fake.requests[0].stop == ("END",)
    whole = await llm.ainvoke("five")
    assert whole.text == "You said: five"
    assert whole.response_metadata["finish_reason"] == "stop"
    assert len(await FakeEmbeddings().initialize_embeddings().aembed_query("a")) == 32


async def test_the_adapter_refuses_what_has_no_counterpart() -> None:
    with pytest.raises(ValueError, match="function"):
        await FakeLLM().initialize_llm().ainvoke([FunctionMessage(content="x", name="f")])


async def test_synchronous_langchain_calls_work_inside_a_running_loop(providers: Providers) -> None:
    assert providers.initialize_llm().invoke("hello there").text == "You said: hello there"
    vectors = providers.initialize_embeddings().embed_documents(["one"])
    assert len(vectors[0]) == 64
    await asyncio.gather(*[collect(providers.text.chat(ask(), soon())) for _ in range(2)])
