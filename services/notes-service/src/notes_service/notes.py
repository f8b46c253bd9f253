"""The use cases of notes: create, get, list and search, edit and delete."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from notes_service.draft import Kind
from notes_service.generation import searchable
from notes_service.grounding import Content
from notes_service.tables import Job, Note, Part
from service_kit import filenames
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import Conflict, NotFound
from service_kit.ids import new_id
from service_kit.jobs import CANCELLED, FAILED, QUEUED, READY, Jobs
from service_kit.keys import Scope
from service_kit.originals import Originals
from service_kit.pages import Page, decode, page


def visible(principal: Principal) -> ColumnElement[bool]:
    """Return the SQL condition for the jobs that a caller may see: their own, or for an admin all."""
    return true() if principal.scope is Scope.ADMIN else Job.owner == principal.id


async def set_note_status(session: AsyncSession, job: Job) -> None:
    """Give the note of a job the job's status."""
    its_note = (Note.id == job.note_id) & (Note.job_id == job.id)
    await session.execute(update(Note).where(its_note).values(status=job.status))


@dataclass(slots=True)
class Notes:
    """The use cases of notes; a note belongs to the key that created it."""

    database: Database
    originals: Originals
    jobs: Jobs[Job]

    async def make_from_text(self, text: str, title: str, kind: Kind, principal: Principal) -> Note:
        """Store a text and a job that makes a note of it."""
        return await self._make(Note(kind=kind, source_name=title or "text", source_text=text), principal)

    async def make_from_file(self, filename: str, source: BinaryIO, kind: Kind, principal: Principal) -> Note:
        """Store a file and a job that reads it and makes a note of it; raises `EmptyFile`."""
        original = await self.originals.store(source)
        return await self._make(
            Note(kind=kind, source_name=filenames.shown(filename), source_sha256=original.sha256), principal
        )

    async def _make(self, note: Note, principal: Principal) -> Note:
        note.id, note.job_id, note.owner = new_id("note"), new_id("job"), principal.id
        async with self.database.writing() as session:
            session.add(note)
            session.add(Job(id=note.job_id, kind="note", note_id=note.id, owner=note.owner))
        await self.jobs.start(note.job_id, kind="note")
        return note

    async def retry(self, note: Note) -> Note:
        """Try a failed or cancelled note again; raises `Conflict` for any other."""
        if note.status not in (FAILED, CANCELLED):
            raise Conflict(f"this note is {note.status}")
        job_id = new_id("job")
        async with self.database.writing() as session:
            values = {"status": QUEUED, "job_id": job_id}
            await session.execute(update(Note).where(Note.id == note.id).values(**values))
            session.add(Job(id=job_id, kind="note", note_id=note.id, owner=note.owner))
        await self.jobs.start(job_id, kind="note")
        return await self._fetch(note.id)

    async def wait(self, note: Note, seconds: float, principal: Principal) -> Note:
        """Return the note once its job has finished, or as it is after `seconds`."""
        try:
            async with asyncio.timeout(seconds), aclosing(self.jobs.watch(note.job_id, principal)) as states:
                async for _ in states:
                    pass
        except TimeoutError:
            pass
        return await self._fetch(note.id)

    async def get(self, note_id: str, principal: Principal) -> Note:
        """Return a note that the caller may see; raises `NotFound` for any other."""
        note = await self._fetch(note_id)
        if note.owner != principal.id and principal.scope is not Scope.ADMIN:
            raise NotFound(f"there is no note {note_id!r}", field="note_id")
        return note

    async def _fetch(self, note_id: str) -> Note:
        async with self.database.reading() as session:
            note = await session.get(Note, note_id)
        if note is None:
            raise NotFound(f"there is no note {note_id!r}", field="note_id")
        return note

    async def listing(
        self, principal: Principal, words: str | None, kind: Kind | None, limit: int, cursor: str | None
    ) -> Page[Note]:
        """List newest first; with `words`, the notes that hold all of them."""
        statement = select(Note)
        if principal.scope is not Scope.ADMIN:
            statement = statement.where(Note.owner == principal.id)
        if kind is not None:
            statement = statement.where(Note.kind == kind)
        for word in (words or "").lower().split()[:16]:
            statement = statement.where(Note.words.contains(word, autoescape=True))
        if (before := decode(cursor)) is not None:
            statement = statement.where(Note.id < before)
        async with self.database.reading() as session:
            rows = list(await session.scalars(statement.order_by(Note.id.desc()).limit(limit + 1)))
        return page(rows, [row.id for row in rows], limit)

    async def edit(self, note: Note, title: str, content: Content, revision: int) -> Note:
        """Replace title and content; raises `Conflict` unless `revision` is the one that was read."""
        if note.status != READY:
            raise Conflict(f"this note is {note.status}; it can be edited once it is ready")
        values = {
            "title": title,
            "content": content.model_dump(),
            "words": searchable(title, content),
            "revision": revision + 1,
        }
        async with self.database.writing() as session:
            same = (Note.id == note.id) & (Note.revision == revision)
            changed = await session.scalar(update(Note).where(same).values(**values).returning(Note.id))
        if changed is None:
            raise Conflict("somebody else has edited this note; read it again", field="revision")
        return await self._fetch(note.id)

    async def delete(self, note: Note) -> None:
        """Remove a note, its text and its file; a running job is stopped."""
        await self.jobs.stop(note.job_id)
        async with self.database.writing() as session:
            await session.execute(delete(Part).where(Part.note_id == note.id))
            await session.execute(delete(Note).where(Note.id == note.id))
            same = select(func.count()).select_from(Note).where(Note.source_sha256 == note.source_sha256)
            shared = note.source_sha256 is None or await session.scalar(same)
        if not shared and note.source_sha256 is not None:
            await self.originals.delete(note.source_sha256)
