"""A scripted LlamaCloud: the four calls of its parser's API, on a real socket, with faults on request."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class LlamaCloud:
    """Answers for `key`; each asked-for page says its number, unless the script says otherwise."""

    key: str = "llx-a-key-of-the-tests"
    refuse: int = 0
    """The status with which uploads are refused."""
    refuse_answers: int = 0
    """How many times the next questions about a job are answered 503."""
    cut_answers: int = 0
    """How many answers break off in the middle of their body."""
    hang_upload: bool = False
    stuck: bool = False
    """Jobs never end."""
    job_status: str = "COMPLETED"
    polls_until_done: int = 2
    pages: list[dict[str, Any]] | None = None
    raw_answer: str | None = None
    port: int = 0
    uploads: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    uploading: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _polled: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[LlamaCloud, None]:
        app = web.Application(client_max_size=64 * 2**20, middlewares=[self._observed])
        app.add_routes(
            [
                web.post("/api/v2/parse/upload", self._upload),
                web.get("/api/v2/parse/{job}", self._answer),
                web.post("/api/v2/parse/{job}/cancel", self._ok),
                web.delete("/api/v2/parse/{job}", self._ok),
            ]
        )
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            server = site._server
            assert isinstance(server, asyncio.Server)
            self.port = server.sockets[0].getsockname()[1]
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _observed(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        self.headers.append(dict(request.headers))
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"detail": f"Invalid API key {request.headers.get('Authorization')}"}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        upload: dict[str, Any] = {}
        async for part in await request.multipart():
            if part.name == "file":
                upload |= {"name": part.filename, "bytes": await part.read()}
            else:
                upload |= json.loads(await part.text())
        self.uploads.append(upload)
        self.uploading.set()
        if self.hang_upload:
            await asyncio.sleep(3600)
        if self.refuse:
            return web.json_response({"detail": "refused"}, status=self.refuse)
        return web.json_response(self._job("PENDING", f"pjb-{next(self._ids)}"))

    def _job(self, status: str, job: str) -> dict[str, Any]:
        return {"id": job, "project_id": "prj-1", "status": status, "tier": "cost_effective"}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._polled += 1
        if self.refuse_answers:
            self.refuse_answers -= 1
            return web.json_response({"detail": "busy"}, status=503)
        if self.raw_answer is not None:
            return web.Response(text=self.raw_answer, content_type="application/json")
        job = request.match_info["job"]
        if self.stuck or self._polled < self.polls_until_done:
            return web.json_response({"job": self._job("RUNNING", job)})
        pages = self.pages if self.pages is not None else [hosted_page(number) for number in self._asked_for()]
        body = json.dumps({"job": self._job(self.job_status, job), "markdown": {"pages": pages}}).encode()
        if self.cut_answers:
            self.cut_answers -= 1
            response = web.StreamResponse(
                headers={"Content-Length": str(len(body)), "Content-Type": "application/json"}
            )
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            assert request.transport is not None
            request.transport.abort()
            return response
        return web.Response(body=body, content_type="application/json")

    def _asked_for(self) -> range:
        first, last = map(int, self.uploads[-1]["page_ranges"]["target_pages"].split("-"))
        return range(first, last + 1)

    async def _ok(self, request: web.Request) -> web.Response:
        return web.json_response(self._job("CANCELLED", request.match_info["job"]))


def hosted_page(number: int, text: str | None = None) -> dict[str, Any]:
    """Return a page as the API has it; without a text, one that says its number."""
    return {
        "page_number": number,
        "success": True,
        "markdown": text or f"# Hosted\n\nPage {number} as LlamaParse read it.",
    }
