"""Filters: which documents a search, a question and a summary are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.rag import Stack

LINE = "The pump of the {} hall was inspected in spring."


@pytest.fixture
async def halls(stack: Stack) -> dict[str, str]:
    """The id of the document about each hall."""
    found = {}
    for name in ("north", "south", "east"):
        file = {"files": (f"{name}-2026.md", f"# {name}\n\n{LINE.format(name)}".encode(), "text/markdown")}
        added = (await stack.http.post("/v1/documents", files=file)).json()["items"][0]
        assert (await stack.ended(added["job_id"]))["status"] == "ready"
        found[name] = added["document"]["id"]
    return found


async def searched(stack: Stack, **given: Any) -> set[str]:
    body = {"question": "Which pump was inspected in spring?", "filter": given}
    answer = await stack.http.post("/v1/search", json=body)
    assert answer.status_code == 200, answer.text
    return {item["filename"].partition("-")[0] for item in answer.json()["items"]}


async def test_a_search_keeps_to_the_documents_that_the_filter_lets_through(
    stack: Stack, halls: dict[str, str]
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await searched(stack) == set(halls)
    assert await searched(stack, documents=[halls["north"], halls["east"]]) == {"north", "east"}
    assert await searched(stack, filename="SOUTH") == {"south"}
    assert await searched(stack, filename="%") == set()
    assert await searched(stack, languages=["en"]) == set(halls)
    assert await searched(stack, languages=["nl"]) == set()
    assert await searched(stack, media_types=["application/pdf"]) == set()
    assert await searched(stack, added_from=soon) == set()
    assert await searched(stack, added_before=soon, filename="east") == {"east"}


async def test_an_answer_cites_no_other_document(stack: Stack, halls: dict[str, str]) -> None:
    question = "Which pump was inspected in spring?"
    answer = await stack.query(question, filter={"documents": [halls["south"]]})
    assert {citation["document_id"] for citation in answer["citations"]} == {halls["south"]}
    nothing = await stack.query(question, filter={"documents": ["doc_unknown"]})
    assert (nothing["answered"], nothing["closest"]) == (False, [])


async def test_this_document_is_the_one_that_the_filter_lets_through(stack: Stack, halls: dict[str, str]) -> None:
    answer = await stack.query("Summarise this document", filter={"documents": [halls["east"]]})
    assert "east hall" in answer["text"]
    assert {citation["document_id"] for citation in answer["citations"]} == {halls["east"]}


async def test_a_filter_that_is_none_is_refused_by_name(stack: Stack) -> None:
    body = {"question": "What?", "filter": {"added_from": "yesterday"}}
    answer = await stack.http.post("/v1/search", json=body)
    assert answer.status_code == 422
    assert "added_from" in answer.text
