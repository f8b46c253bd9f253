"""Neighbours, paths and evidence in a made graph: how long they take, and in how much memory.

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
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import insert

from graph_service.communities import Communities
from graph_service.entities import Entities
from graph_service.evidence import EvidenceSearch
from graph_service.neighbourhood import Neighbourhoods
from graph_service.paths import Paths
from graph_service.tables import Chunk, Document, Entity, Graph, Name, Relation, Sentence
from service_kit.auth import ANONYMOUS
from service_kit.database import Database
from switchyard_benchmarks.measurements import Measurements, percentiles

_COLLECTION = "made"
_ASKED = 200
_DRAWN = 60
"""Entities of a neighbourhood, as the page asks for them at first."""
_AT_ONCE = 20_000
_RELATIONS_PER_SENTENCE = 4
_SENTENCES = 20


async def measured(entities: int, relations: int, seed: int) -> dict[str, Any]:
    """Make a graph, ask it, delete it, and return what was measured: `connected` is the share of pairs that a path joins."""
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


async def _asked(database: Database, entities: int, relations: int, dice: random.Random) -> dict[str, Any]:
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
    (communities,) = await _times([partial(Communities(database).of, _COLLECTION, 20, None)])
    taken = await _times([partial(path, a, b) for a, b in pairwise(chosen)])
    evidence = EvidenceSearch(database, ("person",))
    questions = [f"What connects {a.name} with {b.name}, who know each other?" for a, b in pairwise(chosen)]
    searched = await _times([partial(evidence.find, _COLLECTION, q, _SENTENCES, ANONYMOUS) for q in questions])
    return {
        "entities": entities,
        "relations": relations,
        **{f"neighbours_{name}": value for name, value in percentiles(neighbours).items()},
        **{f"neighbourhood_{name}": value for name, value in percentiles(around).items()},
        **{f"path_{name}": value for name, value in percentiles(taken).items()},
        **{f"evidence_{name}": value for name, value in percentiles(searched).items()},
        "connected": round(sum(found) / len(found), 2),
        "read_s": round(read_seconds, 1),
        "communities_s": round(communities, 1),
        "process_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


async def _times(calls: list[Callable[[], Awaitable[object]]]) -> list[float]:
    taken = []
    for call in calls:
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return taken


def graphs(console: Console, entities: int, relations: int, steps: int, seed: int) -> Measurements:
    """Measure graphs of growing size, up to the one that was asked for."""
    plots = [("relations", (f"neighbours_{name}", f"path_{name}", f"evidence_{name}")) for name in ("p50_ms", "p95_ms")]
    found = Measurements(
        "Graphs", {"seed": seed}, plots=[*plots, ("relations", ("process_mib",)), ("relations", ("read_s",))]
    )
    for step in reversed(range(steps)):
        with console.status(f"{relations // 2**step:,} relations"):
            found.rows.append(asyncio.run(measured(entities // 2**step, relations // 2**step, seed)))
    return found
