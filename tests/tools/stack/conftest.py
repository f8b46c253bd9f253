"""A `docker` that plays a script, for what a real engine does not do on request."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_DOCKER = """\
#!{python} -IS
import json, os, pathlib, sys
folder = pathlib.Path({folder!r})
args = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(args) + "\\n")
for rule in json.loads((folder / "rules").read_text()):
    if all(any(arg == word or arg.startswith(word + "=") for arg in args) for word in rule["words"]):
        sys.stdout.write(rule["out"])
        sys.stderr.write(rule["err"])
        sys.stdout.flush()
        for _ in range(rule["reads"]):
            sys.stdin.readline()
        if rule["volumes"]:
            *module, settings = args[-4:]
            settings = {{**json.loads(settings), "root": rule["volumes"]}}
            os.execv(sys.executable, [sys.executable, *module, json.dumps(settings)])
        sys.exit(rule["code"])
sys.stderr.write("no rule for " + " ".join(args)[:200])
sys.exit(99)
"""


@dataclass
class ScriptedDocker:
    """Answers by the first rule whose words are all found in the arguments; `env` puts it on the PATH."""

    folder: Path
    rules: list[dict[str, Any]] = field(default_factory=list)

    def on(
        self, *words: str, out: str = "", err: str = "", code: int = 0, reads: int = 0, volumes: Path | None = None
    ) -> None:
        """Answer so to `words`, once `reads` lines were read from stdin.

        `volumes`: run the command of the helper container on the folders there instead.
        """
        rule = {
            "words": words,
            "out": out,
            "err": err,
            "code": code,
            "reads": reads,
            "volumes": volumes and str(volumes),
        }
        self.rules.append(rule)
        (self.folder / "rules").write_text(json.dumps(self.rules))

    def with_containers(self, *rows: dict[str, Any]) -> None:
        self.on("ps", "label=com.docker.compose.project", out="\n".join(row["Id"] for row in rows))
        self.on("inspect", "container", out=json.dumps(rows))

    def with_volumes(self, *names: str) -> None:
        rows = [{"Name": f"switchyard_{name}", "Labels": {"com.docker.compose.volume": name}} for name in names]
        self.on("volume", "ls", out="\n".join(str(row["Name"]) for row in rows))
        self.on("volume", "inspect", out=json.dumps(rows))

    @property
    def calls(self) -> list[list[str]]:
        log = self.folder / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}:{os.environ['PATH']}", "HOME": str(self.folder)}


@pytest.fixture
def docker(tmp_path: Path) -> ScriptedDocker:
    folder = tmp_path / "bin"
    folder.mkdir()
    executable = folder / "docker"
    executable.write_text(_DOCKER.format(python=sys.executable, folder=str(folder)))
    executable.chmod(0o755)
    return ScriptedDocker(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout: the compose files, empty but for the name."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("", ".gpu", ".vllm", ".cpu", ".single-gpu"):
        (folder / f"docker-compose{name}.yml").write_text("name: switchyard\nservices: {}\n")
    return folder


def container(service: str, **given: Any) -> dict[str, Any]:
    """A row of `docker inspect`, with the fields that an engine 26.1 gives and we read."""
    health = given.get("health", "healthy")
    state = {
        "Status": given.get("status", "running"),
        "ExitCode": given.get("exit_code", 0),
        "Error": given.get("error", ""),
        "OOMKilled": given.get("oom", False),
        "StartedAt": given.get("started", "2026-11-21T12:00:00.123456789Z"),
    }
    if health:
        log = [{"ExitCode": 0, "Output": given.get("check", "")}]
        state["Health"] = {"Status": health, "FailingStreak": 0, "Log": log}
    return {
        "Id": f"{service}-id",
        "Name": f"/switchyard-{service}-1",
        "Created": given.get("created", "2026-11-21T11:59:59.5Z"),
        "Image": f"sha256:{service}",
        "RestartCount": given.get("restarts", 0),
        "State": state,
        "HostConfig": {"RestartPolicy": {"Name": given.get("restart", "unless-stopped")}},
        "Config": {
            "Labels": {
                "com.docker.compose.project": "switchyard",
                "com.docker.compose.service": service,
                "com.docker.compose.oneoff": given.get("oneoff", "False"),
                "com.docker.compose.project.config_files": given.get("files", ""),
            }
        },
        "NetworkSettings": {"Ports": given.get("ports", {})},
    }
