"""The graph-service on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.graph import ScriptedRag, running
from service_kit.pages import encode

pytestmark = pytest.mark.stores

HARBOUR = (
    "The Harbour Trust hired Dr. Anna de Vries on 3 March 2026. A. de Vries had worked for Acme Corp.\n\n"
    "Anna de Vries answers to Peter Jansen. In Lisbon, Acme Corporation met Peter Jansen."
)


async def test_built_asked_merged_split_and_followed(tmp_path: Path, embedded: None, database_url: str) -> None:
    rag = ScriptedRag()
    document = rag.add("Harbour", HARBOUR)
    async with running(tmp_path, rag, graph_database_url=database_url) as stack:
        job = await stack.build()
        assert job["chunks_done"] == 1
        anna = await stack.entity("Anna de Vries")
        assert anna["mentions"] == 3
        detail = await stack.get(f"/v1/entities/{anna['id']}")
        assert set(detail["aliases"]) == {"Anna de Vries", "A. de Vries"}
        people = await stack.get(f"/v1/entities/{anna['id']}/neighbours", type="person")
        assert [each["entity"]["name"] for each in people] == ["Peter Jansen"]
        trust, lisbon = [await stack.entity(name) for name in ("Harbour Trust", "Lisbon")]
        path = await stack.get("/v1/paths", **{"from": trust["id"], "to": lisbon["id"]})
        assert [step["target"]["name"] for step in path["steps"]][-1] == "Lisbon"
        around = await stack.get(f"/v1/entities/{trust['id']}/neighbourhood")
        steps = {node["entity"]["name"]: node["steps"] for node in around["nodes"]}
        assert (steps["Harbour Trust"], steps["Anna de Vries"], steps["Peter Jansen"]) == (0, 1, 2)
        between = {frozenset((edge["source"], edge["target"])): edge for edge in around["edges"]}
        edge = between[frozenset((trust["id"], anna["id"]))]
        assert (edge["sentences"], edge["kinds"]) == (1, ["occurs-with"])
        said = await stack.get(f"/v1/entities/{trust['id']}/relations", **{"with": anna["id"]})
        assert [each["evidence"] for each in said["items"]] == [edge["evidence"]]
        groups = (await stack.get("/v1/graphs/default/communities"))["items"]
        assert sum(each["size"] for each in groups) == 5
        page = await stack.get("/v1/entities", limit=3)
        rest = await stack.get("/v1/entities", limit=200, cursor=page["next_cursor"])
        assert {each["name"] for each in page["items"] + rest["items"]} == await stack.names()
        assert (await stack.get("/v1/entities", q="100%_"))["items"] == []
        assert (await stack.http.get("/v1/entities/99999999999")).status_code == 422
        for path, key in (("/v1/relations", "99999999999"), ("/v1/entities", "1:99999999999")):
            answer = await stack.http.get(path, params={"cursor": encode(key)})
            assert answer.status_code == 422

        peter = await stack.entity("Peter Jansen")
        merge = await stack.http.post(f"/v1/entities/{anna['id']}/merge", json={"entities": [peter["id"]]})
        assert (merge.status_code, merge.json()["mentions"]) == (200, 5)
        split = await stack.http.post(f"/v1/entities/{anna['id']}/split", json={"names": ["Peter Jansen"]})
        assert (split.status_code, split.json()["mentions"]) == (201, 2)
        await stack.build(again=True)
        assert (await stack.get(f"/v1/entities/{split.json()['id']}"))["aliases"] == ["Peter Jansen"]
        for kind in ("graphml", "jsonld", "csv", "cypher"):
            answer = await stack.http.get("/v1/graphs/default/export", params={"format": kind})
            assert (answer.status_code, "Anna de Vries" in answer.text) == (200, True)

        del rag.documents[document]
        await stack.build()
        graph = await stack.get("/v1/graphs/default")
        assert (graph["documents"], graph["relations"]) == (0, 0)
        assert (await stack.http.delete("/v1/graphs/default")).status_code == 204
