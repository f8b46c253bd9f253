"""`/v1/chat/completions` and `/v1/models` in OpenAI's wire format: a model is a collection.

https://platform.openai.com/docs/api-reference/chat. What the format has no place for goes into the extra member
`switchyard`: of the answer, or of a stream's last chunk.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal, cast
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError, StreamBroken
from llm_providers.types import Failover, Message, Thought, Token
from rag_service.answers import Answered, AnswerEvent
from rag_service.conversations import REMEMBERED
from rag_service.questions import Question
from rag_service.routes.streams import first_two, last
from rag_service.schemas import MAX_QUESTION
from rag_service.state import Rag
from service_kit.auth import User
from service_kit.context import request_id
from service_kit.errors import InvalidInput, ServiceError, problem
from service_kit.errors import response as problem_response
from service_kit.providers import pinned
from service_kit.sse import EventStream


class _OpenAIErrors(APIRoute):
    """Says errors in OpenAI's form, with the problem detail beside it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError as error:
                fault = error.errors()[0]
                field = ".".join(str(part) for part in fault["loc"][1:])
                return _error(InvalidInput(f"{field}: {fault['msg']}", field=field))
            except (ServiceError, ProviderError) as error:
                return _error(error)

        return handler


def _error(error: Exception) -> JSONResponse:
    members = problem(error)
    return problem_response({**members, "error": _openai_error(members)})


def _openai_error(members: dict[str, Any]) -> dict[str, Any]:
    return {
        "message": members["detail"],
        "type": "invalid_request_error" if members["status"] < 500 else "server_error",
        "param": members.get("field"),
        "code": members["type"].rsplit(":", 1)[-1],
    }


router = APIRouter(prefix="/v1", tags=["OpenAI-compatible"], route_class=_OpenAIErrors)

DIRECT = "switchyard/direct"
"""The model itself, without documents: a name that no collection can have."""
_MAX_DIRECT = 200_000
_MARK = "\u0001"


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    include_usage: bool = False


class CompletionIn(BaseModel):
    """A chat request; the sampling options of the format are accepted, and what has no meaning here is ignored."""

    model: str = Field(description="The name of a collection")
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=8192)
    max_completion_tokens: int | None = Field(None, ge=1, le=8192)


@router.get("/models")
async def list_models(rag: Rag, user: User) -> dict[str, Any]:
    """List the collections as models."""
    rows = [row for row, _ in await rag.documents.collections(user)]
    models = [_model(row.name, int(row.created.timestamp())) for row in rows]
    return {"object": "list", "data": [*models, _model(DIRECT, 0)]}


@router.get("/models/{name:path}")
async def get_model(name: str, rag: Rag, user: User) -> dict[str, Any]:
    """Describe one collection as a model."""
    if name == DIRECT:
        return _model(DIRECT, 0)
    row = await rag.documents.require_collection(name, user)
    return _model(row.name, int(row.created.timestamp()))


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "switchyard"}


@router.post("/chat/completions", response_model=None)
async def chat_completions(
    given: CompletionIn, rag: Rag, user: User, backend: Annotated[str | None, Depends(pinned)]
) -> Response:
    """Answer the last user message from the collection that `model` names; the ones before it are the conversation.

    The model `switchyard/direct` is asked as it is, without documents. Where a backend failed in mid-stream and another
    continued, `switchyard.failovers` of the last chunk says so: the format has no event for it. A model's reasoning comes
    in `reasoning_content`.
    """
    deadline = Deadline.after(rag.settings.query_timeout_seconds)
    # The format knows no conversation: its first words are what stays the same from turn to turn.
    opening = next(
        message.text for message in given.messages if message.role == "user" or message is given.messages[-1]
    )
    question = Question(
        "",
        given.model,
        max_tokens=given.max_completion_tokens or given.max_tokens,
        affinity=f"{user.id}:{opening}" if len(given.messages) > 1 else f"{user.id}:{request_id()}",
        backend=backend,
    )
    if given.model == DIRECT:
        events = rag.questions.converse(replace(question, history=_turns(given.messages)), deadline)
    else:
        await rag.documents.require_collection(given.model, user)
        text, history = _question(given.messages)
        events = rag.questions.ask(replace(question, text=text, history=history), deadline)
    head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": given.model}
    if given.stream:
        first = await first_two(events)
        usage = bool(given.stream_options and given.stream_options.include_usage)
        return EventStream(_chunks(head, first, events, usage=usage))
    whole = await last(events)
    message = {"role": "assistant", "content": whole.answer.text, "refusal": None}
    if whole.reasoning:
        message["reasoning_content"] = whole.reasoning
    choice = {"index": 0, "message": message, "finish_reason": whole.answer.finish_reason, "logprobs": None}
    return JSONResponse(
        {
            **head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage(whole.answer),
            "switchyard": _extra(whole.answer, whole.failovers),
        }
    )


