"""Conversations: earlier questions and answers."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, exists, select, update

from llm_providers.types import Message
from rag_service.answers import Answered
from rag_service.tables import Conversation, Rating, Turn
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import Conflict, NotFound
from service_kit.ids import new_id
from service_kit.keys import Scope
from service_kit.pages import Page, decode, page

_ANSWER = TypeAdapter(Answered)
_TITLE = 120
REMEMBERED = 8
"""Turns of the past that the model sees."""


class Conversations:
    """Memory of questions and answers; a conversation belongs to the key that began it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, collection: str, principal: Principal, question: str) -> Conversation:
        """Store a conversation that `question` opens, which gives it its title."""
        title = " ".join(question.split())[:_TITLE]
        conversation = Conversation(id=new_id("conv"), collection=collection, owner=principal.id, title=title)
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

    async def history(
        self, conversation_id: str, collection: str, principal: Principal, before: str | None = None
    ) -> tuple[Message, ...]:
        """Return the last turns (`before` a turn) as messages.

        Raises `NotFound`, and `Conflict` if it is about another collection.
        """
        conversation = await self.get(conversation_id, principal)
        if conversation.collection != collection:
            raise Conflict(f"this conversation is about the collection {conversation.collection!r}", field="collection")
        turns = await self.turns(conversation.id, REMEMBERED, before)
        return tuple(Message("user" if turn.role == "user" else "assistant", turn.content) for turn in turns)

    async def listing(
        self, principal: Principal, limit: int, cursor: str | None, words: str = ""
    ) -> Page[Conversation]:
        """List the caller's, newest first; with `words` those in whose title or turns they stand."""
        statement = select(Conversation).where(Conversation.owner == principal.id)
        if principal.collections is not None:
            statement = statement.where(Conversation.collection.in_(principal.collections))
        if words:
            said = (Turn.conversation_id == Conversation.id) & Turn.content.icontains(words, autoescape=True)
            statement = statement.where(Conversation.title.icontains(words, autoescape=True) | exists().where(said))
        if (before := decode(cursor)) is not None:
            statement = statement.where(Conversation.id < before)
        async with self._database.reading() as session:
            rows = list(await session.scalars(statement.order_by(Conversation.id.desc()).limit(limit + 1)))
        return page(rows, [row.id for row in rows], limit)

    async def rename(self, conversation: Conversation, title: str) -> None:
        async with self._database.writing() as session:
            await session.execute(update(Conversation).where(Conversation.id == conversation.id).values(title=title))

    async def turns(self, conversation_id: str, last: int | None = None, before: str | None = None) -> list[Turn]:
        """Return the turns in order (those `before` a turn), or only the `last` ones."""
        statement = select(Turn).where(Turn.conversation_id == conversation_id).order_by(Turn.id.desc())
        if before is not None:
            statement = statement.where(Turn.id < before)
        async with self._database.reading() as session:
            rows = list(await session.scalars(statement if last is None else statement.limit(last)))
        return rows[::-1]

    async def remember(
        self, conversation_id: str, question: str, answer: Answered, replaces: str | None = None
    ) -> None:
        """Store a question with its answer, in place of the turn `replaces` and all that follow it."""
        turn, whole = new_id("turn"), _ANSWER.dump_python(answer, mode="json")
        # Both may be made in one millisecond; the number keeps them in order.
        asked = Turn(id=f"{turn}0", conversation_id=conversation_id, role="user", content=question)
        answered = Turn(id=f"{turn}1", conversation_id=conversation_id, role="assistant", content=answer.text)
        answered.citations, answered.answer = whole["citations"], whole
        async with self._database.writing() as session:
            if replaces is not None:
                replaced = (Turn.conversation_id == conversation_id) & (Turn.id >= replaces)
                await session.execute(delete(Turn).where(replaced))
            session.add_all((asked, answered))

    async def rate(self, conversation: Conversation, turn_id: str, rating: Rating | None, reason: str) -> None:
        """Say how good an answer was; raises `NotFound` where the conversation has no such answer."""
        answer = (Turn.id == turn_id) & (Turn.conversation_id == conversation.id) & (Turn.role == "assistant")
        async with self._database.writing() as session:
            rated = await session.scalars(
                update(Turn).where(answer).values(rating=rating, reason=reason).returning(Turn.id)
            )
            if not rated.all():
                raise NotFound(f"this conversation has no answer {turn_id!r}", field="turn_id")

    async def rated(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        """Return all rated answers with their questions and collections, newest first."""
        statement = select(Turn, Conversation.collection).join(Conversation).where(Turn.rating.is_not(None))
        if (before := decode(cursor)) is not None:
            statement = statement.where(Turn.id < before)
        async with self._database.reading() as session:
            rows = (await session.execute(statement.order_by(Turn.id.desc()).limit(limit + 1))).all()
            asked_ids = [f"{turn.id[:-1]}0" for turn, _ in rows]
            asked = {turn.id: turn for turn in await session.scalars(select(Turn).where(Turn.id.in_(asked_ids)))}
        found = [
            {
                "id": turn.id,
                "conversation_id": turn.conversation_id,
                "collection": collection,
                "question": asked[f"{turn.id[:-1]}0"].content,
                "answer": turn.content,
                "rating": turn.rating,
                "reason": turn.reason,
                "created": turn.created,
            }
            for turn, collection in rows
        ]
        return page(found, [turn.id for turn, _ in rows], limit)

    async def delete(self, conversation: Conversation) -> None:
        async with self._database.writing() as session:
            await session.delete(await session.get_one(Conversation, conversation.id))
