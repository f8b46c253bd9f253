"""Which documents of a collection a question is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import Field
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.tables import Document
from service_kit.requests import RequestBody


class Filter(RequestBody):
    """What a document must be to be searched; what is left out does not count."""

    documents: list[str] | None = Field(None, max_length=1000, description="Ids")
    external_ids: list[str] | None = Field(
        None, max_length=1000, description="What they are called where they come from; a newer version has the same"
    )
    filename: str | None = Field(None, max_length=300, description="Part of the file's name", examples=["2026"])
    media_types: list[str] | None = Field(None, max_length=50, examples=[["application/pdf"]])
    languages: list[str] | None = Field(None, max_length=50, description="ISO 639-1 codes", examples=[["nl"]])
    added_from: datetime | None = Field(None, description="Added at this time or later; UTC if it names no zone")
    added_before: datetime | None = None

    async def matching(self, session: AsyncSession, collection: str) -> list[str]:
        """Return the ids of the documents that it lets through, of those that are found."""
        statement = select(Document.id).where(
            Document.collection == collection, Document.searchable, *self._conditions()
        )
        return list(await session.scalars(statement))

    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.documents is not None:
            yield Document.id.in_(self.documents)
        if self.external_ids is not None:
            yield Document.external_id.in_(self.external_ids)
        if self.filename is not None:
            yield func.lower(Document.filename).contains(self.filename.lower(), autoescape=True)
        if self.media_types is not None:
            yield Document.media_type.in_(self.media_types)
        if self.languages is not None:
            yield Document.language.in_(self.languages)
        if self.added_from is not None:
            yield Document.created >= _utc(self.added_from)
        if self.added_before is not None:
            yield Document.created < _utc(self.added_before)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
