"""The emergency stop over real processes: two replicas on one policy file, both answering when it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from drill.pauses import Pauses
from drill.processes import HEADERS, Process, engine, service

pytestmark = pytest.mark.live
STREAMS = 3
"""Of each replica."""
TOKENS, TOKEN_SECONDS = 3_000, 0.02


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[list[Process]]:
    with engine("ollama", tmp_path, "--words", str(TOKENS), "--delay", str(TOKEN_SECONDS)) as ollama:
        environment = {
            "LLM_PROVIDER": "ollama",
            "OLLAMA_URL": ollama.url,
            "USE_VISION_ANALYSIS": "false",
            "POLICY_FILE": str(tmp_path / "policy" / "policy.json"),
        }
        with (
            service("rag_service", tmp_path, "rag-1", **environment) as one,
            service("rag_service", tmp_path, "rag-2", **environment) as two,
        ):
            yield [one, two]


async def answer(client: httpx2.AsyncClient, begun: asyncio.Event) -> tuple[float, list[str]]:
    """Ask for a long answer; return when it ended, and its events."""
    events: list[str] = []
    body = {"model": "switchyard/direct", "stream": True, "messages": [{"role": "user", "content": "Tell me all."}]}
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                events.append(line.removeprefix("data: "))
                if len(events) > 5:
                    begun.set()
    return monotonic(), events


async def test_the_emergency_stop_ends_what_runs_in_every_replica(replicas: list[Process]) -> None:
    clients = [httpx2.AsyncClient(base_url=each.url, headers=HEADERS, timeout=120) for each in replicas]
    begun = [asyncio.Event() for _ in range(2 * STREAMS)]
    running = [asyncio.create_task(answer(clients[number % 2], event)) for number, event in enumerate(begun)]
    await asyncio.gather(*(asyncio.wait_for(event.wait(), 60) for event in begun))
    shown: dict[str, Any] = (await clients[0].get("/v1/providers")).json()
    with Pauses() as pauses:
        halt = {"revision": shown["revision"], "why": "drill", "policy": {"roles": {"text": {"halted": True}}}}
        assert (await clients[0].put("/v1/providers", json=halt)).status_code == 200
        accepted = monotonic()
        ended = await asyncio.gather(*running)
    for when, events in ended:
        assert when - accepted - pauses.within(accepted, when) <= 1
        assert len(events) < TOKENS / 2
        assert "halted" in json.dumps(events[-3:])
    for client in clients:
        refused = await client.post(
            "/v1/chat/completions",
            json={"model": "switchyard/direct", "messages": [{"role": "user", "content": "And now?"}]},
        )
        assert refused.status_code == 503
        await client.aclose()
