"""Another backend instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from llm_providers.deadline import Deadline
from llm_providers.errors import AllBackendsFailed, DeadlineExceeded, ProviderError, Unavailable
from llm_providers.routing._wrapper import P, Wrapper

T = TypeVar("T")
OnFallback = Callable[[str, str, Unavailable], None]


def _ignore(_from: str, _to: str, _error: Unavailable) -> None:
    return None


class Fallback(Wrapper[P]):
    """Asks one provider after another while they are `Unavailable`, only before the answer has begun.

    For embeddings only where `spaces.parity` has passed between the providers. Raises `AllBackendsFailed` when the
    last one has failed; a rejection by the first is the request's own fault and is raised as it is.
    """

    def __init__(self, providers: Sequence[P], on_fallback: OnFallback = _ignore) -> None:
        if not providers:
            raise ValueError("a fallback chain needs at least one provider")
        self._providers, self._on_fallback = tuple(providers), on_fallback

    @property
    def name(self) -> str:
        return self._providers[0].name

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        errors: list[ProviderError] = []
        for provider in self._providers:
            deadline.check()
            if errors and isinstance(errors[-1], Unavailable):
                self._on_fallback(errors[-1].backend or self.name, provider.name, errors[-1])
            try:
                return await call(provider)
            except DeadlineExceeded:
                raise
            except ProviderError as error:
                # What only a stand-in rejects (its context is smaller, its model is not pulled) the first might serve.
                if not errors and not isinstance(error, Unavailable):
                    raise
                errors.append(error)
        raise AllBackendsFailed(errors)
