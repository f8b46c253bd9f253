"""Neighbours and paths in a made graph: how long they take, and in how much memory.

Entities are joined as in documents: some stand in very many sentences, most in few (each end is drawn by the square of a uniform
number). The graph lies in SQLite, as the graph-service has it, and is asked through its own use cases.
"""

from __future__ import annotations

import asyncio
import random
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from graph_service.entities import Entities
from graph_service.neighbourhood import Neighbourhoods
from graph_service.paths import Paths
from graph_service.tables import Chunk, Document, Entity, Graph, Name, Relation, Sentence
from service_kit.database import Database

_COLLECTION = "made"
_ASKED = 200
_DRAWN = 60
"""Entities of a neighbourhood, as the page asks for them at first."""
_AT_ONCE = 20_000
_RELATIONS_PER_SENTENCE = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one graph: milliseconds at the median and the 95th percentile, seconds to read it, and MiB of the process at most."""

    entities: int
    relations: int
    neighbours: tuple[float, float]
    around: tuple[float, float]
    paths: tuple[float, float]
    connected: float
    read_seconds: float
    memory: float


async def measured(entities: int, relations: int, seed: int) -> Figures:
    """Make a graph, ask it, and delete it."""
    dice = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        database = Database.beside(Path(folder), "graph", None)
        try:
            await database.migrate("graph_service")
            await _fill(database, entities, relations, dice)
            return await _asked(database, entities, relations, dice)
        finally:
            await database.aclose()


async def _fill(database: Database, entities: int, relations: int, dice: random.Random) -> None:
    ids = range(1, entities + 1)
    one = {"collection": _COLLECTION, "type": "person"}
    sentences = relations // _RELATIONS_PER_SENTENCE + 1
    tables: list[tuple[type, Callable[[int], dict[str, object]], int]] = [
        (Graph, lambda _: {"collection": _COLLECTION, "job_id": "job", "revision": 1}, 1),
        (
            Document,
            lambda _: {"id": "doc", "collection": _COLLECTION, "title": "t", "language": "en", "content": "c"},
            1,
        ),
        (Chunk, lambda n: {"id": n, "document_id": "doc", "page": 1, "start": 0, "end": 1, "done": True}, 1),
        (Entity, lambda n: {"id": n, "name": f"Person {n}", "mentions": 1, **one}, entities),
        (Name, lambda n: {"id": n, "key": f"person {n}", "text": f"Person {n}", "entity_id": n, **one}, entities),
        (Sentence, _sentence, sentences),
        (Relation, lambda n: _relation(n, ids, dice), relations),
    ]
    for table, row, count in tables:
        for first in range(1, count + 1, _AT_ONCE):
            rows = [row(number) for number in range(first, min(first + _AT_ONCE, count + 1))]
            async with database.writing() as session:
                await session.execute(insert(table), rows)


def _sentence(number: int) -> dict[str, object]:
    text = f"Sentence {number} says that two persons know each other."
    return {"chunk_id": 1, "document_id": "doc", "page": 1, "start": 0, "end": len(text), "text": text}


def _relation(number: int, ids: range, dice: random.Random) -> dict[str, object]:
    subject, object_ = (ids[int(len(ids) * dice.random() ** 2)] for _ in range(2))
    sentence = number // _RELATIONS_PER_SENTENCE + 1
    return {"sentence_id": sentence, "subject_id": subject, "object_id": object_, "kind": "occurs-with"}


async def _asked(database: Database, entities: int, relations: int, dice: random.Random) -> Figures:
    use_cases, paths = Entities(database), Paths(database)
    async with database.reading() as session:
        chosen = [await session.get_one(Entity, dice.randint(1, entities)) for _ in range(_ASKED)]
    began = time.perf_counter()
    await paths.shortest(chosen[0], chosen[1])
    read_seconds = time.perf_counter() - began
    found: list[bool] = []

    async def path(source: Entity, target: Entity) -> None:
        found.append(bool(await paths.shortest(source, target)))

    neighbours = await _times([partial(use_cases.neighbours, entity, None, 50) for entity in chosen])
    around = await _times([partial(Neighbourhoods(database).around, entity, _DRAWN) for entity in chosen])
    taken = await _times([partial(path, a, b) for a, b in pairwise(chosen)])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(entities, relations, neighbours, around, taken, sum(found) / len(found), read_seconds, memory)


async def _times(calls: list[Callable[[], Awaitable[object]]]) -> tuple[float, float]:
    taken = []
    for call in calls:
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)]


def graphs(console: Console, entities: int, relations: int, steps: int, seed: int) -> list[Figures]:
    """Measure graphs of growing size, up to the one that was asked for, and print a row for each."""
    table = Table(
        "entities",
        "relations",
        "neighbours p50 / p95 ms",
        "neighbourhood",
        "path p50 / p95 ms",
        "connected",
        "read s",
        "MiB",
    )
    found = []
    for step in reversed(range(steps)):
        figures = asyncio.run(measured(entities // 2**step, relations // 2**step, seed))
        found.append(figures)
        table.add_row(
            f"{figures.entities:,}",
            f"{figures.relations:,}",
            *(f"{p50:.1f} / {p95:.1f}" for p50, p95 in (figures.neighbours, figures.around, figures.paths)),
            f"{figures.connected:.2f}",
            f"{figures.read_seconds:.1f}",
            f"{figures.memory:.0f}",
        )
    console.print(table)
    return found
