"""Keyword search in SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("harness.keywords")

from harness.keywords import KeywordContract, Library  # noqa: E402
from service_kit.database import Database  # noqa: E402


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    database = Database.beside(tmp_path, "rag", None)
    await database.migrate("rag_service")
    yield Library(database)
    await database.aclose()


class TestFts5(KeywordContract):
    pass


async def test_names_of_collections_never_meet_those_of_other_tables(library: Library) -> None:
    first, second = await library.add("boat", collection="a"), await library.add("boat", collection="a_data")
    assert await library.search("boat", "a") == [first]
    assert await library.search("boat", "a_data") == [second]
