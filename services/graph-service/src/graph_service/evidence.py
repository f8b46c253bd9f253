"""Sentences for a question: what joins the entities that it names, with each other or with somebody in between.

An answer that needs two documents rests on a name which both have, and which the question often leaves out. So sentences are taken
one step from the question's entities and two, and ranked by what they join and by the question's other words. The work is bounded
however many relations an entity has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from graph_service.entities import Quote, quoted
from graph_service.evidence_ranking import Edge, EvidenceRanking
from graph_service.recognition import recognised
from graph_service.tables import Document, Entity, Graph, Name, Relation, Sentence
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import NotFound

_MOST_NAMED = 8
_MOST_NEAR, _MOST_BEYOND = 300, 600
"""Relations that are read in each direction: of one entity of the question, and of all those in between together."""
_MOST_BETWEEN = 24


@dataclass(frozen=True, slots=True)
class Connection:
    """A sentence that names two entities; `steps` is how far it is from those of the question, `score` from 0 to 1."""

    entities: tuple[Entity, Entity]
    steps: int
    score: float
    evidence: Quote


@dataclass(frozen=True, slots=True)
class Evidence:
    """The entities that a question names, and sentences for it, best first."""

    entities: list[Entity]
    connections: list[Connection]


@dataclass(slots=True)
class EvidenceSearch:
    """Finds evidence in graphs whose names are of `types`."""

    database: Database
    types: Collection[str]

    async def find(self, collection: str, question: str, limit: int, principal: Principal) -> Evidence:
        """Return at most `limit` sentences; raises `NotFound` for a collection without a graph."""
        principal.require(collection)
        async with self.database.reading() as session:
            if await session.get(Graph, collection) is None:
                raise NotFound(f"there is no graph of {collection!r}; POST /v1/graphs builds it", field="collection")
            asked = await recognised(session, collection, question, self.types, _MOST_NAMED)
            near = [edge for entity in asked.entities for edge in await _edges(session, [entity.id], _MOST_NEAR)]
            entities = {entity.id: entity for entity in asked.entities}
            entities |= await _entities(session, (edge.far for edge in near))
            ranking = EvidenceRanking(question, asked, entities)
            ranking.add_near(near, await _texts(session, near))
            beyond = await _edges(session, ranking.between(_MOST_BETWEEN), _MOST_BEYOND)
            ranking.add_beyond(beyond, await _texts(session, beyond))
            best = ranking.best(limit)
            entities |= await _entities(session, (each.edge.far for each in best))
            quotes = await _quotes(session, (each.edge.sentence for each in best))
        connections = [
            Connection(
                (entities[each.edge.near], entities[each.edge.far]),
                each.steps,
                round(each.score, 4),
                quotes[each.edge.sentence],
            )
            for each in best
        ]
        return Evidence(asked.entities, connections)


async def _edges(session: AsyncSession, entities: Collection[int], most: int) -> list[Edge]:
    """Return the relations of entities, at most `most` in each direction."""
    found: list[Edge] = []
    if not entities:
        return found
    named = select(Name.id, Name.entity_id).where(Name.entity_id.in_(entities))
    mine = {row.id: row.entity_id for row in await session.execute(named)}
    for near, far in ((Relation.subject_id, Relation.object_id), (Relation.object_id, Relation.subject_id)):
        # Bounded before it is joined with anything.
        some = (
            select(Relation.sentence_id, near.label("near"), far.label("far"))
            .where(near.in_(mine))
            .limit(most)
            .subquery()
        )
        ends = select(some.c.sentence_id, some.c.near, Name.entity_id).join(Name, Name.id == some.c.far)
        for sentence, name, entity in await session.execute(ends):
            if mine[name] != entity:
                found.append(Edge(sentence, mine[name], entity))
    return found


async def _entities(session: AsyncSession, ids: Iterable[int]) -> dict[int, Entity]:
    rows = await session.scalars(select(Entity).where(Entity.id.in_(set(ids))))
    return {row.id: row for row in rows}


async def _texts(session: AsyncSession, edges: Sequence[Edge]) -> dict[int, str]:
    wanted = {edge.sentence for edge in edges}
    rows = await session.execute(select(Sentence.id, Sentence.text).where(Sentence.id.in_(wanted)))
    return {row.id: row.text for row in rows}


async def _quotes(session: AsyncSession, ids: Iterable[int]) -> dict[int, Quote]:
    statement = select(Sentence, Document.title).join(Document, Sentence.document_id == Document.id)
    rows = await session.execute(statement.where(Sentence.id.in_(set(ids))))
    return {sentence.id: quoted(sentence, title) for sentence, title in rows}
