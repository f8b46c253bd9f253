"""What the page shows: places of words, titles of conversations, whole answers and how they were rated, and why a document failed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("pages", sa.Column("words", sa.JSON))
    op.add_column("documents", sa.Column("error", sa.JSON))
    op.add_column("conversations", sa.Column("title", sa.String, server_default="", nullable=False))
    op.add_column("turns", sa.Column("answer", sa.JSON))
    op.add_column("turns", sa.Column("rating", sa.String))
    op.add_column("turns", sa.Column("reason", sa.String, server_default="", nullable=False))
