"""What tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from llm_providers.backends.embedded.encoder import default_model_dir

# Plain tracebacks: the default renders every local variable of every frame, which takes minutes for a whole service.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def embedded_model_dir() -> Path:
    """The embedded model, as `make setup` built it."""
    folder = default_model_dir()
    assert (folder / "model.onnx").exists(), "run `make setup` first: it builds the embedding model"
    return folder


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch, embedded_model_dir: Path) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "embedded")
    monkeypatch.setenv("EMBEDDED_MODEL_DIR", str(embedded_model_dir))
