"""Documents and collections: add, list, get, delete; nothing is acknowledged before it is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import structlog
from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service import index_rows, lost_pages, versions
from rag_service.keyword import ChunkWords, KeywordIndex
from rag_service.tables import DELETING, REPLACED, Chunk, Collection, Document, Index, Job, PageText
from rag_service.vectors import VectorStore
from service_kit import filenames
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import Conflict, InvalidInput, NotFound, UpstreamUnavailable
from service_kit.ids import new_id
from service_kit.jobs import CANCELLED, FAILED, OPEN, QUEUED, READY, Jobs
from service_kit.originals import Originals
from service_kit.pages import Page, decode, page

log = structlog.get_logger(__name__)
DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


_LEFT_BEHIND = (Document.status == DELETING) | ((Document.status == REPLACED) & (Document.chunks > 0))


@dataclass(frozen=True, slots=True)
class Given:
    """A file, or a text, which is given with its title; `external_id` is what it is called where it comes from.

    A file that is given without is called by its name; a text is then the same source as no other.
    """

    filename: str
    source: BinaryIO
    title: str | None = None
    external_id: str | None = None


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

    @classmethod
    def total(cls, parts: Sequence[Deleted]) -> Deleted:
        return cls(*(sum(getattr(part, name) for part in parts) for name in cls.__slots__))


def visible(principal: Principal) -> ColumnElement[bool]:
    """Say in SQL which jobs a caller may see: those of the collections that the key is bound to."""
    return true() if principal.collections is None else Job.collection.in_(principal.collections)


async def follow_job(keyword: KeywordIndex, session: AsyncSession, job: Job) -> None:
    """Give a job's document its status; one that failed or was cancelled keeps no text, and an index is left as it was."""
    job.take_time()
    ended_badly = job.status in (FAILED, CANCELLED)
    if ended_badly:
        for index in await session.scalars(select(Index).where(Index.job_id == job.id)):
            index_rows.abandon(index)
    of_job = (Document.id == job.document_id) & Document.status.in_(OPEN)
    document = await session.scalar(select(Document).where(of_job))
    if document is None:
        return
    document.status, document.error, document.seconds = job.status, job.error, job.seconds
    if ended_badly:
        document.searchable = False
        await versions.forget_chunks(session, keyword, document)
        await versions.forget_pages(session, document)
        document.pages = document.chunks = 0


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

    async def add(self, collection: str, given: Given) -> Added:
        """Store the bytes and a job for them; bytes that failed, were cancelled or replaced are read again.

        Bytes of a source that has others become its next version. Raises `EmptyFile`, `InvalidInput` for a collection name
        that can't be, and `Conflict` while the same bytes are being deleted.
        """
        filename = filenames.shown(given.filename)
        external_id = given.external_id or (filename if given.title is None else None)
        original = await self._originals.store(given.source)
        await self.ensure_collection(collection)
        async with self._database.writing() as session:
            statement = select(Document).where(Document.collection == collection, Document.sha256 == original.sha256)
            document = await session.scalar(statement)
            # A deletion removes the file in its transaction: one that came in between took what was just stored.
            if (document is not None and _is_leaving(document)) or not self._originals.path(original.sha256).exists():
                raise Conflict("this document is being deleted; add it again in a moment", retry_after=2)
            new = document is None
            if document is None:
                document = Document(
                    id=new_id("doc"),
                    collection=collection,
                    sha256=original.sha256,
                    filename=filename,
                    external_id=external_id,
                    version=await versions.next_version(session, collection, external_id),
                    title=(given.title or PurePosixPath(filename).stem)[:300],
                    properties={"title": given.title} if given.title else {},
                    size=original.size,
                )
                self._queue(session, document)
            else:
                if external_id is not None:
                    await self._named(session, document, filename, external_id, given.external_id is not None)
                if document.status in versions.OFF:
                    self._queue(session, document)
        await self._started(document)
        if document.status == READY:
            await self.tidy_up(document)
        return Added(document, new)

    async def _named(
        self, session: AsyncSession, document: Document, filename: str, external_id: str, wanted: bool
    ) -> None:
        """Let the document be the newest version of its source, or of `external_id` if that is `wanted` or without doubt.

        Bytes that answer under a file's name keep it when they come under another one: that is a copy. They move where the
        other name has had different bytes until now, which are then out of date.
        """
        if document.external_id != external_id:
            others = await session.scalar(
                select(func.count()).where(
                    versions.of_source(document.collection, external_id), Document.status.not_in(versions.OFF)
                )
            )
            if not wanted and not others and document.external_id is not None and document.status not in versions.OFF:
                return
            before = await versions.versions(session, document)
            # Renamed: what it had replaced goes with it.
            replaced = [one for one in before if one.status == REPLACED and document.status == READY]
            for one in (*replaced, document):
                one.version = await versions.next_version(session, document.collection, external_id)
                one.external_id = external_id
            if document.title == PurePosixPath(document.filename).stem:
                document.title = PurePosixPath(filename).stem[:300]
                await self._find_by_title(session, document)
            document.filename = filename
        else:
            newest = (await versions.versions(session, document))[0]
            if newest.version > document.version:
                document.version = newest.version + 1
        await session.flush()
        await versions.settle(session, self._keyword, document)

    async def _find_by_title(self, session: AsyncSession, document: Document) -> None:
        """Put the document's new title into the keyword index."""
        chunks = await session.scalars(select(Chunk).where(Chunk.document_id == document.id).order_by(Chunk.ordinal))
        words = [ChunkWords(chunk.id, document.title, chunk.heading, chunk.text) for chunk in chunks]
        await self._keyword.remove(session, document.collection, document.id)
        await self._keyword.add(session, document.collection, document.language or "", words)

    def _queue(self, session: AsyncSession, document: Document) -> None:
        document.status, document.error = QUEUED, None
        document.attempts = (document.attempts or 0) + 1
        session.add(document)
        self._new_job(session, document, "ingest")

    def _new_job(self, session: AsyncSession, document: Document, kind: str) -> None:
        document.job_id = new_id("job")
        session.add(Job(id=document.job_id, kind=kind, document_id=document.id, collection=document.collection))

    async def _started(self, document: Document) -> None:
        if document.status == QUEUED:
            # Again for a document that was there: its first enqueueing may have failed. Twice does no harm.
            await self._jobs.start(document.job_id, kind="ingest")

    async def retry(self, document: Document) -> Added:
        """Read a failed or cancelled document again, or the lost pages of a ready one; any other stays as it is."""
        async with self._database.writing() as session:
            document = await _still_there(session, document)
            if document.status in (FAILED, CANCELLED):
                self._queue(session, document)
            rereads = document.status == READY and bool(await lost_pages.lost_pages(session, document))
            if rereads:
                latest = await session.get(Job, document.job_id)
                if latest is None or latest.status not in OPEN:
                    self._new_job(session, document, lost_pages.KIND)
        if rereads:
            await self._jobs.start(document.job_id, kind=lost_pages.KIND)
        await self._started(document)
        return Added(document, new=False)

    async def restore(self, document: Document) -> Added:
        """Let the version that was replaced answer again, once it is indexed; `document` is it, or what replaced it.

        Raises `NotFound` where none is kept.
        """
        async with self._database.writing() as session:
            found = await versions.versions(session, await _still_there(session, document))
            replaced = next((one for one in found if one.status == REPLACED), None)
            if replaced is None:
                raise NotFound("no replaced version of this document is kept", field="document_id")
            if _is_leaving(replaced):
                raise Conflict("this version is being replaced; restore it in a moment", retry_after=2)
            replaced.version = found[0].version + 1
            self._queue(session, replaced)
        await self._started(replaced)
        return Added(replaced, new=False)

    async def versions(self, document: Document) -> Sequence[Document]:
        """Return the document and its other versions, the newest first."""
        async with self._database.reading() as session:
            return await versions.versions(session, document)

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
        self,
        collection: str,
        status: str | None,
        limit: int,
        cursor: str | None,
        named: str = "",
        external_id: str | None = None,
    ) -> Page[Document]:
        """List newest first, those whose title or file name holds `named`; replaced versions only by their status."""
        statement = select(Document).where(Document.collection == collection, Document.status != DELETING)
        statement = statement.where(Document.status == status if status is not None else Document.status != REPLACED)
        if external_id is not None:
            statement = statement.where(Document.external_id == external_id)
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

        With a document that answers go its other versions. Raises `UpstreamUnavailable` while the vector index is away; the
        document is then left as it was.
        """
        await self._vectors.check()
        async with self._database.writing() as session:
            row = await session.get(Document, document.id)
            if row is None:
                return Deleted(0, 0, 0, 0, 0)
            leaving = await versions.versions(session, row) if row.status == READY else [row]
            for one in leaving:
                one.status, one.searchable = DELETING, False
        return Deleted.total([await self._remove(one) for one in leaving])

    async def _remove(self, document: Document) -> Deleted:
        """Remove a document that is marked."""
        await self._jobs.stop(document.job_id)
        vectors = await self.forget_vectors(document)
        async with self._database.writing() as session:
            chunks = await versions.forget_chunks(session, self._keyword, document)
            pages = await versions.forget_pages(session, document)
            gone = await session.execute(delete(Document).where(Document.id == document.id).returning(Document.id))
            documents = len(gone.all())
            same = select(func.count()).select_from(Document).where(Document.sha256 == document.sha256)
            shared = await session.scalar(same) or 0
            # In the transaction: whoever adds the same bytes sees either the row or that the file is gone.
            files = 0 if shared else int(await self._originals.delete(document.sha256))
        return Deleted(documents, pages, chunks, vectors, files)

    async def forget_vectors(self, document: Document) -> int:
        """Delete the document's vectors from all indexes of its collection; return how many there were."""
        kept = await self._indexes(document.collection)
        return sum([await self._vectors.delete_document(index.name, document.id) for index in kept])

    async def forget_cancelled(self, job: Job) -> None:
        """Delete the vectors of a document whose job was cancelled."""
        async with self._database.reading() as session:
            document = await session.get(Document, job.document_id) if job.document_id else None
        if document is not None and document.status == CANCELLED:
            try:
                await self.forget_vectors(document)
            except UpstreamUnavailable as error:
                # They are found by nobody; the document's next reading replaces them, its deletion deletes them.
                log.warning("vectors of a cancelled document stay", document=document.id, error=error.detail)

    async def tidy_up(self, document: Document) -> None:
        """Delete what its versions have left behind; may be repeated."""
        async with self._database.reading() as session:
            same = versions.of_source(document.collection, document.external_id)
            await self._tidy(list(await session.scalars(select(Document).where(same, _LEFT_BEHIND))))

    async def _tidy(self, documents: Sequence[Document]) -> None:
        for one in documents:
            if one.status == DELETING:
                await self._remove(one)
                continue
            await self.forget_vectors(one)
            async with self._database.writing() as session:
                cleared = update(Document).where(Document.id == one.id, Document.status == REPLACED)
                await session.execute(cleared.values(chunks=0))

    async def _indexes(self, collection: str) -> list[Index]:
        async with self._database.reading() as session:
            return await index_rows.with_status(session, collection)

    async def finish_deletes(self) -> None:
        """Complete what a stop interrupted."""
        async with self._database.reading() as session:
            waiting = list(await session.scalars(select(Document).where(_LEFT_BEHIND)))
        await self._tidy(waiting)

    async def ensure_collection(self, name: str, description: str = "", grounding: str | None = None) -> Collection:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "a collection's name is 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit",
                field="collection",
            )
        async with self._database.reading() as session:
            if (found := await session.get(Collection, name)) is not None:
                return found
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
            .outerjoin(
                Document, (Document.collection == Collection.name) & Document.status.not_in([DELETING, REPLACED])
            )
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
        while batch := await self._some(name):
            total = Deleted.total([total, *[await self.delete(document) for document in batch]])
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

    async def _some(self, collection: str) -> list[Document]:
        async with self._database.reading() as session:
            return list(await session.scalars(select(Document).where(Document.collection == collection).limit(100)))


async def _still_there(session: AsyncSession, document: Document) -> Document:
    """Return the row as it is in this transaction; raises `NotFound` where it was deleted in the meantime."""
    row = await session.get(Document, document.id)
    if row is None or row.status == DELETING:
        raise NotFound(f"there is no document {document.id!r} any more", field="document_id")
    return row


def _is_leaving(document: Document) -> bool:
    """Whether vectors of the document are being deleted: new ones would go with them."""
    return document.status == DELETING or (document.status == REPLACED and document.chunks > 0)
