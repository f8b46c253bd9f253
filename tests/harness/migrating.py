"""A database as an earlier release left it, and what must be found in it after the migration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from engines.contract import soon
from llm_providers.spaces import Fingerprint
from llm_providers.testing import FakeEmbeddings
from service_kit.database import Database

_NOW = "2026-11-20 12:00:00"
_FIRST = (
    "INSERT INTO collections (name, description, space, created) VALUES ('Empty', '', NULL, :now)",
    "INSERT INTO collections (name, description, space, created) VALUES ('harbour', '', :space, :now)",
    "INSERT INTO documents (id, collection, sha256, filename, title, media_type, size, status, pages, chunks, warnings, "
    "job_id, created, updated) VALUES ('doc', 'harbour', 'x', 'a.md', 'A', 't', 1, 'ready', 1, 2, '[]', 'job', :now, :now)",
    "INSERT INTO jobs (id, kind, document_id, collection, status, stage, pages_done, chunks_done, created, updated) "
    "VALUES ('job', 'reindex', 'doc', 'harbour', 'queued', 'waiting', 0, 0, :now, :now)",
    "INSERT INTO conversations (id, collection, owner, created) VALUES ('conv', 'harbour', 'me', :now)",
    'INSERT INTO chunks (document_id, ordinal, page, start, "end", heading, text, embedded) '
    "VALUES ('doc', 0, 1, 0, 3, '', 'one', :yes), ('doc', 1, 1, 3, 6, '', 'two', :yes)",
)


def _to_first(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "rag_service:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


async def from_the_first_release(database: Database) -> None:
    """Fill `database` as the first release did, migrate it, and look at what became of it."""
    space = await Fingerprint.take(FakeEmbeddings(), soon())
    values = {"space": space.to_json(), "yes": True}
    async with database.engine.begin() as connection:
        if database.schema is not None:
            await connection.execute(text(f"CREATE SCHEMA {database.schema}"))
        await connection.run_sync(_to_first)
        for template in _FIRST:
            # As a literal, which either database takes for a time.
            statement = template.replace(":now", f"'{_NOW}'")
            await connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
    await database.migrate("rag_service")

    digest = hashlib.sha256(json.dumps(asdict(space.model), sort_keys=True).encode()).hexdigest()
    async with database.writing() as session:
        (index,) = (await session.execute(text("SELECT collection, name, backend, space, status FROM indexes"))).all()
        assert tuple(index[:3]) == ("harbour", f"sy-harbour-{digest[:12]}", None)
        assert Fingerprint.from_json(index.space) == space
        assert index.status == "active"
        assert await session.scalar(text("SELECT status FROM jobs")) == "cancelled"
        assert await session.scalar(text("SELECT count(*) FROM conversations")) == 1
        chunks = (await session.execute(text("SELECT id, ordinal, text FROM chunks ORDER BY id"))).all()
        assert [tuple(chunk[1:]) for chunk in chunks] == [(0, "one"), (1, "two")]
        await session.execute(text("DELETE FROM chunks WHERE ordinal = 1"))
        again = (
            'INSERT INTO chunks (document_id, ordinal, page, start, "end", heading, text, embedded) '
            "VALUES ('doc', 1, 1, 3, 6, '', 'new', :yes) RETURNING id"
        )
        assert await session.scalar(text(again), {"yes": True}) > chunks[1].id
        await session.execute(text("DELETE FROM documents"))
        assert await session.scalar(text("SELECT count(*) FROM chunks")) == 0
