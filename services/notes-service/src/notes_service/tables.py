"""The database tables of the notes-service."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service_kit.jobs import QUEUED, JobColumns, now


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {dict[str, Any]: JSON, list[Any]: JSON}


class Note(Base):
    """A structured note and its source text; `words` is the text that a search looks in."""

    __tablename__ = "notes"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=QUEUED)
    revision: Mapped[int] = mapped_column(default=1)
    title: Mapped[str] = mapped_column(default="")
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    words: Mapped[str] = mapped_column(default="")
    incomplete: Mapped[bool] = mapped_column(default=False)
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    provider: Mapped[str] = mapped_column(default="")
    model: Mapped[str] = mapped_column(default="")
    extractive: Mapped[bool] = mapped_column(default=False)
    source_name: Mapped[str]
    source_sha256: Mapped[str | None]
    source_text: Mapped[str | None]
    job_id: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Part(Base):
    """A part of a long text; `draft` is set once the model has read it."""

    __tablename__ = "parts"
    note_id: Mapped[str] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[int]
    end: Mapped[int]
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Job(JobColumns, Base):
    """The job of a note, with the parts that are done and their total."""

    __tablename__ = "jobs"
    note_id: Mapped[str]
    owner: Mapped[str]
    parts_done: Mapped[int] = mapped_column(default=0)
    parts_total: Mapped[int | None]
