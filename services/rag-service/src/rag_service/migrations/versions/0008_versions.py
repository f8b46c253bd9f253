"""Versions of documents, documents that are found while they are read, and the times of their stages."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("documents", sa.Column("external_id", sa.String))
    op.add_column("documents", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("documents", sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))
    op.add_column("documents", sa.Column("searchable", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE documents SET searchable = true WHERE status = 'ready'")
    op.add_column("documents", sa.Column("seconds", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("seconds", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("timed", sa.String))
    op.add_column("jobs", sa.Column("since", sa.DateTime))
    op.create_index("documents_external_id", "documents", ["collection", "external_id"])
    # Documents of one name were no versions of one another until now, and nobody is to lose one of them.
    op.execute(
        "UPDATE documents SET external_id = filename WHERE NOT EXISTS (SELECT 1 FROM documents AS other "
        "WHERE other.collection = documents.collection AND other.filename = documents.filename "
        "AND other.id <> documents.id)"
    )
