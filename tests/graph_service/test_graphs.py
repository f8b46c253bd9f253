"""Graphs over HTTP: what a build finds, how it follows its collection, and who sees what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

HARBOUR = (
    "The Harbour Trust hired Dr. Anna de Vries on 3 March 2026 for €12,500. She had worked for Acme Corp in Rotterdam.\n\n"
    "Anna de Vries answers to Peter Jansen.\fPeter Jansen signed a contract with the University of Twente. "
    "Write to peter@harbour.example about part AS-278."
)
LIGHT = "Peter Jansen keeps the light. Acme Corp repaired it in 1998."


def texts_of(rag: Any, evidence: dict[str, Any]) -> str:
    page = rag.documents[evidence["document_id"]]["text"].split("\f")[evidence["page"] - 1]
    return str(page[evidence["start"] : evidence["end"]])


async def test_entities_have_their_mentions_where_they_stand(stack: Any, rag: Any) -> None:
    document = rag.add("Harbour", HARBOUR)
    job = await stack.build()
    assert job["chunks_done"] == job["chunks_total"] == 2
    found = {each["name"]: each["type"] for each in (await stack.get("/v1/entities"))["items"]}
    assert found == {
        "Harbour Trust": "organisation",
        "Anna de Vries": "person",
        "3 March 2026": "date",
        "€12,500": "amount",
        "Acme Corp": "organisation",
        "Rotterdam": "place",
        "Peter Jansen": "person",
        "University of Twente": "organisation",
        "peter@harbour.example": "email",
        "AS-278": "code",
    }
    peter = await stack.get(f"/v1/entities/{(await stack.entity('Peter Jansen'))['id']}")
    assert (peter["mentions"], peter["aliases"]) == (2, ["Peter Jansen"])
    for mention in peter["mentioned"]:
        evidence = mention["evidence"]
        assert (evidence["document_id"], evidence["document"]) == (document, "Harbour")
        assert texts_of(rag, evidence) == evidence["quote"]
        assert texts_of(rag, {**evidence, **{k: mention[k] for k in ("start", "end")}}) == mention["name"]
    assert {each["evidence"]["page"] for each in peter["mentioned"]} == {1, 2}


async def test_a_relation_has_the_sentence_that_names_both(stack: Any, rag: Any) -> None:
    rag.add("Harbour", HARBOUR)
    await stack.build()
    listed = (await stack.get("/v1/relations"))["items"]
    assert listed
    for relation in listed:
        quote = relation["evidence"]["quote"]
        assert relation["kind"] == "occurs-with"
        assert relation["subject"]["name"] in quote
        assert relation["object"]["name"] in quote
        assert texts_of(rag, relation["evidence"]) == quote
    anna = (await stack.entity("Anna de Vries"))["id"]
    neighbours = await stack.get(f"/v1/entities/{anna}/neighbours")
    assert [each["entity"]["name"] for each in neighbours if each["entity"]["type"] == "person"] == ["Peter Jansen"]
    people = await stack.get(f"/v1/entities/{anna}/neighbours", type="person")
    assert [(each["entity"]["name"], each["sentences"]) for each in people] == [("Peter Jansen", 1)]


async def test_a_path_leads_through_people_and_not_through_dates(stack: Any, rag: Any) -> None:
    rag.add("Harbour", HARBOUR)
    rag.add("Light", "The Lamp Works Ltd was founded on 3 March 2026. The Lamp Works Ltd sells lamps.")
    await stack.build()
    trust, university, lamps = [
        (await stack.entity(name))["id"] for name in ("Harbour Trust", "University of Twente", "Lamp Works Ltd")
    ]
    path = await stack.get("/v1/paths", **{"from": trust, "to": university})
    ends = [(step["source"]["name"], step["target"]["name"]) for step in path["steps"]]
    assert ends == [
        ("Harbour Trust", "Anna de Vries"),
        ("Anna de Vries", "Peter Jansen"),
        ("Peter Jansen", "University of Twente"),
    ]
    for step in path["steps"]:
        quote = step["relations"][0]["evidence"]["quote"]
        assert step["source"]["name"] in quote
        assert step["target"]["name"] in quote
    assert await stack.get("/v1/paths", **{"from": trust, "to": lamps}) == {"connected": False, "steps": []}


async def test_a_build_reads_what_has_changed_and_nothing_else(stack: Any, rag: Any) -> None:
    kept, changed, deleted = (rag.add(title, text) for title, text in (("a", HARBOUR), ("b", LIGHT), ("c", LIGHT)))
    await stack.build()
    peter = await stack.entity("Peter Jansen")
    assert peter["mentions"] == 4
    rag.read.clear()
    job = await stack.build()
    assert (job["chunks_done"], rag.read) == (0, [])

    del rag.documents[deleted]
    rag.documents[changed]["text"] = "Acme Corp sold the light to Maria Silva."
    new = rag.add("d", "Peter Jansen went to Lisbon.")
    job = await stack.build()
    assert {document for document, _ in rag.read} == {changed, new}
    assert kept not in rag.read
    assert job["chunks_done"] == 2
    after = await stack.entity("Peter Jansen")
    assert (after["id"], after["mentions"]) == (peter["id"], 3)
    names = await stack.names()
    assert {"Maria Silva", "Lisbon"} <= names
    assert "1998" not in names
    graph = await stack.get("/v1/graphs/default")
    assert (graph["documents"], graph["status"], graph["extractor"]) == (3, "ready", "patterns")

    rag.read.clear()
    assert (await stack.build(again=True))["chunks_done"] == 4
    assert {document for document, _ in rag.read} == {kept, changed, new}
    assert (await stack.entity("Peter Jansen"))["id"] == peter["id"]


async def test_a_document_that_goes_while_it_is_read_is_left_out(stack: Any, rag: Any) -> None:
    pages = "\f".join(f"Peter Jansen saw ship number {page}." for page in range(50))
    document, _ = rag.add("long", pages), rag.add("short", LIGHT)
    rag.hold = asyncio.Event()
    job = await stack.begin()
    await rag.waits.wait()
    del rag.documents[document]
    rag.hold.set()
    assert (await stack.ended(job))["status"] == "ready"
    graph = await stack.get("/v1/graphs/default")
    assert graph["documents"] == 1


async def test_a_cancelled_build_keeps_what_it_has_and_goes_on_later(run: Any, rag: Any, embedded: None) -> None:
    rag.add("long", "\f".join(f"Peter Jansen saw Acme Corp {page}." for page in range(100)))
    async with run(graph_chunks_in_flight=1) as stack:
        await stack.build()
        rag.add("longer", "\f".join(f"Maria Silva saw Acme Corp {page}." for page in range(100)))
        rag.hold = asyncio.Event()
        job = await stack.begin()
        await rag.waits.wait()
        assert await stack.begin() == job
        assert (await stack.http.delete(f"/v1/jobs/{job}")).status_code == 200
        assert (await stack.get("/v1/graphs/default"))["status"] == "cancelled"
        assert "Peter Jansen" in await stack.names()
        rag.hold.set()
        await stack.build()
        assert (await stack.entity("Maria Silva"))["mentions"] == 100


async def test_a_service_that_stops_while_building_goes_on_when_it_starts(run: Any, rag: Any, embedded: None) -> None:
    rag.add("long", "\f".join(f"Peter Jansen saw ship number {page}." for page in range(60)))
    rag.hold = asyncio.Event()
    async with run() as stack:
        job = await stack.begin()
        await rag.waits.wait()
    rag.hold.set()
    async with run() as stack:
        done = await stack.ended(job)
        assert (done["status"], done["chunks_done"]) == ("ready", 60)
        assert (await stack.entity("Peter Jansen"))["mentions"] == 60


async def test_a_build_waits_for_the_rag_service(stack: Any, rag: Any) -> None:
    rag.add("Light", LIGHT)
    await stack.build()
    rag.refuse_next = 2
    await stack.build()


async def test_a_key_sees_its_own_collections_only(stack: Any, rag: Any) -> None:
    rag.add("Light", LIGHT, "open")
    rag.add("Secret", "Peter Jansen met Maria Silva in Lisbon.", "closed")
    await stack.build("open")
    hidden_job = (await stack.build("closed"))["id"]
    hidden, shown = await stack.entity("Maria Silva", "closed"), await stack.entity("Peter Jansen", "open")
    theirs = await stack.entity("Peter Jansen", "closed")
    head = stack.key("open")

    async def status(method: str, path: str, **options: Any) -> int:
        return int((await stack.http.request(method, path, headers=head, **options)).status_code)

    for path in ("/v1/entities", "/v1/relations"):
        assert await status("GET", path, params={"collection": "closed"}) == 403
        assert await status("GET", path, params={"collection": "open"}) == 200
    assert await status("POST", "/v1/graphs", json={"collection": "closed"}) == 403
    assert await status("GET", "/v1/graphs/closed") == 403
    assert await status("DELETE", "/v1/graphs/closed") == 403
    for below in ("", "/mentions", "/relations", "/neighbours"):
        assert await status("GET", f"/v1/entities/{hidden['id']}{below}") == 404
        assert await status("GET", f"/v1/entities/{shown['id']}{below}") == 200
    assert await status("POST", f"/v1/entities/{hidden['id']}/merge", json={"entities": [theirs["id"]]}) == 404
    assert await status("POST", f"/v1/entities/{shown['id']}/merge", json={"entities": [theirs["id"]]}) == 404
    assert await status("POST", f"/v1/entities/{hidden['id']}/split", json={"names": ["Maria Silva"]}) == 404
    assert await status("GET", "/v1/paths", params={"from": shown["id"], "to": hidden["id"]}) == 404
    assert await status("GET", f"/v1/jobs/{hidden_job}") == 404
    answer = await stack.http.get("/v1/graphs", headers=head)
    assert [graph["collection"] for graph in answer.json()] == ["open"]
    detail = (await stack.http.get(f"/v1/entities/{shown['id']}", headers=head)).json()
    assert detail["mentions"] == 1
    assert all(each["evidence"]["document"] == "Light" for each in detail["mentioned"])


async def test_a_graph_counts_its_own_and_no_others(stack: Any, rag: Any) -> None:
    rag.add("Light", LIGHT, "one")
    rag.add("Harbour", HARBOUR, "other")
    for collection in ("one", "other"):
        await stack.build(collection)
    counted = {graph["collection"]: (graph["documents"], graph["chunks"]) for graph in await stack.get("/v1/graphs")}
    assert counted == {"one": (1, 1), "other": (1, 2)}


async def test_a_name_has_the_type_that_other_documents_give_it(stack: Any, rag: Any) -> None:
    rag.add("a", "Yesterday Mrs. Zorvex came.")
    await stack.build()
    rag.add("b", "Zorvex came again, late. They saw her.")
    await stack.build()
    assert ((await stack.entity("Zorvex"))["type"], (await stack.entity("Zorvex"))["mentions"]) == ("person", 2)


async def test_a_graph_follows_its_collection_by_itself(run: Any, rag: Any, embedded: None) -> None:
    first = rag.add("Light", LIGHT)
    async with run(graph_follow_seconds=0.2) as stack:
        await stack.build()
        rag.add("d", "Peter Jansen went to Lisbon.")
        await follow(stack, lambda names: "Lisbon" in names)
        del rag.documents[first]
        await follow(stack, lambda names: "Acme Corp" not in names)
        assert "Peter Jansen" in await stack.names()


async def follow(stack: Any, done: Callable[[set[str]], bool]) -> None:
    async with asyncio.timeout(60):
        while not done(await stack.names()):
            await asyncio.sleep(0.1)


async def test_a_deleted_graph_is_gone_and_can_be_built_again(stack: Any, rag: Any) -> None:
    rag.add("Light", LIGHT)
    await stack.build()
    assert (await stack.http.delete("/v1/graphs/default")).status_code == 204
    assert (await stack.http.get("/v1/graphs/default")).status_code == 404
    assert await stack.names() == set()
    await stack.build()
    assert "Acme Corp" in await stack.names()


async def test_bad_input_is_a_problem_detail(stack: Any, rag: Any) -> None:
    rag.add("Light", LIGHT)
    await stack.build()
    peter = (await stack.entity("Peter Jansen"))["id"]
    for status, method, path, options in (
        (404, "POST", "/v1/graphs", {"json": {"collection": "nothing-here"}}),
        (422, "POST", "/v1/graphs", {"json": {"collection": "../x"}}),
        (422, "POST", "/v1/graphs", {"json": {"collection": "default", "colour": "red"}}),
        (422, "GET", "/v1/entities?cursor=junk", {}),
        (422, "GET", "/v1/entities?cursor=YWI", {}),
        (422, "GET", "/v1/relations?cursor=YWI", {}),
        (422, "GET", "/v1/entities/0", {}),
        (422, "GET", "/v1/entities/99999999999999999999", {}),
        (404, "GET", "/v1/entities/999999", {}),
        (422, "GET", f"/v1/paths?from={peter}&to={peter}", {}),
        (422, "GET", "/v1/paths", {}),
    ):
        answer = await stack.http.request(method, path, **options)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_lists_go_on_where_they_ended(stack: Any, rag: Any) -> None:
    rag.add(
        "Light", "\n\n".join(f"Peter Jansen met Maria Silva and Acme Corp in the year {1900 + n}." for n in range(9))
    )
    await stack.build()
    for path in ("/v1/entities", "/v1/relations"):
        whole = [row["id"] for row in (await stack.get(path, limit=200))["items"]]
        parts: list[int] = []
        cursor = None
        while True:
            page = await stack.get(path, limit=4, **({"cursor": cursor} if cursor else {}))
            parts += [row["id"] for row in page["items"]]
            if not (cursor := page["next_cursor"]):
                break
        assert parts == whole
        assert len(set(whole)) == len(whole) > 8


async def test_merging_and_splitting_by_hand_outlast_builds(stack: Any, rag: Any) -> None:
    rag.add("Light", LIGHT)
    rag.add("Other", "Pete Johnson and Peter Jansen are one. Maria Silva met Pete Johnson.")
    await stack.build()
    peter, pete = await stack.entity("Peter Jansen"), await stack.entity("Pete Johnson")
    merged = await stack.http.post(f"/v1/entities/{peter['id']}/merge", json={"entities": [pete["id"]]})
    assert (merged.status_code, merged.json()["mentions"]) == (200, 4)
    await stack.build(again=True)
    found = await stack.get(f"/v1/entities/{peter['id']}")
    assert found["aliases"] == ["Peter Jansen", "Pete Johnson"]
    neighbours = await stack.get(f"/v1/entities/{peter['id']}/neighbours")
    assert [each["entity"]["name"] for each in neighbours] == ["Maria Silva"]

    place = await stack.entity("Acme Corp")
    refused = await stack.http.post(f"/v1/entities/{peter['id']}/merge", json={"entities": [place["id"]]})
    assert refused.status_code == 422
    for names in (["Nobody"], ["Peter Jansen", "Pete Johnson"], []):
        answer = await stack.http.post(f"/v1/entities/{peter['id']}/split", json={"names": names})
        assert answer.status_code == 422
    parted = await stack.http.post(f"/v1/entities/{peter['id']}/split", json={"names": ["Pete Johnson"]})
    assert (parted.status_code, parted.json()["mentions"]) == (201, 2)
    await stack.build(again=True)
    assert (await stack.get(f"/v1/entities/{peter['id']}"))["aliases"] == ["Peter Jansen"]
    assert (await stack.get(f"/v1/entities/{parted.json()['id']}"))["aliases"] == ["Pete Johnson"]
