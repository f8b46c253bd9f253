"""Alembic's entry: the service hands its connection over and runs this at start."""

from alembic import context

from graph_service.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
