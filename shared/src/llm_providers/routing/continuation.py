"""An answer that several backends tell one after the other, without a seam to be seen."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError
from llm_providers.routing.policy import OnBreak
from llm_providers.types import ChatEvent, ChatRequest, Done, Failover, Started, Token, Usage

_SHORTEST_ECHO = 16
"""Characters: a shorter beginning may well come twice in an honest answer."""


class Seam:
    """What of the continuation is new: a backend may repeat the prefix, and templates take white space off its end."""

    def __init__(self, shown: str) -> None:
        self._said = shown.strip()
        self._space = shown[len(shown.rstrip()) :]
        self._held: str | None = "" if len(self._said) >= _SHORTEST_ECHO else None

    def feed(self, text: str) -> str:
        """Return what of the next piece the reader has not seen; nothing while that is not yet certain."""
        if self._held is None:
            return self._after_space(text)
        self._held += text
        head = self._held.lstrip()
        if len(head) < len(self._said) and self._said.startswith(head):
            return ""
        if head.startswith(self._said):
            self._held = head[len(self._said) :]
        return self.end()

    def end(self) -> str:
        """Return what was held back, when no more comes."""
        held, self._held = self._held, None
        return self._after_space(held) if held else ""

    def _after_space(self, text: str) -> str:
        if not self._space or not text:
            return text
        same = next((at for at, (a, b) in enumerate(zip(self._space, text, strict=False)) if a != b), None)
        same = min(len(self._space), len(text)) if same is None else same
        self._space = self._space[same:] if same == len(text) else ""
        return text[same:]


class Told:
    """How far an answer has come, and how the rest of it is asked for."""

    def __init__(self, request: ChatRequest, on_break: OnBreak) -> None:
        self._request = request
        # A grammar holds from the first character on: such an answer can't be taken up in the middle.
        constrained = on_break is OnBreak.CONTINUE and request.json_schema is not None
        self._on_break = OnBreak.RESTART if constrained else on_break
        self._pieces: list[str] = []
        self._tokens = 0
        self._by = ""

    @property
    def begun(self) -> bool:
        """Whether the caller has been given anything."""
        return bool(self._by)

    @property
    def may_go_on(self) -> bool:
        """Whether another backend may take over now."""
        return not self.begun or self._on_break is not OnBreak.FAIL

    async def by(
        self, provider: LLMProvider, deadline: Deadline, failure: ProviderError | None
    ) -> AsyncGenerator[ChatEvent, None]:
        """Let `provider` tell the answer, or the rest of it after `failure`; raises what `chat` raises."""
        if self._by and failure is not None:
            rest = self._again(provider, deadline, failure)
        else:
            rest = provider.chat(self._request, deadline)
        async with aclosing(rest):
            async for event in rest:
                if isinstance(event, Token):
                    self._pieces.append(event.text)
                    self._tokens += 1
                elif isinstance(event, Started):
                    self._by = event.backend
                elif isinstance(event, Failover):
                    self._by = event.to_backend
                yield event

    async def _again(
        self, provider: LLMProvider, deadline: Deadline, failure: ProviderError
    ) -> AsyncGenerator[ChatEvent, None]:
        before, shown, restart = self._tokens, "".join(self._pieces), self._on_break is OnBreak.RESTART
        left = self._request.max_tokens - before
        if left <= 0 and not restart:
            # All that may be said has been said; only its end was lost.
            yield Done("length", Usage(0, before, estimated=True))
            return
        request, seam = self._request, Seam("" if restart else shown)
        if not restart:
            request = replace(request, prefix=request.prefix + shown.rstrip(), max_tokens=left)
        async with aclosing(provider.chat(request, deadline)) as stream:
            async for event in stream:
                if isinstance(event, Started):
                    if restart:
                        self._pieces, self._tokens, before = [], 0, 0
                    reason = type(failure).__name__
                    yield Failover(self._by, event.backend, event.model, reason, restart, event.extractive)
                elif isinstance(event, Token):
                    if new := seam.feed(event.text):
                        yield Token(new)
                elif isinstance(event, Done):
                    if late := seam.end():
                        yield Token(late)
                    usage = replace(event.usage, completion_tokens=before + event.usage.completion_tokens)
                    yield replace(event, usage=replace(usage, estimated=True))
                else:
                    yield event
