"""The openai SDK's exceptions, and those of the HTTP libraries under it, mapped once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import httpx2
import openai
import pydantic
from openai._exceptions import SubjectTokenProviderError

from llm_providers.backends._mapping import ErrorTable, by_class, by_status, lost, retry_after
from llm_providers.errors import (
    AuthenticationFailed,
    InvalidResponse,
    ModelNotFound,
    NotConfigured,
    Overloaded,
    ProviderError,
    RequestRejected,
    StreamBroken,
    Timeout,
    Unavailable,
)

TABLE: ErrorTable = {
    openai.APITimeoutError: Timeout,
    openai.APIConnectionError: Unavailable,
    openai.APIResponseValidationError: InvalidResponse,
    openai.AuthenticationError: AuthenticationFailed,
    openai.PermissionDeniedError: AuthenticationFailed,
    openai.NotFoundError: ModelNotFound,
    openai.RateLimitError: Overloaded,
    openai.ConflictError: Unavailable,
    openai.InternalServerError: Unavailable,
    openai.BadRequestError: RequestRejected,
    openai.UnprocessableEntityError: RequestRejected,
    openai.APIStatusError: RequestRejected,
    # A bare APIError is an error line inside a stream.
    openai.APIError: StreamBroken,
    openai.LengthFinishReasonError: InvalidResponse,
    openai.ContentFilterFinishReasonError: RequestRejected,
    openai.InvalidWebhookSignatureError: RequestRejected,
    SubjectTokenProviderError: AuthenticationFailed,
    openai.WebSocketConnectionClosedError: Unavailable,
    openai.WebSocketQueueFullError: Unavailable,
    # Bare: the client could not be built, for want of a key for example.
    openai.OpenAIError: NotConfigured,
    httpx2.TimeoutException: Timeout,
    httpx2.UnsupportedProtocol: NotConfigured,
    httpx2.InvalidURL: NotConfigured,
    httpx2.DecodingError: InvalidResponse,
    httpx2.TooManyRedirects: InvalidResponse,
    httpx2.HTTPStatusError: InvalidResponse,
    httpx2.CookieConflict: InvalidResponse,
    httpx2.StreamError: InvalidResponse,
    httpx2.HTTPError: Unavailable,
    aiohttp.InvalidURL: NotConfigured,
    aiohttp.ServerTimeoutError: Timeout,
    aiohttp.ClientResponseError: InvalidResponse,
    aiohttp.ClientPayloadError: StreamBroken,
    aiohttp.ClientError: Unavailable,
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
    if isinstance(error, openai.APIStatusError):
        message = _message(error.body) or error.message
        kind: type[ProviderError] = by_status(error.status_code, message)
        return kind(message, backend=backend, retry_after=retry_after(error.response.headers))
    if isinstance(error, openai.APITimeoutError | httpx2.ConnectTimeout) and (gone := lost(error)) is not None:
        return Unavailable(f"{type(gone).__name__}: {gone}", backend=backend)
    # The SDK's connection error hides what it was.
    told = error.__cause__ if isinstance(error, openai.APIConnectionError) and error.__cause__ else error
    found = by_class(type(told), TABLE) or Unavailable
    return found(_describe(error), backend=backend)


def from_line(error: object, backend: str) -> ProviderError:
    """The exception for an error that came as a line of a stream whose status was 200.

    A full vLLM refuses a stream that way, with the code that the status would have had.
    """
    message = _message(error) or "the server reported an error inside the stream"
    code = error.get("code") if isinstance(error, dict) else None
    kind = by_status(code, message) if isinstance(code, int) and code >= 400 else StreamBroken
    return (StreamBroken if kind is Unavailable else kind)(message, backend=backend)


@contextmanager
def openai_errors(backend: str) -> Iterator[None]:
    """Let nothing foreign out of the block."""
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:
        raise translate(error, backend) from error


def _message(body: object) -> str:
    """The words of an error body: a string, or an object with `message` or `detail`, in `error` or bare."""
    if isinstance(body, dict):
        for name in ("error", "message", "detail"):
            if name in body:
                return _message(body[name])
        return ""
    return str(body) if body is not None else ""


def _describe(error: Exception) -> str:
    cause = error.__cause__
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{words} ({cause})" if isinstance(error, openai.APIConnectionError) and cause is not None else words
