"""Parameters of a request: what is honoured becomes a `ChatRequest`, what is not is refused by name, nothing is dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_providers.types import ChatRequest
from rag_service.routes.openai.schemas import CompletionIn, ResponseFormat
from service_kit.errors import InvalidInput

_HARMLESS = frozenset(
    "user metadata store service_tier safety_identifier prompt_cache_key prompt_cache_retention prediction "
    "parallel_tool_calls".split()
)
"""They change nothing about the answer; the documentation of `CompletionIn` lists them."""

_NO_TOOLS = (
    "tools are not called here: their results in earlier messages are read as text; ask for JSON by response_format, "
    "or let the client call the engine itself"
)
_REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "n": ((1,), "one answer is made for a request: ask again for another"),
    "tools": (([],), _NO_TOOLS),
    "tool_choice": (("none", "auto"), _NO_TOOLS),
    "functions": (([],), _NO_TOOLS),
    "function_call": (("none", "auto"), _NO_TOOLS),
    "logprobs": ((False,), "log probabilities are not available: not every engine has them"),
    "top_logprobs": ((0,), "log probabilities are not available: not every engine has them"),
    "logit_bias": (({},), "token ids are not the same from engine to engine"),
    "modalities": ((["text"],), "answers are text"),
    "audio": ((), "answers are text"),
}
"""Parameters of the format, with the values that ask for nothing, and why any other is refused."""


def refuse_unsupported(extra: Mapping[str, Any], harmless: frozenset[str] = _HARMLESS) -> None:
    """Raise `InvalidInput` that names the first parameter which is neither honoured nor without effect; null is not given."""
    for name, value in extra.items():
        if value is None or name in harmless:
            continue
        neutral, reason = _REFUSED.get(name, ((), "this parameter is not known here, and would have no effect"))
        # Not `in`: True is 1 to Python.
        if not any(type(value) is type(each) and value == each for each in neutral):
            raise InvalidInput(f"{name}: {reason}", field=name)


def generation(given: CompletionIn, *, direct: bool) -> ChatRequest:
    """Return how to generate, without messages; raises `InvalidInput` for what cannot be honoured."""
    refuse_unsupported(given.model_extra or {})
    schema = _schema(given.response_format)
    if schema is not None and not direct:
        raise InvalidInput(
            "response_format: answers from documents are text with citations; switchyard/direct answers in JSON",
            field="response_format",
        )
    # Null is not given: the defaults are those of the request.
    chosen = {
        "temperature": given.temperature,
        "top_p": given.top_p,
        "presence_penalty": given.presence_penalty,
        "frequency_penalty": given.frequency_penalty,
        "seed": given.seed,
        "stop": (given.stop,) if isinstance(given.stop, str) else tuple(given.stop or ()),
        "json_schema": schema,
    }
    return ChatRequest((), **{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]


def _schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.json_schema is None:
        raise InvalidInput("response_format.json_schema is missing", field="response_format")
    return wanted.json_schema.schema_
