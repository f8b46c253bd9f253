"""A document's language, and keyword indexes of terms in place of those that FTS5 and PostgreSQL made of the words.

What is stored is indexed again at the next start: a document without a language is in no keyword index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("documents", sa.Column("language", sa.String))
    op.create_index("documents_language", "documents", ["collection", "language"])
    op.execute("DROP TABLE chunk_text")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE chunk_words (chunk_id INTEGER PRIMARY KEY, collection TEXT NOT NULL, "
            "words TSVECTOR NOT NULL, length INTEGER NOT NULL)"
        )
        op.execute("CREATE INDEX chunk_words_collection ON chunk_words (collection, length)")
        op.execute("CREATE INDEX chunk_words_words ON chunk_words USING GIN (words)")
