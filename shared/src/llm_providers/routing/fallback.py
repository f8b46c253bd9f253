"""Another backend instead."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TypeVar

from llm_providers.base import LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import (
    AllBackendsFailed,
    CannotContinue,
    DeadlineExceeded,
    Halted,
    ProviderError,
    Unavailable,
)
from llm_providers.routing.partial_answer import PartialAnswer
from llm_providers.routing.policy import OnBreak
from llm_providers.types import ChatEvent, ChatRequest, ModelInfo, Ranked

P = TypeVar("P", LLMProvider, RerankProvider)
OnFallback = Callable[[str, str, Unavailable], None]


def _ignore(_from: str, _to: str, _error: Unavailable) -> None:
    return None


class Failures:
    """The failures of one request, and the one rule of which failure another backend may answer for.

    A context that swallows such a failure: of the first backend only those that are `swallowed`, since a rejection is
    the request's own fault; of a later one any, for what only that one rejects (its context is smaller, its model is
    missing) the first might have served. A spent deadline and a halt always end the request.
    """

    def __init__(
        self, on_fallback: OnFallback = _ignore, swallowed: tuple[type[ProviderError], ...] = (Unavailable,)
    ) -> None:
        self.errors: list[ProviderError] = []
        self._on_fallback, self._swallowed = on_fallback, swallowed
        self._current = ""

    def next(self, name: str, deadline: Deadline) -> Failures:
        """Go on with the backend `name`; raises `DeadlineExceeded`."""
        if self.errors and isinstance(self.errors[-1], Unavailable):
            self._on_fallback(self.errors[-1].backend or self._current, name, self.errors[-1])
        deadline.check()
        self._current = name
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, ProviderError) or isinstance(error, DeadlineExceeded | Halted):
            return False
        if not self.errors and not isinstance(error, self._swallowed):
            return False
        self.errors.append(error)
        return True

    def error(self, backends: int) -> ProviderError:
        """Return what to raise when all of them have failed."""
        return self.errors[-1] if backends == 1 else AllBackendsFailed(self.errors)


class FallbackChat:
    """Asks one provider after another; what a broken stream leaves is continued or restarted, as `on_break` says.

    Raises `AllBackendsFailed` when the last one has failed.
    """

    def __init__(
        self,
        providers: Iterable[LLMProvider],
        on_fallback: OnFallback = _ignore,
        *,
        on_break: OnBreak = OnBreak.FAIL,
        on_trial: bool = False,
    ) -> None:
        self._providers = _at_least_one(providers)
        self._on_fallback, self._on_break = on_fallback, on_break
        # A candidate's rejection is not the request's fault: the stable backend would have answered.
        self._swallowed: tuple[type[ProviderError], ...] = (ProviderError,) if on_trial else (Unavailable,)

    @property
    def name(self) -> str:
        return self._providers[0].name

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        failures = Failures(self._on_fallback, self._swallowed)
        answer = PartialAnswer(request, self._on_break)
        # An answer that has begun is worth a second round: a server that broke off may be back.
        left = [*self._providers, *self._providers]
        while left and (answer.begun or len(left) > len(self._providers)):
            provider = left.pop(0)
            with failures.next(provider.name, deadline):
                async with aclosing(provider.chat(answer.request, deadline)) as stream:
                    async for event in stream:
                        for joined in answer.events(event):
                            yield joined
                return
            if not answer.may_follow(failures.errors[-1]):
                raise failures.errors[-1]
            if (end := answer.complete) is not None:
                yield end
                return
            if isinstance(failures.errors[-1], CannotContinue) and answer.begun:
                left.insert(0, provider)
        raise failures.error(len(self._providers))

    async def info(self, deadline: Deadline) -> ModelInfo:
        failures = Failures(self._on_fallback, self._swallowed)
        for provider in self._providers:
            with failures.next(provider.name, deadline):
                return await provider.info(deadline)
        raise failures.error(len(self._providers))


class FallbackRerank:
    """Asks one provider after another; raises `AllBackendsFailed` when the last one has failed."""

    def __init__(self, providers: Iterable[RerankProvider], on_fallback: OnFallback = _ignore) -> None:
        self._providers, self._on_fallback = _at_least_one(providers), on_fallback

    @property
    def name(self) -> str:
        return self._providers[0].name

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        failures = Failures(self._on_fallback)
        for provider in self._providers:
            with failures.next(provider.name, deadline):
                return await provider.rerank(query, documents, top_n, deadline)
        raise failures.error(len(self._providers))


def _at_least_one(providers: Iterable[P]) -> tuple[P, ...]:
    chain = tuple(providers)
    if not chain:
        raise ValueError("a fallback chain needs at least one provider")
    return chain
