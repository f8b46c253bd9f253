"""What an earlier release stored is there after an update."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("harness.migrating")

from harness.migrating import from_the_first_release  # noqa: E402
from service_kit.database import Database  # noqa: E402


async def test_from_the_first_release(tmp_path: Path) -> None:
    database = Database.beside(tmp_path, "rag", None)
    try:
        await from_the_first_release(database)
    finally:
        await database.aclose()
