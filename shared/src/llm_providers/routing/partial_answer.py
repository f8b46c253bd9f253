"""One answer to which several backends may contribute, joined without repetition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_providers.errors import AnswerVoid, CannotContinue, ProviderError
from llm_providers.routing.policy import OnBreak
from llm_providers.types import ChatEvent, ChatRequest, Done, Failover, Started, Thought, Token, Usage

_SHORTEST_ECHO = 16
"""Characters: a shorter beginning may well come twice in a correct answer."""


class PrefixOverlapFilter:
    """Passes only what is new in a continuation: a backend may repeat the prefix, and templates strip its last spaces."""

    def __init__(self, shown: str) -> None:
        self._shown = shown.strip()
        self._space = shown[len(shown.rstrip()) :]
        self._held: str | None = "" if len(self._shown) >= _SHORTEST_ECHO else None

    def feed(self, text: str) -> str:
        """Return what of the next piece the reader has not seen; nothing while that is not yet certain."""
        if self._held is None:
            return self._after_space(text)
        self._held += text
        head = self._held.lstrip()
        if len(head) < len(self._shown) and self._shown.startswith(head):
            return ""
        if head.startswith(self._shown):
            self._held = head[len(self._shown) :]
        return self.end()

    def end(self) -> str:
        """Return what was held back, when nothing more comes."""
        held, self._held = self._held, None
        return self._after_space(held) if held else ""

    def _after_space(self, text: str) -> str:
        if not self._space or not text:
            return text
        same = next((at for at, (a, b) in enumerate(zip(self._space, text, strict=False)) if a != b), None)
        same = min(len(self._space), len(text)) if same is None else same
        self._space = self._space[same:] if same == len(text) else ""
        return text[same:]


class PartialAnswer:
    """How far an answer has come, and the request for the rest of it."""

    def __init__(self, request: ChatRequest, on_break: OnBreak) -> None:
        self._original = self.request = request
        # A grammar holds from the first character on: such an answer can't be continued in the middle.
        constrained = on_break is OnBreak.CONTINUE and request.json_schema is not None
        self._on_break = OnBreak.RESTART if constrained else on_break
        self._pieces: list[str] = []
        self._tokens = self._tokens_before = 0
        self._backend = ""
        self._failure: ProviderError | None = None
        self._overlap = PrefixOverlapFilter("")

    @property
    def begun(self) -> bool:
        """Whether the caller has been given anything."""
        return bool(self._backend)

    def may_follow(self, failure: ProviderError) -> bool:
        """Prepare the request for the rest; False where the policy wants a broken answer to stay broken."""
        if not self.begun:
            return True
        if self._on_break is OnBreak.FAIL:
            return False
        if isinstance(failure, AnswerVoid | CannotContinue):
            self._on_break = OnBreak.RESTART
        self._failure = failure
        self._tokens_before = 0 if self._on_break is OnBreak.RESTART else self._tokens
        shown = "" if self._on_break is OnBreak.RESTART else "".join(self._pieces)
        self._overlap = PrefixOverlapFilter(shown)
        self.request = replace(
            self._original,
            prefix=self._original.prefix + shown.rstrip(),
            max_tokens=self._original.max_tokens - self._tokens_before,
        )
        return True

    @property
    def complete(self) -> Done | None:
        """Return the end of an answer of which all that was allowed has come, and only the end was lost."""
        if self.request.max_tokens > 0:
            return None
        return Done("length", Usage(0, self._tokens, estimated=True))

    def events(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Yield what the caller is to have of the next event of the backend that answers now."""
        match event:
            case Started():
                yield self._started(event)
            case Failover():
                self._backend = event.to_backend
                yield event
            case Token():
                if text := self._overlap.feed(event.text):
                    yield self._add(text)
            case Thought():
                yield event
            case Done():
                if rest := self._overlap.end():
                    yield self._add(rest)
                if self._failure is not None:
                    tokens = self._tokens_before + event.usage.completion_tokens
                    event = replace(event, usage=replace(event.usage, completion_tokens=tokens, estimated=True))
                yield event

    def _started(self, event: Started) -> ChatEvent:
        before, self._backend = self._backend, event.backend
        if self._failure is None or not before:
            return event
        restarted = self._on_break is OnBreak.RESTART
        if restarted:
            self._pieces, self._tokens = [], 0
        reason = type(self._failure).__name__
        return Failover(before, event.backend, event.model, reason, restarted, event.extractive)

    def _add(self, text: str) -> Token:
        self._pieces.append(text)
        self._tokens += 1
        return Token(text)
