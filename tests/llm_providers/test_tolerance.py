"""One reader for every server of OpenAI's protocol: what one has and another lacks is found out, not configured."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from engines import Fault, LlamaCppEngine, OllamaEngine, OpenAIEngine
from engines.contract import SCHEMA, ask, assert_whole, collect, soon, text_of
from llm_providers import OllamaProvider, OpenAIProvider
from llm_providers.errors import CannotContinue, InvalidResponse, ModelNotFound, RequestRejected
from llm_providers.routing.breaker import probe_chat
from llm_providers.types import ChatRequest, EmbedKind, Message

Open = Callable[..., OpenAIProvider]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    made: list[OpenAIProvider] = []

    def open_(url: str, model: str = "llama3.2", **options: object) -> OpenAIProvider:
        made.append(OpenAIProvider(url, model, **options))  # type: ignore[arg-type]
        return made[-1]

    yield open_
    for provider in made:
        await provider.aclose()


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("prefix", ["", "/team/llm"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_addresses_are_forgiving(opened: Open, ending: str, prefix: str, host: str) -> None:
    with OpenAIEngine(path_prefix=prefix, host=host) as engine:
        provider = opened(engine.url + ending)
        assert_whole(await collect(provider.chat(ask(), soon())))
        assert (await provider.info(soon())).context_tokens == engine.context


@pytest.mark.parametrize("lacks", ["usage", "completion_tokens", "delta", "choices", "stream_options", "[DONE]"])
async def test_chunks_may_lack_parts(openai_engine: OpenAIEngine, opened: Open, lacks: str) -> None:
    openai_engine.lacks = frozenset({lacks})
    openai_engine.answer = lambda _: "one two three"
    done = assert_whole(await collect(opened(openai_engine.url).chat(ask(), soon())))
    assert done.finish_reason == "stop"
    assert done.usage.prompt_tokens > 0
    assert done.usage.estimated is (lacks in ("usage", "completion_tokens", "stream_options"))


async def test_a_refused_option_is_left_out_from_then_on(openai_engine: OpenAIEngine, opened: Open) -> None:
    openai_engine.lacks = frozenset({"stream_options"})
    provider = opened(openai_engine.url)
    for _ in range(2):
        assert_whole(await collect(provider.chat(ask(), soon())))
    sent = ["stream_options" in seen.body for seen in openai_engine.requests("/chat/completions")]
    assert sent == [True, False, False]


@pytest.mark.parametrize(
    ("lacks", "format_"), [({"json_schema"}, "json_object"), ({"json_schema", "json_object"}, None)]
)
async def test_a_schema_is_obeyed_as_far_as_the_server_can(
    openai_engine: OpenAIEngine, opened: Open, lacks: set[str], format_: str | None
) -> None:
    openai_engine.lacks = frozenset(lacks)
    openai_engine.answer = lambda _: '{"title": "t", "kind": "meeting", "points": []}'
    provider = opened(openai_engine.url)
    events = await collect(provider.chat(ask(json_schema=SCHEMA, max_tokens=200), soon()))
    assert json.loads(text_of(events))["kind"] == "meeting"
    body = openai_engine.requests("/chat/completions")[-1].body
    assert body.get("response_format", {}).get("type") == format_
    assert '"maxItems": 2' in body["messages"][0]["content"]


async def test_embeddings_come_as_floats_or_base64(openai_engine: OpenAIEngine, opened: Open) -> None:
    provider = opened(openai_engine.url, "nomic-embed-text")
    as_base64 = await provider.embed(["a", "b"], EmbedKind.QUERY, soon())
    openai_engine.lacks = frozenset({"base64"})
    np.testing.assert_allclose(await provider.embed(["a", "b"], EmbedKind.QUERY, soon()), as_base64, atol=1e-6)


async def test_an_unknown_context_is_a_default_and_never_nothing(openai_engine: OpenAIEngine, opened: Open) -> None:
    openai_engine.lacks = frozenset({"max_model_len"})
    info = await opened(openai_engine.url).info(soon())
    assert (info.context_tokens, info.context_known) == (4096, False)
    info = await opened(openai_engine.url, context_tokens=9000).info(soon())
    assert (info.context_tokens, info.context_known) == (9000, True)


async def test_a_server_without_a_list_of_models_works(openai_engine: OpenAIEngine, opened: Open) -> None:
    openai_engine.lacks = frozenset({"models"})
    provider = opened(openai_engine.url)
    assert_whole(await collect(provider.chat(ask(), soon())))
    assert (await provider.info(soon())).context_known is False
    assert (await provider.about(soon())).engine == "openai"


async def test_ollama_without_a_context_length_too(ollama: OllamaProvider, ollama_engine: OllamaEngine) -> None:
    ollama_engine.lacks = frozenset({"context_length"})
    info = await ollama.info(soon())
    assert (info.context_tokens, info.context_known) == (4096, False)


@pytest.mark.parametrize(
    ("owned_by", "continues", "able"),
    [
        ("vllm", None, True),
        ("sglang", None, True),
        ("library", None, False),
        ("library", True, True),
        ("vllm", False, False),
    ],
)
async def test_a_partial_answer_is_continued_where_the_server_can(
    openai_engine: OpenAIEngine, opened: Open, owned_by: str, continues: bool | None, able: bool
) -> None:
    openai_engine.owned_by, openai_engine.answer = owned_by, lambda _: "one two three"
    provider = opened(openai_engine.url, continues=continues)
    request = ChatRequest((Message("user", "count"),), prefix="one two ")
    if able:
        assert text_of(await collect(provider.chat(request, soon()))) == "three"
        assert openai_engine.requests("/chat/completions")[-1].body["continue_final_message"]
    else:
        with pytest.raises(CannotContinue):
            await collect(provider.chat(request, soon()))
        assert openai_engine.requests("/chat/completions") == []


async def test_another_model_is_not_found(openai_engine: OpenAIEngine, opened: Open) -> None:
    openai_engine.models = ["/models/smollm.gguf"]
    with pytest.raises(ModelNotFound):
        await opened(openai_engine.url).info(soon())


@pytest.mark.parametrize("name", ["llama3.2", "another"])
async def test_llamacpp_serves_one_model_by_any_name(llamacpp_engine: LlamaCppEngine, opened: Open, name: str) -> None:
    llamacpp_engine.models = ["llama3.2"]
    about = await opened(llamacpp_engine.url, name).about(soon())
    assert (about.engine, about.version, about.weights) == ("llamacpp", "b7000-abcdef0", "/models/llama3.2.gguf")
    assert (await opened(llamacpp_engine.url, name).info(soon())).context_tokens == llamacpp_engine.context


async def test_llamacpp_without_its_properties_has_an_unknown_context(
    llamacpp_engine: LlamaCppEngine, opened: Open
) -> None:
    """The context that its list of models names is that of the training."""
    llamacpp_engine.always(Fault.refused(404, "File Not Found"), path="/props")
    info = await opened(llamacpp_engine.url).info(soon())
    assert (info.context_tokens, info.context_known) == (4096, False)


async def test_llamacpp_closes_connections_that_it_said_to_keep(llamacpp: OpenAIProvider) -> None:
    for _ in range(20):
        assert_whole(await collect(llamacpp.chat(ask(max_tokens=1), soon())))


@pytest.mark.parametrize(
    "complaint",
    [
        "Assistant response prefill is incompatible with enable_thinking.",
        "Failed to initialize samplers: std::exception",
    ],
)
async def test_llamacpp_refuses_some_beginnings(
    llamacpp_engine: LlamaCppEngine, llamacpp: OpenAIProvider, complaint: str
) -> None:
    llamacpp_engine.script(Fault.refused(400, complaint), path="/chat/completions", times=2)
    with pytest.raises(CannotContinue):
        await collect(llamacpp.chat(ask(prefix="One, two, "), soon()))
    with pytest.raises(RequestRejected):
        await collect(llamacpp.chat(ask(), soon()))


@pytest.mark.parametrize(
    "complaint", ["JSON schema error at #/properties/a: cannot resolve $ref", "Failed to parse grammar"]
)
async def test_llamacpp_cannot_enforce_every_schema(
    llamacpp_engine: LlamaCppEngine, llamacpp: OpenAIProvider, complaint: str
) -> None:
    llamacpp_engine.script(Fault.refused(400, complaint), path="/chat/completions")
    assert_whole(await collect(llamacpp.chat(ask(json_schema=SCHEMA), soon())))
    types = [seen.body["response_format"]["type"] for seen in llamacpp_engine.requests("/chat/completions")]
    assert types == ["json_schema", "json_object"]


async def test_latest_is_the_same_model(ollama_engine: OllamaEngine) -> None:
    ollama_engine.models = ["llama3.2:latest"]
    provider = OllamaProvider(ollama_engine.url, "llama3.2")
    assert (await provider.about(soon())).digest is not None
    await provider.aclose()


async def test_redirects_are_not_followed(opened: Open) -> None:
    with OpenAIEngine() as engine, OpenAIEngine() as elsewhere:
        engine.always(Fault.refused(307, "moved", Location=f"{elsewhere.url}/v1/chat/completions"))
        with pytest.raises(InvalidResponse, match="redirect"):
            await collect(opened(engine.url).chat(ask(), soon()))
        assert elsewhere.seen == []


async def test_a_proxy_is_not_for_engines_nearby(
    openai_engine: OpenAIEngine, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert_whole(await collect(opened(openai_engine.url).chat(ask(), soon())))


async def test_a_probe_wants_a_token(openai_engine: OpenAIEngine, opened: Open) -> None:
    openai_engine.answer = lambda _: ""
    with pytest.raises(InvalidResponse, match="no token"):
        await probe_chat(opened(openai_engine.url), soon())
