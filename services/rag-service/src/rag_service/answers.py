"""An answer as it comes: the events that a reader gets, and the draft that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypeAlias

from llm_providers.completion import Completion
from llm_providers.grounding import NO_ANSWER
from llm_providers.types import ChatEvent, Failover, ModelInfo, Started, Thought, Token, Usage
from rag_service.citations import Citation
from rag_service.grounding import GroundedAnswer, GroundedSentence, ground
from rag_service.ranking import Passage
from rag_service.repetition import Repetition

NOT_FOUND = "This was not found in your documents."
_CLOSEST = 3
_SHOWN = 120
"""Characters of a sentence in a warning."""
GroundingMode: TypeAlias = Literal["mark", "drop", "refuse"]
"""What becomes of sentences that no passage bears out: listed, taken out, or no answer at all."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answer will be made of; comes first."""

    passages: list[Passage]
    degraded: tuple[str, ...]
    question: str
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of an answer; `answered` is false where the documents do not hold one.

    `text` is what holds: where `replaced`, the tokens before it are void. `streamed` counts their characters. `closest` names documents where there is no answer.
    """

    text: str
    answered: bool
    citations: list[Citation]
    finish_reason: str
    usage: Usage
    backend: str
    model: str
    extractive: bool
    degraded: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    conversation_id: str | None = None
    sentences: tuple[GroundedSentence, ...] = ()
    closest: tuple[Passage, ...] = ()
    replaced: bool = False
    streamed: int = 0


AnswerEvent: TypeAlias = Sources | Token | Thought | Failover | GroundedSentence | Answered


class AnswerDraft:
    """An answer as it comes. One from documents holds back what may turn out to be the word for "no answer".

    With another mode than "mark" it holds everything back until the sentences are checked.
    """

    def __init__(self, asked: ModelInfo | None, mode: GroundingMode = "mark") -> None:
        self._completion = Completion()
        self._from_documents, self._mode = asked is not None, mode
        self._held = ""
        if asked is not None:
            self._completion.started = Started(asked.backend, asked.model, asked.extractive)
        self._started = perf_counter()
        self._streamed, self._visible = 0, False
        self._final: str | None = None
        self._grounded: GroundedAnswer | None = None
        self._unsupported: list[GroundedSentence] = []
        self._closest: tuple[Passage, ...] = ()
        self._repetition = Repetition()
        self.repeats = False
        self.answered = True
        self.degraded: tuple[str, ...] = ()
        self.reasons: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}

    @property
    def text(self) -> str:
        return self._completion.text if self._final is None else self._final

    def add(self, event: ChatEvent) -> Token | Thought | Failover | None:
        """Take the next event, and return what the reader gets of it; `repeats` is set where the model goes round in a loop."""
        self._completion.add(event)
        match event:
            case Token():
                self.repeats = self._from_documents and self._repetition.add(event.text)
                return self._let_through(event) if self._from_documents else self._sent(event.text)
            case Failover():
                if event.restarted:
                    self._held, self._streamed, self._visible, self._repetition = "", 0, False, Repetition()
                return event
            case Thought():
                return event
        return None

    def conclude(self, passages: Sequence[Passage]) -> Token | None:
        """Check the sentences against the passages, and return what was held back."""
        text = self._repetition.cut(self._completion.text) if self.repeats else self._completion.text
        said = text.replace(NO_ANSWER, "").strip()
        grounded = ground(said, passages) if said else None
        if grounded is None or not grounded.holds or (self._mode == "refuse" and grounded.unsupported):
            return self.not_found(passages)
        self._grounded, self._unsupported = grounded, grounded.unsupported
        if self._mode == "drop" and grounded.unsupported:
            self._grounded = ground(grounded.without_unsupported(), passages)
        self._final = self._grounded.text
        return self._sent(self._held if self._mode == "mark" else self._final)

    def not_found(self, passages: Sequence[Passage]) -> Token | None:
        """End without an answer; the closest documents are named."""
        by_document = {passage.document_id: passage for passage in reversed(passages)}
        self._closest = tuple(list(by_document.values())[::-1][:_CLOSEST])
        titles = "; ".join(passage.title for passage in self._closest)
        self._final = f"{NOT_FOUND} The closest documents are: {titles}." if titles else NOT_FOUND
        self.answered = False
        return None if self._visible else self._sent(self._final)

    def lap(self, stage: str, since: float) -> float:
        """Record the seconds of a stage that began at `since`, and return the time now."""
        now = perf_counter()
        self.seconds[stage] = now - since
        return now

    def sentences(self) -> tuple[GroundedSentence, ...]:
        return self._grounded.sentences if self._grounded else ()

    def answer(self, conversation_id: str | None = None) -> Answered:
        """Return the whole answer."""
        self.lap("total", self._started)
        done, started = self._completion.done, self._completion.started
        return Answered(
            self.text,
            self.answered,
            self._grounded.citations if self._grounded else [],
            "repetition" if self.repeats else done.finish_reason,
            done.usage,
            started.backend,
            started.model,
            started.extractive,
            self.degraded,
            (*self.reasons, *done.warnings, *self._warnings()),
            {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
            conversation_id,
            self.sentences(),
            self._closest,
            replaced=not self.answered and self._visible,
            streamed=self._streamed,
        )

    def _warnings(self) -> tuple[str, ...]:
        found = ["the model repeated itself and was stopped"] if self.repeats else []
        if self._grounded is not None:
            found += [f"cites a source that was not given: [{label}]" for label in self._grounded.unknown_labels]
            verb = "taken out, since" if self._mode == "drop" else "not supported:"
            for sentence in self._unsupported:
                found.append(f"{verb} your documents do not say it: {sentence.text[:_SHOWN]!r}")
        return tuple(found)

    def _let_through(self, token: Token) -> Token | None:
        """Hold back what may be the beginning of the word for "no answer", and drop that word wherever it stands."""
        self._held = (self._held + token.text).replace(NO_ANSWER, "")
        if self._mode != "mark":
            return None
        kept = max((size for size in range(1, len(NO_ANSWER)) if self._held.endswith(NO_ANSWER[:size])), default=0)
        ready = self._held[: len(self._held) - kept]
        if not self._visible and not ready.strip():
            return None
        self._held = self._held[len(ready) :]
        return self._sent(ready)

    def _sent(self, text: str) -> Token | None:
        self._streamed += len(text)
        self._visible = self._visible or bool(text.strip())
        return Token(text) if text else None
