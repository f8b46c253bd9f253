"""An index per collection and embedding space; chunk ids that are never used twice; jobs about no one document."""

import hashlib
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from rag_service.vectors import vector_collection

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "indexes",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column(
            "collection",
            sa.String,
            sa.ForeignKey("collections.name", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("backend", sa.String),
        sa.Column("space", sa.Text, nullable=False),
        sa.Column("model", sa.JSON, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("filled_to", sa.Integer, nullable=False),
        sa.Column("job_id", sa.String),
        sa.Column("activated", sa.DateTime),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    _keep_spaces()
    # Not in batch mode, which would make the table anew, and take the conversations that refer to it along.
    op.drop_column("collections", "space")
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("document_id", existing_type=sa.String, nullable=True)
    # They were of a kind that is no more: what they had not reached, the next reindexing reaches.
    op.execute("UPDATE jobs SET status = 'cancelled' WHERE kind = 'reindex' AND status IN ('queued', 'running')")
    if op.get_bind().dialect.name == "sqlite":
        _never_reuse_chunk_ids()


def _keep_spaces() -> None:
    connection, now = op.get_bind(), datetime.now(UTC).replace(tzinfo=None)
    indexes = sa.table(
        "indexes",
        *map(sa.column, ("id", "collection", "name", "space", "status", "filled_to")),
        sa.column("model", sa.JSON),
        sa.column("activated", sa.DateTime),
        sa.column("created", sa.DateTime),
    )
    for number, row in enumerate(
        connection.execute(sa.text("SELECT name, space FROM collections WHERE space IS NOT NULL")).all()
    ):
        model = json.loads(row.space)["model"]
        digest = hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()
        values = {
            "id": f"idx_{number:026d}",
            "collection": row.name,
            "name": vector_collection(row.name, digest),
            "space": row.space,
            "model": model,
            "status": "active",
            "filled_to": 0,
            "activated": now,
            "created": now,
        }
        connection.execute(indexes.insert().values(values))


def _never_reuse_chunk_ids() -> None:
    """SQLite gives the id of a deleted last row to the next one, unless it was told otherwise when the table was made."""
    op.create_table(
        "chunks_new",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("document_id", sa.String, sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("heading", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("embedded", sa.Boolean, nullable=False),
        sa.UniqueConstraint("document_id", "ordinal"),
        sqlite_autoincrement=True,
    )
    op.execute(
        'INSERT INTO chunks_new (id, document_id, ordinal, page, start, "end", heading, text, embedded) '
        'SELECT id, document_id, ordinal, page, start, "end", heading, text, embedded FROM chunks'
    )
    op.drop_table("chunks")
    op.rename_table("chunks_new", "chunks")
    op.create_index("chunks_waiting", "chunks", ["document_id", "embedded"])
