"""The stacks, by their compose files, and the project that exists."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchyard.stack import containers, settings
from switchyard.stack.containers import Container
from switchyard.stack.docker import Docker
from switchyard.stack.errors import Stopped

BASE, GPU, VLLM = "docker-compose.yml", "docker-compose.gpu.yml", "docker-compose.vllm.yml"
CPU, SINGLE_GPU = "docker-compose.cpu.yml", "docker-compose.single-gpu.yml"
_FILES: Mapping[str, Sequence[str]] = {
    "ollama": (BASE,),
    "vllm": (VLLM,),
    "cpu": (VLLM, CPU),
    "single-gpu": (VLLM, SINGLE_GPU),
}
STACKS = tuple(_FILES)
_PROJECT = "switchyard"
_NAME = re.compile(r"^name:\s*['\"]?([a-z0-9][a-z0-9_-]*)", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """A Compose project of the checkout that `docker` runs in; `files` is empty where COMPOSE_FILE names them."""

    docker: Docker
    name: str
    files: tuple[str, ...]
    settings: Mapping[str, str] = field(repr=False)

    def compose(self, *args: str) -> list[str]:
        """Return the arguments of `docker` for `docker compose ARGS` on the project's files."""
        chosen = [word for name in self.files for word in ("-f", name)]
        return ["compose", "--project-name", self.name, *chosen, *args]

    def show(self, *args: str) -> int:
        """Run `docker compose ARGS` on this terminal and return its exit status."""
        return self.docker.show(*self.compose(*args))

    def config(self) -> dict[str, Any]:
        """Return the compose files as Compose resolves them; raises `DockerFailed` and ValueError."""
        config: dict[str, Any] = json.loads(self.docker.out(*self.compose("config", "--format", "json")))
        return config

    def services(self) -> list[str]:
        """Return the names of the services in the compose files; raises `DockerFailed`."""
        return sorted(self.docker.out(*self.compose("config", "--services")).split())

    def containers(self) -> list[Container]:
        return containers.of_project(self.docker, self.name)


def files_of(stack: str, gpu: bool) -> tuple[str, ...]:
    """Return the compose files of `stack`; `gpu` says whether containers can have an NVIDIA GPU. Raises `Stopped`."""
    if stack not in _FILES:
        raise Stopped(f"there is no stack {stack!r}", f"choose one of {', '.join(STACKS)}")
    return (*_FILES[stack], *((GPU,) if stack == "ollama" and gpu else ()))


def of_stack(root: Path, environment: Mapping[str, str], stack: str, gpu: bool) -> Project:
    """Return the project as it would be started; COMPOSE_FILE counts if it names the files of `stack`, and more.

    Raises `Stopped` if it names others: Compose would start another stack than the one that was asked for.
    """
    known = settings.read(root, environment)
    files = files_of(stack, gpu)
    chosen = known.get("COMPOSE_FILE", "")
    if not chosen:
        return _project(root, environment, known, files)
    named = {Path(name).name for name in chosen.split(_separator(known))}
    if lacking := [name for name in _FILES[stack] if name not in named]:
        where = "the environment" if environment.get("COMPOSE_FILE") else ".env"
        raise Stopped(
            f"COMPOSE_FILE in {where} is {chosen}: Compose would start that, and not the stack {stack}",
            f"take COMPOSE_FILE out of {where}, add {', '.join(lacking)} to it, or start what it names: docker compose up -d --wait",
        )
    return _project(root, environment, known, ())


def current(root: Path, environment: Mapping[str, str]) -> Project:
    """Return the project as it was last started: by COMPOSE_FILE, its newest container, or `docker-compose.yml`."""
    known = settings.read(root, environment)
    project = _project(root, environment, known, ())
    if known.get("COMPOSE_FILE"):
        return project
    return _project(root, environment, known, started_with(project.containers(), root) or (BASE,))


def started_with(containers: Sequence[Container], root: Path) -> tuple[str, ...]:
    """Return the compose files of the newest container; those of the same name in `root` if they are gone."""
    for newest in sorted(containers, key=lambda container: container.created, reverse=True):
        for folder in ("", root):
            files = tuple(os.path.join(folder, Path(name).name) if folder else name for name in newest.config_files)
            if files and all(Path(name).is_file() for name in files):
                return files
    return ()


def project_name(root: Path, known: Mapping[str, str]) -> str:
    """Return COMPOSE_PROJECT_NAME, or the `name:` in the first compose file."""
    if known.get("COMPOSE_PROJECT_NAME"):
        return known["COMPOSE_PROJECT_NAME"]
    first = root / (known.get("COMPOSE_FILE") or BASE).split(_separator(known))[0]
    matched = _NAME.search(first.read_text(encoding="utf-8")) if first.is_file() else None
    return matched.group(1) if matched else _PROJECT


def _separator(known: Mapping[str, str]) -> str:
    return known.get("COMPOSE_PATH_SEPARATOR") or os.pathsep


def _project(root: Path, environment: Mapping[str, str], known: Mapping[str, str], files: tuple[str, ...]) -> Project:
    return Project(Docker(root, environment), project_name(root, known), files, known)
