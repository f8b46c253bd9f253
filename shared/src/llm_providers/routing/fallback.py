"""Another backend instead."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Generic, TypeVar

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

T = TypeVar("T")
P = TypeVar("P", bound=LLMProvider | RerankProvider)
OnFallback = Callable[[str, str, Unavailable], None]


class Failures:
    """The failures of one request, and the one rule of which failure another backend may answer for.

    A context that swallows such a failure: of the first backend only those that are `swallowed`, since a rejection is
    the request's own fault; of a later one any, for what only that one rejects (its context is smaller, its model is
    missing) the first might have served. A spent deadline and a halt always end the request.
    """

    def __init__(
        self, on_fallback: OnFallback | None = None, swallowed: tuple[type[ProviderError], ...] = (Unavailable,)
    ) -> None:
        self.errors: list[ProviderError] = []
        self._on_fallback, self._swallowed = on_fallback, swallowed
        self._current = ""

    def next(self, name: str, deadline: Deadline) -> Failures:
        """Go on with the backend `name`; raises `DeadlineExceeded`."""
        last = self.errors[-1] if self.errors else None
        if isinstance(last, Unavailable) and self._on_fallback is not None:
            self._on_fallback(last.backend or self._current, name, last)
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


class Chain(Generic[P]):
    """Asks one provider after another; raises `AllBackendsFailed` when the last one of several has failed."""

    def __init__(
        self, providers: Iterable[P], on_fallback: OnFallback | None = None, *, on_trial: bool = False
    ) -> None:
        self._providers = tuple(providers)
        if not self._providers:
            raise ValueError("a fallback chain needs at least one provider")
        self._on_fallback = on_fallback
        # A candidate's rejection is not the request's fault: the stable backend would have answered.
        self._swallowed: tuple[type[ProviderError], ...] = (ProviderError,) if on_trial else (Unavailable,)

    @property
    def name(self) -> str:
        return self._providers[0].name

    def _failures(self) -> Failures:
        return Failures(self._on_fallback, self._swallowed)

    def _error(self, failures: Failures) -> ProviderError:
        return failures.errors[-1] if len(self._providers) == 1 else AllBackendsFailed(failures.errors)

    async def _first(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        failures = self._failures()
        for provider in self._providers:
            with failures.next(provider.name, deadline):
                return await call(provider)
        raise self._error(failures)


class FallbackChat(Chain[LLMProvider]):
    """A chain of chat providers; what a broken stream leaves is continued or restarted, as `on_break` says."""

    def __init__(
        self,
        providers: Iterable[LLMProvider],
        on_fallback: OnFallback | None = None,
        *,
        on_break: OnBreak = OnBreak.FAIL,
        on_trial: bool = False,
    ) -> None:
        super().__init__(providers, on_fallback, on_trial=on_trial)
        self._on_break = on_break

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        failures = self._failures()
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
        raise self._error(failures)

    async def info(self, deadline: Deadline) -> ModelInfo:
        return await self._first(lambda provider: provider.info(deadline), deadline)


class FallbackRerank(Chain[RerankProvider]):
    """A chain of rerank providers."""

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        return await self._first(lambda provider: provider.rerank(query, documents, top_n, deadline), deadline)
