"""A collection's own grounding mode."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("collections", sa.Column("grounding", sa.String))
