"""A changed file replaces its older version: at every moment exactly one of them answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harness.rag import ScriptedProcessor, Stack
from rag_service.tables import Document
from rag_service.vectors import VectorStore

OLD = "The mooring fee of the harbour is nine euros a night."
NEW = "The mooring fee of the harbour is twelve euros a night."
NEWER = "The mooring fee of the harbour is fifteen euros a night."
ASKED = "What is the mooring fee of the harbour?"


async def send(stack: Stack, text: str, name: str = "fees.txt", **fields: str) -> dict[str, Any]:
    """Upload a file; returns what was added."""
    answer = await stack.http.post("/v1/documents", files=[("files", (name, text.encode()))], data=fields)
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json()["items"][0])


async def put(stack: Stack, text: str, name: str = "fees.txt", **fields: str) -> dict[str, Any]:
    """Upload a file and wait for its job; returns the document."""
    added = await send(stack, text, name, **fields)
    await stack.ended(added["job_id"])
    await tidied(stack)
    return await about(stack, added["document"]["id"])


async def tidied(stack: Stack) -> None:
    """Wait until nothing is left behind by versions: the step after a job's end has run."""
    documents = stack.app.state.rag.documents
    async with asyncio.timeout(20):
        while True:
            async with documents._database.reading() as session:
                rows = (await session.execute(Document.__table__.select())).all()
            if not any(row.status == "deleting" or (row.status == "replaced" and row.chunks) for row in rows):
                return
            await asyncio.sleep(0.02)


async def about(stack: Stack, document: str) -> dict[str, Any]:
    return dict((await stack.http.get(f"/v1/documents/{document}")).json())


async def listed(stack: Stack, **query: str) -> list[dict[str, Any]]:
    return list((await stack.http.get("/v1/documents", params=query)).json()["items"])


async def versions(stack: Stack, document: str) -> list[tuple[int, str]]:
    found = (await stack.http.get(f"/v1/documents/{document}/versions")).json()
    return [(one["version"], one["status"]) for one in found]


async def found(stack: Stack, question: str = ASKED) -> set[str]:
    """Return the texts that a search finds."""
    items = (await stack.http.post("/v1/search", json={"question": question})).json()["items"]
    return {item["text"] for item in items}


async def vectors(stack: Stack) -> set[str]:
    """Return the documents that have vectors."""
    state = stack.app.state.rag
    index = await state.retriever.indexes.active("default")
    return set(await state.retriever.indexes.vectors.documents(index.name)) if index else set()


async def test_a_changed_file_takes_the_place_of_the_older_one(stack: Stack) -> None:
    old = await put(stack, OLD)
    new = await put(stack, NEW)
    assert (old["version"], new["version"], new["external_id"]) == (1, 2, "fees.txt")
    assert [one["id"] for one in await listed(stack)] == [new["id"]]
    assert [one["id"] for one in await listed(stack, status="replaced")] == [old["id"]]
    assert await found(stack) == {NEW}
    assert await vectors(stack) == {new["id"]}
    assert "twelve" in (await stack.query(ASKED))["text"]
    assert await versions(stack, old["id"]) == await versions(stack, new["id"]) == [(2, "ready"), (1, "replaced")]
    assert (await stack.http.get("/v1/collections/default")).json()["documents"] == 1


async def test_only_the_last_replaced_version_is_kept(stack: Stack) -> None:
    first = await put(stack, OLD)
    await put(stack, NEW)
    third = await put(stack, NEWER)
    assert await versions(stack, third["id"]) == [(3, "ready"), (2, "replaced")]
    assert (await stack.http.get(f"/v1/documents/{first['id']}")).status_code == 404
    originals = [path for path in (stack.data_dir / "originals").rglob("*") if path.is_file()]
    assert len(originals) == 2


async def test_the_old_version_answers_until_the_new_one_is_ready(stack: Stack) -> None:
    old = await put(stack, OLD)
    stack.processor.hold = asyncio.Event()
    added = await send(stack, f"{NEW}\fAnother page.")
    async with asyncio.timeout(20):
        while (await stack.http.get(f"/v1/jobs/{added['job_id']}")).json()["pages_total"] is None:
            await asyncio.sleep(0.02)
    assert await found(stack) == {OLD}
    assert await versions(stack, old["id"]) == [(2, "running"), (1, "ready")]
    stack.processor.hold.set()
    await stack.ended(added["job_id"])
    assert OLD not in await found(stack)


