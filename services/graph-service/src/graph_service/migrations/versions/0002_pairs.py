"""Relations are found by both their ends, from the index alone."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for one, other in (("subject_id", "object_id"), ("object_id", "subject_id")):
        op.create_index(f"relations_by_{one.removesuffix('_id')}", "relations", [one, other, "kind", "sentence_id"])
        op.drop_index(f"ix_relations_{one}", "relations")
