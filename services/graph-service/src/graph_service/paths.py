"""Shortest paths between entities, in a copy of the graph in memory.

The copy is made of the rows when it is first needed, and again when the graph's revision has changed; the library is rustworkx.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field

import rustworkx
from sqlalchemy import select
from sqlalchemy.orm import aliased

from graph_service.extraction.base import LITERALS
from graph_service.tables import Entity, Graph, Name, Relation
from service_kit.database import Database

_KEPT = 2
"""Graphs in memory; one of a million relations takes about 150 MB."""


@dataclass(frozen=True, slots=True)
class _Copy:
    revision: int
    graph: rustworkx.PyGraph[int, None]
    places: dict[int, int]


@dataclass(slots=True)
class Paths:
    """Answers from copies of the graphs that were asked last."""

    database: Database
    _copies: OrderedDict[str, _Copy] = field(default_factory=OrderedDict, init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def shortest(self, source: Entity, target: Entity) -> list[int]:
        """Return the ids of the entities on a shortest path, both ends included; empty if there is none.

        Dates, amounts and other values are no way from one to the other: half the world shares a year.
        """
        copy = await self._copy(source.collection)
        if source.id not in copy.places or target.id not in copy.places:
            return []
        return await asyncio.to_thread(_shortest, copy, source.id, target.id)

    async def _copy(self, collection: str) -> _Copy:
        async with self._reading:
            async with self.database.reading() as session:
                revision = await session.scalar(select(Graph.revision).where(Graph.collection == collection)) or 0
            found = self._copies.get(collection)
            if found is None or found.revision != revision:
                found = self._copies[collection] = await self._read(collection, revision)
            self._copies.move_to_end(collection)
            while len(self._copies) > _KEPT:
                self._copies.popitem(last=False)
            return found

    async def _read(self, collection: str, revision: int) -> _Copy:
        return await asyncio.to_thread(_built, revision, await joined(self.database, collection))


async def joined(database: Database, collection: str) -> array[int]:
    """Return the ids of the two entities of every relation, one after the other; values are left out."""
    subject, object_ = aliased(Name), aliased(Name)
    pairs = (
        select(subject.entity_id, object_.entity_id)
        .select_from(Relation)
        .join(subject, Relation.subject_id == subject.id)
        .join(object_, Relation.object_id == object_.id)
        .where(subject.collection == collection)
        .where(subject.type.not_in(LITERALS), object_.type.not_in(LITERALS))
        .where(subject.entity_id != object_.entity_id)
    )
    ends = array("q")
    async with database.reading() as session:
        rows = await session.stream(pairs)
        async for some in rows.partitions(10_000):
            for row in some:
                ends.extend(row)
    return ends


def _built(revision: int, ends: array[int]) -> _Copy:
    graph: rustworkx.PyGraph[int, None] = rustworkx.PyGraph(multigraph=False)
    identities = sorted(set(ends))
    places = dict(zip(identities, graph.add_nodes_from(identities), strict=True))
    graph.add_edges_from_no_data(
        [(places[one], places[other]) for one, other in zip(ends[::2], ends[1::2], strict=True)]
    )
    return _Copy(revision, graph, places)


def _shortest(copy: _Copy, source: int, target: int) -> list[int]:
    """Search from both ends, a level at a time, where fewer wait: the first place where they meet is on a shortest path."""
    ends = copy.places[source], copy.places[target]
    before = [{end: end} for end in ends]
    waiting = [[end] for end in ends]
    while all(waiting):
        side = int(len(waiting[0]) > len(waiting[1]))
        mine, theirs = before[side], before[1 - side]
        reached: list[int] = []
        for place in waiting[side]:
            for near in copy.graph.neighbors(place):
                if near in mine:
                    continue
                mine[near] = place
                if near in theirs:
                    way = [*reversed(_way_back(before[0], near)), *_way_back(before[1], near)[1:]]
                    return [copy.graph[each] for each in way]
                reached.append(near)
        waiting[side] = reached
    return []


def _way_back(before: dict[int, int], place: int) -> list[int]:
    way = [place]
    while before[way[-1]] != way[-1]:
        way.append(before[way[-1]])
    return way
