"""The script that fetches and checks Ollama's models, with the scripted engine as `ollama`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from harness.ports import free_port

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "ollama" / "models.sh"
ENGINE = ROOT / "tests" / "compose" / "images" / "ollama" / "ollama.py"


@dataclass(frozen=True)
class Models:
    """Runs of the script in one folder, which is `ollama`'s home."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "tests"),
            "OLLAMA_PORT": str(self.port),
            "OLLAMA_HOST": f"127.0.0.1:{self.port}",
        }

    def run(self, verb: str, **settings: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(SCRIPT), verb], env={**self.environment, **settings}, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def fetched(self) -> list[str]:
        return sorted(file.name for file in (self.folder / ".ollama" / "models").iterdir())


@pytest.fixture
def models(tmp_path: Path) -> Models:
    ollama = tmp_path / "ollama"
    ollama.write_text(f'#!/bin/sh\nexec {sys.executable} {ENGINE} "$@"\n')
    ollama.chmod(0o755)
    return Models(tmp_path, free_port())


@pytest.fixture
def serving(models: Models) -> Iterator[Models]:
    """The same, with the default models fetched and the server running."""
    assert models.run("pull")[0] == 0
    with subprocess.Popen([str(models.folder / "ollama"), "serve"], env=models.environment) as server:
        end = time.monotonic() + 30
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{models.port}/api/version")
                break
            except httpx2.TransportError:
                assert time.monotonic() < end
        yield models
        server.terminate()


def test_the_default_models_are_fetched_with_progress(models: Models) -> None:
    status, output = models.run("pull", OLLAMA_MODEL="", USE_VISION_ANALYSIS="")
    assert status == 0, output
    assert models.fetched == ["llama3.2", "llava", "nomic-embed-text"]
    assert "llama3.2: 1000 of 2000 MB (50 %)" in output
    assert "llama3.2: already here" in models.run("pull")[1]


def test_models_are_settable_and_vision_can_be_left_out(models: Models) -> None:
    status, output = models.run("pull", OLLAMA_MODEL="qwen3:8b", USE_VISION_ANALYSIS="false")
    assert status == 0, output
    assert models.fetched == ["nomic-embed-text", "qwen3:8b"]
    status, output = models.run("pull", OLLAMA_MODEL="no model")
    assert (status, "'no model' is no name of a model" in output) == (2, True)


def test_healthy_once_the_models_of_its_roles_are_loaded(serving: Models) -> None:
    status, output = serving.run("loaded", LOADED_ROLES="text embeddings")
    assert status == 0, output
    assert "llama3.2 is not in memory" in output
    assert serving.run("loaded", LOADED_ROLES="text embeddings") == (0, "")


def test_without_vision_its_model_is_not_waited_for(serving: Models) -> None:
    settings = {"LOADED_ROLES": "vision", "OLLAMA_VISION_MODEL": "not-fetched"}
    assert serving.run("loaded", **settings)[0] == 1
    assert serving.run("loaded", **settings, USE_VISION_ANALYSIS="false") == (0, "")
