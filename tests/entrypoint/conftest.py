"""The real entrypoint, with a `vllm` of our own before all others on its PATH."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

SCRIPT = Path(__file__).parents[2] / "vllm-entrypoint.sh"
STUB = Path(__file__).with_name("stub_vllm.py")
ROLES = ("text", "embeddings", "rerank")
Seen = TypeVar("Seen")


def free_base() -> int:
    """A port that is free, and the two after it."""
    while True:
        base = random.randrange(20000, 32000, 3)
        try:
            with ExitStack() as stack:
                for port in range(base, base + 3):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
        except OSError:
            continue
        return base


def eventually(look: Callable[[], Seen], seconds: float = 10) -> Seen:
    """What `look` returns, once it is true."""
    limit = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < limit, f"{look} stayed {seen!r}"
        time.sleep(0.02)
    return seen


@dataclass
class Entrypoint:
    """Runs of the script in one folder, and what the stub noted in them."""

    folder: Path
    base: int = field(default_factory=free_base)
    process: subprocess.Popen[str] | None = None

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def port(self, role: str) -> int:
        return self.base + ROLES.index(role)

    def environment(self, **settings: str) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "STUB_DIR": str(self.folder),
            "SECRETS_DIR": str(self.secrets),
            "VLLM_PORT_BASE": str(self.base),
            "VLLM_MODEL": str(self.folder / "model"),
            "VLLM_EMBED_MODEL": str(self.folder / "model"),
            **settings,
        }

    def run(self, verb: str = "serve", **settings: str) -> subprocess.CompletedProcess[str]:
        """A run that ends by itself."""
        command = [str(SCRIPT), verb]
        return subprocess.run(
            command, env=self.environment(**settings), capture_output=True, text=True, timeout=30, cwd=self.folder
        )

    def start(self, verb: str = "serve", **settings: str) -> subprocess.Popen[str]:
        command, environment = [str(SCRIPT), verb], self.environment(**settings)
        with (self.folder / "out").open("w") as out:
            self.process = subprocess.Popen(
                command, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True, cwd=self.folder
            )
        return self.process

    def serve(self, **settings: str) -> subprocess.Popen[str]:
        """A run that stays; returns when all servers answer."""
        process = self.start(**settings)
        eventually(lambda: "ready after" in self.output or process.poll() is not None)
        assert process.poll() is None, self.output
        return process

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()

    def tell(self, role: str, what: str, content: str = "") -> Path:
        """Tell the stub of a role how to behave."""
        file = self.folder / f"{self.port(role)}.{what}"
        file.write_text(content)
        return file

    def events(self, event: str, role: str | None = None) -> list[dict[str, Any]]:
        file = self.folder / "events"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        ports = [self.port(role)] if role else range(self.base, self.base + 3)
        return [line for line in lines if line["event"] == event and line["port"] in ports]

    def was_checked(self, role: str, times: int) -> bool:
        """Whether the supervisor has asked for a server's health so often."""
        return len(self.events("health", role)) >= times

    def started(self, role: str) -> dict[str, Any]:
        [event] = self.events("started", role)
        return event

    def option(self, role: str, name: str) -> str | None:
        """The value of a server's option; None where it was not given."""
        argv: list[str] = self.started(role)["argv"]
        return argv[argv.index(name) + 1] if name in argv else None

    def names(self, role: str) -> list[str]:
        """Under what names a server serves."""
        argv: list[str] = self.started(role)["argv"]
        rest = argv[argv.index("--served-model-name") + 1 :]
        return rest[: next(place for place, word in enumerate(rest) if word.startswith("--"))]

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for event in self.events("started"):
            command = Path(f"/proc/{event['pid']}/cmdline")
            if command.exists() and str(STUB) in command.read_text():
                os.kill(event["pid"], signal.SIGKILL)


@pytest.fixture
def entrypoint(tmp_path: Path) -> Iterator[Entrypoint]:
    for folder in ("bin", "model", "secrets"):
        (tmp_path / folder).mkdir()
    vllm = tmp_path / "bin" / "vllm"
    vllm.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {STUB} "$@"\n')
    vllm.chmod(0o755)
    entrypoint = Entrypoint(tmp_path)
    yield entrypoint
    entrypoint.end()


def put_into_cache(folder: Path, model: str, files: tuple[str, ...] = ("config.json", "model.safetensors")) -> Path:
    """A model as the Hub's client would have left it; returns its folder."""
    repository = folder / ".cache" / "huggingface" / "hub" / f"models--{model.replace('/', '--')}"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    for file in files:
        (snapshot / file).write_text("{}")
    return repository
