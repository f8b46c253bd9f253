"""Communities: who belongs together, over HTTP and on made graphs; and that they are found once for each build."""

from __future__ import annotations

import random
from array import array
from itertools import combinations
from typing import Any

from sqlalchemy import event

from graph_service.communities import grouped

CREWS = (
    ("Peter Jansen", "Maria Silva", "Anna Berg", "Ruth Meyer"),
    ("Otto Krause", "Tom Baker", "Carla Montrose"),
)


def text() -> str:
    said = [f"{one} met {other} on 3 May 2026." for crew in CREWS for one, other in combinations(crew, 2)]
    return "\n\n".join([*said, "Ruth Meyer wrote to Otto Krause.", "Hugo Fairbanks came on 3 May 2026."])


async def test_those_who_are_named_together_are_a_community(stack: Any, rag: Any) -> None:
    rag.add("Crews", text())
    await stack.build()
    found = (await stack.get("/v1/graphs/default/communities"))["items"]
    assert [each["size"] for each in found] == [4, 3]
    # The date that all share joins nobody, and who was never named with another is in none.
    assert [{entity["name"] for entity in each["entities"]} for each in found] == [set(crew) for crew in CREWS]
    mentions = [[entity["mentions"] for entity in each["entities"]] for each in found]
    assert mentions == [sorted(each, reverse=True) for each in mentions]
    first = await stack.get("/v1/graphs/default/communities", limit=1)
    assert first["items"] == found[:1]
    second = await stack.get("/v1/graphs/default/communities", limit=1, cursor=first["next_cursor"])
    assert (second["items"], second["next_cursor"]) == (found[1:], None)


async def test_they_are_found_once_for_each_state_of_the_graph(stack: Any, rag: Any) -> None:
    rag.add("Crews", text())
    await stack.build()
    asked: list[str] = []
    engine = stack.app.state.graph.communities.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    async def reads_relations() -> int:
        asked.clear()
        await stack.get("/v1/graphs/default/communities")
        return sum("names_1.entity_id, names_2.entity_id" in statement for statement in asked)

    assert [await reads_relations() for _ in range(3)] == [1, 0, 0]
    ruth, tom = await stack.entity("Ruth Meyer"), await stack.entity("Tom Baker")
    await stack.http.post(f"/v1/entities/{ruth['id']}/merge", json={"entities": [tom["id"]]})
    assert [await reads_relations() for _ in range(2)] == [1, 0]
    rag.add("More", "Paul Ibsen met Klara Hollander.")
    await stack.build()
    assert [await reads_relations() for _ in range(2)] == [1, 0]
    found = (await stack.get("/v1/graphs/default/communities"))["items"]
    assert {"Paul Ibsen", "Klara Hollander"} in [{entity["name"] for entity in each["entities"]} for each in found]


async def test_the_communities_of_anothers_graph_are_refused(stack: Any, rag: Any) -> None:
    rag.add("Crews", text(), "closed")
    await stack.build("closed")
    path = "/v1/graphs/{}/communities"
    assert (await stack.http.get(path.format("closed"), headers=stack.key("open"))).status_code == 403
    assert (await stack.http.get(path.format("open"), headers=stack.key("open"))).status_code == 404
    assert (await stack.http.get(path.format("closed") + "?cursor=YWI")).status_code == 422


def planted(blocks: int, members: int, seed: int) -> tuple[array[int], list[set[int]]]:
    """Ends of relations, four fifths of them within blocks of entities, whose ids have gaps."""
    dice = random.Random(seed)
    ids = [[7 * (block * members + place) + 3 for place in range(members)] for block in range(blocks)]
    ends = array("q")
    for _ in range(10 * blocks * members):
        one = dice.choice(ids)
        other = one if dice.random() < 0.8 else dice.choice(ids)
        ends.extend((dice.choice(one), dice.choice(other)))
    return ends, [set(block) for block in ids]


def test_planted_communities_are_found_and_always_the_same() -> None:
    ends, blocks = planted(8, 50, 5)
    found = grouped(ends, {})
    assert [size for size, _ in found] == [50] * 8
    assert all(any(set(members) <= block for block in blocks) for _, members in found)
    assert grouped(ends, {}) == found
    assert grouped(array("q"), {}) == []


def test_those_mentioned_most_stand_for_a_community() -> None:
    ends = array("q", [end for pair in combinations(range(1, 31), 2) for end in pair])
    ((size, members),) = grouped(ends, {identity: identity % 17 for identity in range(1, 31)})
    assert (size, members[:3], len(members)) == (30, [16, 15, 14], 10)
