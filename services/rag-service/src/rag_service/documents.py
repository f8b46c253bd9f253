"""Documents and collections: add, list, get, delete; nothing is acknowledged before it is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service import index_rows
from rag_service.keyword import KeywordIndex
from rag_service.tables import DELETING, Chunk, Collection, Document, Index, Job, PageText
from rag_service.vectors import VectorStore
from service_kit import filenames
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import Conflict, InvalidInput, NotFound
from service_kit.ids import new_id
from service_kit.jobs import CANCELLED, FAILED, OPEN, QUEUED, Jobs
from service_kit.originals import Originals
from service_kit.pages import Page, decode, page

DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Added:
    """`new` is false where the same bytes were there already."""

    document: Document
    new: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went: rows, vectors, and the file unless another collection holds the same bytes."""

    documents: int
    pages: int
    chunks: int
    vectors: int
    files: int


def visible(principal: Principal) -> ColumnElement[bool]:
    """Say in SQL which jobs a caller may see: those of the collections that the key is bound to."""
    return true() if principal.collections is None else Job.collection.in_(principal.collections)


async def follow_job(session: AsyncSession, job: Job) -> None:
    """Give a job's document its status, and leave the index whose build has failed or was cancelled."""
    if job.status in (FAILED, CANCELLED):
        for index in await session.scalars(select(Index).where(Index.job_id == job.id)):
            index_rows.abandon(index)
    of_job = (Document.id == job.document_id) & Document.status.in_(OPEN)
    await session.execute(update(Document).where(of_job).values(status=job.status, error=job.error))


