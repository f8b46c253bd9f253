"""The bodies of requests and responses, and their limits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from notes_service.draft import Kind
from notes_service.grounding import Content
from notes_service.tables import Note
from service_kit.jobs import JobRow, Row, Status
from service_kit.requests import RequestBody

MAX_TEXT = 5_000_000


def _has_words(text: str) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise ValueError("is empty")
    return text


class NoteIn(RequestBody):
    """A text to make a note of."""

    text: Annotated[
        str,
        Field(max_length=MAX_TEXT, examples=["Anna: We order the seal kit.\nBen: I will call the supplier by Friday."]),
        AfterValidator(_has_words),
    ]
    title: str = Field("", max_length=200, description="What the text is called; the note gets a title of its own")
    kind: Kind = "general"


class NoteOut(Row):
    """A note; the content is empty until `status` is ready."""

    id: str
    kind: Kind
    status: Status
    revision: int
    title: str
    content: Content
    incomplete: bool = Field(description="The text did not fit, or the model stopped early")
    warnings: list[str]
    provider: str
    model: str
    extractive: bool = Field(description="The note is made of the text's own sentences")
    source_name: str
    job_id: str
    updated: datetime


class NoteEdit(RequestBody):
    """New title and content; `revision` is the one that was read."""

    title: Annotated[str, Field(max_length=200), AfterValidator(_has_words)]
    content: Content
    revision: int


class SourceOut(BaseModel):
    """The text in which spans are counted in characters; null until the file has been read."""

    name: str
    text: str | None


class JobOut(JobRow):
    """The job of a note; `parts_total` is null until it is known."""

    note_id: str
    parts_done: int
    parts_total: int | None


def shown(note: Note) -> dict[str, Any]:
    """Return a note row as JSON."""
    return NoteOut.model_validate(note).model_dump(mode="json")
