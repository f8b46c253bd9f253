"""An answer as it comes: the events that a reader gets, and the draft that they add up to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

from llm_providers.completion import Completion
from llm_providers.errors import ProviderError
from llm_providers.grounding import NO_ANSWER
from llm_providers.types import ChatEvent, Failover, ModelInfo, Started, Thought, Token, Usage
from rag_service.aggregation import CalculatedAnswer
from rag_service.citations import Citation
from rag_service.grounding import GroundedAnswer, GroundedSentence, Grounding
from rag_service.ranking import Passage
from rag_service.repetition import Repetition
from rag_service.summaries import Progress
from rag_service.tables import GroundingMode
from service_kit.output_guard import Finding, OutputGuard

NOT_FOUND = "This was not found in your documents."
WITHHELD = "This answer was withheld: it held what must not go out. Ask in another way, or ask an administrator."
_CLOSEST = 3
_SHOWN = 120
"""Characters of a sentence in a warning."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answer will be made of; comes first."""

    passages: list[Passage]
    degraded: tuple[str, ...]
    question: str
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """Another engine went on with the answer after `at` characters, or began it again."""

    at: int
    from_backend: str
    to_backend: str
    reason: str
    restarted: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of an answer; `answered` is false where the documents do not hold one.

    `text` is what holds: where `replaced`, the tokens before it are void. `streamed` counts their characters. `closest` names
    documents where there is no answer. `calculated` is true where no model was asked, since a table's cells gave the answer.
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
    calculated: bool = False
    switches: tuple[Switch, ...] = ()


AnswerEvent: TypeAlias = Sources | Progress | Token | Thought | Failover | GroundedSentence | Answered


