"""Conversations: earlier questions and answers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from llm_providers.types import Message
from rag_service.tables import Conversation, Turn
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import Conflict, NotFound
from service_kit.ids import new_id
from service_kit.keys import Scope
from service_kit.pages import Page, decode, page

REMEMBERED = 8
"""Turns of the past that the model sees."""


class Conversations:
    """Memory of questions and answers; a conversation belongs to the key that began it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, collection: str, principal: Principal) -> Conversation:
        conversation = Conversation(id=new_id("conv"), collection=collection, owner=principal.id)
        async with self._database.writing() as session:
            session.add(conversation)
        return conversation

    async def get(self, conversation_id: str, principal: Principal) -> Conversation:
        async with self._database.reading() as session:
            found = await session.get(Conversation, conversation_id)
        own = found is not None and (found.owner == principal.id or principal.scope is Scope.ADMIN)
        if found is None or not own or not principal.may_use(found.collection):
            raise NotFound(f"there is no conversation {conversation_id!r}", field="conversation_id")
        return found

    async def history(self, conversation_id: str, collection: str, principal: Principal) -> tuple[Message, ...]:
        """Return the last turns as messages; raises `NotFound`, and `Conflict` if it is about another collection."""
        conversation = await self.get(conversation_id, principal)
        if conversation.collection != collection:
            raise Conflict(f"this conversation is about the collection {conversation.collection!r}", field="collection")
        turns = await self.turns(conversation.id, REMEMBERED)
        return tuple(Message("user" if turn.role == "user" else "assistant", turn.content) for turn in turns)

    async def listing(self, principal: Principal, limit: int, cursor: str | None) -> Page[Conversation]:
        statement = select(Conversation).where(Conversation.owner == principal.id)
        if (before := decode(cursor)) is not None:
            statement = statement.where(Conversation.id < before)
        async with self._database.reading() as session:
            rows = list(await session.scalars(statement.order_by(Conversation.id.desc()).limit(limit + 1)))
        return page(rows, [row.id for row in rows], limit)

    async def turns(self, conversation_id: str, last: int | None = None) -> list[Turn]:
        """Return the turns in order, or only the `last` ones."""
        statement = select(Turn).where(Turn.conversation_id == conversation_id).order_by(Turn.id.desc())
        async with self._database.reading() as session:
            rows = list(await session.scalars(statement if last is None else statement.limit(last)))
        return rows[::-1]

    async def remember(self, conversation_id: str, question: str, answer: str, citations: list[Any]) -> None:
        turn = new_id("turn")
        async with self._database.writing() as session:
            for number, (role, content) in enumerate((("user", question), ("assistant", answer))):
                # Both may be made in one millisecond; the number keeps them in order.
                session.add(
                    Turn(
                        id=f"{turn}{number}",
                        conversation_id=conversation_id,
                        role=role,
                        content=content,
                        citations=citations if role == "assistant" else [],
                    )
                )

    async def delete(self, conversation: Conversation) -> None:
        async with self._database.writing() as session:
            await session.delete(await session.get_one(Conversation, conversation.id))
