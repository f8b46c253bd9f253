"""The rows of the graph-service.

A mention belongs to a name, and a name to an entity: which names are one entity is one column, so that resolution, merging
and splitting rewrite no mention and no relation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service_kit.jobs import QUEUED, JobColumns, now

LARGEST_ID = 2**31 - 1
"""PostgreSQL refuses to compare an INTEGER with what is larger."""


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {dict[str, Any]: JSON}


class Graph(Base):
    """The graph of one collection; `revision` changes whenever its entities or relations have changed.

    `extractor` names what read the newest chunks: "patterns", or a backend and its model. `status` is that of `job_id`.
    """

    __tablename__ = "graphs"
    collection: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str]
    status: Mapped[str] = mapped_column(default=QUEUED)
    revision: Mapped[int] = mapped_column(default=0)
    extractor: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Document(Base):
    """A document that is in a graph, under the rag-service's id; another `content` means that it has to be read again."""

    __tablename__ = "documents"
    id: Mapped[str] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("graphs.collection", ondelete="CASCADE"), index=True)
    title: Mapped[str]
    language: Mapped[str]
    content: Mapped[str]


class Chunk(Base):
    """A stretch of one page, read for entities as a whole; `dropped` are mentions that did not stand in it."""

    __tablename__ = "chunks"
    __table_args__ = (sa.Index("chunks_of_document", "document_id", "done"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    page: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    done: Mapped[bool] = mapped_column(default=False)
    dropped: Mapped[int] = mapped_column(default=0)
    failed: Mapped[bool] = mapped_column(default=False)


class Sentence(Base):
    """A sentence with mentions, as it stands on its page from `start` to `end`, in characters."""

    __tablename__ = "sentences"
    id: Mapped[int] = mapped_column(primary_key=True)
    chunk_id: Mapped[int] = mapped_column(ForeignKey("chunks.id", ondelete="CASCADE"), index=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    page: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    text: Mapped[str]


class Entity(Base):
    """Somebody or something of one collection; `mentions` counts those of all its names, as of the last build."""

    __tablename__ = "entities"
    __table_args__ = (sa.Index("entities_by_mentions", "collection", "mentions", "id"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("graphs.collection", ondelete="CASCADE"))
    type: Mapped[str]
    name: Mapped[str]
    mentions: Mapped[int] = mapped_column(default=0)


class Name(Base):
    """A way in which an entity is named: `key` is what all its spellings have in common, `text` one of them.

    `by_hand`: somebody has said to which entity it belongs, which no build changes.
    """

    __tablename__ = "names"
    __table_args__ = (UniqueConstraint("collection", "type", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("graphs.collection", ondelete="CASCADE"))
    type: Mapped[str]
    key: Mapped[str]
    text: Mapped[str]
    entity_id: Mapped[int] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), index=True)
    by_hand: Mapped[bool] = mapped_column(default=False)


class Mention(Base):
    """A name where it stands: from `start` to `end` of its sentence's page."""

    __tablename__ = "mentions"
    id: Mapped[int] = mapped_column(primary_key=True)
    sentence_id: Mapped[int] = mapped_column(ForeignKey("sentences.id", ondelete="CASCADE"), index=True)
    name_id: Mapped[int] = mapped_column(ForeignKey("names.id", ondelete="CASCADE"), index=True)
    start: Mapped[int]
    end: Mapped[int]


class Relation(Base):
    """A relation of two names in one sentence; the kind "occurs-with" means only that the sentence has both."""

    __tablename__ = "relations"
    # Neighbours are counted, and the relations of two names found, in the index alone.
    __table_args__ = (
        sa.Index("relations_by_subject", "subject_id", "object_id", "kind", "sentence_id"),
        sa.Index("relations_by_object", "object_id", "subject_id", "kind", "sentence_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    sentence_id: Mapped[int] = mapped_column(ForeignKey("sentences.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("names.id", ondelete="CASCADE"))
    object_id: Mapped[int] = mapped_column(ForeignKey("names.id", ondelete="CASCADE"))
    kind: Mapped[str]


class Job(JobColumns, Base):
    """A build of a collection's graph, with its chunks that are done and their total; `again` reads all documents anew."""

    __tablename__ = "jobs"
    collection: Mapped[str]
    again: Mapped[bool] = mapped_column(default=False)
    chunks_done: Mapped[int] = mapped_column(default=0)
    chunks_total: Mapped[int | None]
