"""The rows of a document's versions: which one answers, which is kept, and what goes with those that do not."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, false, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.keyword import KeywordIndex
from rag_service.tables import DELETING, REPLACED, Chunk, Document, PageText
from service_kit.jobs import CANCELLED, FAILED, READY

OFF = (FAILED, CANCELLED, REPLACED, DELETING)
"""States of documents that are in no index, nor on their way into one."""


def of_source(collection: str, external_id: str | None) -> ColumnElement[bool]:
    """Return the SQL condition for the versions of one source; none where it has no name."""
    if external_id is None:
        return false()
    return (Document.collection == collection) & (Document.external_id == external_id)


async def versions(session: AsyncSession, document: Document) -> Sequence[Document]:
    """Return the document and its other versions, the newest first, without those that are being deleted."""
    same = of_source(document.collection, document.external_id) | (Document.id == document.id)
    statement = select(Document).where(same, Document.status != DELETING)
    return list(await session.scalars(statement.order_by(Document.version.desc(), Document.id.desc())))


async def next_version(session: AsyncSession, collection: str, external_id: str | None) -> int:
    """Return the number of the version that is given now."""
    latest = select(func.max(Document.version)).where(of_source(collection, external_id))
    return (await session.scalar(latest) or 0) + 1


async def settle(session: AsyncSession, keyword: KeywordIndex, document: Document) -> None:
    """Let the newest version that is ready answer alone, from the end of this transaction on.

    Of those before it the newest that has answered is kept as replaced. Vectors, and what is not kept, are then no longer
    seen, and `Documents.tidy_up` deletes them.
    """
    newest_first = await versions(session, document)
    answering = next((one for one in newest_first if one.status == READY), None)
    if answering is None:
        return
    for one in newest_first:
        one.searchable = one is answering
    kept: Document | None = None
    for one in newest_first[newest_first.index(answering) + 1 :]:
        if one.status == READY:
            await forget_chunks(session, keyword, one)
            one.status = REPLACED
        if one.status == REPLACED and kept is None:
            kept = one
        elif one.status in OFF:
            one.status = DELETING
    await session.flush()


async def let_be_found(session: AsyncSession, document: Document) -> None:
    """Let what has been read of a document be found before all of it is, unless an older version answers."""
    others = of_source(document.collection, document.external_id) & (Document.id != document.id)
    if await session.scalar(select(func.count()).where(others, Document.searchable)) == 0:
        row = await session.get_one(Document, document.id)
        row.searchable = True


async def forget_chunks(session: AsyncSession, keyword: KeywordIndex, document: Document) -> int:
    """Delete the document's chunks with their full text; return how many there were."""
    await keyword.remove(session, document.collection, document.id)
    gone = await session.execute(delete(Chunk).where(Chunk.document_id == document.id).returning(Chunk.id))
    return len(gone.all())


async def forget_pages(session: AsyncSession, document: Document) -> int:
    """Delete the text of the document's pages; return how many there were."""
    of_document = PageText.document_id == document.id
    gone = await session.execute(delete(PageText).where(of_document).returning(PageText.number))
    return len(gone.all())
