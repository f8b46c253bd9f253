"""A whole rag-service on a socket, with the embedded provider, and a doc-processor that does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI, UploadFile
from fastapi.responses import JSONResponse
from starlette.responses import Response, StreamingResponse

from harness.serving import serving
from rag_service.app import create
from rag_service.settings import RagSettings

KEY = "sy-test-admin-key"


@dataclass
class ScriptedProcessor:
    """Speaks the doc-processor's protocol: form feeds in a text part its pages; faults on request."""

    refuse: dict[str, Any] | None = None
    refuse_next: int = 0
    cut_after: int | None = None
    hold: asyncio.Event | None = None
    first_pages: list[int] = field(default_factory=list)
    described: list[int] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    label: str = ""
    engine: str = "markdown"
    lose: set[int] = field(default_factory=set)
    """Pages whose worker crashes, until they are taken out."""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/process")
        async def process(file: UploadFile, first_page: int = 1, described: int = 0) -> Response:
            self.first_pages.append(first_page)
            self.described.append(described)
            if self.refuse is not None:
                return JSONResponse(self.refuse, self.refuse["status"], media_type="application/problem+json")
            if self.refuse_next > 0:
                self.refuse_next -= 1
                return JSONResponse({"status": 503, "detail": "busy", "retry_after": 0.1}, 503)
            pages = (await file.read()).decode("utf-8", "replace").split("\f")
            return StreamingResponse(self._events(pages, first_page), media_type="application/x-ndjson")

        return app

    async def _events(self, pages: list[str], first_page: int) -> AsyncIterator[str]:
        yield _line(
            "document", media_type="text/markdown", pages_total=len(pages), warnings=[], properties=self.properties
        )
        for number, text in enumerate(pages, 1):
            if number < first_page:
                continue
            if self.cut_after is not None and number > self.cut_after:
                self.cut_after = None
                return
            if self.hold is not None and number > 1:
                await self.hold.wait()
            page = {"number": number, "label": self.label, "text": text, "engine": self.engine, "warnings": []}
            if number in self.lose:
                warnings = ["page-failed: the page crashed the parser; its text is missing"]
                page |= {"text": "", "engine": "none", "warnings": warnings}
            yield _line("page", **page, confidence=None)
        yield _line("done", pages=len(pages))


def _line(event: str, **members: Any) -> str:
    return json.dumps({"event": event, **members}) + "\n"


@dataclass
class Stack:
    """A running service, a client with an admin key, and the doc-processor behind it."""

    http: httpx2.AsyncClient
    url: str
    server: uvicorn.Server
    app: FastAPI
    processor: ScriptedProcessor
    data_dir: Path

    async def add(self, text: str, title: str = "Notes", collection: str = "default") -> dict[str, Any]:
        """Add a text and wait until its job has ended; returns the job."""
        given = {"text": text, "title": title, "collection": collection}
        answer = await self.http.post("/v1/documents", json=given)
        assert answer.status_code in (200, 202), answer.text
        return await self.ended(answer.json()["items"][0]["job_id"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while (job := (await self.http.get(f"/v1/jobs/{job_id}")).json())["status"] in ("queued", "running"):
                await asyncio.sleep(0.05)
        return dict(job)

    async def events(self, question: str, **given: Any) -> list[tuple[str, Any]]:
        """Ask for a stream, and return the name and the data of each event."""
        found: list[tuple[str, Any]] = []
        body = {"question": question, **given}
        async with self.http.stream("POST", "/v1/query", json=body, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status_code == 200, await stream.aread()
            assert stream.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    found.append((name, json.loads(line[6:])))
        return found

    async def query(self, question: str, **given: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/query", json={"question": question, **given})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@asynccontextmanager
async def running(data_dir: Path, processor: ScriptedProcessor, **settings: Any) -> AsyncIterator[Stack]:
    """Run the service on `data_dir`; may be called again on the same folder, as a restart."""
    async with serving(processor.app()) as processor_url:
        chosen = RagSettings(
            data_dir=data_dir, doc_processor_url=processor_url, admin_api_key=KEY, max_upload_mb=5, **settings
        )
        app = create(chosen)
        async with (
            serving(app) as url,
            httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as http,
        ):
            yield Stack(http, url, url.server, app, processor, data_dir)


async def ready(stack: Stack) -> None:
    """Wait until the service's own probes are done: what the engines see from then on is the test's."""
    async with asyncio.timeout(20):
        while (await stack.http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
