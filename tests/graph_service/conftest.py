"""A whole graph-service per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from harness.graph import ScriptedRag, Stack, running


@pytest.fixture
def rag() -> ScriptedRag:
    return ScriptedRag()


@pytest.fixture
async def stack(tmp_path: Path, rag: ScriptedRag, embedded: None) -> AsyncIterator[Stack]:
    async with running(tmp_path / "data", rag) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, rag: ScriptedRag) -> Callable[..., Any]:
    """Start services on one data folder, one after the other."""
    return lambda **settings: running(tmp_path / "data", rag, **settings)
