"""What was found in a chunk, as rows; and the names and entities that are left when documents have gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from graph_service.extraction import Extraction, Found, Passage
from graph_service.extraction.base import LITERALS
from graph_service.extraction.names import NAME
from graph_service.passages import Span, sentence_spans
from graph_service.resolution import Named, spoken
from graph_service.tables import Chunk, Document, Entity, Graph, Mention, Name, Relation, Sentence
from service_kit.jobs import now

_KEYS_AT_ONCE = 500
_LONGEST_NAME = 300


async def store(session: AsyncSession, collection: str, passage: Passage, extraction: Extraction) -> None:
    """Store what was found in a chunk, unless it was stored before or its document has been deleted."""
    waiting = (Chunk.id == passage.chunk_id) & Chunk.done.is_(False)
    done = {"done": True, "dropped": extraction.dropped, "failed": extraction.failed}
    if await session.scalar(update(Chunk).where(waiting).values(done).returning(Chunk.id)) is None:
        return
    spans = list(sentence_spans(passage.text))
    places = [_sentence_of(found, spans) for found in extraction.mentions]
    used = sorted({place for place in places if place is not None})
    if not used:
        return
    rows = [
        {
            "chunk_id": passage.chunk_id,
            "document_id": passage.document_id,
            "page": passage.page,
            "start": passage.start + spans[place][0],
            "end": passage.start + spans[place][1],
            "text": passage.text[slice(*spans[place])],
        }
        for place in used
    ]
    inserted = await session.scalars(insert(Sentence).returning(Sentence.id, sort_by_parameter_order=True), rows)
    sentences = dict(zip(used, inserted, strict=True))
    names = await _names(session, collection, passage, extraction.mentions)
    mentions = [
        {
            "sentence_id": sentences[place],
            "name_id": names[found.type, found.key],
            "start": passage.start + found.start,
            "end": passage.start + found.end,
        }
        for found, place in zip(extraction.mentions, places, strict=True)
        if place is not None
    ]
    await session.execute(insert(Mention), mentions)
    relations = [
        {
            "sentence_id": sentences[place],
            "subject_id": names[subject.type, subject.key],
            "object_id": names[other.type, other.key],
            "kind": related.kind,
        }
        for related in extraction.relations
        for subject, other in [(extraction.mentions[related.subject], extraction.mentions[related.object])]
        for place in [places[related.subject]]
        if place is not None and place == places[related.object]
    ]
    if relations:
        await session.execute(insert(Relation), relations)


def _sentence_of(found: Found, spans: Sequence[Span]) -> int | None:
    return next((n for n, (start, end) in enumerate(spans) if start <= found.start and found.end <= end), None)


async def _names(
    session: AsyncSession, collection: str, passage: Passage, mentions: Sequence[Found]
) -> dict[tuple[str, str], int]:
    """Return the ids of the names of these mentions by type and key; a new name becomes an entity of its own."""
    wanted = {(found.type, found.key): passage.text[found.start : found.end] for found in reversed(mentions)}
    found: dict[tuple[str, str], int] = {}
    keys = sorted({key for _, key in wanted})
    # With the types too, or all names of the collection would be read: the index begins with collection and type.
    of_types = (Name.collection == collection) & Name.type.in_({type_ for type_, _ in wanted})
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[first : first + _KEYS_AT_ONCE]
        statement = select(Name.type, Name.key, Name.id).where(of_types, Name.key.in_(some))
        found.update({(row.type, row.key): row.id for row in await session.execute(statement)})
    new = [each for each in wanted if each not in found]
    if new:
        texts = [" ".join(wanted[each].split())[:_LONGEST_NAME] for each in new]
        entities = await session.scalars(
            insert(Entity).returning(Entity.id, sort_by_parameter_order=True),
            [
                {"collection": collection, "type": each[0], "name": text, "mentions": 0}
                for each, text in zip(new, texts, strict=True)
            ],
        )
        ids = await session.scalars(
            insert(Name).returning(Name.id, sort_by_parameter_order=True),
            [
                {"collection": collection, "type": each[0], "key": each[1], "text": text, "entity_id": entity}
                for each, text, entity in zip(new, texts, entities, strict=True)
            ],
        )
        found.update(zip(new, ids, strict=True))
    return found


async def contents(session: AsyncSession, collection: str) -> dict[str, str]:
    """Return the documents of a graph with the contents that they had when they were read."""
    rows = await session.execute(select(Document.id, Document.content).where(Document.collection == collection))
    return {row.id: row.content for row in rows}


async def remove_unused(session: AsyncSession, collection: str) -> None:
    """Remove names without mentions, except those placed by hand, and entities without names."""
    mentioned = select(Mention.id).where(Mention.name_id == Name.id).exists()
    unused = (Name.collection == collection) & Name.by_hand.is_(False) & ~mentioned
    await session.execute(delete(Name).where(unused))
    named = select(Name.id).where(Name.entity_id == Entity.id).exists()
    await session.execute(delete(Entity).where(Entity.collection == collection, ~named))


async def names_of(session: AsyncSession, collection: str) -> list[Named]:
    """Return the names of a collection, without those of values, in the order in which they were found."""
    counted = select(func.count()).where(Mention.name_id == Name.id).scalar_subquery()
    statement = (
        select(Name, Entity.name, counted)
        .join(Entity, Name.entity_id == Entity.id)
        .where(Name.collection == collection, Name.type.not_in(LITERALS))
    )
    return [
        Named(name.id, name.type, name.key, name.text, name.entity_id, shown, name.by_hand, mentions)
        for name, shown, mentions in await session.execute(statement.order_by(Name.id))
    ]


async def types_of(
    session: AsyncSession, collection: str, keys: Collection[str], types: Collection[str]
) -> dict[str, str]:
    """Return the types of those of these names that the collection has, as one of `types` that says something."""
    wanted, asked = [type_ for type_ in types if type_ != NAME], sorted(keys)
    found: dict[str, str] = {}
    for first in range(0, len(asked), _KEYS_AT_ONCE):
        some = Name.key.in_(asked[first : first + _KEYS_AT_ONCE])
        statement = select(Name.key, Name.type).where(Name.collection == collection, Name.type.in_(wanted), some)
        found.update({row.key: row.type for row in await session.execute(statement.order_by(Name.id.desc()))})
    return found


async def documents_of(session: AsyncSession, names: Collection[int]) -> dict[int, frozenset[str]]:
    """Return the documents in which each of these names stands."""
    found = defaultdict[int, set[str]](set)
    asked = sorted(names)
    for first in range(0, len(asked), _KEYS_AT_ONCE):
        some = asked[first : first + _KEYS_AT_ONCE]
        statement = select(Mention.name_id, Sentence.document_id).distinct()
        joined = statement.join(Sentence, Mention.sentence_id == Sentence.id).where(Mention.name_id.in_(some))
        for name, document in await session.execute(joined):
            found[name].add(document)
    return {name: frozenset(found[name]) for name in asked}


async def place(session: AsyncSession, collection: str, groups: Iterable[list[Named]]) -> None:
    """Give the names of each group one entity: that of a name placed by hand, else the oldest that no other group has."""
    taken = {name.entity_id for group in groups for name in group if name.by_hand}
    for group in groups:
        shown = spoken(group)
        entity = next((name.entity_id for name in group if name.by_hand), None)
        if entity is None:
            free = {name.entity_id for name in group} - taken
            entity = min(free) if free else await _new_entity(session, collection, shown)
            taken.add(entity)
            if any(name.entity_id != entity or name.shown != shown.text for name in group):
                await session.execute(update(Entity).where(Entity.id == entity).values(name=shown.text))
        moved = [name.id for name in group if name.entity_id != entity]
        if moved:
            # Somebody may have placed one of them by hand meanwhile.
            mine = Name.id.in_(moved) & Name.by_hand.is_(False)
            await session.execute(update(Name).where(mine).values(entity_id=entity))


async def _new_entity(session: AsyncSession, collection: str, name: Named) -> int:
    entity = Entity(collection=collection, type=name.type, name=name.text)
    session.add(entity)
    await session.flush()
    return entity.id


async def count(session: AsyncSession, condition: object) -> None:
    """Count the mentions of the entities that `condition` holds for."""
    statement = select(func.count()).select_from(Mention).join(Name, Mention.name_id == Name.id)
    counted = statement.where(Name.entity_id == Entity.id).scalar_subquery()
    await session.execute(update(Entity).where(condition).values(mentions=counted))  # type: ignore[arg-type]


async def changed(session: AsyncSession, collection: str) -> None:
    """Give the graph its next revision."""
    values = {"revision": Graph.revision + 1, "updated": now()}
    await session.execute(update(Graph).where(Graph.collection == collection).values(values))
