"""Sentences for a question: what joins the entities that it names, with each other or with somebody in between.

An answer that needs two documents rests on a name which both have, and which the question often leaves out. So sentences are taken
one step from the question's entities and two, and ranked by what they join and by the question's other words. The work is bounded
however many relations an entity has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from graph_service.entities import Quote, quoted
from graph_service.evidence_ranking import Edge, EvidenceRanking
from graph_service.recognition import recognised
from graph_service.tables import Document, Entity, Graph, Name, Relation, Sentence
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import NotFound

_MOST_NAMED = 8
_MOST_NEAR, _MOST_BEYOND = 300, 300
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
            asked = await recognised(session, collection, question, self.types, _MOST_NAMED)
            if not asked.entities:
                await _require_graph(session, collection)
                return Evidence([], [])
            near = await _edges(session, [[entity.id] for entity in asked.entities], _MOST_NEAR)
            entities = {entity.id: entity for entity in asked.entities}
            entities |= await _entities(session, {edge.far for edge in near} - entities.keys())
            ranking = EvidenceRanking(question, asked, entities)
            ranking.add_near(near)
            ranking.add_beyond(await _edges(session, [ranking.between(_MOST_BETWEEN)], _MOST_BEYOND))
            best = ranking.best(limit)
            entities |= await _entities(session, {each.edge.far for each in best} - entities.keys())
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


async def _require_graph(session: AsyncSession, collection: str) -> None:
    if await session.get(Graph, collection) is None:
        raise NotFound(f"there is no graph of {collection!r}; POST /v1/graphs builds it", field="collection")


async def _edges(session: AsyncSession, groups: Iterable[Sequence[int]], most: int) -> list[Edge]:
    """Return the relations of entities with their sentences, at most `most` of each group in each direction."""
    ends = ((Relation.subject_id, Relation.object_id), (Relation.object_id, Relation.subject_id))
    bounded = []
    for group in groups:
        mine = select(Name.id).where(Name.entity_id.in_(group))
        for near, far in ends:
            some = select(Relation.sentence_id, near.label("near"), far.label("far")).where(near.in_(mine)).limit(most)
            # SQLite takes a limit within a compound statement in a subquery only.
            bounded.append(select(some.subquery()))
    found, near_name, far_name = union_all(*bounded).subquery(), aliased(Name), aliased(Name)
    statement = (
        select(Sentence.id, near_name.entity_id, far_name.entity_id, Sentence.text)
        .select_from(found)
        .join(near_name, near_name.id == found.c.near)
        .join(far_name, far_name.id == found.c.far)
        .join(Sentence, Sentence.id == found.c.sentence_id)
        .where(near_name.entity_id != far_name.entity_id)
    )
    return [Edge(*row) for row in await session.execute(statement)]


async def _entities(session: AsyncSession, ids: Collection[int]) -> dict[int, Entity]:
    rows = await session.scalars(select(Entity).where(Entity.id.in_(ids)))
    return {row.id: row for row in rows}


async def _quotes(session: AsyncSession, ids: Iterable[int]) -> dict[int, Quote]:
    statement = select(Sentence, Document.title).join(Document, Sentence.document_id == Document.id)
    rows = await session.execute(statement.where(Sentence.id.in_(set(ids))))
    return {sentence.id: quoted(sentence, title) for sentence, title in rows}
