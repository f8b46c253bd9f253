"""Foreign exceptions to ours: by class, by status, and by the one thing that only a message tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import aiohttp

from llm_providers.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    ModelLoading,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RequestRejected,
    StreamBroken,
    Timeout,
    Unavailable,
)

ErrorTable: TypeAlias = Mapping[type[BaseException], type[ProviderError]]

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    404: ModelNotFound,
    408: Timeout,
    409: Unavailable,
    425: Unavailable,
    429: Overloaded,
    503: Overloaded,
}

# Neither server has a code for "too long": both answer 400 and say it in words.
_TOO_LONG = ("context length", "maximum context", "max_model_len", "input length exceeds", "longer than the maximum")


def by_class(kind: type[BaseException], table: ErrorTable) -> type[ProviderError] | None:
    """The entry of the nearest base class; None if the table has none."""
    return next((table[base] for base in kind.__mro__ if base in table), None)


def by_status(status: int, message: str) -> type[ProviderError]:
    """What an HTTP error status means."""
    words = message.lower()
    if status in {400, 413, 422} and any(phrase in words for phrase in _TOO_LONG):
        return ContextLengthExceeded
    if status == 503 and "loading" in words:
        return ModelLoading
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return RequestRejected if 400 <= status < 500 else Unavailable


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds from a Retry-After header; its date form is left alone."""
    value = (headers or {}).get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


@contextmanager
def inside_stream(backend: str) -> Iterator[None]:
    """Once an answer has begun, losing the server means that the stream broke."""
    try:
        yield
    except Unavailable as error:
        # The more telling types stay what they are.
        if type(error) is not Unavailable:
            raise
        raise StreamBroken(str(error), backend=backend) from error


def lost(error: BaseException | None) -> aiohttp.ClientConnectionError | None:
    """The aiohttp transport calls any refused or lost connection a connect time-out: look at what it was."""
    while error is not None:
        if isinstance(error, aiohttp.ClientConnectionError) and not isinstance(error, aiohttp.ServerTimeoutError):
            return error
        error = error.__cause__
    return None
