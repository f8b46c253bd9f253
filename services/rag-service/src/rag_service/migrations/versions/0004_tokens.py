"""Token vectors of chunks, beside the index that their vectors are in."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "chunk_tokens",
        sa.Column("chunk_id", sa.Integer, sa.ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("index_id", sa.String, sa.ForeignKey("indexes.id", ondelete="CASCADE"), primary_key=True, index=True),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
