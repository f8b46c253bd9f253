"""The images that stand in for those of a registry, and one copy of the repository for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose.stack import REPOSITORY, Stack, clean_copy, require_engine


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_engine()
    return clean_copy(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="session")
def gateway_base(folder: Path) -> None:
    """What the gateway's Dockerfile is built from here."""
    images = REPOSITORY / "tests" / "compose" / "images"
    Stack(folder, ()).command("docker", "build", "-q", "-t", "switchyard-ci/nginx", str(images / "nginx"))