class AnswerDraft:
    """An answer as it comes. One from documents holds back what may turn out to be the word for "no answer".

    Sentences are checked as they are complete. With "drop" they are held back until then, with "refuse" until the end.
    """

    def __init__(
        self, asked: ModelInfo | None, guard: Callable[[str], OutputGuard], known: str, mode: GroundingMode = "mark"
    ) -> None:
        self._new_guard, self._known = guard, known
        self._completion = Completion()
        self.from_documents, self._mode = asked is not None, mode
        self._held = ""
        self._reported = 0
        if asked is not None:
            self._completion.started = Started(asked.backend, asked.model, asked.extractive)
        self.read((), "")
        self._started = perf_counter()
        self._streamed, self._visible, self._replaced = 0, False, False
        self._final: str | None = None
        self._grounded: GroundedAnswer | None = None
        self._closest: tuple[Passage, ...] = ()
        self._repetition = Repetition()
        self._late = self._parts = 0
        self._switches: list[Switch] = []
        self.repeats = False
        self._thoughts = guard(known)
        self.answered, self._calculated = True, False
        self.degraded: tuple[str, ...] = ()
        self.reasons: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}

    @property
    def text(self) -> str:
        return self._completion.text if self._final is None else self._final

    def add(self, event: ChatEvent | Progress) -> Token | Thought | Failover | Progress | None:
        """Take the next event, and return what the reader gets of it; `ends` is set where nothing more is wanted of the model."""
        if isinstance(event, Token):
            return self._take(self._guard.add(event.text))
        self._completion.add(event)
        match event:
            case Failover():
                if event.restarted:
                    self._held, self._streamed, self._visible, self._repetition = "", 0, False, Repetition()
                    self._reported, self.repeats = 0, False
                    self.read(self._passages, self._question)
                names = event.from_backend, event.to_backend, event.reason, event.restarted
                self._switches.append(Switch(self._streamed, *names))
                return event
            case Progress():
                self._late, self._parts = event.late, event.total
                return event
            case Thought():
                thought = self._thoughts.add(event.text)
                return Thought(thought) if thought else None
        return None

    def rest_of_thought(self) -> Thought | None:
        """Return what is held back of a thought, once the answer begins."""
        if not self._thoughts.holds:
            return None
        thought = self._thoughts.finish()
        return Thought(thought) if thought else None

    def _take(self, text: str) -> Token | None:
        """Take text that may go out."""
        self._completion.add(Token(text))
        if not self.from_documents:
            return self._sent(text)
        self.repeats = self.repeats or self._repetition.add(text)
        return self._let_through(text)

    @property
    def ends(self) -> bool:
        """Whether the model goes round in a loop, or writes what must not go out."""
        return self.repeats or self._guard.blocked

    def read(self, passages: Sequence[Passage], question: str) -> None:
        """Take the passages that the sentences are checked against, and what they should answer, before the first event."""
        self._passages, self._question = passages, question
        texts = (f"{passage.title}\n{passage.text}" for passage in passages)
        self._guard = self._new_guard("\n".join((self._known, *texts)))
        self._grounding = self._new_grounding()
        self._unsent: list[GroundedSentence] = []
        self._begun = self._holds = False

    def _new_grounding(self) -> Grounding:
        written = not self._completion.started.extractive
        return Grounding(self._passages, self._question, drop=self._mode == "drop", written=written)

    def checked(self) -> list[GroundedSentence]:
        """Return the sentences that were checked, and whose text was sent, since this was last asked."""
        if self._final is None and (self._mode == "refuse" or (self._mode == "drop" and not self._holds)):
            return []
        found, self._unsent = self._unsent, []
        self._reported += len(found)
        return found

    def conclude(self) -> Token | None:
        """Check the last sentences, and return what was held back.

        Raises `ProviderError` where the tokens were used up before the first word: that says nothing about the documents.
        """
        rest = self._take(self._guard.finish())
        return _joined(rest, self._withheld() if self._guard.blocked else self._concluded())

    def _concluded(self) -> Token | None:
        if self._completion.done.finish_reason == "length" and not self._completion.text.strip():
            words = "the model used its whole token limit and did not begin its answer"
            raise ProviderError(words, backend=self._completion.started.backend)
        if self.repeats:
            self._grounding = self._new_grounding()
            said = _without_no_answer(self._repetition.cut(self._completion.text)).strip()
            self._unsent = self._grounding.finish(said)[self._reported :]
        else:
            self._unsent += self._grounding.finish(self._held if self._begun else self._held.lstrip())
        grounded = self._grounding.answer()
        if not grounded.answers or (self._mode == "refuse" and grounded.unsupported):
            return self.not_found()
        self._grounded, self._final = grounded, grounded.text.rstrip()
        return self._sent(self._held if self._mode == "mark" else self._final[self._streamed :])

    def end(self) -> Token | None:
        """End an answer that is not from documents; return what was held back."""
        rest = self._take(self._guard.finish())
        return _joined(rest, self._withheld() if self._guard.blocked else None)

    def _withheld(self) -> Token | None:
        """End without the answer, which must not go out."""
        self._final, self.answered, self._unsent, self._replaced = WITHHELD, False, [], self._visible
        return None if self._visible else self._sent(WITHHELD)

    def not_found(self) -> Token | None:
        """End without an answer; the closest documents are named."""
        by_document = {passage.document_id: passage for passage in reversed(self._passages)}
        self._closest = tuple(list(by_document.values())[::-1][:_CLOSEST])
        titles = "; ".join(passage.title for passage in self._closest)
        self._final = f"{NOT_FOUND} The closest documents are: {titles}." if titles else NOT_FOUND
        self.answered, self._unsent, self._replaced = False, [], self._visible
        return None if self._visible else self._sent(self._final)

    def calculate(self, answer: CalculatedAnswer) -> Token | None:
        """End with what was calculated from a table."""
        sentence = GroundedSentence(0, len(answer.text), answer.said, True, answer.citations)
        self._grounded = GroundedAnswer(answer.text, (sentence,), (), ())
        self._final, self._calculated, self._unsent = answer.text, True, [sentence]
        self._holds = True
        return self._sent(answer.text)

    def lap(self, stage: str, since: float) -> float:
        """Record the seconds of a stage that began at `since`, and return the time now."""
        now = perf_counter()
        self.seconds[stage] = now - since
        return now

    def answer(self, conversation_id: str | None = None) -> Answered:
        """Return the whole answer."""
        self.lap("total", self._started)
        done, started = self._completion.done, self._completion.started
        return Answered(
            self.text,
            self.answered,
            self._grounded.citations if self._grounded else [],
            self._finish_reason(),
            done.usage,
            started.backend,
            started.model,
            started.extractive,
            self.degraded,
            (*self.reasons, *done.warnings, *self._warnings()),
            {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
            conversation_id,
            self._grounded.sentences if self._grounded else (),
            self._closest,
            replaced=self._replaced,
            streamed=self._streamed,
            calculated=self._calculated,
            switches=tuple(self._switches),
        )

    @property
    def findings(self) -> list[Finding]:
        """What the output guard found."""
        return [*self._guard.findings, *self._thoughts.findings]

    def _finish_reason(self) -> str:
        if self._guard.blocked:
            return "content_filter"
        return "repetition" if self.repeats else self._completion.done.finish_reason

    def _warnings(self) -> tuple[str, ...]:
        found = ["the model repeated itself and was stopped"] if self.repeats else []
        found += map(str, self.findings)
        if self._late:
            found.append(f"{self._late} of {self._parts} parts could not be read in time")
        if self._grounded is not None:
            found += [f"cites a source that was not given: [{label}]" for label in self._grounded.unknown_labels]
            verb = "taken out, since" if self._mode == "drop" else "not supported:"
            for sentence in self._grounded.unsupported:
                found.append(f"{verb} your documents do not say it: {sentence.text[:_SHOWN]!r}")
        return tuple(found)

    def _let_through(self, text: str) -> Token | None:
        """Hold back what may be the beginning of the word for "no answer", and drop that word wherever it stands."""
        self._held = _without_no_answer(self._held + text)
        kept = max((size for size in range(1, len(NO_ANSWER)) if self._held.endswith(NO_ANSWER[:size])), default=0)
        ready = self._held[: len(self._held) - kept]
        self._held = self._held[len(ready) :]
        ready = ready if self._begun else ready.lstrip()
        self._begun = self._begun or bool(ready)
        return self._checked_text(ready) if ready else None

    def _checked_text(self, ready: str) -> Token | None:
        """Check the sentences that are complete, and return what may be shown by now."""
        complete = self._grounding.add(ready)
        self._unsent += complete
        self._holds = self._holds or any(sentence.supported for sentence in complete)
        if self._mode == "mark":
            return self._sent(ready)
        return self._sent(self._grounding.text[self._streamed :]) if self._mode == "drop" and self._holds else None

    def _sent(self, text: str) -> Token | None:
        self._streamed += len(text)
        self._visible = self._visible or bool(text.strip())
        return Token(text) if text else None


def _joined(first: Token | None, second: Token | None) -> Token | None:
    text = "".join(token.text for token in (first, second) if token is not None)
    return Token(text) if text else None


def _without_no_answer(text: str) -> str:
    while NO_ANSWER in text:
        text = text.replace(NO_ANSWER, "")
    return text