def _question(messages: list[ChatMessage]) -> tuple[str, tuple[Message, ...]]:
    """Return the last user message and the turns before it; instructions of the client's are not passed on."""
    if messages[-1].role != "user":
        raise InvalidInput("the last message must be the user's", field="messages")
    question = messages[-1].text.replace("\x00", "").strip()
    if not question or len(question) > MAX_QUESTION:
        raise InvalidInput(f"a question has 1 to {MAX_QUESTION} characters", field="messages")
    turns = [message for message in messages[:-1] if message.role in ("user", "assistant")]
    return question, tuple(
        Message("user" if turn.role == "user" else "assistant", turn.text[:MAX_QUESTION])
        for turn in turns[-REMEMBERED:]
    )


def _turns(messages: list[ChatMessage]) -> tuple[Message, ...]:
    if messages[-1].role != "user":
        raise InvalidInput("the last message must be the user's", field="messages")
    roles = {"developer": "system"}
    turns = [(roles.get(message.role, message.role), message.text.replace("\x00", "")) for message in messages]
    if sum(len(text) for _, text in turns) > _MAX_DIRECT:
        raise InvalidInput(f"the messages have more than {_MAX_DIRECT} characters", field="messages")
    return tuple(Message(cast(Any, role), text) for role, text in turns)


async def _chunks(
    head: dict[str, Any], first: list[AnswerEvent], events: AsyncGenerator[AnswerEvent, None], *, usage: bool
) -> AsyncGenerator[str, None]:
    chunks = _Chunks({**head, "object": "chat.completion.chunk"}, usage=usage)
    try:
        yield chunks.opening()
        async with aclosing(events):
            for event in first:
                yield chunks.encode(event)
            async for event in events:
                yield chunks.encode(event)
        yield "data: [DONE]\n\n"
    except (ServiceError, ProviderError) as error:
        # No [DONE]: a client must not take what it has for a whole answer.
        yield _data({"error": _openai_error(problem(error))})


class _Chunks:
    """Encodes the events of one answer as chunks of the format."""

    def __init__(self, base: dict[str, Any], *, usage: bool) -> None:
        self._base, self._wants_usage = base, usage
        self._failovers: list[Failover] = []
        # All chunks of text are alike but for it: encoding each whole would be most of what a token costs here.
        self._before, self._after = _chunk(base, {"content": _MARK}).split(json.dumps(_MARK))

    def opening(self) -> str:
        return _chunk(self._base, {"role": "assistant", "content": ""})

    def encode(self, event: AnswerEvent) -> str:
        """Return the frames of an event, "" where the format has none; raises `StreamBroken` for a restart."""
        match event:
            case Token():
                return f"{self._before}{json.dumps(event.text, ensure_ascii=False)}{self._after}"
            case Thought():
                return _chunk(self._base, {"reasoning_content": event.text})
            case Failover():
                if event.restarted:
                    # What was sent can't be taken back in this format.
                    raise StreamBroken(f"{event.from_backend} broke off", backend=event.from_backend)
                self._failovers.append(event)
            case Answered():
                extra = _extra(event, self._failovers)
                frames = _chunk({**self._base, "switchyard": extra}, {}, event.finish_reason)
                return frames + (
                    _data({**self._base, "choices": [], "usage": _usage(event)}) if self._wants_usage else ""
                )
        return ""


def _chunk(base: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None) -> str:
    return _data({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}]})


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _usage(answered: Answered) -> dict[str, Any]:
    usage = answered.usage
    counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    details = {"completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens}}
    return {**counts, "total_tokens": sum(counts.values()), **(details if usage.reasoning_tokens else {})}


def _extra(answered: Answered, failovers: list[Failover]) -> dict[str, Any]:
    failed_over = [{"from": event.from_backend, "to": event.to_backend, "reason": event.reason} for event in failovers]
    return {
        **({"failovers": failed_over} if failed_over else {}),
        "answered": answered.answered,
        "citations": [citation.model_dump() for citation in answered.citations],
        "provider": answered.backend,
        "model": answered.model,
        "extractive": answered.extractive,
        "degraded": list(answered.degraded),
        "warnings": list(answered.warnings),
    }
