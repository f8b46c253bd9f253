"""Every exception that the SDKs, or the HTTP libraries under them, can raise has a meaning of ours."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import aiohttp
import httpx
import httpx2
import ollama
import openai
import pytest

from engines import Engine, Fault
from engines.contract import ask, collect, soon
from llm_providers import OllamaProvider, VLLMProvider
from llm_providers.backends import _ollama_errors, _openai_errors
from llm_providers.backends._mapping import ErrorTable, by_class, by_status, retry_after
from llm_providers.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidResponse,
    ModelLoading,
    ModelNotFound,
    NotConfigured,
    Overloaded,
    ProviderError,
    RequestRejected,
    StreamBroken,
    Timeout,
    Unavailable,
)

# What a call of ours can raise lies in these; the rest of the packages is agents, tools, web sockets and servers.
_MODULES = {
    openai: ("openai", "openai._exceptions", "openai._response", "openai._streaming", "openai._base_client"),
    httpx2: ("httpx2", "httpx2._exceptions"),
    aiohttp: ("aiohttp", "aiohttp.client_exceptions"),
    ollama: ("ollama", "ollama._types", "ollama._client"),
    httpx: ("httpx", "httpx._exceptions"),
}


# Of web sockets and of multipart bodies: we send and read neither.
_NOT_OURS = {"WebSocketError", "EofStream", "BadContentDispositionHeader", "BadContentDispositionParam"}


def exceptions_of(package: ModuleType) -> set[type[Exception]]:
    """Every exception class that these modules define."""
    members = [
        member
        for name in _MODULES[package]
        for _, member in inspect.getmembers(importlib.import_module(name), inspect.isclass)
    ]
    return {
        member
        for member in members
        if issubclass(member, Exception)
        and not issubclass(member, Warning)
        and member.__module__.split(".")[0] == package.__name__
    }


def unmapped(module: ModuleType, table: ErrorTable) -> set[str]:
    return {kind.__qualname__ for kind in exceptions_of(module) if by_class(kind, table) is None}


@pytest.mark.parametrize(
    ("module", "table"),
    [
        (openai, _openai_errors.TABLE),
        (httpx2, _openai_errors.TABLE),
        (aiohttp, _openai_errors.TABLE),
        (ollama, _ollama_errors.TABLE),
        (httpx, _ollama_errors.TABLE),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_foreign_exception_is_unmapped(module: ModuleType, table: ErrorTable) -> None:
    assert len(exceptions_of(module)) >= 2
    assert unmapped(module, table) - _NOT_OURS == set()


def test_the_roots_catch_only_what_has_no_meaning_of_its_own() -> None:
    """A new exception class of the SDK must not slip in under the catch-all at its root."""
    by_root = {
        kind.__name__
        for kind in exceptions_of(openai)
        if next(base for base in kind.__mro__ if base in _openai_errors.TABLE) is openai.OpenAIError
    }
    assert by_root == {"OpenAIError", "_AmbiguousModuleClientUsageError", "StreamAlreadyConsumed"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (openai.APITimeoutError(request=httpx2.Request("POST", "http://x")), Timeout),
        (openai.APIConnectionError(request=httpx2.Request("POST", "http://x")), Unavailable),
        (openai.APIError("died", httpx2.Request("POST", "http://x"), body=None), StreamBroken),
        (openai.OpenAIError("no key"), NotConfigured),
        (httpx2.RemoteProtocolError("gone"), Unavailable),
        (httpx2.UnsupportedProtocol("ftp"), NotConfigured),
        (aiohttp.ServerDisconnectedError(), Unavailable),
        (KeyError("choices"), InvalidResponse),
        (ConnectionResetError(), Unavailable),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_openai_by_class(error: Exception, expected: type[ProviderError]) -> None:
    translated = _openai_errors.translate(error, "vllm")
    assert type(translated) is expected
    assert translated.backend == "vllm"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ollama.ResponseError("died"), StreamBroken),
        (ollama.ResponseError("model 'x' not found", 404), ModelNotFound),
        (ollama.RequestError("no model"), RequestRejected),
        (ConnectionError("refused"), Unavailable),
        (httpx.ConnectTimeout("slow"), Timeout),
        (httpx.InvalidURL("?"), NotConfigured),
        (ValueError("not JSON"), InvalidResponse),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_ollama_by_class(error: Exception, expected: type[ProviderError]) -> None:
    translated = _ollama_errors.translate(error, "ollama")
    assert type(translated) is expected
    assert translated.backend == "ollama"


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "temperature must be positive", RequestRejected),
        (400, "This model's maximum context length is 4096 tokens", ContextLengthExceeded),
        (400, "the input length exceeds the context length", ContextLengthExceeded),
        (401, "Unauthorized", AuthenticationFailed),
        (403, "no", AuthenticationFailed),
        (404, "model not found", ModelNotFound),
        (408, "", Timeout),
        (422, "bad field", RequestRejected),
        (429, "slow down", Overloaded),
        (500, "oops", Unavailable),
        (502, "bad gateway", Unavailable),
        (503, "engine is currently busy", Overloaded),
        (503, "the model is loading", ModelLoading),
    ],
)
def test_by_status(status: int, message: str, expected: type[ProviderError]) -> None:
    assert by_status(status, message) is expected


def test_retry_after_is_seconds_or_nothing() -> None:
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None
    assert retry_after({"retry-after": "-1"}) is None
    assert retry_after({"retry-after": "inf"}) is None
    assert retry_after({}) is None
    assert retry_after(None) is None


async def assert_chat_raises(
    provider: VLLMProvider | OllamaProvider, engine: Engine, fault: Fault, expected: type[ProviderError]
) -> ProviderError:
    engine.script(fault, path="/chat/completions" if provider.name == "vllm" else "/api/chat")
    with pytest.raises(ProviderError) as caught:
        await collect(provider.chat(ask(), soon()))
    assert type(caught.value) is expected
    assert caught.value.backend == provider.name
    return caught.value


class TestOverASocket:
    @pytest.fixture(params=["vllm", "ollama"])
    def pair(
        self,
        request: pytest.FixtureRequest,
        vllm: VLLMProvider,
        ollama: OllamaProvider,
        openai_engine: Engine,
        ollama_engine: Engine,
    ) -> tuple[VLLMProvider | OllamaProvider, Engine]:
        return (vllm, openai_engine) if request.param == "vllm" else (ollama, ollama_engine)

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (Fault.busy(), Overloaded),
            (Fault.loading(), ModelLoading),
            (Fault.refused(500, "oops"), Unavailable),
            (Fault.refused(401, "Unauthorized"), AuthenticationFailed),
            (Fault.refused(404, "no such model"), ModelNotFound),
            (Fault.refused(400, "bad temperature"), RequestRejected),
            (Fault.refused(400, "maximum context length is 8 tokens"), ContextLengthExceeded),
            (Fault.cut(0), Unavailable),
        ],
        ids=lambda value: f"{value.kind}-{value.status}-{value.message[:7]}" if isinstance(value, Fault) else "",
    )
    async def test_a_refusal_has_its_type(
        self, pair: tuple[VLLMProvider | OllamaProvider, Engine], fault: Fault, expected: type[ProviderError]
    ) -> None:
        await assert_chat_raises(*pair, fault, expected)

    async def test_retry_after_comes_along(self, pair: tuple[VLLMProvider | OllamaProvider, Engine]) -> None:
        error = await assert_chat_raises(*pair, Fault.rate_limited(7), Overloaded)
        assert error.retry_after == 7.0

    async def test_a_server_that_is_not_there_is_unavailable(
        self, pair: tuple[VLLMProvider | OllamaProvider, Engine]
    ) -> None:
        provider, engine = pair
        engine.stop()
        with pytest.raises(Unavailable):
            await collect(provider.chat(ask(), soon()))
        with pytest.raises(Unavailable):
            await provider.info(soon())

    async def test_another_model_is_not_found(self, pair: tuple[VLLMProvider | OllamaProvider, Engine]) -> None:
        provider, engine = pair
        engine.models = ["something-else"]
        with pytest.raises(ModelNotFound):
            await collect(provider.chat(ask(), soon()))
        with pytest.raises(ModelNotFound):
            await provider.info(soon())


async def test_a_wrong_key_is_refused(openai_engine: Engine, vllm: VLLMProvider) -> None:
    openai_engine.api_key = "secret"
    with pytest.raises(AuthenticationFailed, match="Unauthorized"):
        await collect(vllm.chat(ask(), soon()))


async def test_an_address_that_is_none_is_no_outage() -> None:
    """Trying again, or another backend, would hide it."""
    provider = VLLMProvider("nonsense://host/v1", "m")
    with pytest.raises(NotConfigured):
        await collect(provider.chat(ask(), soon()))
    await provider.aclose()
