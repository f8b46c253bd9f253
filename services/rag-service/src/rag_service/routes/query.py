"""`/v1/search` and `/v1/query`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from llm_providers.deadline import Deadline
from llm_providers.errors import Halted
from llm_providers.types import Failover, Thought, Token
from rag_service.answers import Answered, AnswerEvent, Sources
from rag_service.grounding import GroundedSentence
from rag_service.live import STOPPING
from rag_service.questions import Question
from rag_service.routes.streams import first_two, last, metered
from rag_service.schemas import AnswerOut, PassageOut, QueryIn, SearchIn, SearchOut, SentenceOut
from rag_service.state import Rag
from rag_service.summaries import Progress
from service_kit.auth import Spending, User
from service_kit.context import request_id
from service_kit.problems import problem
from service_kit.providers import pinned
from service_kit.sse import EventStream, encode

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1", tags=["questions"])


@router.post("/search")
async def search(given: SearchIn, rag: Rag, user: User) -> SearchOut:
    """Find passages by keywords and vectors, without asking a model for an answer."""
    await rag.documents.require_collection(given.collection, user)
    deadline = Deadline.after(rag.settings.query_timeout_seconds)
    found = await rag.retriever.search(given.collection, given.question, given.limit, deadline, within=given.filter)
    items = [PassageOut.model_validate(passage) for passage in found.passages]
    degraded, reasons = list(found.degraded), list(found.reasons)
    return SearchOut(items=items, degraded=degraded, reasons=reasons, relevant=found.relevant, seconds=found.seconds)


@router.post(
    "/query",
    response_model=AnswerOut,
    responses={200: {"content": {"text/event-stream": {}}, "description": "The answer; as events on request"}},
)
async def query(
    given: QueryIn,
    request: Request,
    rag: Rag,
    user: User,
    budget: Spending,
    backend: Annotated[str | None, Depends(pinned)],
) -> Response:
    """Answer a question from the documents, with citations.

    Each sentence is attributed to the passages, whatever the model cites. `grounding` says what becomes of sentences that
    no passage supports; an answer without any supported sentence is "not found".

    The summary of a document that the question names is made of all its pages; what a table's cells answer is calculated.

    With `Accept: text/event-stream` as events: `sources`, `progress` while a long document is read for a summary, then `token` many times, a `sentence` for each as soon as it
    was checked (its places count in the text of `done`), and at the end one `done`, `error` or `cancelled`. The text of `done` is
    what holds. Until the first token a failure is a status code; after it a `failover` event says that another backend continues,
    and if it is `restarted`, that the tokens so far are void. What a model thinks before its answer comes as
    `reasoning` events.
    """
    collection = await rag.documents.require_collection(given.collection, user)
    question = Question(
        given.question,
        given.collection,
        conversation_id=given.conversation_id,
        top_k=given.top_k,
        max_tokens=given.max_tokens,
        affinity=f"{user.id}:{request_id()}",
        backend=backend,
        grounding=given.grounding or collection.grounding,
        within=given.filter,
        replaces=given.replaces,
    )
    if given.temperature is not None:
        question = replace(question, options=replace(question.options, temperature=given.temperature))
    question = await rag.questions.conversation(question, given.remember, user)
    events = metered(rag.questions.ask(question, Deadline.after(rag.settings.query_timeout_seconds)), budget)
    if "text/event-stream" not in request.headers.get("accept", ""):
        return JSONResponse(_out((await last(events)).answer))
    if given.detached and question.conversation_id:
        live = rag.live.start(question.conversation_id, given.question, _frames([], events))
        return EventStream(live.follow(), {"X-Conversation-Id": question.conversation_id})
    head = await first_two(events)
    headers = {"X-Conversation-Id": question.conversation_id} if question.conversation_id else {}
    return EventStream(_frames(head, events), headers)


def _out(answered: Answered) -> dict[str, Any]:
    fields = {name: getattr(answered, name) for name in AnswerOut.model_fields if name != "provider"}
    return AnswerOut.model_validate({**fields, "provider": answered.backend}, from_attributes=True).model_dump()


async def _frames(head: list[AnswerEvent], events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[str, None]:
    """Encode events; whatever happens, the stream ends with exactly one of `done`, `error`, `cancelled`."""
    try:
        async with aclosing(events):
            for event in head:
                yield _frame(event)
            async for event in events:
                yield _frame(event)
    except asyncio.CancelledError:
        # The service stops, and the answer ends with an event and a complete body. Where the client has gone away, the
        # event reaches nobody, and the response is cancelled again.
        yield STOPPING
    except Halted as error:
        yield encode("cancelled", problem(error))
    except Exception as error:
        described = problem(error)
        log.warning("answer broke off", error=type(error).__name__)
        yield encode("error", described)


def _frame(event: AnswerEvent) -> str:
    match event:
        case Sources():
            items = [{"label": str(n), **asdict(passage)} for n, passage in enumerate(event.passages, 1)]
            more = {"degraded": list(event.degraded), "conversation_id": event.conversation_id}
            return encode("sources", {"items": items, **more})
        case Progress():
            return encode("progress", asdict(event))
        case Token():
            return encode("token", {"text": event.text})
        case Thought():
            return encode("reasoning", {"text": event.text})
        case Failover():
            names = {"from": event.from_backend, "to": event.to_backend, "model": event.model}
            return encode("failover", {**names, "reason": event.reason, "restarted": event.restarted})
        case GroundedSentence():
            return encode("sentence", SentenceOut.model_validate(event).model_dump())
        case Answered():
            return encode("done", _out(event))
