"""A client of the rag-service: the documents of a collection, and their pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx2

from service_kit.context import request_id
from service_kit.errors import NotFound, UpstreamUnavailable

PAGES = 20
"""Pages that are fetched at once."""
_DOCUMENTS = 200
_TIMEOUT = httpx2.Timeout(10, read=60)


@dataclass(frozen=True, slots=True)
class RagDocument:
    """A document that can be read; `content` is another one once its text may be another."""

    id: str
    title: str
    language: str
    content: str


@dataclass(frozen=True, slots=True)
class RagPage:
    number: int
    text: str


class RagService:
    """A client of one rag-service, with the rights of a service; the caller closes the HTTP client."""

    def __init__(self, client: httpx2.AsyncClient, url: str, token: str) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def documents(self, collection: str, limit: int = _DOCUMENTS) -> AsyncGenerator[RagDocument, None]:
        """Yield the documents that are ready, `limit` per request; raises `UpstreamUnavailable`."""
        cursor = None
        while True:
            query = {"collection": collection, "status": "ready", "limit": limit}
            found = await self._get("/documents", query | ({"cursor": cursor} if cursor else {}))
            for row in found["items"]:
                # A file that is read again has another job, and may have another text.
                content = f"{row['sha256']}:{row['job_id']}"
                yield RagDocument(row["id"], row["title"], row["language"] or "", content)
            if not (cursor := found["next_cursor"]):
                return

    async def pages(self, document_id: str, first: int) -> list[RagPage]:
        """Return `PAGES` pages from `first` on, fewer at the end; raises `NotFound` and `UpstreamUnavailable`."""
        found = await self._get(f"/documents/{document_id}/pages", {"first": first, "limit": PAGES})
        return [RagPage(row["number"], row["text"]) for row in found]

    async def _get(self, path: str, query: dict[str, Any]) -> Any:
        headers = {**self._headers, "X-Request-ID": request_id() or "graph"}
        try:
            answer = await self._client.get(self._url + path, params=query, headers=headers, timeout=_TIMEOUT)
            if answer.status_code == httpx2.codes.NOT_FOUND:
                raise NotFound("the rag-service does not have this document")
            return answer.raise_for_status().json()
        except httpx2.HTTPStatusError as error:
            words = f"the rag-service answers {error.response.status_code}"
            raise UpstreamUnavailable(words, retry_after=5) from error
        except httpx2.HTTPError as error:
            words = f"the rag-service cannot be reached: {type(error).__name__}"
            raise UpstreamUnavailable(words, retry_after=2) from error
        except ValueError as error:
            raise UpstreamUnavailable("the rag-service sent a response that is not JSON", retry_after=5) from error
