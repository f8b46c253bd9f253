"""`/v1/search` and `/v1/query`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from llm_providers.deadline import Deadline
from llm_providers.errors import Halted
from llm_providers.types import Failover, Message, Thought, Token
from rag_service.answering import Answered, AnswerEvent, Route, Sources
from rag_service.conversations import REMEMBERED
from rag_service.schemas import AnswerOut, PassageOut, QueryIn, SearchIn, SearchOut, UsageOut
from rag_service.state import Rag, State
from service_kit.auth import Principal, User
from service_kit.context import request_id
from service_kit.errors import Conflict, problem
from service_kit.providers import pinned
from service_kit.sse import EventStream, encode

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1", tags=["questions"])


@router.post("/search")
async def search(given: SearchIn, rag: Rag, user: User) -> SearchOut:
    """Find passages by keywords and vectors, without asking a model for an answer."""
    await rag.documents.require_collection(given.collection, user)
    deadline = Deadline.after(rag.settings.query_timeout_seconds)
    found = await rag.retriever.search(given.collection, given.question, given.limit, deadline)
    items = [PassageOut.model_validate(passage) for passage in found.passages]
    degraded, reasons = list(found.degraded), list(found.reasons)
    return SearchOut(items=items, degraded=degraded, reasons=reasons, seconds=found.seconds)


@router.post(
    "/query",
    response_model=AnswerOut,
    responses={200: {"content": {"text/event-stream": {}}, "description": "The answer; as events on request"}},
)
async def query(
    given: QueryIn, request: Request, rag: Rag, user: User, backend: Annotated[str | None, Depends(pinned)]
) -> Response:
    """Answer a question from the documents, with citations.

    With `Accept: text/event-stream` as events: `sources`, then `token` many times, and at the end one `done`, `error` or
    `cancelled`. Until the first token a failure is a status code; after it a `failover` event tells that another
    backend goes on, and if it says `restarted`, that the tokens so far are void.
    """
    conversation, history = await _memory(given, rag, user)
    deadline = Deadline.after(rag.settings.query_timeout_seconds)
    route = Route(conversation or f"{user.id}:{request_id()}", backend)
    events = rag.answerer.ask(given.collection, given.question, deadline, history, given.top_k, given.max_tokens, route)
    if "text/event-stream" in request.headers.get("accept", ""):
        try:
            head = [await anext(events), await anext(events)]
        except BaseException:
            await events.aclose()
            raise
        provider = {"X-Conversation-Id": conversation} if conversation else {}
        return EventStream(_frames(head, events, given, conversation, rag), provider)
    answered = None
    async with aclosing(events):
        async for event in events:
            answered = event if isinstance(event, Answered) else answered
    assert answered is not None
    return JSONResponse(await _finish(answered, given, conversation, rag))


async def _memory(given: QueryIn, rag: State, user: Principal) -> tuple[str | None, list[Message]]:
    await rag.documents.require_collection(given.collection, user)
    if given.conversation_id is None:
        begun = await rag.conversations.begin(given.collection, user) if given.remember else None
        return (begun.id if begun else None), []
    conversation = await rag.conversations.get(given.conversation_id, user)
    if conversation.collection != given.collection:
        raise Conflict(f"this conversation is about the collection {conversation.collection!r}", field="collection")
    turns = await rag.conversations.turns(conversation.id, REMEMBERED)
    return conversation.id, [Message("user" if t.role == "user" else "assistant", t.content) for t in turns]


async def _finish(answered: Answered, given: QueryIn, conversation: str | None, rag: State) -> dict[str, Any]:
    citations = [citation.model_dump() for citation in answered.citations]
    if conversation is not None:
        await rag.conversations.remember(conversation, given.question, answered.text, citations)
    out = {
        **asdict(answered),
        "citations": citations,
        "conversation_id": conversation,
        "provider": answered.backend,
        "usage": UsageOut.model_validate(answered.usage),
    }
    return AnswerOut.model_validate(out).model_dump()


async def _frames(
    head: list[AnswerEvent],
    events: AsyncGenerator[AnswerEvent, None],
    given: QueryIn,
    conversation: str | None,
    rag: State,
) -> AsyncGenerator[str, None]:
    """Encode events; whatever happens, the stream ends with exactly one of `done`, `error`, `cancelled`."""
    try:
        async with aclosing(events):
            for event in head:
                yield await _frame(event, given, conversation, rag)
            async for event in events:
                yield await _frame(event, given, conversation, rag)
    except asyncio.CancelledError:
        # The service is going down, and the answer ends here, as it should: with an event, and a whole body. Where the
        # client went away, nobody hears it, and the response is cancelled again.
        yield encode("cancelled", {"detail": "the service is stopping; ask again"})
    except Halted as error:
        yield encode("cancelled", problem(error))
    except Exception as error:
        described = problem(error)
        log.warning("answer broke off", error=type(error).__name__)
        yield encode("error", described)


async def _frame(event: AnswerEvent, given: QueryIn, conversation: str | None, rag: State) -> str:
    if isinstance(event, Sources):
        items = [{"label": str(n), **asdict(passage)} for n, passage in enumerate(event.passages, 1)]
        return encode("sources", {"items": items, "degraded": list(event.degraded), "conversation_id": conversation})
    if isinstance(event, Token):
        return encode("token", {"text": event.text})
    if isinstance(event, Thought):
        return encode("reasoning", {"text": event.text})
    if isinstance(event, Failover):
        names = {"from": event.from_backend, "to": event.to_backend, "model": event.model}
        return encode("failover", {**names, "reason": event.reason, "restarted": event.restarted})
    return encode("done", await _finish(event, given, conversation, rag))
