"""Another backend instead."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import AllBackendsFailed, DeadlineExceeded, Halted, ProviderError, Unavailable
from llm_providers.routing._wrapper import P, Wrapper
from llm_providers.routing.continuation import Told
from llm_providers.routing.policy import OnBreak
from llm_providers.types import ChatEvent, ChatRequest

T = TypeVar("T")
OnFallback = Callable[[str, str, Unavailable], None]


def _ignore(_from: str, _to: str, _error: Unavailable) -> None:
    return None


class Fallback(Wrapper[P]):
    """Asks one provider after another while they are `Unavailable`; what a broken stream leaves follows `on_break`.

    For embeddings only where `spaces.parity` has passed between the providers. Raises `AllBackendsFailed` when the
    last one has failed; a rejection by the first is the request's own fault and is raised as it is, unless the first is
    `on_trial`.
    """

    def __init__(
        self,
        providers: Sequence[P],
        on_fallback: OnFallback = _ignore,
        *,
        on_break: OnBreak = OnBreak.FAIL,
        on_trial: bool = False,
    ) -> None:
        if not providers:
            raise ValueError("a fallback chain needs at least one provider")
        self._providers, self._on_fallback = tuple(providers), on_fallback
        self._on_break, self._on_trial = on_break, on_trial

    @property
    def name(self) -> str:
        return self._providers[0].name

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        errors: list[ProviderError] = []
        for provider in self._providers:
            self._tell(errors, provider.name)
            deadline.check()
            try:
                return await call(provider)
            except ProviderError as error:
                self._note(errors, error)
        raise self._all(errors)

    async def chat(
        self: Fallback[LLMProvider], request: ChatRequest, deadline: Deadline
    ) -> AsyncGenerator[ChatEvent, None]:
        errors: list[ProviderError] = []
        told = Told(request, self._on_break)
        # An answer that has begun is worth a second round: a server that broke off may be back.
        for turn, provider in enumerate(self._providers * 2):
            if turn >= len(self._providers) and not told.begun:
                break
            self._tell(errors, provider.name)
            deadline.check()
            failure = errors[-1] if errors else None
            try:
                async with aclosing(told.by(provider, deadline, failure)) as stream:
                    async for event in stream:
                        yield event
                return
            except ProviderError as error:
                if not told.may_go_on:
                    raise
                self._note(errors, error)
        raise self._all(errors)

    def _tell(self, errors: list[ProviderError], to: str) -> None:
        if errors and isinstance(errors[-1], Unavailable):
            self._on_fallback(errors[-1].backend or self.name, to, errors[-1])

    def _all(self, errors: list[ProviderError]) -> ProviderError:
        return errors[-1] if len(self._providers) == 1 else AllBackendsFailed(errors)

    def _note(self, errors: list[ProviderError], error: ProviderError) -> None:
        """Remember a failure that another provider may make good; any other is raised."""
        if isinstance(error, DeadlineExceeded | Halted):
            raise error
        # What only a stand-in rejects (its context is smaller, its model is not pulled) the first might serve.
        if not errors and not self._on_trial and not isinstance(error, Unavailable):
            raise error
        errors.append(error)
