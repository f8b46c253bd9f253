"""Groups of entities that sentences name together more than with others, by the Leiden algorithm.

Source: Traag, Waltman and van Eck, From Louvain to Leiden: guaranteeing well-connected communities (2019).
"""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from graspologic_native import leiden_csr
from sqlalchemy import select

from graph_service.entities import number_in
from graph_service.paths import joined
from graph_service.tables import Entity, Graph
from service_kit.database import Database
from service_kit.pages import Page, page

_SEED = 20
"""The same graph has the same communities."""
_KEPT = 20
"""Graphs whose communities are kept: a few numbers for each community."""
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Community:
    """So many entities, and those of them that are mentioned most."""

    size: int
    entities: list[Entity]


@dataclass(frozen=True, slots=True)
class _Found:
    revision: int
    communities: list[tuple[int, list[int]]]


@dataclass(slots=True)
class Communities:
    """Finds the communities of a graph when they are first asked for, and again when the graph's revision has changed."""

    database: Database
    _found: OrderedDict[str, _Found] = field(default_factory=OrderedDict, init=False)
    _finding: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def of(self, collection: str, limit: int, cursor: str | None) -> Page[Community]:
        """List communities of two entities and more, the biggest first; values belong to none."""
        first = number_in(cursor)
        some = (await self._all(collection))[first : first + limit + 1]
        async with self.database.reading() as session:
            shown = [identity for _, members in some for identity in members]
            entities = {row.id: row for row in await session.scalars(select(Entity).where(Entity.id.in_(shown)))}
        rows = [Community(size, [entities[each] for each in members if each in entities]) for size, members in some]
        return page(rows, [str(first + place) for place in range(1, len(rows) + 1)], limit)

    async def _all(self, collection: str) -> list[tuple[int, list[int]]]:
        async with self._finding:
            async with self.database.reading() as session:
                revision = await session.scalar(select(Graph.revision).where(Graph.collection == collection)) or 0
            found = self._found.get(collection)
            if found is None or found.revision != revision:
                found = self._found[collection] = _Found(revision, await self._find(collection))
            self._found.move_to_end(collection)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
            return found.communities

    async def _find(self, collection: str) -> list[tuple[int, list[int]]]:
        ends = await joined(self.database, collection)
        async with self.database.reading() as session:
            rows = await session.execute(select(Entity.id, Entity.mentions).where(Entity.collection == collection))
            mentions = {row.id: row.mentions for row in rows}
        return await asyncio.to_thread(grouped, ends, mentions)


def grouped(ends: array[int], mentions: Mapping[int, int]) -> list[tuple[int, list[int]]]:
    """Return the size of each community and its members that are mentioned most; `ends` are the two ids of each relation."""
    if not ends:
        return []
    identities, places = np.unique(np.frombuffer(ends, dtype=np.int64), return_inverse=True)
    count = len(identities)
    # A symmetric matrix of how many relations two entities have, in compressed sparse rows.
    one, other = places.reshape(-1, 2).T
    pairs, weights = np.unique(np.concatenate([one * count + other, other * count + one]), return_counts=True)
    rows, columns = pairs // count, (pairs % count).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
    _, labels = leiden_csr(starts, columns, weights.astype(np.float64), count, seed=_SEED)
    return _ranked(identities.tolist(), labels, mentions)


def _ranked(
    identities: Sequence[int], labels: Mapping[int, int], mentions: Mapping[int, int]
) -> list[tuple[int, list[int]]]:
    members: dict[int, list[int]] = {}
    for place, identity in enumerate(identities):
        members.setdefault(labels[place], []).append(identity)
    groups = [
        (len(group), sorted(group, key=lambda each: (-mentions.get(each, 0), each))[:_SHOWN])
        for group in members.values()
        if len(group) > 1
    ]
    return sorted(groups, key=lambda each: (-each[0], each[1]))
