"""The model, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_providers.backends.embedded.encoder import Encoder


@pytest.fixture(scope="session")
def encoder(embedded_model_dir: Path) -> Encoder:
    return Encoder(folder=embedded_model_dir)
