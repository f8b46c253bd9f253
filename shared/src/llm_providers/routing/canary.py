"""A share of conversations for the candidate, and the samples that are taken of both sides."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from hashlib import blake2b
from random import random
from time import monotonic
from typing import Any

from llm_providers.base import ChatWrapper, LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Halted, InvalidResponse, ProviderError
from llm_providers.routing.trial import RequestSample, Trial
from llm_providers.types import ChatEvent, ChatRequest, Done, Token

_LABEL = re.compile(r"\[([^\[\]\s]{1,12})\]")


class Canary(ChatWrapper):
    """Sends `percent` of conversations to the candidate, until its trial trips.

    A conversation that is on the candidate's side stays there while the share grows: sides follow from `affinity` alone.
    Raises what the sides raise; the candidate's chain is expected to end with the stable backend.
    """

    def __init__(self, stable: LLMProvider, candidate: LLMProvider, percent: float, trial: Trial) -> None:
        super().__init__(stable)
        self._candidate, self._share, self._trial = candidate, percent / 100, trial

    def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        chosen = not self._trial.tripped and place(request.affinity) < self._share
        return (self._candidate if chosen else self._provider).chat(request, deadline)


def place(affinity: str) -> float:
    """Return where between 0 and 1 a conversation lies: the same in every process; anywhere if `affinity` is ""."""
    if not affinity:
        return random()  # noqa: S311
    return int.from_bytes(blake2b(affinity.encode(), digest_size=8).digest()) / 2**64


class SampledChat(ChatWrapper):
    """Takes a sample of every request except those that the caller left or the operator stopped.

    `on_trial`, an answer that must be JSON is held back until it is whole: one that does not fit its schema is raised as
    `InvalidResponse`, so that a backend that is trusted can answer instead.
    """

    def __init__(self, provider: LLMProvider, add: Callable[[RequestSample], None], *, on_trial: bool = False) -> None:
        super().__init__(provider)
        self._add, self._on_trial = add, on_trial

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        begun, first, pieces, held = monotonic(), None, list[str](), list[ChatEvent]()
        hold = self._on_trial and request.json_schema is not None
        try:
            async with aclosing(self._provider.chat(request, deadline)) as stream:
                async for event in stream:
                    if first is None:
                        first = monotonic() - begun
                    if isinstance(event, Token):
                        pieces.append(event.text)
                    elif isinstance(event, Done):
                        added = sample(request, request.prefix + "".join(pieces), event, monotonic() - begun, first)
                        self._add(added)
                        if hold and event.finish_reason == "stop" and not added.json_valid:
                            break
                    if hold:
                        held.append(event)
                    else:
                        yield event
        except Halted:
            raise
        except ProviderError:
            now = monotonic()
            self._add(RequestSample(now, now - begun, error=True, first_token_seconds=first))
            raise
        if hold and not isinstance(held[-1], Done):
            raise InvalidResponse("the answer is not the JSON asked for", backend=self.name)
        for event in held:
            yield event


def sample(request: ChatRequest, text: str, done: Done, seconds: float, first: float | None) -> RequestSample:
    """Return the sample of a whole answer."""
    return RequestSample(
        monotonic(),
        seconds,
        first_token_seconds=first,
        unusable=not text.strip() or done.finish_reason == "length" or bool(done.warnings),
        json_valid=json_valid(request.json_schema, text) if request.json_schema is not None else None,
        quality=grounded(request, text),
    )


def labels(text: str) -> frozenset[str]:
    """The source labels that an answer cites."""
    return frozenset(_LABEL.findall(text))


def json_valid(schema: Mapping[str, Any], text: str) -> bool:
    """Whether the text is JSON that fits the schema, regular expressions in it aside: clients write them, and may mean harm."""
    # Imported here: it takes a fifth of a second, and most requests ask for no JSON.
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    validator = extend(Draft202012Validator, {"pattern": _ignored, "patternProperties": _ignored})
    try:
        validator(schema).validate(json.loads(text))
    except (ValueError, ValidationError):
        return False
    return True


def _ignored(*_: object) -> Iterator[Any]:
    return iter(())


def grounded(request: ChatRequest, text: str) -> float | None:
    """The share of cited labels that are sources of the request; 0 for none cited, None where it had no sources."""
    known = {source.label for message in request.messages for source in message.sources}
    if not known or request.json_schema is not None:
        return None
    cited = labels(text)
    return len(cited & known) / len(cited) if cited else 0.0
