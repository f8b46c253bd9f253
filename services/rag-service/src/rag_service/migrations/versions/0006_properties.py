"""What a file says about itself, and what its pages are called."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("documents", sa.Column("properties", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("pages", sa.Column("label", sa.String, nullable=False, server_default=""))
