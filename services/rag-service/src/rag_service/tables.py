"""The rag-service's rows: SQL is the source of truth, all else can be rebuilt from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service_kit.jobs import QUEUED, RUNNING, JobColumns, now

Rating: TypeAlias = Literal["good", "bad"]
GroundingMode: TypeAlias = Literal["mark", "drop", "refuse"]
"""What becomes of an answer's sentences that no passage supports: listed, taken out, or no answer at all."""
DELETING = "deleting"
"""A document's status besides those of its job: it is being deleted, and not shown."""
REPLACED = "replaced"
"""Another: a newer version answers; file and pages are kept, so that this one can be restored."""


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {dict[str, Any]: JSON, list[Any]: JSON}


BUILDING, ACTIVE, RETIRED, DROPPED = "filling", "active", "retired", "dropped"
"""States of an index: being built, answering, kept for a rollback, and to be deleted from Chroma."""


class Collection(Base):
    """A named set of documents; `grounding` is the mode of its answers, null for that of the service's setting."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(default="")
    grounding: Mapped[GroundingMode | None] = mapped_column(sa.String)
    created: Mapped[datetime] = mapped_column(default=now)


class Index(Base):
    """An index of a collection's vectors in one embedding space: `space` is its fingerprint, `name` Chroma's name of it.

    One per collection is active. All others hold the vectors of the chunks up to the id `filled_to`; the active one those
    of the chunks that are `embedded`. `activated` is null if it never answered; `job_id` is the newest job that builds it.
    `backend` is null in rows of an earlier release until the first start.
    """

    __tablename__ = "indexes"
    id: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    backend: Mapped[str | None]
    space: Mapped[str] = mapped_column(deferred=True)
    model: Mapped[dict[str, Any]]
    status: Mapped[str]
    filled_to: Mapped[int] = mapped_column(default=0)
    job_id: Mapped[str | None]
    activated: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)


class Document(Base):
    """A file or text as it was given; its bytes lie under `sha256` in the originals.

    `language` is an ISO 639-1 code, "" if it can't be told, and null while the document is in no keyword index; `properties`
    are what the file says about itself, or whoever gave it: title, author, created, modified and language. Documents of a
    collection with the same `external_id` are versions of one another: of those that are ready, the one with the highest
    `version` answers alone. A replaced one has no chunks; `chunks` counts those whose vectors are still to be deleted. What is
    `searchable` is found: a document that is ready, and what has been read so far of one that no older version answers for.
    `seconds` is what each stage of its last reading took.
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("collection", "sha256"),
        sa.Index("documents_sha256", "sha256"),
        sa.Index("documents_language", "collection", "language"),
        sa.Index("documents_external_id", "collection", "external_id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"))
    sha256: Mapped[str]
    filename: Mapped[str]
    external_id: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    searchable: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    seconds: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    title: Mapped[str]
    media_type: Mapped[str] = mapped_column(default="application/octet-stream")
    size: Mapped[int]
    language: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=QUEUED)
    pages: Mapped[int] = mapped_column(default=0)
    chunks: Mapped[int] = mapped_column(default=0)
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    properties: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    job_id: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class PageText(Base):
    """A page's text as the doc-processor gave it; chunks and citations count characters in it.

    `words` are the text, box and confidence of each word that OCR has found, null for other pages.
    `label` is what readers call the page, where it is more than a number: a sheet's name, or a time of a recording.
    """

    __tablename__ = "pages"
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    engine: Mapped[str]
    confidence: Mapped[float | None]
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    words: Mapped[list[Any] | None] = mapped_column(JSON, deferred=True)
    label: Mapped[str] = mapped_column(default="", server_default="")


class Chunk(Base):
    """A stretch of one page, `start` to `end`; `embedded` once its vector is in the collection's active index.

    An id is never used twice: the progress of an index is the id of a chunk.
    """

    __tablename__ = "chunks"
    __table_args__ = (
        UniqueConstraint("document_id", "ordinal"),
        sa.Index("chunks_waiting", "document_id", "embedded"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    page: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    heading: Mapped[str] = mapped_column(default="")
    text: Mapped[str]
    embedded: Mapped[bool] = mapped_column(default=False)


class ChunkTokens(Base):
    """A chunk's token vectors for re-ranking, packed by the backend of the index; a chunk without them is read again."""

    __tablename__ = "chunk_tokens"
    chunk_id: Mapped[int] = mapped_column(ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True)
    index_id: Mapped[str] = mapped_column(ForeignKey("indexes.id", ondelete="CASCADE"), primary_key=True, index=True)
    packed: Mapped[bytes]


class Job(JobColumns, Base):
    """An ingestion, or the build of an index: what a caller may watch, cancel, and ask about afterwards."""

    __tablename__ = "jobs"
    document_id: Mapped[str | None]
    collection: Mapped[str]
    pages_done: Mapped[int] = mapped_column(default=0)
    pages_total: Mapped[int | None]
    chunks_done: Mapped[int] = mapped_column(default=0)
    chunks_total: Mapped[int | None]
    seconds: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    timed: Mapped[str | None]
    since: Mapped[datetime | None]

    def take_time(self) -> None:
        """Add up `seconds` by stage, by the clock: since `since` the stage `timed` has been going on."""
        moment = now()
        if self.timed is not None and self.since is not None:
            passed = (moment - self.since).total_seconds()
            self.seconds = self.seconds | {self.timed: round(self.seconds.get(self.timed, 0.0) + passed, 3)}
        self.timed, self.since = (self.stage, moment) if self.status == RUNNING else (None, None)

    @property
    def eta_seconds(self) -> float | None:
        """How long the stage will still take at its speed so far; None where nothing is known of that."""
        of_stage = {"parsing": (self.pages_done, self.pages_total), "embedding": (self.chunks_done, self.chunks_total)}
        done, total = of_stage.get(self.stage, (0, None))
        if self.status != RUNNING or self.since is None or not done or total is None:
            return None
        return round((now() - self.since).total_seconds() / done * max(0, total - done), 1)


class Conversation(Base):
    """Questions and answers that build on one another; seen by the key that began it, and by admins."""

    __tablename__ = "conversations"
    id: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name", ondelete="CASCADE"))
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Turn(Base):
    """One question or answer of a conversation; `answer` is the whole of an answer, as the API gives it."""

    __tablename__ = "turns"
    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    content: Mapped[str]
    citations: Mapped[list[Any]] = mapped_column(default=list)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    rating: Mapped[Rating | None] = mapped_column(sa.String)
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)
