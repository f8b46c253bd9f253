"""The ollama client's exceptions, and those of the HTTP library under it, mapped once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import ollama
import pydantic

from llm_providers.backends._mapping import ErrorTable, by_class, by_status, lost, retry_after
from llm_providers.errors import (
    InvalidResponse,
    NotConfigured,
    ProviderError,
    RequestRejected,
    StreamBroken,
    Timeout,
    Unavailable,
)

TABLE: ErrorTable = {
    ollama.ResponseError: StreamBroken,
    ollama.RequestError: RequestRejected,
    httpx.TimeoutException: Timeout,
    httpx.UnsupportedProtocol: NotConfigured,
    httpx.InvalidURL: NotConfigured,
    httpx.DecodingError: InvalidResponse,
    httpx.TooManyRedirects: InvalidResponse,
    httpx.HTTPStatusError: InvalidResponse,
    httpx.CookieConflict: InvalidResponse,
    httpx.StreamError: InvalidResponse,
    httpx.HTTPError: Unavailable,
    pydantic.ValidationError: InvalidResponse,
    TimeoutError: Timeout,
    OSError: Unavailable,
    # What reading an answer raises that is not the protocol: bad JSON or UTF-8, a missing or mistyped field.
    ValueError: InvalidResponse,
    TypeError: InvalidResponse,
    LookupError: InvalidResponse,
    AttributeError: InvalidResponse,
}


def translate(error: Exception, backend: str) -> ProviderError:
    """Our exception for one of theirs."""
    if isinstance(error, ollama.ResponseError) and error.status_code >= 400:
        message = str(error.error)
        return by_status(error.status_code, message)(message, backend=backend, retry_after=_retry_after(error))
    if isinstance(error, httpx.ConnectTimeout) and (gone := lost(error)) is not None:
        return Unavailable(f"{type(gone).__name__}: {gone}", backend=backend)
    kind = by_class(type(error), TABLE) or Unavailable
    message = str(error.error) if isinstance(error, ollama.ResponseError) else f"{type(error).__name__}: {error}"
    return kind(message, backend=backend)


def rejection(status: int, body: bytes, headers: Mapping[str, str], backend: str) -> ProviderError:
    """Our exception for an error status that the client did not see."""
    try:
        message = str(json.loads(body)["error"])
    except (ValueError, TypeError, LookupError):
        message = body.decode("utf-8", "replace")[:500]
    return by_status(status, message)(message, backend=backend, retry_after=retry_after(headers))


@contextmanager
def ollama_errors(backend: str) -> Iterator[None]:
    """Let nothing foreign out of the block."""
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:
        raise translate(error, backend) from error


def _retry_after(error: ollama.ResponseError) -> float | None:
    # The client drops the response, but Python keeps the exception it was made from.
    origin = error.__context__
    return retry_after(origin.response.headers) if isinstance(origin, httpx.HTTPStatusError) else None
