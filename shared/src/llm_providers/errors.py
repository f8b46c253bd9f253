"""What can go wrong with a model server, by type: the type alone decides what may be tried next."""

from __future__ import annotations


class ProviderError(Exception):
    """Root of everything a provider raises; `backend` names where it happened."""

    def __init__(self, message: str, *, backend: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.backend = backend
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """The backend cannot serve now: another attempt or another backend may."""


class Overloaded(Unavailable):
    """The backend refused for load (429, 503); `retry_after` in seconds where it said so."""


class ModelLoading(Unavailable):
    """The backend is up and its model is not ready yet."""


class Timeout(Unavailable):
    """A connect, first-token or idle time-out passed."""


class StreamBroken(Unavailable):
    """The stream ended without its own terminal event, or with an error inside."""


class AnswerVoid(StreamBroken):
    """The text streamed so far is not part of the answer: whatever continues must begin anew."""


class InvalidResponse(Unavailable):
    """The backend answered something that is not its protocol."""


class RequestRejected(ProviderError):
    """The request itself is at fault: no other attempt may help."""


class CannotContinue(RequestRejected):
    """The backend cannot take up a partial answer; the same request without a prefix may succeed."""


class ContextLengthExceeded(RequestRejected):
    """Prompt, or prompt plus answer, does not fit the model's context."""


class ModelNotFound(RequestRejected):
    """The backend does not have the model that its configuration names."""


class AuthenticationFailed(RequestRejected):
    """The backend refused our credentials."""


class DeadlineExceeded(ProviderError):
    """The request's own time budget is spent: nothing more may be tried."""


class SpaceMismatch(ProviderError):
    """Vectors of two embedding spaces would have been mixed."""


class NotConfigured(ProviderError):
    """No backend serves the role."""


class Halted(ProviderError):
    """The operator has stopped generation; no other backend is asked."""


class AllBackendsFailed(Unavailable):
    """Every backend in a fallback chain failed; `errors` in the order tried."""

    def __init__(self, errors: list[ProviderError]) -> None:
        waits = [error.retry_after for error in errors if error.retry_after is not None]
        super().__init__(
            "; ".join(f"{error.backend or 'backend'}: {error}" for error in errors) or "no backend available",
            retry_after=min(waits) if waits else None,
        )
        self.errors = errors
