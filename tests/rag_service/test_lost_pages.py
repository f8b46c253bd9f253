"""A page whose worker crashed costs that page, is named, and is had again by a retry."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Any

from rich.console import Console
from starlette.applications import Starlette
from starlette.routing import Mount

from harness.rag import KEY, Stack
from harness.serving import serving
from rag_service.lost_pages import naming
from switchyard import documents
from switchyard.client import Client

PAGES = [f"Page {n}: the lantern at pier {n} burns {n * 3} hours." for n in range(1, 7)]


async def add(stack: Stack) -> dict[str, Any]:
    files = [("files", ("lanterns.txt", "\f".join(PAGES).encode()))]
    added = (await stack.http.post("/v1/documents", files=files)).json()["items"][0]
    assert (await stack.ended(added["job_id"]))["status"] == "ready"
    return await about(stack, added["document"]["id"])


async def about(stack: Stack, document: str) -> dict[str, Any]:
    return dict((await stack.http.get(f"/v1/documents/{document}")).json())


async def found(stack: Stack) -> list[int]:
    asked = {"question": "How long does the lantern at the pier burn?", "limit": 50}
    answer = (await stack.http.post("/v1/search", json=asked)).json()
    assert answer["degraded"] == []
    return sorted(item["page"] for item in answer["items"])


async def retry(stack: Stack, document: str) -> dict[str, Any]:
    again = await stack.http.post(f"/v1/documents/{document}/retry")
    assert again.status_code == 202
    return await stack.ended(again.json()["job_id"])


async def test_lost_pages_are_named_and_read_again_while_the_others_answer(stack: Stack) -> None:
    stack.processor.lose = {2, 5}
    document = await add(stack)
    (warning,) = document["warnings"]
    assert warning.startswith("page-failed: pages 2, 5: ")
    assert await found(stack) == [1, 3, 4, 6]
    stack.processor.lose = {5}
    job = await retry(stack, document["id"])
    assert (job["kind"], job["status"], job["pages_done"], job["pages_total"]) == ("reread", "ready", 2, 2)
    assert await found(stack) == [1, 2, 3, 4, 6]
    assert (await about(stack, document["id"]))["warnings"][0].startswith("page-failed: page 5: ")
    stack.processor.lose = set()
    await retry(stack, document["id"])
    assert await found(stack) == [1, 2, 3, 4, 5, 6]
    whole = await about(stack, document["id"])
    assert (whole["warnings"], whole["status"], whole["pages"], whole["chunks"]) == ([], "ready", 6, 6)
    read = len(stack.processor.first_pages)
    await retry(stack, document["id"])
    assert len(stack.processor.first_pages) == read, "nothing is lacking"


async def test_a_retry_that_fails_takes_nothing_away(stack: Stack) -> None:
    stack.processor.lose = {2}
    document = await add(stack)
    stack.processor.refuse = {"status": 422, "type": "urn:x:damaged", "detail": "damaged"}
    assert (await retry(stack, document["id"]))["status"] == "failed"
    assert (await about(stack, document["id"]))["status"] == "ready"
    assert await found(stack) == [1, 3, 4, 5, 6]


def test_many_lost_pages_are_counted() -> None:
    (words,) = naming(["page-failed: page 1: old"], range(1, 31))
    assert " 19, 20 and 10 more: " in words
    assert naming(["cut: at page 9", "page-failed: page 1: old"], []) == ["cut: at page 9"]


async def test_the_command_reads_again_what_failed_and_what_lost_pages(stack: Stack) -> None:
    stack.processor.lose = {2}
    lacking = await add(stack)
    stack.processor.refuse = {"status": 422, "type": "urn:switchyard:problem:unreadable", "detail": "it is damaged"}
    broken = [("files", ("broken.txt", b"The broken one."))]
    added = (await stack.http.post("/v1/documents", files=broken)).json()["items"][0]
    assert (await stack.ended(added["job_id"]))["status"] == "failed"
    whole = [("files", ("whole.txt", b"This one is whole."))]

    async def retried(name: str | None = None) -> tuple[bool, str]:
        shown = StringIO()
        with Client(url, KEY) as client:
            done = await asyncio.to_thread(documents.retry, Console(file=shown), client, "default", name)
        return done, shown.getvalue()

    async with serving(Starlette(routes=[Mount("/rag", stack.app)])) as url:
        done, shown = await retried()
        assert not done
        assert shown.count("it is damaged") == 2
        stack.processor.refuse, stack.processor.lose = None, set()
        job = (await stack.http.post("/v1/documents", files=whole)).json()["items"][0]["job_id"]
        assert (await stack.ended(job))["status"] == "ready"
        read = len(stack.processor.first_pages)
        assert (await retried())[0]
        assert len(stack.processor.first_pages) == read + 2
        assert (await about(stack, lacking["id"]))["warnings"] == []
        assert (await about(stack, added["document"]["id"]))["status"] == "ready"
        assert (await retried()) == (True, "")
        assert (await retried("whole"))[0]
