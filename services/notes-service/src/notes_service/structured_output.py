"""Structured output: JSON of a schema from a model, validated, repaired once, salvaged when it was cut off, never guessed."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded
from llm_providers.types import ChatRequest, Done, Failover, Message, Source, Started, Token
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
    """The output of the model does not fit the schema."""

    status = 502
    type = "invalid-model-output"


class OutOfTime(DeadlineExceeded):
    """The time budget was spent before the model had finished; `partial` is what it had generated, if that is of any use."""

    def __init__(self, partial: Generated[Any] | None) -> None:
        super().__init__("the model did not finish within its time budget")
        self.partial = partial


@dataclass(frozen=True, slots=True)
class StructuredGenerator:
    """Generates values of pydantic models from text, with the provider of the text role."""

    chat: LLMProvider
    max_tokens: int

    async def generate(
        self, model: type[M], rules: str, title: str, text: str, deadline: Deadline, *, affinity: str = ""
    ) -> Generated[M]:
        """Return a value of `model` made of `text`; requests of one `affinity` go to one side of a canary.

        Raises `InvalidOutput` if the model's second try is not valid either, `OutOfTime`, and what the provider raises.
        """
        ask = (Message("system", rules), Message("user", "Make the note.", sources=(Source("text", title, text),)))
        reply = await self._ask(model, ask, deadline, affinity)
        try:
            return _read(model, reply)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:8])
        complaint = f"That is not valid: {faults}. Reply with the whole corrected JSON only."
        again = await self._ask(
            model, (*ask, Message("assistant", reply.text), Message("user", complaint)), deadline, affinity
        )
        try:
            return _read(model, again)
        except ValidationError as error:
            raise InvalidOutput("the model's output does not fit the note's schema, nor did its second try") from error

    async def _ask(self, model: type[M], messages: tuple[Message, ...], deadline: Deadline, affinity: str) -> _Reply:
        request = ChatRequest(
            messages, self.max_tokens, temperature=0.0, json_schema=model.model_json_schema(), affinity=affinity
        )
        pieces: list[str] = []
        started, done = Started("", ""), Done("stop")
        try:
            async with aclosing(self.chat.chat(request, deadline)) as events:
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
        except DeadlineExceeded as error:
            raise OutOfTime(_salvaged(model, _Reply("".join(pieces), started, Done("length")))) from error
        return _Reply("".join(pieces), started, done)


def _read(model: type[M], reply: _Reply) -> Generated[M]:
    """Return the reply as a value of `model`; raises ValidationError."""
    cut = reply.done.finish_reason == "length"
    try:
        fields = from_json(_unfenced(reply.text), allow_partial=cut)
    except ValueError:
        fields = None
    warnings = reply.done.warnings
    if cut and isinstance(fields, dict):
        *_, last = fields or [""]
        missing = [name for name in model.model_fields if name == last or name not in fields]
        warnings += (f"the model stopped before the end; incomplete or missing: {', '.join(missing)}",)
        fields = _padded(model, fields, last)
    value = model.model_validate(fields)
    started = reply.started
    return Generated(value, not warnings, started.backend, started.model, started.extractive, warnings)


def _salvaged(model: type[M], reply: _Reply) -> Generated[M] | None:
    """Return what can be used of a cut-off reply; None if nothing can."""
    try:
        generated = _read(model, reply)
    except ValidationError:
        return None
    return generated if any(generated.value.model_dump().values()) else None


def _unfenced(text: str) -> str:
    text = text.strip()
    return (
        text.removeprefix("```json").removeprefix("```").removesuffix("```").strip() if text.startswith("```") else text
    )


def _padded(model: type[BaseModel], fields: dict[str, Any], last: str) -> dict[str, Any]:
    """Fill in what a cut-off answer lacks with empty values, and drop the last item of the field `last`: it may be incomplete."""
    empty = {name: [] if str(field.annotation).startswith("list") else "" for name, field in model.model_fields.items()}
    if isinstance(fields.get(last), list):
        fields = {**fields, last: fields[last][:-1]}
    return {**empty, **fields}
