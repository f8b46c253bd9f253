"""What the checks judge: the machine, the engine, the plan and the settings, each read once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from switchyard.stack import settings
from switchyard.stack.containers import Container, find
from switchyard.stack.errors import DockerFailed, Stopped
from switchyard.stack.helper import volumes_of
from switchyard.stack.preflight import machine, models
from switchyard.stack.preflight.machine import Gpu, Memory
from switchyard.stack.stacks import Project, of_stack

T = TypeVar("T")
_OLLAMA_MODELS = {"text": "OLLAMA_MODEL", "embeddings": "OLLAMA_EMBED_MODEL", "vision": "OLLAMA_VISION_MODEL"}


@dataclass(frozen=True)
class Secret:
    """A file that Compose mounts as a secret; `fault` says why it can't be read, `size` is in bytes."""

    path: str
    size: int = 0
    mode: int = 0o644
    fault: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known; what is not is None or empty.

    `engine` is `docker info`, `config` is `docker compose config`. `ports_in_use` are published addresses that other
    programs have, with the reason; `disk` is free bytes; `unreadable` are mounted files that only their owner may read.
    """

    stack: str
    engine: Mapping[str, Any] = field(default_factory=dict)
    engine_fault: str = ""
    docker_fault: str = ""
    remote: bool = False
    compose: tuple[int, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    config_fault: str = ""
    gpus: tuple[Gpu, ...] = ()
    gpu_fault: str = ""
    toolkit: bool = False
    memory: Memory | None = None
    disk: int | None = None
    ports_in_use: Mapping[str, str] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    dotenv: Mapping[str, str] = field(default_factory=dict)
    known_names: frozenset[str] = frozenset()
    dotenv_tracked: bool = False
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def services(self) -> Mapping[str, Any]:
        services: Mapping[str, Any] = self.config.get("services") or {}
        return services

    def setting(self, service: str, name: str) -> str:
        """Return a variable of a service's environment, or the engine's default; empty if there is no such service."""
        if service not in self.services:
            return ""
        environment = self.services[service].get("environment") or {}
        return str(environment.get(name) or models.defaults().get(name, ""))

    def limit(self, service: str, name: str) -> float:
        """Return a service's limit of `cpus` or of `memory` in bytes; 0 if it has none."""
        limits = self.services.get(service, {}).get("deploy", {}).get("resources", {}).get("limits", {})
        return float(limits.get(name) or 0)

    def devices(self, service: str) -> tuple[str, ...]:
        """Return the ids of the cards that a service is pinned to."""
        reserved = self.services.get(service, {}).get("deploy", {}).get("resources", {}).get("reservations") or {}
        devices = reserved.get("devices") or ()
        return tuple(str(name) for device in devices for name in device.get("device_ids") or ())

    def card(self, service: str) -> Gpu | None:
        """Return the card that a service is pinned to, if this machine has it."""
        ids = self.devices(service)
        return next((gpu for gpu in self.gpus if gpu.index in ids or gpu.uuid in ids), None)

    @property
    def pinned(self) -> tuple[str, ...]:
        """The services that are pinned to cards."""
        return tuple(service for service in self.services if self.devices(service))

    @property
    def vllm_on_cpu(self) -> bool:
        return self.setting("vllm", "VLLM_DEVICE") == "cpu"

    def ollama_models(self, service: str = "ollama-models") -> list[str]:
        """Return the models that Ollama fetches, or of the service `ollama` those that it keeps in memory."""
        roles = self.setting(service, "LOADED_ROLES").split() or list(_OLLAMA_MODELS)
        if self.setting(service, "USE_VISION_ANALYSIS") == "false":
            roles = [role for role in roles if role != "vision"]
        names = [self.setting(service, _OLLAMA_MODELS[role]) for role in roles]
        return [name for name in names if name]


