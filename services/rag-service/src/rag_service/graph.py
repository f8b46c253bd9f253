"""A client of the graph-service: sentences that join what a question names, and the chunks that hold them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from time import monotonic

import httpx2
from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.tables import Chunk, Document
from service_kit.context import request_id
from service_kit.errors import UpstreamUnavailable

_SENTENCES = 20
_SECONDS = 1.0
"""How long a search waits for the graph, which is asked beside the vectors and answers in some milliseconds."""
_SILENT_SECONDS = 15


class NoGraph(UpstreamUnavailable):
    """There is nothing to search: no graph of this collection, or no graph-service."""


class Place(BaseModel):
    """Where a sentence stands, in characters of its page's text."""

    document_id: str
    page: int
    start: int
    end: int


class Connection(BaseModel):
    """A sentence that joins entities; `score` is from 0 to 1."""

    score: float
    evidence: Place


class _Answer(BaseModel):
    connections: list[Connection]


class GraphService:
    """A client of one graph-service, if there is one, with the rights of a service; the caller closes the HTTP client."""

    def __init__(self, client: httpx2.AsyncClient, url: str | None, token: str) -> None:
        self._client = client
        self._url = url and f"{url.rstrip('/')}/v1/evidence"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._silent_until = 0.0

    async def connections(self, collection: str, question: str) -> list[Connection]:
        """Return sentences for a question, best first; raises `NoGraph`, and, soon, `UpstreamUnavailable`."""
        if self._url is None:
            raise NoGraph("there is no graph-service here: GRAPH_SERVICE_URL is not set")
        if (left := self._silent_until - monotonic()) > 0:
            raise UpstreamUnavailable(f"the graph-service does not answer; the next try is in {left:.0f} s")
        body = {"collection": collection, "question": question, "limit": _SENTENCES}
        headers = {**self._headers, "X-Request-ID": request_id() or "search"}
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._client.post(self._url, json=body, headers=headers, timeout=None)
            if answer.status_code == httpx2.codes.NOT_FOUND:
                raise NoGraph(f"there is no graph of {collection!r}")
            return _Answer.model_validate_json(answer.raise_for_status().content).connections
        except httpx2.HTTPStatusError as error:
            raise UpstreamUnavailable(f"the graph-service answers {error.response.status_code}") from error
        except (TimeoutError, httpx2.HTTPError) as error:
            # Without this each question would wait.
            self._silent_until = monotonic() + _SILENT_SECONDS
            raise UpstreamUnavailable(f"the graph-service cannot be reached: {type(error).__name__}") from error
        except ValueError as error:
            raise UpstreamUnavailable("the graph-service sent a response that is of no use") from error


async def chunks_of(
    session: AsyncSession, collection: str, connections: Sequence[Connection], documents: Collection[str] | None
) -> dict[int, float]:
    """Return the chunk that holds most of each sentence, with the score of its best one.

    Only of documents that are found now, and are among `documents`: others may have been deleted since the graph was built.
    """
    found = [each for each in connections if documents is None or each.evidence.document_id in documents]
    if not found:
        return {}
    overlaps = (_overlaps(each.evidence) for each in found)
    statement = (
        select(Chunk.id, Chunk.document_id, Chunk.page, Chunk.start, Chunk.end)
        .join(Document, Document.id == Chunk.document_id)
        .where(Document.searchable, Document.collection == collection, or_(*overlaps))
        .order_by(Chunk.id)
    )
    rows = (await session.execute(statement)).all()
    scores: dict[int, float] = {}
    for each in found:
        place = each.evidence
        held = {
            row.id: min(row.end, place.end) - max(row.start, place.start)
            for row in rows
            if (row.document_id, row.page) == (place.document_id, place.page)
        }
        best = max(held, key=held.__getitem__, default=None)
        if best is not None and held[best] > 0:
            scores[best] = max(scores.get(best, 0.0), each.score)
    return scores


def _overlaps(place: Place) -> ColumnElement[bool]:
    here = and_(Chunk.document_id == place.document_id, Chunk.page == place.page)
    return and_(here, Chunk.start < place.end, Chunk.end > place.start)
