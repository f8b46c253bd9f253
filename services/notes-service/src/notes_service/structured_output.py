"""Asks a model for JSON of a schema: validated, repaired once, salvaged when it was cut off, never guessed."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.types import ChatRequest, Done, Failover, Message, Source, Started, Token
from notes_service.draft import schema
from service_kit.errors import ServiceError

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Generated(Generic[M]):
    """A valid result; `complete` is false if the model stopped early or did not see all."""

    value: M
    complete: bool
    backend: str
    model: str
    extractive: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    started: Started
    done: Done


class InvalidOutput(ServiceError):
    """The model did not write what it was asked for."""

    status = 502
    type = "invalid-model-output"


class StructuredGenerator:
    """Makes values of pydantic models out of text, by whatever provider serves text."""

    def __init__(self, chat: LLMProvider, max_tokens: int) -> None:
        self._chat = chat
        self._max_tokens = max_tokens

    async def generate(
        self, model: type[M], rules: str, title: str, text: str, deadline: Deadline, *, affinity: str = ""
    ) -> Generated[M]:
        """Return a value of `model` made of `text`; requests of one `affinity` go to one side of a canary.

        Raises `InvalidOutput` if the model's second try is not valid either, and what the provider raises.
        """
        ask = (Message("system", rules), Message("user", "Make the note.", sources=(Source("text", title, text),)))
        reply = await self._ask(model, ask, deadline, affinity)
        try:
            return self._read(model, reply)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:8])
        complaint = f"That is not valid: {faults}. Reply with the whole corrected JSON only."
        again = await self._ask(
            model, (*ask, Message("assistant", reply.text), Message("user", complaint)), deadline, affinity
        )
        try:
            return self._read(model, again)
        except ValidationError as error:
            raise InvalidOutput("the model's output does not fit the note's schema, nor did its second try") from error

    def _read(self, model: type[M], reply: _Reply) -> Generated[M]:
        cut = reply.done.finish_reason == "length"
        try:
            given = from_json(_unfenced(reply.text), allow_partial=cut)
        except ValueError:
            given = None
        value = model.model_validate(_padded(model, given) if cut else given)
        complete = not cut and not reply.done.warnings
        started = reply.started
        return Generated(value, complete, started.backend, started.model, started.extractive, reply.done.warnings)

    async def _ask(self, model: type[M], messages: tuple[Message, ...], deadline: Deadline, affinity: str) -> _Reply:
        request = ChatRequest(messages, self._max_tokens, temperature=0.0, json_schema=schema(model), affinity=affinity)
        pieces: list[str] = []
        started, done = Started("", ""), Done("stop")
        async with aclosing(self._chat.chat(request, deadline)) as events:
            async for event in events:
                match event:
                    case Token():
                        pieces.append(event.text)
                    case Started():
                        started = event
                    case Failover():
                        started = Started(event.to_backend, event.model, event.extractive)
                        if event.restarted:
                            pieces.clear()
                    case Done():
                        done = event
        return _Reply("".join(pieces), started, done)


def _unfenced(text: str) -> str:
    text = text.strip()
    return (
        text.removeprefix("```json").removeprefix("```").removesuffix("```").strip() if text.startswith("```") else text
    )


def _padded(model: type[BaseModel], given: Any) -> Any:
    """Give what a cut-off answer lacks its empty value, and drop its unfinished last item."""
    if not isinstance(given, dict):
        return given
    empty: dict[str, Any] = {}
    for name, known in model.model_fields.items():
        empty[name] = [] if str(known.annotation).startswith("list") else ""
    *_, last = given or [""]
    if isinstance(given.get(last), list):
        # The answer broke off in here: the item at its end may be half of one.
        return {**empty, **given, last: given[last][:-1]}
    return {**empty, **given}
