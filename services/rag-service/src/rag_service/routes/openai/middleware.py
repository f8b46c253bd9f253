"""Middleware around the service: errors of the OpenAI paths in OpenAI's form."""

from __future__ import annotations

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_service.routes.openai.errors import openai_error

_PATHS = tuple(f"/v1/{name}" for name in ("chat", "completions", "embeddings", "models", "responses"))
"""What clients of the format call; not all of it exists here."""
_PROBLEM = "application/problem+json"


class OpenAIErrors:
    """Adds `error` to every problem detail of the OpenAI paths: from authentication, limits, routes and unexpected errors alike."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_openai(scope["path"].removeprefix(scope.get("root_path", ""))):
            await self.app(scope, receive, _Translated(send))
        else:
            await self.app(scope, receive, send)


def _is_openai(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _PATHS)


class _Translated:
    """Sends on what it gets; a problem detail is kept until it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type") == _PROBLEM:
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)
            return
        await self._send(message)

    async def _finish(self, start: Message) -> None:
        problem = json.loads(self._body)
        body = json.dumps({"error": openai_error(problem), **problem}, ensure_ascii=False).encode()
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-type"], headers["content-length"] = "application/json", str(len(body))
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})
