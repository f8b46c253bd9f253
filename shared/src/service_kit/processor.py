"""A client of the doc-processor: it sends a file and yields its pages as they are read."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from service_kit.context import request_id
from service_kit.errors import InvalidInput, ServiceError, UpstreamUnavailable

ASKED_FOR = "X-Switchyard-For"
"""The header that says whose file it is: the doc-processor does the work of each in turn."""
WITHOUT_MARKUP = frozenset({"text-layer", "rapidocr", "tesseract", "plain-text", "source-code", "subtitles", "none"})
"""The engines whose text is no Markdown: a `#` at the beginning of a line is no heading there."""
FIGURE = "[figure: "
"""What a picture shows, in a page's text, begins so."""
_IDLE_SECONDS = 300.0
"""The doc-processor limits the time of a page itself; this one is for a peer that is gone."""


@dataclass(frozen=True, slots=True)
class ProcessedPage:
    number: int
    text: str
    engine: str
    confidence: float | None
    warnings: list[str]
    label: str = ""
    words: list[dict[str, Any]] | None = None
    """Text, box and confidence of each word that OCR has found."""


@dataclass(frozen=True, slots=True)
class PageView:
    """A page as people see it: a JPEG, its size in pixels, and the words of its text layer."""

    picture: bytes
    width: int
    height: int
    words: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ProcessedHead:
    """What a file is; `properties` are title, author, created, modified and language, as far as it says them."""

    media_type: str
    pages_total: int | None
    warnings: list[str]
    properties: dict[str, str] = field(default_factory=dict)


class ProcessingRefused(ServiceError):
    """The doc-processor cannot read this file; trying again will not help."""

    status = 422
    type = "unreadable-document"


class NoText(InvalidInput):
    """Nothing can be read in the document."""

    type = "no-text"


class DocProcessor:
    """A client of one doc-processor; the caller closes the HTTP client."""

    def __init__(self, client: httpx2.AsyncClient, url: str, token: str) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/x-ndjson"}

    async def view(self, path: Path, filename: str, page: int, owner: str = "") -> PageView:
        """Render a page; raises as `process` does."""
        with path.open("rb") as file:
            async with _foreign_errors():
                response = await self._client.post(
                    f"{self._url}/view",
                    params={"page": page},
                    files={"file": (filename, file)},
                    headers=self._about(owner),
                    timeout=httpx2.Timeout(10, read=_IDLE_SECONDS, write=60),
                )
        view = _json(response.content)
        if response.status_code != 200:
            raise _refusal(view)
        return PageView(base64.b64decode(view["picture"]), view["width"], view["height"], view["words"])

    def _about(self, owner: str) -> dict[str, str]:
        return {**self._headers, "X-Request-ID": request_id() or "ingest", ASKED_FOR: quote(owner)}

    async def process(
        self, path: Path, filename: str, first_page: int = 1, owner: str = "", described: int = 0
    ) -> AsyncGenerator[ProcessedHead | ProcessedPage, None]:
        """Yield the head and then each page from `first_page` on; `described` pictures were so on pages that were read earlier.

        Raises `ProcessingRefused` for a file that can't be read, `UpstreamUnavailable` when a later try may succeed.
        """
        finished = False
        with path.open("rb") as file:
            request = self._client.stream(
                "POST",
                f"{self._url}/process",
                params={"first_page": first_page, "described": described},
                files={"file": (filename, file)},
                headers=self._about(owner),
                timeout=httpx2.Timeout(10, read=_IDLE_SECONDS, write=60),
            )
            async with _foreign_errors(), request as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _refusal(_json(response.content))
                async for line in response.aiter_lines():
                    event = _json(line.encode())
                    match event.get("event"):
                        case "document":
                            yield ProcessedHead(
                                event["media_type"],
                                event.get("pages_total"),
                                event.get("warnings", []),
                                {name: text for name, text in event.get("properties", {}).items() if text},
                            )
                        case "page":
                            # Not every store accepts NUL, and citations count characters: it is removed before they are counted.
                            text = event["text"].replace("\x00", "")
                            about = event["engine"], event["confidence"], event["warnings"], event.get("label", "")
                            yield ProcessedPage(event["number"], text, *about, event.get("words") or None)
                        case "error":
                            raise _refusal(event["problem"])
                        case "done":
                            finished = True
        if not finished:
            raise UpstreamUnavailable("the doc-processor's response was cut off", retry_after=2)


def _refusal(problem: dict[str, Any]) -> ServiceError:
    status = int(problem.get("status", 502))
    detail = str(problem.get("detail", "the doc-processor failed"))
    if status in (401, 403, 408, 429) or status >= 500:
        return UpstreamUnavailable(f"doc-processor: {detail}", retry_after=problem.get("retry_after", 5))
    refused = ProcessingRefused(detail)
    refused.status = status
    refused.type = str(problem.get("type", refused.type)).rsplit(":", 1)[-1]
    return refused


def _json(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise UpstreamUnavailable("the doc-processor sent a response that is not JSON", retry_after=5) from error
    return value if isinstance(value, dict) else {}


@asynccontextmanager
async def _foreign_errors() -> AsyncIterator[None]:
    try:
        yield
    except httpx2.HTTPError as error:
        raise UpstreamUnavailable(
            f"the doc-processor cannot be reached: {type(error).__name__}", retry_after=2
        ) from error
