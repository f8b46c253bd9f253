"""A whole notes-service per test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from harness.rag import KEY, ScriptedProcessor
from harness.serving import serving
from notes_service.app import create
from notes_service.settings import NotesSettings


@dataclass
class Stack:
    """A running service and a client with an admin key."""

    http: httpx2.AsyncClient
    app: FastAPI
    processor: ScriptedProcessor
    data_dir: Path

    async def note(self, text: str, wait: float = 30, **given: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/notes", params={"wait": wait}, json={"text": text, **given})
        assert answer.status_code in (201, 202), answer.text
        return dict(answer.json())

    async def ended(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while (job := (await self.http.get(f"/v1/jobs/{job_id}")).json())["status"] in ("queued", "running"):
                await asyncio.sleep(0.05)
        return dict(job)


@asynccontextmanager
async def running(data_dir: Path, **settings: Any) -> AsyncIterator[Stack]:
    processor = ScriptedProcessor()
    async with serving(processor.app()) as processor_url:
        chosen = NotesSettings(data_dir=data_dir, doc_processor_url=processor_url, admin_api_key=KEY, **settings)
        app = create(chosen)
        head = {"Authorization": f"Bearer {KEY}"}
        async with serving(app) as url, httpx2.AsyncClient(base_url=url, headers=head, timeout=60) as http:
            yield Stack(http, app, processor, data_dir)


@pytest.fixture
async def stack(tmp_path: Path, embedded: None) -> AsyncIterator[Stack]:
    async with running(tmp_path / "data") as found:
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """Start services on one data folder, one after the other."""
    return lambda **settings: running(tmp_path / "data", **settings)
