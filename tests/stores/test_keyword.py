"""Keyword search in PostgreSQL: what it finds in SQLite, it finds there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("harness.keywords")

from harness.keywords import KeywordContract, Library  # noqa: E402
from service_kit.database import Database  # noqa: E402

pytestmark = pytest.mark.stores


@pytest.fixture
async def library(tmp_path: Path, database_url: str) -> AsyncIterator[Library]:
    database = Database.beside(tmp_path, "rag", database_url)
    await database.migrate("rag_service")
    yield Library(database)
    await database.aclose()


class TestPostgres(KeywordContract):
    pass
