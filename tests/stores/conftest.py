"""Services on real stores: one PostgreSQL and one Chroma server for the run, a fresh database per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from harness.rag import ScriptedProcessor, Stack, running
from stores.servers import Chroma, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroma]:
    server = Chroma(tmp_path_factory.mktemp("chroma"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    return postgres.new_database(f"test_{uuid4().hex}")


@pytest.fixture
def where(database_url: str, chroma: Chroma) -> dict[str, str]:
    """What tells a rag-service where its stores are."""
    return {"database_url": database_url, "chroma_url": chroma.url}


@pytest.fixture
def run(tmp_path: Path, embedded: None, where: dict[str, str]) -> Callable[..., Any]:
    """Start services on the same stores, one after the other."""
    return lambda processor=None, **settings: running(
        tmp_path / "data", processor or ScriptedProcessor(), **where, **settings
    )


@pytest.fixture
async def stack(run: Callable[..., Any]) -> AsyncIterator[Stack]:
    async with run() as found:
        yield found
