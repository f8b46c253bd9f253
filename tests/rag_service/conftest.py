"""A whole rag-service per test, with the embedded provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from harness.rag import ScriptedProcessor, Stack, running


@pytest.fixture
async def stack(tmp_path: Path, embedded: None) -> AsyncIterator[Stack]:
    async with running(tmp_path / "data", ScriptedProcessor()) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, embedded: None) -> Callable[..., Any]:
    """Start services on one data folder, one after the other."""
    return lambda processor=None, **settings: running(tmp_path / "data", processor or ScriptedProcessor(), **settings)
