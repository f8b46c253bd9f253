"""`/v1/conversations`."""

from __future__ import annotations

from fastapi import APIRouter

from rag_service.schemas import ConversationDetail, ConversationOut, TurnOut
from rag_service.state import Rag
from service_kit.auth import User
from service_kit.pages import Cursor, Limit, Page

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.get("")
async def list_conversations(rag: Rag, user: User, limit: Limit = 50, cursor: Cursor = None) -> Page[ConversationOut]:
    """List the conversations that this key began, newest first."""
    found = await rag.conversations.listing(user, limit, cursor)
    return Page(items=[ConversationOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{conversation_id}")
async def get_conversation(conversation_id: str, rag: Rag, user: User) -> ConversationDetail:
    """Return a conversation with all its turns."""
    conversation = await rag.conversations.get(conversation_id, user)
    turns = [
        TurnOut.model_validate(turn, from_attributes=True) for turn in await rag.conversations.turns(conversation.id)
    ]
    return ConversationDetail(
        id=conversation.id, collection=conversation.collection, created=conversation.created, turns=turns
    )


@router.delete("/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: str, rag: Rag, user: User) -> None:
    """Forget a conversation."""
    await rag.conversations.delete(await rag.conversations.get(conversation_id, user))
