"""What can be asked of a graph: its entities, their mentions, relations and neighbours; and merging and splitting by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from graph_service import storage
from graph_service.tables import LARGEST_ID, Document, Entity, Mention, Name, Relation, Sentence
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import InvalidInput, NotFound
from service_kit.pages import Page, decode, page
from service_kit.statements.normalisation import normalised

_SHOWN = 20
"""Mentions and relations in the description of an entity."""
_SubjectName, _ObjectName = aliased(Name), aliased(Name)
_Subject, _Object = aliased(Entity), aliased(Entity)


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence as evidence."""

    document_id: str
    document: str
    page: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Mentioned:
    name: str
    start: int
    end: int
    evidence: Quote


@dataclass(frozen=True, slots=True)
class Related:
    id: int
    kind: str
    subject: Entity
    object: Entity
    evidence: Quote


@dataclass(frozen=True, slots=True)
class Neighbour:
    entity: Entity
    kinds: list[str]
    sentences: int


@dataclass(slots=True)
class Entities:
    """The use cases of entities; one that the caller may not see does not exist for them."""

    database: Database

    async def get(self, entity_id: int, principal: Principal) -> Entity:
        """Return an entity; raises `NotFound`, for one of another's collection too."""
        async with self.database.reading() as session:
            entity = await session.get(Entity, entity_id)
        if entity is None or not principal.may_use(entity.collection):
            raise NotFound(f"there is no entity {entity_id}", field="entity_id")
        return entity

    async def listing(
        self, collection: str, named: str, type_: str | None, limit: int, cursor: str | None, principal: Principal
    ) -> Page[Entity]:
        """List those that are mentioned most first; with `named`, those that have it in one of their names."""
        principal.require(collection)
        statement = select(Entity).where(Entity.collection == collection)
        if type_ is not None:
            statement = statement.where(Entity.type == type_)
        if named:
            key = Name.key.contains(" ".join(normalised(named).split()), autoescape=True)
            text = Name.text.icontains(named, autoescape=True)
            statement = statement.where(
                Entity.id.in_(select(Name.entity_id).where(Name.collection == collection, key | text))
            )
        if (before := decode(cursor)) is not None:
            mentions, _, identity = before.partition(":")
            statement = statement.where(tuple_(Entity.mentions, Entity.id) < (_id(mentions), _id(identity)))
        statement = statement.order_by(Entity.mentions.desc(), Entity.id.desc()).limit(limit + 1)
        async with self.database.reading() as session:
            rows = list(await session.scalars(statement))
        return page(rows, [f"{row.mentions}:{row.id}" for row in rows], limit)

    async def aliases(self, entity: Entity) -> list[str]:
        async with self.database.reading() as session:
            statement = select(Name.text).where(Name.entity_id == entity.id).order_by(Name.id)
            return list(await session.scalars(statement))

    async def mentions(self, entity: Entity, limit: int = _SHOWN, cursor: str | None = None) -> Page[Mentioned]:
        """List an entity's mentions in the order in which they were found."""
        statement = (
            select(Mention, Sentence, Document.title)
            .join(Name, Mention.name_id == Name.id)
            .join(Sentence, Mention.sentence_id == Sentence.id)
            .join(Document, Sentence.document_id == Document.id)
            .where(Name.entity_id == entity.id, Mention.id > number_in(cursor))
            .order_by(Mention.id)
            .limit(limit + 1)
        )
        async with self.database.reading() as session:
            rows = (await session.execute(statement)).all()
        found = [
            Mentioned(
                sentence.text[mention.start - sentence.start : mention.end - sentence.start],
                mention.start,
                mention.end,
                quoted(sentence, title),
            )
            for mention, sentence, title in rows
        ]
        return page(found, [str(row[0].id) for row in rows], limit)

    async def relations_of(
        self, entity: Entity, limit: int = _SHOWN, cursor: str | None = None, other: Entity | None = None
    ) -> Page[Related]:
        """List the relations of an entity, or those with one `other`, in the order in which they were found."""
        mine = select(Name.id).where(Name.entity_id == entity.id)
        if other is None:
            return await self._relations(Relation.subject_id.in_(mine) | Relation.object_id.in_(mine), limit, cursor)
        theirs = select(Name.id).where(Name.entity_id == other.id)
        both = (
            Relation.subject_id.in_(mine) & Relation.object_id.in_(theirs),
            Relation.subject_id.in_(theirs) & Relation.object_id.in_(mine),
        )
        return await self._relations(or_(*both), limit, cursor)

    async def relations(
        self, collection: str, kind: str | None, limit: int, cursor: str | None, principal: Principal
    ) -> Page[Related]:
        """List the relations of a collection."""
        principal.require(collection)
        condition = _SubjectName.collection == collection
        return await self._relations(condition if kind is None else condition & (Relation.kind == kind), limit, cursor)

    async def between(self, pairs: Sequence[tuple[int, int]], each: int) -> list[list[Related]]:
        """Return for each pair of entities the first relations of the two, whichever is the subject."""
        found = []
        for one, other in pairs:
            ends = or_(
                and_(_SubjectName.entity_id == one, _ObjectName.entity_id == other),
                and_(_SubjectName.entity_id == other, _ObjectName.entity_id == one),
            )
            found.append((await self._relations(ends, each, None)).items)
        return found

    async def _relations(self, condition: ColumnElement[bool], limit: int, cursor: str | None) -> Page[Related]:
        statement = (
            select(Relation, _Subject, _Object, Sentence, Document.title)
            .join(_SubjectName, Relation.subject_id == _SubjectName.id)
            .join(_ObjectName, Relation.object_id == _ObjectName.id)
            .join(_Subject, _SubjectName.entity_id == _Subject.id)
            .join(_Object, _ObjectName.entity_id == _Object.id)
            .join(Sentence, Relation.sentence_id == Sentence.id)
            .join(Document, Sentence.document_id == Document.id)
            # A sentence may name one of them by two names.
            .where(condition, _Subject.id != _Object.id, Relation.id > number_in(cursor))
            .order_by(Relation.id)
            .limit(limit + 1)
        )
        async with self.database.reading() as session:
            rows = (await session.execute(statement)).all()
        found = [
            Related(relation.id, relation.kind, subject, other, quoted(sentence, title))
            for relation, subject, other, sentence, title in rows
        ]
        return page(found, [str(row[0].id) for row in rows], limit)

    async def neighbours(self, entity: Entity, type_: str | None, limit: int) -> list[Neighbour]:
        """Return the entities that sentences name together with this one, those of most sentences first."""
        mine = select(Name.id).where(Name.entity_id == entity.id)
        ends = (
            select(Relation.object_id.label("name"), Relation.sentence_id, Relation.kind)
            .where(Relation.subject_id.in_(mine))
            .union_all(
                select(Relation.subject_id, Relation.sentence_id, Relation.kind).where(Relation.object_id.in_(mine))
            )
            .subquery()
        )
        sentences = func.count(ends.c.sentence_id.distinct())
        counted = (
            select(Name.entity_id, sentences.label("sentences"))
            .select_from(ends)
            .join(Name, Name.id == ends.c.name)
            .where(Name.entity_id != entity.id)
            .group_by(Name.entity_id)
        )
        if type_ is not None:
            counted = counted.where(Name.type == type_)
        best = counted.order_by(sentences.desc(), Name.entity_id).limit(limit).subquery()
        statement = select(Entity, best.c.sentences).join(best, best.c.entity_id == Entity.id)
        kinds = defaultdict[int, set[str]](set)
        async with self.database.reading() as session:
            rows = (await session.execute(statement.order_by(best.c.sentences.desc(), Entity.id))).all()
            shown = select(Name.entity_id, ends.c.kind).distinct().join(Name, Name.id == ends.c.name)
            for identity, kind in await session.execute(shown.where(Name.entity_id.in_([row[0].id for row in rows]))):
                kinds[identity].add(kind)
        return [Neighbour(row[0], sorted(kinds[row[0].id]), row[1]) for row in rows]

    async def merge(self, entity: Entity, others: Sequence[Entity]) -> Entity:
        """Make several entities one, under the first one's id and name; kept over builds.

        Raises `InvalidInput` unless all are of one collection and type.
        """
        together = {other.id for other in others} | {entity.id}
        if any((other.collection, other.type) != (entity.collection, entity.type) for other in others):
            raise InvalidInput("entities of different types, or collections, can't be one", field="entities")
        async with self.database.writing() as session:
            mine = update(Name).where(Name.entity_id.in_(together))
            await session.execute(mine.values(entity_id=entity.id, by_hand=True))
            await session.execute(delete(Entity).where(Entity.id.in_(together - {entity.id})))
            await self._counted(session, entity.collection, entity.id)
            return await session.get_one(Entity, entity.id, populate_existing=True)

    async def split(self, entity: Entity, names: Sequence[str]) -> Entity:
        """Give some of an entity's names to a new entity, which is returned; kept over builds.

        Raises `InvalidInput` unless all are names of the entity, and one is left.
        """
        async with self.database.writing() as session:
            rows = list(await session.scalars(select(Name).where(Name.entity_id == entity.id).order_by(Name.id)))
            parted = [row for row in rows if row.text in names]
            if unknown := set(names) - {row.text for row in parted}:
                raise InvalidInput(f"this entity has no name {min(unknown)!r}", field="names")
            if len(parted) == len(rows):
                raise InvalidInput("one name at least stays with the entity", field="names")
            new = Entity(collection=entity.collection, type=entity.type, name=parted[0].text)
            session.add(new)
            await session.flush()
            for row in rows:
                row.by_hand = True
                row.entity_id = new.id if row in parted else entity.id
            if entity.name in names:
                kept = next(row.text for row in rows if row not in parted)
                await session.execute(update(Entity).where(Entity.id == entity.id).values(name=kept))
            await session.flush()
            await self._counted(session, entity.collection, entity.id, new.id)
            return await session.get_one(Entity, new.id, populate_existing=True)

    async def _counted(self, session: AsyncSession, collection: str, *entities: int) -> None:
        await storage.count(session, Entity.id.in_(entities))
        await storage.changed(session, collection)


def quoted(sentence: Sentence, title: str) -> Quote:
    """Return a sentence of the document that has this title."""
    return Quote(sentence.document_id, title, sentence.page, sentence.start, sentence.end, sentence.text)


def number_in(cursor: str | None) -> int:
    """Return the number in a cursor, 0 without one; raises `InvalidInput` for what is none."""
    return _id(decode(cursor) or "0")


def _id(digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10 and int(digits) <= LARGEST_ID):
        raise InvalidInput("this is not a cursor of this list", field="cursor")
    return int(digits)