class Documents:
    """The use cases around documents; jobs do the long part."""

    def __init__(
        self,
        database: Database,
        originals: Originals,
        keyword: KeywordIndex,
        vectors: VectorStore,
        jobs: Jobs[Job],
    ) -> None:
        self._database = database
        self._originals = originals
        self._keyword = keyword
        self._vectors = vectors
        self._jobs = jobs

    async def add(self, collection: str, filename: str, source: BinaryIO, title: str | None = None) -> Added:
        """Store the bytes and a job for them; a failed or cancelled document of the same bytes is tried again.

        Raises `EmptyFile`, and `InvalidInput` for a collection name that can't be.
        """
        filename = filenames.shown(filename)
        original = await self._originals.store(source)
        await self.ensure_collection(collection)
        job_id = new_id("job")
        async with self._database.writing() as session:
            statement = select(Document).where(Document.collection == collection, Document.sha256 == original.sha256)
            document = await session.scalar(statement)
            if document is not None and document.status == DELETING:
                raise Conflict("this document is being deleted; add it again in a moment", retry_after=2)
            there = document is not None and document.status not in (FAILED, CANCELLED)
            new = document is None
            if document is None:
                document = Document(
                    id=new_id("doc"),
                    collection=collection,
                    sha256=original.sha256,
                    filename=filename,
                    title=(title or PurePosixPath(filename).stem)[:300],
                    properties={"title": title} if title else {},
                    size=original.size,
                )
                session.add(document)
            if not there:
                document.status, document.job_id, document.error = QUEUED, job_id, None
                await session.flush()
                session.add(Job(id=job_id, kind="ingest", document_id=document.id, collection=collection))
        if document.status == QUEUED:
            # Again for a document that was there: its first enqueueing may have failed. Twice does no harm.
            await self._jobs.start(document.job_id, kind="ingest")
        return Added(document, new)

    async def retry(self, document: Document) -> Added:
        """Read a failed or cancelled document again; any other stays as it is."""
        with self._originals.path(document.sha256).open("rb") as source:
            return await self.add(document.collection, document.filename, source, document.title)

    async def get(self, document_id: str, principal: Principal) -> Document:
        """Return a document that the caller may see; raises `NotFound` for any other."""
        async with self._database.reading() as session:
            document = await session.get(Document, document_id)
        if document is None or document.status == DELETING or not principal.may_use(document.collection):
            raise NotFound(f"there is no document {document_id!r}", field="document_id")
        return document

    async def pages(self, document_id: str, first: int, limit: int) -> list[PageText]:
        async with self._database.reading() as session:
            statement = select(PageText).where(PageText.document_id == document_id, PageText.number >= first)
            return list(await session.scalars(statement.order_by(PageText.number).limit(limit)))

    async def listing(
        self, collection: str, status: str | None, limit: int, cursor: str | None, named: str = ""
    ) -> Page[Document]:
        """List newest first, those whose title or file name holds `named`."""
        statement = select(Document).where(Document.collection == collection, Document.status != DELETING)
        if status is not None:
            statement = statement.where(Document.status == status)
        if named:
            statement = statement.where(
                Document.title.icontains(named, autoescape=True) | Document.filename.icontains(named, autoescape=True)
            )
        if (before := decode(cursor)) is not None:
            statement = statement.where(Document.id < before)
        async with self._database.reading() as session:
            rows = list(await session.scalars(statement.order_by(Document.id.desc()).limit(limit + 1)))
        return page(rows, [row.id for row in rows], limit)

    async def delete(self, document: Document) -> Deleted:
        """Remove rows, vectors and file, in an order that a crash can't leave half done: the mark comes first.

        Raises `UpstreamUnavailable` while the vector index is away; the document is then left as it was.
        """
        await self._vectors.check()
        async with self._database.writing() as session:
            await session.execute(update(Document).where(Document.id == document.id).values(status=DELETING))
        await self._jobs.stop(document.job_id)
        kept = await self._indexes(document.collection)
        vectors = sum([await self._vectors.delete_document(index.name, document.id) for index in kept])
        async with self._database.writing() as session:
            await self._keyword.remove(session, document.collection, document.id)
            chunks = await session.execute(delete(Chunk).where(Chunk.document_id == document.id).returning(Chunk.id))
            pages = await session.execute(
                delete(PageText).where(PageText.document_id == document.id).returning(PageText.number)
            )
            counts = len(chunks.all()), len(pages.all())
            gone = await session.execute(delete(Document).where(Document.id == document.id).returning(Document.id))
            documents = len(gone.all())
            same = select(func.count()).select_from(Document).where(Document.sha256 == document.sha256)
            shared = await session.scalar(same) or 0
        files = 0 if shared else int(await self._originals.delete(document.sha256))
        return Deleted(documents, pages=counts[1], chunks=counts[0], vectors=vectors, files=files)

    async def _indexes(self, collection: str) -> list[Index]:
        async with self._database.reading() as session:
            return await index_rows.with_status(session, collection)

    async def finish_deletes(self) -> None:
        """Complete what a stop interrupted."""
        async with self._database.reading() as session:
            waiting = list(await session.scalars(select(Document).where(Document.status == DELETING)))
        for document in waiting:
            await self.delete(document)

    async def ensure_collection(self, name: str, description: str = "", grounding: str | None = None) -> Collection:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "a collection's name is 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit",
                field="collection",
            )
        async with self._database.writing() as session:
            found = await session.get(Collection, name)
            if found is None:
                found = Collection(name=name, description=description, grounding=grounding)
                session.add(found)
        return found

    async def change_collection(self, name: str, changes: dict[str, str | None]) -> None:
        """Set the columns that `changes` names."""
        async with self._database.writing() as session:
            await session.execute(update(Collection).where(Collection.name == name).values(changes))

    async def collections(self, principal: Principal) -> list[tuple[Collection, int]]:
        """Return the caller's collections with their number of documents."""
        count = func.count(Document.id)
        statement = (
            select(Collection, count)
            .outerjoin(Document, (Document.collection == Collection.name) & (Document.status != DELETING))
            .group_by(Collection.name)
            .order_by(Collection.name)
        )
        async with self._database.reading() as session:
            rows = (await session.execute(statement)).all()
        return [(row[0], row[1]) for row in rows if principal.may_use(row[0].name)]

    async def require_collection(self, name: str, principal: Principal) -> Collection:
        """Return the collection; raises `NotFound` where there is none, `Forbidden` where the key is bound elsewhere."""
        principal.require(name)
        async with self._database.reading() as session:
            found = await session.get(Collection, name)
        if found is None:
            raise NotFound(f"there is no collection {name!r}; add a document to it, and there is", field="collection")
        return found

    async def delete_collection(self, name: str) -> Deleted:
        """Remove a collection with all its documents and indexes."""
        for index in await self._indexes(name):
            if index.job_id is not None:
                await self._jobs.stop(index.job_id)
        total = Deleted(0, 0, 0, 0, 0)
        while batch := (await self.listing(name, None, 100, None)).items:
            for document in batch:
                one = await self.delete(document)
                total = Deleted(*(getattr(total, field) + getattr(one, field) for field in Deleted.__slots__))
        names = {index.name for index in await self._indexes(name)}
        for dropped in names:
            await self._vectors.drop(dropped)
        async with self._database.writing() as session:
            names.update(index.name for index in await index_rows.with_status(session, name))
            await self._keyword.drop(session, name)
            await session.execute(delete(Collection).where(Collection.name == name))
        # Once more: a batch may have been on its way, or an index have been made, until the rows were gone.
        for dropped in names:
            await self._vectors.drop(dropped)
        return total
