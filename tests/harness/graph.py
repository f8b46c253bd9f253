"""A whole graph-service on a socket, and a rag-service that has what a test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.responses import Response

from graph_service.app import create
from graph_service.settings import GraphSettings
from harness.rag import KEY
from harness.serving import serving
from service_kit.state import service_state


@dataclass
class ScriptedRag:
    """Speaks what of the rag-service's protocol is needed: form feeds in a text part its pages; faults on request."""

    documents: dict[str, dict[str, str]] = field(default_factory=dict)
    refuse_next: int = 0
    hold: asyncio.Event | None = None
    """Pages but the first are not answered until it is set."""
    waits: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody asks for pages that are held."""
    read: list[tuple[str, int]] = field(default_factory=list)
    """Documents whose pages were asked for, and the first of them."""
    asked_by: set[str] = field(default_factory=set)

    def add(self, title: str, text: str, collection: str = "default", language: str = "en") -> str:
        identity = f"doc_{len(self.documents):04}"
        self.documents[identity] = {"title": title, "text": text, "collection": collection, "language": language}
        return identity

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/documents")
        async def documents(
            collection: str, status: str, limit: int, cursor: int = 0, authorization: Any = None
        ) -> Response:
            if self.refuse_next > 0:
                self.refuse_next -= 1
                return JSONResponse({"status": 503, "detail": "busy"}, 503)
            assert status == "ready"
            all_of_it = sorted((key, row) for key, row in self.documents.items() if row["collection"] == collection)
            rows = [
                {
                    "id": key,
                    "title": row["title"],
                    "language": row["language"],
                    "sha256": sha256(row["text"].encode()).hexdigest(),
                    "job_id": "job_1",
                }
                for key, row in all_of_it[cursor : cursor + limit]
            ]
            more = cursor + limit < len(all_of_it)
            return JSONResponse({"items": rows, "next_cursor": str(cursor + limit) if more else None})

        @app.get("/v1/documents/{document}/pages")
        async def pages(document: str, first: int, limit: int) -> Response:
            self.read.append((document, first))
            if self.hold is not None and first > 1:
                self.waits.set()
                await self.hold.wait()
            if document not in self.documents:
                return JSONResponse({"status": 404}, 404)
            texts = list(enumerate(self.documents[document]["text"].split("\f"), 1))[first - 1 : first - 1 + limit]
            return JSONResponse([{"number": number, "text": text} for number, text in texts])

        return app


@dataclass
class Stack:
    """A running service, a client with an admin key, and the rag-service behind it."""

    http: httpx2.AsyncClient
    app: FastAPI
    rag: ScriptedRag

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def begin(self, collection: str = "default", **options: Any) -> str:
        answer = await self.http.post("/v1/graphs", json={"collection": collection, **options})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (job := await self.get(f"/v1/jobs/{job_id}"))["status"] in ("queued", "running"):
                await asyncio.sleep(0.05)
        return dict(job)

    async def build(self, collection: str = "default", **options: Any) -> dict[str, Any]:
        job = await self.ended(await self.begin(collection, **options))
        assert job["status"] == "ready", job
        return job

    async def entity(self, name: str, collection: str = "default") -> dict[str, Any]:
        found = (await self.get("/v1/entities", collection=collection, q=name))["items"]
        matching = [each for each in found if each["name"] == name]
        assert len(matching) == 1, found
        return dict(matching[0])

    async def names(self, collection: str = "default") -> set[str]:
        return {each["name"] for each in (await self.get("/v1/entities", collection=collection, limit=200))["items"]}

    def key(self, *collections: str) -> dict[str, str]:
        secret = service_state(self.app).keys.create("somebody", "user", collections)
        return {"Authorization": f"Bearer {secret}"}


@asynccontextmanager
async def running(data_dir: Path, rag: ScriptedRag, **settings: Any) -> AsyncIterator[Stack]:
    async with serving(rag.app()) as rag_url:
        own = {"rag_service_url": rag_url, "admin_api_key": KEY, "graph_follow_seconds": 0}
        chosen = GraphSettings(data_dir=data_dir, **{**own, **settings})
        app = create(chosen)
        head = {"Authorization": f"Bearer {KEY}"}
        async with serving(app) as url, httpx2.AsyncClient(base_url=url, headers=head, timeout=60) as http:
            yield Stack(http, app, rag)