def gather(root: Path, environment: Mapping[str, str], stack: str) -> tuple[Project, Facts]:
    """Return the project that `stack` would be, and what is known about it and this machine."""
    cards, gpu_fault = machine.gpus(environment)
    without_gpu = of_stack(root, environment, stack, gpu=False)
    engine, engine_fault, docker_fault = _engine(without_gpu)
    remote = _is_remote(without_gpu.settings, engine)
    toolkit = machine.has_toolkit(environment) or "nvidia" in (engine.get("Runtimes") or {})
    project = of_stack(root, environment, stack, gpu=bool(cards) and toolkit and not remote)
    config, config_fault = _config(project)
    containers: Sequence[Container] = _or_default(project.containers, []) if engine else []
    running = [container for container in containers if container.running]
    own_ports = {address for container in running for address in container.ports.values()}
    volumes: dict[str, str] = _or_default(lambda: volumes_of(project), {}) if engine else {}
    names = root / ".env.example"
    return project, Facts(
        stack=stack,
        engine=engine,
        engine_fault=engine_fault,
        docker_fault=docker_fault,
        remote=remote,
        compose=machine.version(_or_default(lambda: project.docker.out("compose", "version", "--short"), "")),
        config=config,
        config_fault=config_fault,
        gpus=() if remote else cards,
        gpu_fault=gpu_fault,
        toolkit=toolkit,
        memory=None if remote else machine.memory(),
        disk=None if remote else machine.free_disk(str(engine.get("DockerRootDir", ""))),
        ports_in_use={} if remote else machine.ports_in_use(config, own_ports),
        running=frozenset(container.service for container in running),
        volumes=frozenset(volumes),
        images=_images(project) if engine else frozenset(),
        settings=project.settings,
        dotenv=settings.read(root, {}),
        known_names=setting_names(names.read_text(encoding="utf-8")) if names.is_file() else frozenset(),
        dotenv_tracked=machine.is_tracked(root),
        secrets=_secrets(config),
        unreadable=() if remote else _unreadable(config),
        policy=_policy(project, containers, volumes.get("policy")),
    )


def setting_names(text: str) -> frozenset[str]:
    """Return the names in `.env.example`, also those that are commented out."""
    return frozenset(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))


def secret(path: Path) -> Secret:
    """Describe a secret's file without reading it."""
    try:
        status = path.stat()
    except OSError as error:
        return Secret(str(path), fault=error.strerror or str(error))
    return Secret(str(path), status.st_size, status.st_mode & 0o777)


def _engine(project: Project) -> tuple[dict[str, Any], str, str]:
    """Return `docker info`, or why the engine does not answer, or why there is no `docker` command."""
    try:
        engine: dict[str, Any] = json.loads(project.docker.out("info", "--format", "json", seconds=30))
    except DockerFailed as error:
        return {}, str(error), ""
    except Stopped as error:
        return {}, "", str(error)
    except ValueError:
        return {}, "docker info is not JSON: the docker command is too old", ""
    faults = engine.get("ServerErrors") or []
    return ({}, "; ".join(faults), "") if faults else (engine, "", "")


def _is_remote(known: Mapping[str, str], engine: Mapping[str, Any]) -> bool:
    """Return whether containers run on another machine, or in a virtual one as with Docker Desktop."""
    host = known.get("DOCKER_HOST", "")
    return (bool(host) and not host.startswith("unix://")) or "Desktop" in str(engine.get("OperatingSystem", ""))


def _config(project: Project) -> tuple[dict[str, Any], str]:
    try:
        return project.config(), ""
    except (Stopped, ValueError) as error:
        return {}, str(error)


def _images(project: Project) -> frozenset[str]:
    images = _or_default(lambda: project.docker.out("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"), "")
    return frozenset(images.split())


def _secrets(config: Mapping[str, Any]) -> dict[str, Secret]:
    files = {name: entry.get("file") for name, entry in (config.get("secrets") or {}).items()}
    return {name: secret(Path(path)) for name, path in files.items() if path}


def _unreadable(config: Mapping[str, Any]) -> tuple[str, ...]:
    mounts = [mount for service in (config.get("services") or {}).values() for mount in service.get("volumes") or ()]
    sources = {mount["source"] for mount in mounts if mount.get("type") == "bind"}
    return tuple(file for source in sorted(sources) for file in machine.unreadable(Path(source)))


def _policy(project: Project, containers: Sequence[Container], volume: str | None) -> dict[str, Any]:
    """Return the policy in effect, from the running service or from the volume, if there is an image to read it with."""
    service = find(containers, "rag-service")
    if service is None or volume is None:
        return {}
    module = ("-m", "service_kit.peers")
    run = ("run", "--rm", "--network", "none", "--read-only", "--user", "10001:10001", "--entrypoint", "python")
    mount = ("-v", f"{volume}:/data/policy:ro,nocopy")
    commands = [("exec", service.id, "python", *module)] if service.running else []
    # From the volume also while the service restarts again and again, perhaps because of this very policy.
    for args in (*commands, (*run, *mount, service.image, *module)):
        try:
            document: dict[str, Any] = json.loads(json.loads(project.docker.out(*args))["policy"].get("body", "{}"))
        except (DockerFailed, ValueError):
            continue
        return document
    return {}


def _or_default(read: Callable[[], T], default: T) -> T:
    try:
        return read()
    except Stopped:
        return default
