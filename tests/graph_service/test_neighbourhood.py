"""What is around an entity, over HTTP; and how much of a large graph is looked at for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from graph_service.neighbourhood import Neighbourhoods
from graph_service.tables import Chunk, Document, Entity, Graph, Name, Relation, Sentence
from service_kit.database import Database

TEXT = (
    "Peter Jansen met Maria Silva. Peter Jansen wrote to Maria Silva in Lisbon. Peter Jansen met Anna Berg on 3 May 2026.\n\n"
    "Anna Berg met Ruth Meyer. Tom Baker came on 3 May 2026. Ruth Meyer met Otto Krause."
)


async def around(stack: Any, name: str, **query: Any) -> tuple[dict[str, int], dict[frozenset[str], Any], bool]:
    identity = (await stack.entity(name))["id"]
    found = await stack.get(f"/v1/entities/{identity}/neighbourhood", **query)
    names = {node["entity"]["id"]: node["entity"]["name"] for node in found["nodes"]}
    steps = {node["entity"]["name"]: node["steps"] for node in found["nodes"]}
    assert next(iter(steps)) == name
    edges = {frozenset((names[edge["source"]], names[edge["target"]])): edge for edge in found["edges"]}
    assert len(edges) == len(found["edges"])
    return steps, edges, found["complete"]


async def test_a_neighbourhood_has_who_is_near_and_what_connects_them(stack: Any, rag: Any) -> None:
    rag.add("Letters", TEXT)
    await stack.build()
    steps, edges, complete = await around(stack, "Peter Jansen")
    assert complete
    # No further than two steps, and not by way of the date that Tom Baker shares.
    assert steps == {"Peter Jansen": 0, "Maria Silva": 1, "Lisbon": 1, "Anna Berg": 1, "3 May 2026": 1, "Ruth Meyer": 2}
    strongest = edges[frozenset(("Peter Jansen", "Maria Silva"))]
    assert (strongest["sentences"], strongest["kinds"]) == (2, ["occurs-with"])
    assert frozenset(("Maria Silva", "Lisbon")) in edges
    for pair, edge in edges.items():
        quote = edge["evidence"]["quote"]
        assert all(name in quote for name in pair)
        assert TEXT[edge["evidence"]["start"] : edge["evidence"]["end"]] == quote

    steps, edges, complete = await around(stack, "Peter Jansen", limit=2)
    assert (steps, complete) == ({"Peter Jansen": 0, "Maria Silva": 1}, False)
    assert len(edges) == 1


async def test_a_merged_entity_is_one_node_with_the_edges_of_both(stack: Any, rag: Any) -> None:
    rag.add("Letters", TEXT)
    await stack.build()
    peter, maria = await stack.entity("Peter Jansen"), await stack.entity("Maria Silva")
    await stack.http.post(f"/v1/entities/{peter['id']}/merge", json={"entities": [maria["id"]]})
    steps, edges, _ = await around(stack, "Peter Jansen")
    assert "Maria Silva" not in steps
    assert frozenset(("Peter Jansen", "Lisbon")) in edges
    assert all(len(pair) == 2 for pair in edges)


async def test_the_relations_of_two_entities_are_those_of_their_edge(stack: Any, rag: Any) -> None:
    rag.add("Letters", TEXT)
    await stack.build()
    peter, maria = await stack.entity("Peter Jansen"), await stack.entity("Maria Silva")
    for one, other in ((peter, maria), (maria, peter)):
        found = await stack.get(f"/v1/entities/{one['id']}/relations", **{"with": other["id"]})
        assert len(found["items"]) == 2
        assert {frozenset((each["subject"]["id"], each["object"]["id"])) for each in found["items"]} == {
            frozenset((peter["id"], maria["id"]))
        }


async def test_the_neighbourhood_of_anothers_entity_does_not_exist(stack: Any, rag: Any) -> None:
    rag.add("Letters", TEXT, "closed")
    rag.add("Others", TEXT, "open")
    for collection in ("closed", "open"):
        await stack.build(collection)
    hidden, shown = [(await stack.entity("Peter Jansen", name))["id"] for name in ("closed", "open")]
    for path, status in (
        (f"/v1/entities/{hidden}/neighbourhood", 404),
        (f"/v1/entities/{shown}/relations?with={hidden}", 404),
        (f"/v1/entities/{shown}/neighbourhood", 200),
        (f"/v1/entities/{shown}/neighbourhood?limit=201", 422),
    ):
        assert (await stack.http.get(path, headers=stack.key("open"))).status_code == status, path


@asynccontextmanager
async def hub(folder: Path, neighbours: int, sentences: int) -> AsyncIterator[tuple[Database, Entity]]:
    """A graph in which an entity stands in so many sentences with each of its neighbours, who are in a ring."""
    folder.mkdir()
    database = Database.beside(folder, "graph", None)
    await database.migrate("graph_service")
    ids = range(1, neighbours + 2)
    one = {"collection": "made", "type": "person"}
    pairs = [(1, other) for _ in range(sentences) for other in ids[1:]] + [(n, n % neighbours + 2) for n in ids[1:]]
    place = {"document_id": "doc", "page": 1, "start": 0, "end": 1}
    rows: list[tuple[type, list[dict[str, Any]]]] = [
        (Graph, [{"collection": "made", "job_id": "job"}]),
        (Document, [{"id": "doc", "collection": "made", "title": "t", "language": "en", "content": "c"}]),
        (Chunk, [{"id": 1, **place, "done": True}]),
        (Entity, [{"id": n, "name": f"Person {n}", **one} for n in ids]),
        (Name, [{"id": n, "key": f"person {n}", "text": f"Person {n}", "entity_id": n, **one} for n in ids]),
        (Sentence, [{"id": n, "chunk_id": 1, "text": "They met.", **place} for n in range(1, len(pairs) + 1)]),
        (
            Relation,
            [
                {"sentence_id": n, "subject_id": a, "object_id": b, "kind": "met"}
                for n, (a, b) in enumerate(pairs, start=1)
            ],
        ),
    ]
    async with database.writing() as session:
        for table, some in rows:
            await session.execute(insert(table), some)
        entity = await session.get_one(Entity, 1)
    yield database, entity
    await database.aclose()


async def steps_of_the_database(database: Database, entity: Entity) -> int:
    """Ask for 60 entities around one, and count hundreds of instructions of SQLite's virtual machine."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    async with database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.set_progress_handler(count, 100)
    found = await Neighbourhoods(database, most=1000).around(entity, 60)
    assert len(found.nodes) == 60
    assert not found.complete
    assert len([edge for edge in found.edges if entity.id in (edge.source, edge.target)]) == 59
    return counted


async def test_the_work_does_not_grow_with_the_relations_of_an_entity(tmp_path: Path) -> None:
    counts = []
    for neighbours in (2_000, 20_000):
        async with hub(tmp_path / str(neighbours), neighbours, 1) as (database, entity):
            counts.append(await steps_of_the_database(database, entity))
    assert counts[0] > 100
    assert counts[1] < 1.3 * counts[0]


async def test_an_edge_counts_all_its_sentences(tmp_path: Path) -> None:
    async with hub(tmp_path / "few", 3, 500) as (database, entity):
        found = await Neighbourhoods(database).around(entity, 60)
    assert [(edge.source, edge.sentences) for edge in found.edges] == [(1, 500)] * 3 + [(2, 1), (2, 1), (3, 1)]
