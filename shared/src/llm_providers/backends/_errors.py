"""Foreign exceptions to ours: the HTTP client's by class, the server's answers by status and message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import strerror
from socket import gaierror

import aiohttp

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

TABLE: Mapping[type[BaseException], type[ProviderError]] = {
    aiohttp.InvalidURL: NotConfigured,
    aiohttp.ServerTimeoutError: Timeout,
    aiohttp.ClientResponseError: InvalidResponse,
    aiohttp.ClientPayloadError: StreamBroken,
    aiohttp.ClientError: Unavailable,
    TimeoutError: Timeout,
    OSError: Unavailable,
    # What reading an answer raises that is not the protocol: bad JSON or UTF-8, a missing or mistyped field.
    ValueError: InvalidResponse,
    TypeError: InvalidResponse,
    LookupError: InvalidResponse,
    AttributeError: InvalidResponse,
}

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    404: ModelNotFound,
    408: Timeout,
    409: Unavailable,
    425: Unavailable,
    429: Overloaded,
    # llama.cpp: it serves another role than this one.
    501: ModelNotFound,
    503: Overloaded,
}

# No server has a code for "too long": they answer 400, llama.cpp 500 for embeddings, and say it in words.
_TOO_LONG = (
    "context length",
    "maximum context",
    "max_model_len",
    "input length exceeds",
    "longer than the maximum",
    "exceeds the available context size",
    "exceed_context_size",
    "too large to process",
)


@contextmanager
def translated(backend: str) -> Iterator[None]:
    """Let nothing foreign out of the block."""
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:
        # By the nearest base class that the table has.
        kind = next((TABLE[base] for base in type(error).__mro__ if base in TABLE), Unavailable)
        raise kind(f"{type(error).__name__}: {_words(error)}", backend=backend) from error


def _words(error: Exception) -> str:
    """Return what an error says, but of the network's only the reason: their texts hold addresses, and callers see ours."""
    reason: Exception = getattr(error, "os_error", error)
    if isinstance(reason, gaierror):
        return "the name of the engine's host is not known"
    if isinstance(reason, OSError):
        return strerror(reason.errno) if reason.errno else "the connection failed"
    return "the exchange failed" if isinstance(reason, aiohttp.ClientError) else str(reason)


@contextmanager
def inside_stream(backend: str) -> Iterator[None]:
    """Once an answer has begun, losing the server means that the stream broke; nothing foreign gets out either."""
    try:
        with translated(backend):
            yield
    except Unavailable as error:
        # The subclasses say more: they stay what they are.
        if type(error) is not Unavailable:
            raise
        raise StreamBroken(str(error), backend=backend) from error


def by_status(status: int, message: str) -> type[ProviderError]:
    """Return what an HTTP error status means."""
    words = message.lower()
    if status in {400, 413, 422, 500} and any(phrase in words for phrase in _TOO_LONG):
        return ContextLengthExceeded
    if status == 503 and "loading" in words:
        return ModelLoading
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # llama.cpp refuses a picture with 500.
    rejected = 400 <= status < 500 or "is not supported" in words
    return RequestRejected if rejected else Unavailable


def rejection(status: int, body: bytes, headers: Mapping[str, str], backend: str) -> ProviderError:
    """Return the exception for an answer with an error status, or with a redirect, which is not followed."""
    if status < 400:
        return InvalidResponse(f"the server redirects (status {status}), which is not followed", backend=backend)
    try:
        message = message_of(json.loads(body))
    except ValueError:
        message = body.decode("utf-8", "replace")[:500]
    message = message or f"the server answered with status {status}"
    return by_status(status, message)(message, backend=backend, retry_after=_retry_after(headers))


def error_in_stream(error: object, backend: str) -> ProviderError:
    """Return the exception for an error that came as a line of a stream whose status was 200.

    A full vLLM refuses a stream that way, with the code that the status would have had.
    """
    message = message_of(error) or "the server reported an error inside the stream"
    code = error.get("code") if isinstance(error, dict) else None
    kind = by_status(code, message) if isinstance(code, int) and code >= 400 else StreamBroken
    return (StreamBroken if kind is Unavailable else kind)(message, backend=backend)


def message_of(body: object) -> str:
    """Return the words of an error body: a string, or an object with `message` or `detail`, in `error` or bare."""
    if isinstance(body, dict):
        for name in ("error", "message", "detail"):
            if name in body:
                return message_of(body[name])
        return ""
    return str(body) if body is not None else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; its date form is ignored."""
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
