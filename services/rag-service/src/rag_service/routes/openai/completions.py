"""`/v1/chat/completions`: a question to a collection, or to the model itself."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Response
from starlette.responses import JSONResponse

from llm_providers.deadline import Deadline
from rag_service.questions import Question
from rag_service.routes.openai.answers import answer_extra, finish_reason, frames, token_usage
from rag_service.routes.openai.messages import direct_turns, question_and_history
from rag_service.routes.openai.models import DIRECT
from rag_service.routes.openai.parameters import generation
from rag_service.routes.openai.schemas import CompletionIn
from rag_service.routes.streams import WholeAnswer, first_two, last, metered
from rag_service.state import Rag
from service_kit.auth import Spending, User
from service_kit.context import request_id
from service_kit.keys import Grant
from service_kit.providers import pinned
from service_kit.sse import EventStream

router = APIRouter()


@router.post("/chat/completions", response_model=None)
async def chat_completions(
    given: CompletionIn, rag: Rag, user: User, budget: Spending, backend: Annotated[str | None, Depends(pinned)]
) -> Response:
    """Answer the last user message from the collection that `model` names; the ones before it are the conversation.

    The model `switchyard/direct` (which needs the grant `direct`) is asked as it is, without documents; images (PNG or JPEG as `data:` URLs) go to the
    vision model, where one is served. Of more than 200 messages or 200,000 characters the oldest are left out, and of a
    collection's conversation all but the last turns; `switchyard.warnings` says so. Instructions in system messages are
    followed by `switchyard/direct` only. A parameter that can't be honoured is refused by name.

    Where a backend failed in mid-stream and another continued, `switchyard.failovers` of the last chunk says so: the
    format has no event for it. A model's reasoning comes in `reasoning_content`.
    """
    deadline = Deadline.after(rag.settings.query_timeout_seconds)
    direct = given.model == DIRECT
    question = Question(
        "",
        given.model,
        max_tokens=given.max_completion_tokens or given.max_tokens,
        affinity=f"{user.id}:{_conversation(given)}",
        backend=backend,
        graph=given.graph,
        options=generation(given, direct=direct),
    )
    if direct:
        user.require_grant(Grant.DIRECT)
        history, warnings = direct_turns(given.messages)
        events = rag.questions.converse(replace(question, history=history), deadline)
    else:
        collection = await rag.documents.require_collection(given.model, user)
        question = replace(question, grounding=given.grounding or collection.grounding)
        text, history, warnings = question_and_history(given.messages)
        events = rag.questions.ask(replace(question, text=text, history=history), deadline)
    events = metered(events, budget)
    head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": given.model}
    if given.stream:
        first = await first_two(events)
        usage = bool(given.stream_options and given.stream_options.include_usage)
        return EventStream(frames(head, first, events, warnings, usage=usage))
    return JSONResponse({**head, **_whole(await last(events), warnings)})


def _conversation(given: CompletionIn) -> str:
    """Return what stays the same from turn to turn; the format knows no conversation, so its first words are taken."""
    if len(given.messages) == 1:
        return request_id()
    first = next((message for message in given.messages if message.role == "user"), given.messages[-1])
    content = first.content or ""
    return content if isinstance(content, str) else "\n".join(part.text or "" for part in content)


def _whole(whole: WholeAnswer, warnings: tuple[str, ...]) -> dict[str, Any]:
    message = {"role": "assistant", "content": whole.answer.text, "refusal": None}
    if whole.reasoning:
        message["reasoning_content"] = whole.reasoning
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(whole.answer), "logprobs": None}
    return {
        "object": "chat.completion",
        "choices": [choice],
        "usage": token_usage(whole.answer),
        "switchyard": answer_extra(whole.answer, whole.failovers, warnings),
    }
