"""The project's containers, as `docker inspect` describes them."""

from __future__ import annotations

import json
import math
import time
from calendar import timegm
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from switchyard.stack.docker import Docker

_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what is published on all interfaces is local too


@dataclass(frozen=True)
class Container:
    """One container; `health` is healthy, unhealthy, starting, or empty where nothing is checked."""

    id: str
    name: str
    service: str
    state: str
    health: str
    exit_code: int
    error: str
    out_of_memory: bool
    started: str
    created: str
    restarts: int
    one_shot: bool
    image: str
    config_files: tuple[str, ...]
    last_check: str
    ports: Mapping[str, str]
    """Published ports: the port in the container (`8001/tcp`) to host:port."""

    def url(self, port: int) -> str | None:
        """Return where a port is reached from this machine; None if it is not published, or the container not running."""
        if not self.running or f"{port}/tcp" not in self.ports:
            return None
        host, _, published = self.ports[f"{port}/tcp"].rpartition(":")
        return f"http://{_LOCAL.get(host, host)}:{published}"

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def checked(self) -> str:
        """What its health check says while it runs; empty where nothing is checked."""
        return self.health if self.running else ""

    @property
    def done(self) -> bool:
        """Whether it is a one-shot that has succeeded."""
        return self.state == "exited" and self.exit_code == 0 and self.one_shot

    @property
    def is_healthy(self) -> bool:
        return self.done or (self.running and self.health in ("healthy", ""))


def parse(text: str) -> list[Container]:
    """Read what `docker inspect` prints; one-off containers (`compose run`) are left out; sorted by service."""
    containers = [_container(row) for row in json.loads(text) if not _one_off(row)]
    return sorted(containers, key=lambda container: (container.service, container.name))


def of_project(docker: Docker, project: str) -> list[Container]:
    """Return all containers of the project, also those that do not run."""
    ids = docker.out("ps", "-aq", "--no-trunc", "--filter", f"label={_PROJECT}={project}").split()
    return parse(docker.out("inspect", "--type", "container", *ids)) if ids else []


def find(containers: Iterable[Container], service: str) -> Container | None:
    """Return the container of `service`, preferably a running one; None if there is none."""
    of_service = [container for container in containers if container.service == service]
    return next((container for container in of_service if container.running), of_service[0] if of_service else None)


def created(container: Container) -> float:
    """Return when it was made, in Unix time; infinity if that is not known."""
    try:
        return timegm(time.strptime(container.created[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return math.inf


def _one_off(row: Mapping[str, Any]) -> bool:
    return bool((row["Config"].get("Labels") or {}).get("com.docker.compose.oneoff") == "True")


def _container(row: Mapping[str, Any]) -> Container:
    state, labels = row["State"], row["Config"].get("Labels") or {}
    health = state.get("Health") or {}
    log = health.get("Log") or []
    policy = ((row.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"
    files = labels.get("com.docker.compose.project.config_files", "")
    return Container(
        id=row["Id"],
        name=row["Name"].lstrip("/"),
        service=labels.get(_SERVICE, ""),
        state=state["Status"],
        health=health.get("Status", "").replace("none", ""),
        exit_code=state.get("ExitCode", 0),
        error=state.get("Error", ""),
        out_of_memory=bool(state.get("OOMKilled")),
        started=state.get("StartedAt", ""),
        created=row.get("Created", ""),
        restarts=row.get("RestartCount", 0),
        one_shot=policy in ("no", "on-failure"),
        image=row["Image"],
        config_files=tuple(name for name in files.split(",") if name),
        last_check=log[-1].get("Output", "").strip() if log else "",
        ports=_published((row.get("NetworkSettings") or {}).get("Ports") or {}),
    )


def _published(ports: Mapping[str, Any]) -> dict[str, str]:
    return {port: f"{hosts[0]['HostIp']}:{hosts[0]['HostPort']}" for port, hosts in ports.items() if hosts}
