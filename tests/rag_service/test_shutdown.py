"""A service that goes down while it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llm_providers.types import Started, Token


async def test_an_open_stream_ends_with_cancelled(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async with run() as stack:
        await stack.add("The lighthouse was built in 1822 by two brothers.", "Light")
        speaking = asyncio.Event()

        async def endless(*_: Any) -> Any:
            yield Started("slow", "slow")
            yield Token("The lighthouse ")
            speaking.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(stack.app.state.rag.questions.chat, "chat", endless)
        body = {"question": "When was the lighthouse built?"}
        names: list[str] = []

        async def listen() -> None:
            async with stack.http.stream(
                "POST", "/v1/query", json=body, headers={"Accept": "text/event-stream"}
            ) as stream:
                names.extend([line[7:] async for line in stream.aiter_lines() if line.startswith("event: ")])

        listening = asyncio.create_task(listen())
        await speaking.wait()
        stack.server.should_exit = True
        await asyncio.wait_for(listening, 15)
    assert names == ["sources", "token", "cancelled"]


async def test_the_api_pages_need_no_other_host(run: Callable[..., Any]) -> None:
    async with run() as stack:
        page = (await stack.http.get("/docs")).text
        assert "https://" not in page
        assert (await stack.http.get("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200
