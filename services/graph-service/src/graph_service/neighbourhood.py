"""What is around an entity: its neighbours, some of theirs where there is room, and what connects all of these.

The work depends on how much is shown, not on how much is there: an entity that half the documents name takes no longer than others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Subquery, case, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from graph_service.entities import Quote, quoted
from graph_service.extraction.base import LITERALS
from graph_service.tables import Document, Entity, Name, Relation, Sentence
from service_kit.database import Database

_EDGES = 600
_NAMES = 1000
"""Names of what is shown, between any two of which relations are looked for."""
_WAYS = 40
"""Names of neighbours by which others are reached."""


@dataclass(frozen=True, slots=True)
class Node:
    """An entity, `steps` away from the one in the middle."""

    entity: Entity
    steps: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Two entities that `sentences` sentences name together; `evidence` is the first of these."""

    source: int
    target: int
    kinds: list[str]
    sentences: int
    evidence: Quote


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """`complete`: the entity has no neighbours but those shown."""

    nodes: list[Node]
    edges: list[Edge]
    complete: bool


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """Reads neighbourhoods; the nearest entities are chosen among the first `most` relations in each direction."""

    database: Database
    most: int = 50_000

    async def around(self, entity: Entity, limit: int) -> Neighbourhood:
        """Return up to `limit` entities, the given one first, and at most 600 edges among them.

        Values, such as dates, are neighbours, but no way to others: half the world shares a year.
        """
        async with self.database.reading() as session:
            names = list(await session.scalars(select(Name.id).where(Name.entity_id == entity.id).limit(_NAMES)))
            ends = _ends([names], self.most)
            near = await _nearest(session, ends, [entity.id], limit)
            looked_at = await session.scalar(select(func.count()).select_from(ends)) or 0
            complete = len(near) < limit and looked_at < self.most
            shown = {entity.id: 0, **dict.fromkeys(near[: limit - 1], 1)}
            if complete and (ways := await _ways(session, near)):
                ends = _ends([[way] for way in ways], self.most // _WAYS)
                further = await _nearest(session, ends, shown, limit - len(shown), values=False)
                shown |= dict.fromkeys(further, 2)
            rows = await session.scalars(select(Entity).where(Entity.id.in_(shown)))
            entities = {**{row.id: row for row in rows}, entity.id: entity}
            edges = await _edges(session, entity.id, shown)
        return Neighbourhood([Node(entities[identity], steps) for identity, steps in shown.items()], edges, complete)


def _ends(names: Iterable[Collection[int]], most: int) -> Subquery:
    """Return the other ends, with their sentences, of `most` relations of each of these groups of names in each direction."""
    halves = [
        select(theirs.label("name"), Relation.sentence_id).where(ours.in_(group)).limit(most).subquery()
        for group in names
        for ours, theirs in ((Relation.subject_id, Relation.object_id), (Relation.object_id, Relation.subject_id))
    ]
    return union_all(*map(select, halves)).subquery()


async def _nearest(
    session: AsyncSession, ends: Subquery, known: Collection[int], limit: int, *, values: bool = True
) -> list[int]:
    """Return the entities of most sentences."""
    sentences = func.count(ends.c.sentence_id.distinct())
    counted = select(Name.entity_id).join(ends, ends.c.name == Name.id).where(Name.entity_id.not_in(known))
    if not values:
        counted = counted.where(Name.type.not_in(LITERALS))
    ranked = counted.group_by(Name.entity_id).order_by(sentences.desc(), Name.entity_id).limit(limit)
    return list(await session.scalars(ranked))


async def _ways(session: AsyncSession, near: Collection[int]) -> list[int]:
    """Return names of neighbours, those of the nearest first, which lead on."""
    leading = select(Name.id, Name.entity_id).where(Name.entity_id.in_(near), Name.type.not_in(LITERALS))
    rows = (await session.execute(leading.limit(_NAMES))).all()
    order = {identity: place for place, identity in enumerate(near)}
    return [row.id for row in sorted(rows, key=lambda row: (order[row.entity_id], row.id))[:_WAYS]]


async def _edges(session: AsyncSession, middle: int, shown: Collection[int]) -> list[Edge]:
    """Return the edges among entities, those of the middle and of most sentences first."""
    one, other = aliased(Name), aliased(Name)
    first = case((one.entity_id < other.entity_id, one.entity_id), else_=other.entity_id).label("first")
    second = case((one.entity_id < other.entity_id, other.entity_id), else_=one.entity_id).label("second")
    names = list(
        await session.scalars(select(Name.id).where(Name.entity_id.in_(shown)).order_by(Name.id).limit(_NAMES))
    )
    among = (Relation.subject_id.in_(names), Relation.object_id.in_(names), one.entity_id != other.entity_id)
    sentences = func.count(Relation.sentence_id.distinct()).label("sentences")
    pairs = (
        select(first, second, sentences, func.min(Relation.id).label("relation"))
        .join(one, Relation.subject_id == one.id)
        .join(other, Relation.object_id == other.id)
        .where(*among)
        .group_by(first, second)
        .order_by(case((first == middle, 0), (second == middle, 0), else_=1), sentences.desc(), first, second)
        .limit(_EDGES)
    )
    rows = (await session.execute(pairs)).all()
    kinds = defaultdict[tuple[int, int], list[str]](list)
    named = select(first, second, Relation.kind).join(one, Relation.subject_id == one.id)
    said = named.join(other, Relation.object_id == other.id).where(*among).distinct().order_by(Relation.kind)
    for low, high, kind in await session.execute(said):
        kinds[low, high].append(kind)
    evidence = (
        select(Relation.id, Sentence, Document.title)
        .join(Sentence, Relation.sentence_id == Sentence.id)
        .join(Document, Sentence.document_id == Document.id)
        .where(Relation.id.in_([row.relation for row in rows]))
    )
    quotes = {relation: quoted(sentence, title) for relation, sentence, title in await session.execute(evidence)}
    return [
        Edge(row.first, row.second, kinds[row.first, row.second], row.sentences, quotes[row.relation]) for row in rows
    ]