async def test_searches_during_the_swap_find_exactly_one_version(stack: Stack) -> None:
    await put(stack, OLD)
    answers: list[int] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            texts = await found(stack)
            answers.append(len([text for text in texts if "mooring fee" in text]))

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    for number in range(6):
        await put(stack, f"The mooring fee of the harbour is {number} pounds a night.")
    done.set()
    await asyncio.gather(*asking)
    assert set(answers) == {1}


async def test_a_swap_between_search_and_text_is_searched_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is asked, then the version that it has named goes: the answer is the new one, not nothing."""
    await put(stack, OLD)
    search = VectorStore.search
    swapped: list[str] = []

    async def then_swap(self: VectorStore, *args: Any) -> Any:
        hits = await search(self, *args)
        if not swapped:
            swapped.append("once")
            await put(stack, NEW)
        return hits

    monkeypatch.setattr(VectorStore, "search", then_swap)
    assert await found(stack) == {NEW}
    assert swapped


async def test_an_answer_of_several_searches_has_passages_of_one_version(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await put(stack, OLD)
    search = VectorStore.search
    searches: list[int] = []

    async def swap_before_the_second(self: VectorStore, *args: Any) -> Any:
        searches.append(len(searches))
        if len(searches) == 2:
            await put(stack, NEW)
        return await search(self, *args)

    monkeypatch.setattr(VectorStore, "search", swap_before_the_second)
    events = await stack.events("Compare the mooring fee of the harbour with a night in the harbour.")
    (sources,) = [data for name, data in events if name == "sources"]
    found_in = {item["document_id"] for item in sources["items"]}
    assert len(searches) > 2
    assert len(found_in) == 1
    assert old["id"] not in found_in


async def test_a_version_that_fails_leaves_the_older_one(stack: Stack) -> None:
    old = await put(stack, OLD)
    stack.processor.refuse = {"status": 422, "type": "urn:x:damaged", "detail": "damaged"}
    bad = await put(stack, NEW)
    assert await versions(stack, old["id"]) == [(2, "failed"), (1, "ready")]
    assert await found(stack) == {OLD}
    stack.processor.refuse = None
    await put(stack, NEWER)
    assert (await stack.http.get(f"/v1/documents/{bad['id']}")).status_code == 404
    assert await found(stack) == {NEWER}


async def test_the_replaced_version_can_be_restored_and_the_other_is_then_kept(stack: Stack) -> None:
    old = await put(stack, OLD)
    new = await put(stack, NEW)
    read = len(stack.processor.first_pages)
    restored = await stack.http.post(f"/v1/documents/{new['id']}/restore")
    assert restored.status_code == 202
    assert restored.json()["document"]["id"] == old["id"]
    await stack.ended(restored.json()["job_id"])
    await tidied(stack)
    assert await versions(stack, old["id"]) == [(3, "ready"), (2, "replaced")]
    assert await found(stack) == {OLD}
    assert await vectors(stack) == {old["id"]}
    assert len(stack.processor.first_pages) == read, "its pages were kept"
    alone = await put(stack, "Something else.", "other.txt")
    assert (await stack.http.post(f"/v1/documents/{alone['id']}/restore")).status_code == 404


async def test_bytes_that_come_back_are_the_newest_again(stack: Stack) -> None:
    old = await put(stack, OLD)
    await put(stack, NEW)
    again = await put(stack, OLD)
    assert (again["id"], again["version"]) == (old["id"], 3)
    assert await found(stack) == {OLD}


async def test_identical_bytes_make_no_version(stack: Stack) -> None:
    await put(stack, OLD)
    again = await send(stack, OLD)
    assert (again["new"], again["document"]["version"]) == (False, 1)
    copy = await send(stack, OLD, "copy.txt")
    assert (copy["new"], copy["document"]["external_id"]) == (False, "fees.txt")
    assert len(await listed(stack)) == 1


async def test_bytes_that_change_back_before_the_change_was_read(stack: Stack) -> None:
    old = await put(stack, OLD)
    stack.processor.hold = asyncio.Event()
    changed = await send(stack, f"{NEW}\fAnother page.")
    await send(stack, OLD)
    stack.processor.hold.set()
    await stack.ended(changed["job_id"])
    await tidied(stack)
    assert await versions(stack, old["id"]) == [(3, "ready"), (2, "replaced")]
    assert await found(stack) == {OLD}


async def test_the_newest_upload_wins_whichever_is_read_first(stack: Stack) -> None:
    await put(stack, OLD)
    stack.processor.hold = asyncio.Event()
    slow = await send(stack, f"{NEW}\fAnother page.")
    fast = await put(stack, NEWER)
    assert await found(stack) == {NEWER}
    stack.processor.hold.set()
    await stack.ended(slow["job_id"])
    await tidied(stack)
    assert await found(stack) == {NEWER}
    assert await versions(stack, fast["id"]) == [(3, "ready"), (2, "replaced")]


async def test_two_uploads_of_a_name_at_once_are_two_versions(stack: Stack) -> None:
    added = await asyncio.gather(*[send(stack, text) for text in (OLD, NEW, NEWER)])
    for one in added:
        await stack.ended(one["job_id"])
    await tidied(stack)
    kept = await listed(stack)
    assert [(one["version"], one["status"]) for one in kept] == [(3, "ready")]
    assert len(await found(stack)) == 1


async def test_an_external_id_is_what_makes_versions_where_it_is_given(stack: Stack) -> None:
    one = await put(stack, "Fees of the north basin.", "fees.txt", external_id="north/fees.txt")
    other = await put(stack, "Fees of the south basin.", "fees.txt", external_id="south/fees.txt")
    assert {item["id"] for item in await listed(stack)} == {one["id"], other["id"]}
    assert [item["id"] for item in await listed(stack, external_id="south/fees.txt")] == [other["id"]]
    changed = await put(stack, "New fees of the south basin.", "fees-2027.txt", external_id="south/fees.txt")
    assert {item["id"] for item in await listed(stack)} == {one["id"], changed["id"]}


async def test_the_same_bytes_under_a_new_external_id_are_renamed_with_their_history(stack: Stack) -> None:
    await put(stack, OLD, external_id="a")
    new = await put(stack, NEW, external_id="a")
    renamed = await send(stack, NEW, "tariffs.txt", external_id="b")
    assert (renamed["document"]["id"], renamed["new"]) == (new["id"], False)
    (only,) = await listed(stack)
    assert (only["external_id"], only["filename"], only["status"]) == ("b", "tariffs.txt", "ready")
    items = (await stack.http.post("/v1/search", json={"question": "tariffs"})).json()["items"]
    assert [item["keyword"] is not None for item in items] == [True], "it is found by its new name"
    assert await versions(stack, new["id"]) == [(2, "ready"), (1, "replaced")]
    assert len(stack.processor.first_pages) == 2


async def test_a_source_whose_bytes_become_those_of_another_answers_no_more(stack: Stack) -> None:
    await put(stack, OLD, "a.txt")
    await put(stack, NEW, "b.txt")
    await send(stack, OLD, "b.txt")
    await tidied(stack)
    assert await found(stack) == {OLD}


async def test_texts_are_versions_only_by_an_external_id(stack: Stack) -> None:
    await stack.add(OLD, "Fees")
    await stack.add(NEW, "Fees")
    assert len(await listed(stack)) == 2
    for text in ("One.", "Two."):
        given = {"text": f"Note: {text}", "title": "Note", "external_id": "note-7"}
        await stack.ended((await stack.http.post("/v1/documents", json=given)).json()["items"][0]["job_id"])
    assert len(await listed(stack, external_id="note-7")) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"external_id": ["a", "b"]}, "external_id"),
        ({"external_id": "x" * 1001}, "external_id.0"),
        ({"external_id": "a\x07b"}, "external_id.0"),
        ({"external_id": ""}, "external_id.0"),
    ],
)
async def test_external_ids_that_cannot_be(stack: Stack, fields: Any, field: str) -> None:
    files = [("files", ("a.txt", b"Some text."))]
    answer = await stack.http.post("/v1/documents", files=files, data=fields)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_deleting_what_answers_deletes_all_versions_and_the_one_on_its_way(stack: Stack) -> None:
    await put(stack, OLD)
    new = await put(stack, NEW)
    stack.processor.hold = asyncio.Event()
    coming = await send(stack, f"{NEWER}\fAnother page.")
    gone = (await stack.http.delete(f"/v1/documents/{new['id']}")).json()
    stack.processor.hold.set()
    assert gone["documents"] == 3
    assert (await stack.ended(coming["job_id"]))["status"] == "cancelled"
    assert await listed(stack) == await listed(stack, status="replaced") == []
    assert await vectors(stack) == await found(stack) == set()
    assert [path for path in (stack.data_dir / "originals").rglob("*") if path.is_file()] == []


async def test_deleting_the_version_on_its_way_leaves_what_answers(stack: Stack) -> None:
    old = await put(stack, OLD)
    stack.processor.hold = asyncio.Event()
    coming = await send(stack, f"{NEW}\fAnother page.")
    await stack.http.delete(f"/v1/documents/{coming['document']['id']}")
    stack.processor.hold.set()
    await stack.ended(coming["job_id"])
    assert await versions(stack, old["id"]) == [(1, "ready")]
    assert await found(stack) == {OLD}


async def test_a_cancelled_job_leaves_nothing_but_its_row(stack: Stack) -> None:
    stack.processor.hold = asyncio.Event()
    added = await send(stack, "\f".join(f"Page {n} is about lanterns." for n in range(5)))
    document = added["document"]["id"]
    async with asyncio.timeout(20):
        while (await stack.http.get(f"/v1/jobs/{added['job_id']}")).json()["pages_total"] is None:
            await asyncio.sleep(0.02)
    assert (await stack.http.delete(f"/v1/jobs/{added['job_id']}")).json()["status"] == "cancelled"
    stack.processor.hold.set()
    found_now = await about(stack, document)
    assert (found_now["status"], found_now["pages"], found_now["chunks"]) == ("cancelled", 0, 0)
    assert (await stack.http.get(f"/v1/documents/{document}/pages")).json() == []
    assert await vectors(stack) == await found(stack, "lanterns") == set()


async def test_the_first_page_is_found_while_a_later_one_is_being_read(stack: Stack) -> None:
    stack.processor.hold = asyncio.Event()
    added = await send(stack, "\f".join([OLD, *(f"Page {n} is about lanterns." for n in range(2, 301))]))
    async with asyncio.timeout(30):
        while await found(stack) != {OLD}:
            await asyncio.sleep(0.1)
    document = await about(stack, added["document"]["id"])
    assert (document["status"], document["searchable"]) == ("running", True)
    assert "nine euros" in (await stack.query(ASKED))["text"]
    stack.processor.hold.set()
    job = await stack.ended(added["job_id"])
    assert (job["status"], job["pages_done"]) == ("ready", 300)
    assert OLD in await found(stack)
    assert len(await vectors(stack)) == 1


async def test_a_job_says_how_long_its_stages_took_and_when_this_one_will_end(stack: Stack) -> None:
    stack.processor.hold = asyncio.Event()
    added = await send(stack, "\f".join(f"Page {n} is about lanterns." for n in range(1, 11)))
    async with asyncio.timeout(30):
        while (job := (await stack.http.get(f"/v1/jobs/{added['job_id']}")).json())["pages_done"] != 1:
            await asyncio.sleep(0.05)
    passed = job["eta_seconds"] / 9
    later = (await stack.http.get(f"/v1/jobs/{added['job_id']}")).json()
    assert 0 < passed <= later["eta_seconds"] / 9 + 0.1, "nine pages are left, at the speed of the first"
    stack.processor.hold.set()
    ended = await stack.ended(added["job_id"])
    assert ended["seconds"].keys() == {"parsing", "chunking", "embedding"}
    assert ended["eta_seconds"] is None
    assert (await about(stack, added["document"]["id"]))["seconds"] == ended["seconds"]


@asynccontextmanager
async def dying_at(stack: Stack, monkeypatch: pytest.MonkeyPatch, step: str) -> AsyncIterator[asyncio.Event]:
    """Let the first deletion of vectors hang, as if the process had been killed there."""
    reached = asyncio.Event()

    async def hang(self: VectorStore, *_: Any) -> int:
        reached.set()
        await asyncio.Event().wait()
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(VectorStore, step, hang)
        yield reached


async def test_killed_after_the_swap_the_rest_is_tidied_up_at_the_next_start(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = ScriptedProcessor()
    async with run(processor) as first:
        await put(first, OLD)
        new = await put(first, NEW)
        async with dying_at(first, monkeypatch, "delete_document") as reached:
            added = await send(first, NEWER)
            await asyncio.wait_for(reached.wait(), 20)
            assert await found(first) == {NEWER}
            assert (await about(first, new["id"]))["status"] == "replaced"
            busy = await first.http.post(f"/v1/documents/{new['id']}/restore")
            assert (busy.status_code, busy.headers["retry-after"]) == (409, "2")
    async with run(processor) as second:
        await tidied(second)
        assert await versions(second, new["id"]) == [(3, "ready"), (2, "replaced")]
        assert await vectors(second) == {added["document"]["id"]}
        assert await found(second) == {NEWER}


async def test_a_new_index_holds_no_replaced_version(stack: Stack) -> None:
    await put(stack, OLD)
    new = await put(stack, NEW)
    (job,) = (await stack.http.post("/v1/reindex", json={"collection": "default"})).json()["job_ids"]
    assert (await stack.ended(job))["status"] == "ready"
    assert await vectors(stack) == {new["id"]}
