"""Graphs, their documents and chunks; sentences, mentions, names, entities and relations; jobs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _to(column: str, target: str, kind: type = sa.Integer, *, index: bool = True) -> sa.Column[Any]:
    return sa.Column(column, kind, sa.ForeignKey(target, ondelete="CASCADE"), nullable=False, index=index)


def _whole(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "graphs",
        sa.Column("collection", sa.String, primary_key=True),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("extractor", sa.String, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("updated", sa.DateTime, nullable=False),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.String, primary_key=True),
        _to("collection", "graphs.collection", sa.String),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
    )
    op.create_table(
        "chunks",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("document_id", "documents.id", sa.String, index=False),
        *_whole("page", "start", "end"),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
    )
    op.create_index("chunks_of_document", "chunks", ["document_id", "done"])
    op.create_table(
        "sentences",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("chunk_id", "chunks.id"),
        _to("document_id", "documents.id", sa.String),
        *_whole("page", "start", "end"),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "entities",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _to("collection", "graphs.collection", sa.String, index=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("mentions", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("entities_by_mentions", "entities", ["collection", "mentions", "id"])
    op.create_table(
        "names",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("collection", "graphs.collection", sa.String, index=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        _to("entity_id", "entities.id"),
        sa.Column("by_hand", sa.Boolean, nullable=False),
        sa.UniqueConstraint("collection", "type", "key"),
    )
    op.create_table(
        "mentions",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("sentence_id", "sentences.id"),
        _to("name_id", "names.id"),
        *_whole("start", "end"),
    )
    op.create_table(
        "relations",
        sa.Column("id", sa.Integer, primary_key=True),
        _to("sentence_id", "sentences.id"),
        _to("subject_id", "names.id"),
        _to("object_id", "names.id"),
        sa.Column("kind", sa.String, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("chunks_done", sa.Integer, nullable=False),
        sa.Column("chunks_total", sa.Integer),
        sa.Column("waiting_for", sa.String),
        sa.Column("error", sa.JSON),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("updated", sa.DateTime, nullable=False),
    )
