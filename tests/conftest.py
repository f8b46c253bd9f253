"""What tests of several packages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from llm_providers.backends.embedded.encoder import DEFAULT_MODEL, MODELS, LoadedModel

# Plain tracebacks: the default renders every local variable of every frame, which takes minutes for a whole service.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


# Busy machines are slow at times; the database of examples would be a file in the working tree.
settings.register_profile("tests", deadline=None, database=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def embedded_model_dir() -> Path:
    """The folder of the default sentence encoder."""
    return _built(DEFAULT_MODEL)


@pytest.fixture(scope="session", autouse=True)
def one_loaded_model() -> Iterator[None]:
    """Keep the default encoder in memory, where it has been built: each service of the tests would load it again."""
    folder = MODELS[DEFAULT_MODEL].path
    kept = LoadedModel.of(folder) if (folder / "model.onnx").exists() else None
    yield
    del kept


@pytest.fixture(scope="session")
def minilm_dir() -> Path:
    """The folder of all-MiniLM-L6-v2, which other servers of the tests have too."""
    return _built("all-MiniLM-L6-v2")


def _built(model: str) -> Path:
    folder = MODELS[model].path
    assert (folder / "model.onnx").exists(), "run `scripts/setup.sh --tests` first: it builds the embedding models"
    return folder


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch, embedded_model_dir: Path) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "embedded")
    monkeypatch.setenv("EMBEDDED_MODEL_DIR", str(embedded_model_dir))
