"""`/v1/conversations`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from rag_service.schemas import (
    AnswerOut,
    ConversationDetail,
    ConversationIn,
    ConversationOut,
    RatedOut,
    RatingIn,
    TurnOut,
)
from rag_service.state import Rag
from rag_service.tables import Turn
from service_kit.auth import Admin, User
from service_kit.pages import Cursor, Limit, Page
from service_kit.sse import EventStream

router = APIRouter(prefix="/v1", tags=["conversations"])


@router.get("/conversations")
async def list_conversations(
    rag: Rag,
    user: User,
    words: Annotated[str, Query(max_length=200, description="In the title, a question or an answer")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ConversationOut]:
    """List the conversations that this key began, newest first."""
    found = await rag.conversations.listing(user, limit, cursor, words)
    return Page(items=[ConversationOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/conversations/{conversation_id}")
async def get_conversation(conversation_id: str, rag: Rag, user: User) -> ConversationDetail:
    """Return a conversation with all its turns."""
    conversation = await rag.conversations.get(conversation_id, user)
    turns = [_turn(turn) for turn in await rag.conversations.turns(conversation.id)]
    return ConversationDetail.model_validate(
        {**_fields(conversation, ConversationOut), "turns": turns, "answering": rag.live.question(conversation.id)}
    )


@router.patch("/conversations/{conversation_id}", status_code=204)
async def rename_conversation(conversation_id: str, given: ConversationIn, rag: Rag, user: User) -> None:
    """Give a conversation another title."""
    await rag.conversations.rename(await rag.conversations.get(conversation_id, user), given.title)


@router.get("/conversations/{conversation_id}/answer", response_class=EventStream)
async def follow_answer(conversation_id: str, rag: Rag, user: User) -> EventStream:
    """Follow a detached answer from its first event on; 404 where none is being made, or was a minute ago."""
    await rag.conversations.get(conversation_id, user)
    return EventStream(rag.live.get(conversation_id).follow())


@router.delete("/conversations/{conversation_id}/answer", status_code=204)
async def stop_answer(conversation_id: str, rag: Rag, user: User) -> None:
    """Stop a detached answer."""
    await rag.conversations.get(conversation_id, user)
    await rag.live.get(conversation_id).stop()


@router.put("/conversations/{conversation_id}/turns/{turn_id}/rating", status_code=204)
async def rate_answer(conversation_id: str, turn_id: str, given: RatingIn, rag: Rag, user: User) -> None:
    """Say how good an answer was, and why."""
    conversation = await rag.conversations.get(conversation_id, user)
    await rag.conversations.rate(conversation, turn_id, given.rating, given.reason)


@router.get("/ratings")
async def list_ratings(rag: Rag, admin: Admin, limit: Limit = 50, cursor: Cursor = None) -> Page[RatedOut]:
    """List the rated answers of all keys with their questions, newest first."""
    found = await rag.conversations.rated(limit, cursor)
    return Page(items=[RatedOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.delete("/conversations/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: str, rag: Rag, user: User) -> None:
    """Forget a conversation."""
    await rag.conversations.delete(await rag.conversations.get(conversation_id, user))


def _fields(row: object, model: type[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in model.model_fields}


def _turn(turn: Turn) -> TurnOut:
    # Stored with the names of the use case, of which the API has another for the engine.
    whole = turn.answer
    answer = None if whole is None else AnswerOut.model_validate({**whole, "provider": whole["backend"]})
    return TurnOut.model_validate({**_fields(turn, TurnOut), "answer": answer})
