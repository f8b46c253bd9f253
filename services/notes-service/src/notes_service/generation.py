"""The generation of a note as a durable job: read the file, split, draft each part, join. Each step may be run again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel
from sqlalchemy import delete, func, select, update

from llm_providers.deadline import Deadline
from llm_providers.subtitles import from_subtitles
from notes_service.draft import Draft, Overview, instructions
from notes_service.grounding import Content, borne_out, ground, merge
from notes_service.outgoing import OutgoingNote
from notes_service.settings import NotesSettings
from notes_service.splitting import split
from notes_service.structured_output import Generated, InvalidOutput, OutOfTime, StructuredGenerator
from notes_service.tables import Job, Note, Part
from service_kit.database import Database
from service_kit.durable import Task
from service_kit.jobs import Jobs
from service_kit.originals import Originals
from service_kit.output_guard import GuardMetrics, GuardModes
from service_kit.processor import DocProcessor, NoText, ProcessedPage

log = structlog.get_logger(__name__)
M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True)
class NoteGeneration:
    """The steps of one job; the rows record what is done, so any step may be run again."""

    database: Database
    jobs: Jobs[Job]
    originals: Originals
    processor: DocProcessor
    generator: StructuredGenerator
    context_tokens: Callable[[], Awaitable[int]]
    settings: NotesSettings
    guard_metrics: GuardMetrics

    def task(self) -> Task:
        return Task(
            "note", (self.read, self.divide, self.draft, self.join), self.jobs.fail, self.settings.note_concurrency
        )

    async def read(self, job_id: str) -> None:
        """Turn a file, or subtitles, into the note's source text; raises `NoText` if there is none."""
        note = await self._begin(job_id, "reading")
        text = note.source_text or ""
        if note.source_text is None and note.source_sha256 is not None:
            path, name = self.originals.path(note.source_sha256), note.source_name

            async def pages() -> list[str]:
                async with aclosing(self.processor.process(path, name, owner=note.owner)) as events:
                    return [event.text async for event in events if isinstance(event, ProcessedPage)]

            text = "\n\n".join(await self.jobs.retry_until_available(job_id, pages)).strip()
            if not text:
                raise NoText("no text was found in this file")
        text = await asyncio.to_thread(from_subtitles, text)
        if text != note.source_text:
            async with self.database.writing() as session:
                await session.execute(update(Note).where(Note.id == note.id).values(source_text=text))

    async def divide(self, job_id: str) -> None:
        """Split the text into parts that fit the model's context."""
        note = await self._begin(job_id, "dividing")
        context = await self.jobs.retry_until_available(job_id, self.context_tokens)
        room = min(self.settings.note_part_tokens, max(256, (context - self.settings.note_answer_tokens) // 2))
        text = note.source_text or ""
        spans = await asyncio.to_thread(lambda: list(split(text, room)))
        async with self.database.writing() as session:
            await session.execute(delete(Part).where(Part.note_id == note.id))
            for ordinal, (start, end) in enumerate(spans):
                session.add(Part(note_id=note.id, ordinal=ordinal, start=start, end=end, draft=None))
            await session.execute(update(Job).where(Job.id == job_id).values(parts_total=len(spans), parts_done=0))

    async def draft(self, job_id: str) -> None:
        """Generate drafts for the parts that have none yet."""
        note = await self._begin(job_id, "drafting")
        async with self.database.reading() as session:
            waiting = select(Part).where(Part.note_id == note.id, Part.draft.is_(None)).order_by(Part.ordinal)
            parts = list(await session.scalars(waiting))
        for part in parts:
            attempt = partial(self._draft, note, part)
            try:
                draft = await self.jobs.retry_until_available(job_id, attempt, self.settings.note_attempts)
            except OutOfTime as error:
                draft = await self._grounded(note, part, error.partial) if error.partial else {"failed": str(error)}
            async with self.database.writing() as session:
                mine = (Part.note_id == note.id) & (Part.ordinal == part.ordinal)
                await session.execute(update(Part).where(mine).values(draft=draft))
                drafted = select(func.count()).where(Part.note_id == note.id, Part.draft.is_not(None))
                changes = {"parts_done": drafted.scalar_subquery(), "waiting_for": None}
                await session.execute(update(Job).where(Job.id == job_id).values(changes))
            self.jobs.metrics.progressed("note", "parts", 1)

    async def _draft(self, note: Note, part: Part) -> dict[str, Any]:
        """Return what is stored of a part: its grounded content, or the reason why there is none."""
        text = note.source_text or ""
        rules = instructions(note.kind)  # type: ignore[arg-type]
        try:
            generated = await self._generate(Draft, rules, note, text[part.start : part.end])
        except InvalidOutput as error:
            return {"failed": str(error)}
        return await self._grounded(note, part, generated)

    async def _grounded(self, note: Note, part: Part, generated: Generated[Draft]) -> dict[str, Any]:
        text = note.source_text or ""
        grounded = await asyncio.to_thread(ground, generated.value, text, part.start, part.end)
        warnings = list(generated.warnings)
        if grounded.dropped:
            warnings.append(f"{grounded.dropped} points were left out: the text does not bear them out")
        warnings += [f"{cleared} was left out: the text does not say so" for cleared in grounded.cleared]
        return {
            "title": grounded.title,
            "content": grounded.content.model_dump(),
            "complete": generated.complete,
            "warnings": warnings,
            "by": [generated.backend, generated.model, generated.extractive],
        }

    async def join(self, job_id: str) -> None:
        """Join the parts' drafts into the note; raises `InvalidOutput` if no part could be drafted."""
        note = await self._begin(job_id, "joining")
        async with self.database.reading() as session:
            rows = await session.scalars(select(Part.draft).where(Part.note_id == note.id).order_by(Part.ordinal))
            drafts = [draft for draft in rows if draft is not None]
        good = [draft for draft in drafts if "failed" not in draft]
        if not good:
            raise InvalidOutput(drafts[0]["failed"] if drafts else "nothing was drafted")
        warnings = [warning for draft in good for warning in draft["warnings"]]
        warnings += [f"a part was not read: {draft['failed']}" for draft in drafts if "failed" in draft]
        content, title = merge([Content.model_validate(draft["content"]) for draft in good]), good[0]["title"]
        if len(good) > 1:
            overview = await self.jobs.retry_until_available(job_id, lambda: self._overview(note, content.summary))
            if overview is None:
                warnings.append("the summary is the parts' summaries, one after the other")
            else:
                summary, dropped = borne_out(overview.summary, content.summary)
                warnings += [
                    f"{dropped} sentences of the summary were left out: the text does not bear them out"
                ] * bool(dropped)
                title, content.summary = title if good[0]["by"][2] else overview.title, summary
        outgoing = OutgoingNote(GuardModes.of(self.settings), [instructions(note.kind)], note.source_text or "")  # type: ignore[arg-type]
        title, content = outgoing.text(title), await asyncio.to_thread(outgoing.content, content)
        warnings += dict.fromkeys(map(str, outgoing.findings))
        self.guard_metrics.found(outgoing.findings)
        backend, model, extractive = good[0]["by"]
        values = {
            "title": title.strip() or note.source_name,
            "content": content.model_dump(),
            "words": searchable(title, content),
            "incomplete": len(good) < len(drafts) or not all(draft["complete"] for draft in good),
            "warnings": warnings,
            "provider": backend,
            "model": model,
            "extractive": extractive,
        }
        async with self.jobs.finishing(job_id) as (session, _):
            await session.execute(update(Note).where(Note.id == note.id).values(**values))
        log.info("note ready", note=note.id, parts=len(drafts), incomplete=values["incomplete"])

    async def _overview(self, note: Note, summaries: str) -> Overview | None:
        try:
            return (await self._generate(Overview, instructions(note.kind), note, summaries)).value  # type: ignore[arg-type]
        except (InvalidOutput, OutOfTime):
            return None

    async def _generate(self, model: type[M], rules: str, note: Note, text: str) -> Generated[M]:
        deadline = Deadline.after(self.settings.note_timeout_seconds)
        # All parts of a note by one side of a canary.
        return await self.generator.generate(model, rules, note.source_name, text, deadline, affinity=note.id)

    async def _begin(self, job_id: str, stage: str) -> Note:
        job = await self.jobs.begin(job_id, stage)
        async with self.database.reading() as session:
            return await session.get_one(Note, job.note_id)


def searchable(title: str, content: Content) -> str:
    """Return what a search for a note looks in, lower-cased."""
    points = [*content.key_points, *content.decisions, *content.action_items]
    owners = [action.owner for action in content.action_items if action.owner]
    return "\n".join([title, content.summary, *(point.text for point in points), *owners, *content.tags]).lower()
