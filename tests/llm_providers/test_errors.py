"""Every exception that the HTTP client can raise, and every status, has a type of ours."""

from __future__ import annotations

import importlib
import inspect
import socket

import aiohttp
import pytest

from engines import Engine, Fault
from engines.contract import ask, collect, soon
from llm_providers import OllamaProvider, VLLMProvider
from llm_providers.backends._errors import TABLE, by_status, inside_stream, rejection, translated
from llm_providers.engines.addresses import InvalidAddress
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

_MODULES = ("aiohttp", "aiohttp.client_exceptions")
# Of web sockets and of multipart bodies: we send and read neither.
_NOT_OURS = {"WebSocketError", "EofStream", "BadContentDispositionHeader", "BadContentDispositionParam"}


def exceptions() -> set[type[Exception]]:
    """Every exception class that the HTTP client defines."""
    members = [
        member for name in _MODULES for _, member in inspect.getmembers(importlib.import_module(name), inspect.isclass)
    ]
    return {
        member
        for member in members
        if issubclass(member, Exception)
        and not issubclass(member, Warning)
        and member.__module__.split(".")[0] == "aiohttp"
    }


def test_no_foreign_exception_is_unmapped() -> None:
    assert len(exceptions()) >= 10
    unmapped = {kind.__qualname__ for kind in exceptions() if not any(base in TABLE for base in kind.__mro__)}
    assert unmapped - _NOT_OURS == set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ServerDisconnectedError(), Unavailable),
        (aiohttp.ServerTimeoutError("slow"), Timeout),
        (aiohttp.ConnectionTimeoutError("slow"), Timeout),
        (aiohttp.ClientPayloadError("cut"), StreamBroken),
        (aiohttp.InvalidURL("?"), NotConfigured),
        (ConnectionResetError(), Unavailable),
        (KeyError("choices"), InvalidResponse),
        (ValueError("not JSON"), InvalidResponse),
        (RuntimeError("unforeseen"), Unavailable),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_by_class(error: Exception, expected: type[ProviderError]) -> None:
    with pytest.raises(ProviderError) as caught, translated("vllm"):
        raise error
    assert type(caught.value) is expected
    assert caught.value.backend == "vllm"
    assert caught.value.__cause__ is error


def test_a_server_lost_in_mid_stream_broke_the_stream() -> None:
    with pytest.raises(StreamBroken), inside_stream("vllm"):
        raise aiohttp.ServerDisconnectedError
    with pytest.raises(Overloaded), inside_stream("vllm"):
        raise Overloaded("full")


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "temperature must be positive", RequestRejected),
        (400, "This model's maximum context length is 4096 tokens", ContextLengthExceeded),
        (400, "the input length exceeds the context length", ContextLengthExceeded),
        (400, "request (12031 tokens) exceeds the available context size (4096 tokens)", ContextLengthExceeded),
        (401, "Unauthorized", AuthenticationFailed),
        (403, "no", AuthenticationFailed),
        (404, "model not found", ModelNotFound),
        (408, "", Timeout),
        (422, "bad field", RequestRejected),
        (429, "slow down", Overloaded),
        (500, "oops", Unavailable),
        (500, "input (1001 tokens) is too large to process. increase the physical batch size", ContextLengthExceeded),
        (500, "image input is not supported - hint: you may need to provide the mmproj", RequestRejected),
        (501, "This server does not support embeddings. Start it with `--embeddings`", ModelNotFound),
        (502, "bad gateway", Unavailable),
        (503, "engine is currently busy", Overloaded),
        (503, "the model is loading", ModelLoading),
    ],
)
def test_by_status(status: int, message: str, expected: type[ProviderError]) -> None:
    assert by_status(status, message) is expected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2.5", 2.5), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), ("inf", None), ("", None)],
)
def test_retry_after_is_seconds_or_nothing(header: str, seconds: float | None) -> None:
    assert rejection(503, b"{}", {"Retry-After": header}, "vllm").retry_after == seconds
    assert rejection(503, b"not json", {}, "vllm").retry_after is None


@pytest.mark.parametrize("body", ['{"error": "no"}', '{"error": {"message": "no"}}', '{"detail": "no"}', '"no"', "no"])
def test_the_words_of_an_error_are_found_wherever_they_stand(body: str) -> None:
    assert str(rejection(400, body.encode(), {}, "vllm")) == "no"


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


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(InvalidAddress):
        VLLMProvider("nonsense://host/v1", "m")


async def test_callers_are_not_told_where_an_engine_is() -> None:
    """The words of these errors are in problem details, and in pages that need no key."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        for host in ("127.0.0.1", "localhost", "no-such-engine.invalid"):
            provider = VLLMProvider(f"http://{host}:{port}", "m")
            try:
                with pytest.raises(Unavailable) as caught:
                    await collect(provider.chat(ask("hello"), soon()))
            finally:
                await provider.aclose()
            said = str(caught.value)
            assert not any(part in said for part in (host, str(port), "127.0.0.1", "::1"))
            # An operator still sees why.
            assert "refused" in said or "not known" in said
