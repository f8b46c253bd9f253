"""Documents from upload to deletion."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from harness.rag import ScriptedProcessor

HANDBOOK = """# Handbook

## Boats

The rowing boats are kept at berth twelve and rented by the hour for nine euros.

## Safety

Life jackets hang behind the office door, and every guest wears one.
"""


async def test_a_text_becomes_a_ready_document_that_can_be_asked(stack: Any) -> None:
    job = await stack.add(HANDBOOK, "Handbook")
    assert (job["status"], job["stage"], job["pages_done"], job["pages_total"]) == ("ready", "done", 1, 1)
    assert job["chunks_done"] == job["chunks_total"] > 0
    answer = await stack.query("What do rowing boats cost by the hour?")
    assert answer["answered"]
    assert answer["extractive"]
    (citation,) = answer["citations"]
    pages = (await stack.http.get(f"/v1/documents/{citation['document_id']}/pages")).json()
    assert pages[0]["text"][citation["start"] : citation["end"]] == citation["quote"]
    assert "nine euros" in citation["quote"]


async def test_several_files_at_once_and_their_originals(stack: Any) -> None:
    files = [("files", ("a.md", b"First file about anchors.")), ("files", ("b.txt", b"Second file about buoys."))]
    answer = await stack.http.post("/v1/documents", files=files)
    assert answer.status_code == 202
    items = answer.json()["items"]
    assert [item["document"]["filename"] for item in items] == ["a.md", "b.txt"]
    original = await stack.http.get(f"/v1/documents/{items[0]['document']['id']}/original")
    assert original.content == b"First file about anchors."
    assert original.headers["content-disposition"].startswith("attachment")


async def test_the_same_bytes_are_the_same_document(stack: Any) -> None:
    await stack.add(HANDBOOK, "Handbook")
    again = await stack.http.post("/v1/documents", json={"text": HANDBOOK, "title": "Handbook"})
    assert again.status_code == 200
    (item,) = again.json()["items"]
    assert item["new"] is False
    assert len((await stack.http.get("/v1/documents")).json()["items"]) == 1
    elsewhere = await stack.http.post("/v1/documents", json={"text": HANDBOOK, "title": "H", "collection": "other"})
    assert elsewhere.json()["items"][0]["new"] is True


async def test_delete_counts_what_went_and_leaves_nothing(stack: Any) -> None:
    await stack.add(HANDBOOK, "Handbook")
    (document,) = (await stack.http.get("/v1/documents")).json()["items"]
    gone = (await stack.http.delete(f"/v1/documents/{document['id']}")).json()
    chunks = document["chunks"]
    assert gone == {"documents": 1, "pages": 1, "chunks": chunks, "vectors": chunks, "files": 1}
    assert (await stack.http.get(f"/v1/documents/{document['id']}")).status_code == 404
    answer = await stack.query("What do rowing boats cost by the hour?")
    assert not answer["answered"]
    assert [path for path in (stack.data_dir / "originals").rglob("*") if path.is_file()] == []


async def test_a_file_shared_by_two_collections_outlives_the_first_delete(stack: Any) -> None:
    await stack.add(HANDBOOK, "Handbook")
    await stack.add(HANDBOOK, "Handbook", "other")
    (document,) = (await stack.http.get("/v1/documents")).json()["items"]
    assert (await stack.http.delete(f"/v1/documents/{document['id']}")).json()["files"] == 0
    (kept,) = (await stack.http.get("/v1/documents", params={"collection": "other"})).json()["items"]
    assert (await stack.http.get(f"/v1/documents/{kept['id']}/original")).status_code == 200


async def test_lists_are_paged_by_cursor(stack: Any) -> None:
    for number in range(5):
        await stack.http.post("/v1/documents", json={"text": f"Text number {number}.", "title": f"T{number}"})
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await stack.http.get("/v1/documents", params=params)).json()
        seen += [item["title"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ["T4", "T3", "T2", "T1", "T0"]
    assert (await stack.http.get("/v1/documents", params={"cursor": "%%%"})).status_code == 422


async def test_progress_is_streamed_and_ends_once(stack: Any) -> None:
    stack.processor.hold = asyncio.Event()
    added = await stack.http.post("/v1/documents", json={"text": "One page.\fTwo pages.\fThree pages.", "title": "T"})
    job = added.json()["items"][0]["job_id"]
    events: list[tuple[str, Any]] = []
    async with stack.http.stream("GET", f"/v1/jobs/{job}/events") as stream:
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                events.append((name, json.loads(line[6:])))
                if events[-1][1]["pages_total"] == 3:
                    stack.processor.hold.set()
    assert [name for name, _ in events].count("ready") == 1
    assert events[-1][0] == "ready"
    done = [data["pages_done"] for _, data in events]
    assert done == sorted(done)
    assert events[-1][1]["pages_done"] == 3


async def test_a_cancelled_job_stops_and_may_be_tried_again(stack: Any) -> None:
    stack.processor.hold = asyncio.Event()
    added = await stack.http.post("/v1/documents", json={"text": "One page.\fTwo pages.", "title": "T"})
    item = added.json()["items"][0]
    cancelled = await stack.http.delete(f"/v1/jobs/{item['job_id']}")
    assert cancelled.json()["status"] == "cancelled"
    assert (await stack.http.delete(f"/v1/jobs/{item['job_id']}")).status_code == 409
    assert (await stack.http.get(f"/v1/documents/{item['document']['id']}")).json()["status"] == "cancelled"
    stack.processor.hold.set()
    assert (await stack.add("One page.\fTwo pages.", "T"))["status"] == "ready"


async def test_a_refused_document_fails_with_the_reason_and_leaves_no_text(run: Callable[..., Any]) -> None:
    processor = ScriptedProcessor(
        refuse={"status": 422, "type": "urn:x:password-required", "detail": "needs a password"}
    )
    async with run(processor) as stack:
        job = await stack.add("secret")
        assert job["status"] == "failed"
        assert job["error"]["detail"] == "needs a password"
        assert job["error"]["type"].endswith(":password-required")
        processor.refuse = None
        assert (await stack.add("secret"))["status"] == "ready"


async def test_ingestion_waits_for_a_processor_that_is_away(run: Callable[..., Any]) -> None:
    async with run(ScriptedProcessor(refuse_next=2)) as stack:
        assert (await stack.add("Some text."))["status"] == "ready"
        assert len(stack.processor.first_pages) == 3


async def test_a_cut_answer_is_asked_for_again_from_the_page_it_broke_at(run: Callable[..., Any]) -> None:
    async with run(ScriptedProcessor(cut_after=2)) as stack:
        job = await stack.add("Page one.\fPage two.\fPage three.")
        assert (job["status"], job["pages_done"]) == ("ready", 3)
        assert stack.processor.first_pages == [1, 3]


async def test_the_rest_of_a_document_has_the_rest_of_the_described_pictures(run: Callable[..., Any]) -> None:
    async with run(ScriptedProcessor(cut_after=2)) as stack:
        await stack.add("Page one.\n\n[figure: a pump]\n\n[figure: a pier]\fPage two.\n\n[figure: a boat]\fPage three.")
        assert stack.processor.described == [0, 3]


async def test_nothing_but_white_space_is_no_text(stack: Any) -> None:
    answer = await stack.http.post("/v1/documents", files=[("files", ("a.txt", b" \n \n"))])
    job = await stack.ended(answer.json()["items"][0]["job_id"])
    assert job["status"] == "failed"
    assert job["error"]["type"].endswith(":no-text")


async def test_what_a_file_says_about_itself_is_kept_and_a_given_title_stands_before_it(
    run: Callable[..., Any],
) -> None:
    said = {"title": "Rota of the harbour", "author": "Anna", "created": "2026-03-15", "language": "en", "modified": ""}
    async with run(ScriptedProcessor(properties=said, label="00:01:07")) as stack:
        added = await stack.http.post("/v1/documents", files=[("files", ("notes-7.txt", b"Anna opens the gate."))])
        await stack.ended(added.json()["items"][0]["job_id"])
        await stack.add("Bo closes the gate.", "The title that was given")
        given, file = (await stack.http.get("/v1/documents")).json()["items"]
        pages = (await stack.http.get(f"/v1/documents/{file['id']}/pages")).json()
    assert (file["title"], given["title"]) == ("Rota of the harbour", "The title that was given")
    assert file["properties"] == {name: text for name, text in said.items() if text}
    assert pages[0]["label"] == "00:01:07"


async def test_a_text_file_has_no_headings(run: Callable[..., Any]) -> None:
    hosts = b"# The gateway is 10.44.0.1\n# The printer of the lab is at 10.44.0.77\n"
    async with run(ScriptedProcessor(engine="plain-text")) as stack:
        added = await stack.http.post("/v1/documents", files=[("files", ("hosts.txt", hosts))])
        job = await stack.ended(added.json()["items"][0]["job_id"])
        answer = await stack.query("Where is the printer of the lab?")
    assert job["status"] == "ready"
    assert "10.44.0.77" in answer["text"]
