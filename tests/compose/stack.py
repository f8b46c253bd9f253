"""A Compose stack in a clean copy of the repository, driven by the commands that a user types."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from switchyard.services import SERVICES

REPOSITORY = Path(__file__).parents[2]
# Other names and ports, for a second run of the suite on the same engine.
PROJECT = os.environ.get("SWITCHYARD_TEST_PROJECT", "switchyard-test")
_OFFSET = int(os.environ.get("SWITCHYARD_TEST_PORT_OFFSET", "0"))
BASE = "python:3.11-slim-bookworm"
PORTS = {
    "GATEWAY_PORT": str(18080 + _OFFSET),
    **{service.port_setting: str(service.port + 10_000 + _OFFSET) for service in SERVICES},
    "PROMETHEUS_PORT": str(19090 + _OFFSET),
    "GRAFANA_PORT": str(13000 + _OFFSET),
}
OLLAMA = ("docker-compose.yml", "tests/compose/docker-compose.ci.yml")
VLLM = (
    "docker-compose.vllm.yml",
    "docker-compose.cpu.yml",
    "tests/compose/docker-compose.ci.yml",
    "tests/compose/docker-compose.ci-vllm.yml",
)
VLLM_MODELS = {"VLLM_MODEL": "/models/text", "VLLM_EMBED_MODEL": "/models/embedding"}
"""The models in the image of that stack."""


def clean_copy(folder: Path) -> Path:
    """Copy what git tracks, as a clone would have it: no .env, no data, no virtual environment."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=False, capture_output=True, text=True)
    if tracked.returncode != 0:
        # No repository (an exported archive), or another user's: all there is, but for what is made on the spot.
        made = shutil.ignore_patterns(
            ".git", ".venv", "data", "backups", ".env", "__pycache__", ".*_cache", "*.egg-info"
        )
        return Path(shutil.copytree(REPOSITORY, folder, ignore=made, dirs_exist_ok=True))
    for name in filter(None, tracked.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target)
    return folder


class CommandFailed(AssertionError):
    """A command that should have worked did not; the message is what it printed."""


@dataclass
class Stack:
    """One project on one set of Compose files."""

    folder: Path
    files: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{PORTS['GATEWAY_PORT']}"

    def own_url(self, service: str) -> str:
        """Where a service listens on loopback, without the gateway."""
        port = next(PORTS[known.port_setting] for known in SERVICES if known.name == service)
        return f"http://127.0.0.1:{port}"

    def command(self, *command: str, seconds: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `command` in the copy; raises `CommandFailed` unless it ends well or `check` is off."""
        environment = {
            **os.environ,
            **PORTS,
            "PYTHON_IMAGE": BASE,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": ":".join(self.files),
            "SWITCHYARD": str(Path(sys.executable).with_name("switchyard")),
            **self.environment,
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode != 0:
            raise CommandFailed(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def compose(self, *arguments: str, seconds: float = 600) -> str:
        return self.command("docker", "compose", *arguments, seconds=seconds).stdout

    def make(self, *arguments: str, seconds: float = 600) -> str:
        """Run a make target as a user would; variables come as NAME=VALUE."""
        given = f"SWITCHYARD={Path(sys.executable).with_name('switchyard')}"
        return self.command("make", "--no-print-directory", *arguments, given, seconds=seconds).stdout

    def up(self) -> float:
        """`docker compose up -d --build --wait`; returns the seconds it took."""
        begun = time.monotonic()
        try:
            self.compose("up", "-d", "--build", "--wait", seconds=900)
        except CommandFailed as error:
            logs = self.command("docker", "compose", "logs", "--tail", "30", check=False)
            raise CommandFailed(f"{error}\n{logs.stdout[-8000:]}") from None
        return time.monotonic() - begun

    def key(self) -> str:
        return self.make("key").strip()

    def config(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.compose(*arguments, "config", "--format", "json"))
        return found

    def services(self) -> list[str]:
        """The containers that are to run, one-shots left out."""
        return self.compose("ps", "--services").split()

    def inspect(self, service: str) -> dict[str, Any]:
        container = self.compose("ps", "-aq", service).strip()
        [found] = json.loads(self.command("docker", "inspect", container).stdout)
        return dict(found)

    def address(self, service: str) -> str:
        """Its address on the internal network."""
        return str(self.inspect(service)["NetworkSettings"]["Networks"][f"{PROJECT}_backend"]["IPAddress"])

    def kill(self, service: str) -> str:
        """Kill -9 the container's first process, as the kernel would, and return when it had been started before.

        `docker kill` would count as the operator's wish, and the restart policy would stand aside.
        """
        state = self.inspect(service)["State"]
        script = f"kill -9 {state['Pid']}"
        self.command("docker", "run", "--rm", "--pid", "host", "--network", "none", BASE, "sh", "-c", script)
        return str(state["StartedAt"])

    def await_healthy(self, service: str, *, since: str = "", seconds: float = 180) -> float:
        """Wait until it runs and is healthy, started after `since`; returns the seconds that took."""
        begun = time.monotonic()
        while True:
            state = self.inspect(service)["State"]
            healthy = state["Status"] == "running" and state["Health"]["Status"] == "healthy"
            if healthy and state["StartedAt"] != since:
                return time.monotonic() - begun
            if time.monotonic() - begun > seconds:
                raise CommandFailed(f"{service} is not healthy after {seconds} s: {json.dumps(state)[-3000:]}")
            time.sleep(0.5)

    def await_unhealthy(self, service: str, *, seconds: float = 180) -> str:
        """Wait until its health check is red; returns what the check last said."""
        end = time.monotonic() + seconds
        while (health := self.inspect(service)["State"]["Health"])["Status"] != "unhealthy":
            assert time.monotonic() < end, f"{service} is still {health['Status']}"
            time.sleep(1)
        return str(health["Log"][-1]["Output"])

    def inside(self, service: str, code: str) -> str:
        """Run Python code in a service's container."""
        return self.compose("exec", "-T", service, "python", "-c", code)

    def client(self, key: str | None = None, url: str | None = None) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=url or self.url, headers=headers, timeout=120)

    def run_on(self, network: str, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python code in a container of its own on a network."""
        return self.command(
            "docker", "run", "--rm", "--network", network, BASE, "python", "-c", code, seconds=60, check=False
        )

    def down(self, *arguments: str) -> None:
        self.compose("--profile", "monitoring", "down", "--remove-orphans", *arguments, seconds=240)


def require_engine() -> None:
    """Fail unless a Docker engine and Compose are there: this suite never passes by skipping."""
    try:
        subprocess.run(["docker", "info"], check=True, capture_output=True, timeout=60)
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        raise CommandFailed(
            "these tests need a Docker engine with Compose 2.24 or newer that this user may use: "
            f"{said.decode(errors='replace').strip() or error}"
        ) from None
