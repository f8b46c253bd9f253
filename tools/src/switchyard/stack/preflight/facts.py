"""What the checks judge: the machine, the engine, the plan and the settings, each gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchyard.stack.preflight.parsing import Gpu, Memory


@dataclass(frozen=True)
class Secret:
    """A file that Compose mounts as a secret; `fault` says why it can't be read, `size` in bytes."""

    path: str
    size: int = 0
    mode: int = 0o644
    fault: str = ""


@dataclass(frozen=True)
class Facts:
    """`engine` is `docker info`, `config` `docker compose config`; what is not known is None or empty.

    `taken` are the ports of the plan that somebody else has, and why they can't be had; `disk` free bytes;
    `closed` are the files that containers are to see and that others than their owner may not read.
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
    taken: Mapping[str, str] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    dotenv: Mapping[str, str] = field(default_factory=dict)
    known_names: frozenset[str] = frozenset()
    dotenv_tracked: bool = False
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def services(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config.get("services") or {}
        return found

    def setting(self, service: str, name: str, default: str = "") -> str:
        """What `service` is told as `name`; `default` where that is nothing."""
        environment = self.services.get(service, {}).get("environment") or {}
        return str(environment.get(name) or default)

    def limit(self, service: str, name: str) -> float:
        """The limit `name` (cpus, or memory in bytes) of `service`; 0 where there is none."""
        limits = self.services.get(service, {}).get("deploy", {}).get("resources", {}).get("limits", {})
        return float(limits.get(name) or 0)

    def devices(self, service: str) -> tuple[str, ...]:
        """The ids of the cards that `service` is pinned to."""
        reserved = self.services.get(service, {}).get("deploy", {}).get("resources", {}).get("reservations") or {}
        devices = reserved.get("devices") or ()
        return tuple(str(name) for device in devices for name in device.get("device_ids") or ())

    def card(self, service: str) -> Gpu | None:
        """The card that `service` is pinned to, if it is there."""
        wanted = self.devices(service)
        return next((gpu for gpu in self.gpus if gpu.index in wanted or gpu.uuid in wanted), None)

    @property
    def pinned(self) -> tuple[str, ...]:
        return tuple(service for service in self.services if self.devices(service))

    @property
    def vllm_on_cpu(self) -> bool:
        return self.setting("vllm", "VLLM_DEVICE") == "cpu"


def closed(path: Path) -> list[str]:
    """The files in `path`, or it itself, that others than their owner may not read."""
    try:
        shut = not path.stat().st_mode & (0o005 if path.is_dir() else 0o004)
        inside = sorted(path.iterdir()) if path.is_dir() else []
    except OSError:
        return [str(path)]
    return [str(path)] if shut else [found for one in inside for found in closed(one)]


def readable(path: Path) -> Secret:
    """Look at a secret's file, and never into it."""
    try:
        found = path.stat()
    except OSError as error:
        return Secret(str(path), fault=error.strerror or str(error))
    return Secret(str(path), found.st_size, found.st_mode & 0o777)
